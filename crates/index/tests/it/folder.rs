use std::fs;

use serde_json::json;
use xunpin_index::{Batch, Index, IndexError, IndexOptions, try_writer_lock};

use crate::common::{create, fill, fingerprint, search};

fn message(result: Result<Index, IndexError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn manifest_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er");
    assert!(!Index::exists(&path));
    let mut options = IndexOptions::new(4);
    options.m = 8;
    drop(create(&path, options.clone()));
    assert!(Index::exists(&path));
    let index = Index::open(&path).unwrap();
    assert_eq!(*index.options(), options);
    assert_eq!(*index.fingerprint(), fingerprint(4));
    assert_eq!(index.extra()["template"], "v1");
    assert_eq!((index.len(), index.generation(), index.is_read_only()), (0, 0, false));
    assert!(search(&index, &[0.0; 4], 3, Default::default()).is_empty());
    assert!(index.verify(None).is_ok());
}

#[test]
fn options_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let create = |change: &dyn Fn(&mut IndexOptions)| {
        let mut options = IndexOptions::new(4);
        change(&mut options);
        Index::create(&path, &fingerprint(4), options, json!(null))
    };
    for option in ["dimension", "m", "ef_construction", "freeze_at", "freeze_min"] {
        let error = create(&|o| match option {
            "dimension" => o.dimension = 5,
            "m" => o.m = 1_000,
            "ef_construction" => o.ef_construction = 0,
            "freeze_at" => o.freeze_at = 0,
            _ => o.freeze_min = 1_000_000,
        });
        assert!(
            matches!(error, Err(IndexError::Options { option: o, .. }) if o == option),
            "{option}: {error:?}"
        );
    }
    assert!(!path.exists());
}

#[test]
fn what_is_no_index_is_told_apart_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    assert!(matches!(Index::open(&path), Err(IndexError::NotFound { .. })));
    assert!(!path.exists());

    fs::create_dir(&path).unwrap();
    assert!(matches!(Index::open(&path), Err(IndexError::NotAnIndex { .. })));
    fs::write(path.join("thesis.doc"), "mine").unwrap();
    let new = || Index::create(&path, &fingerprint(2), IndexOptions::new(2), json!(null));
    for result in [Index::open(&path), Index::open_read_only(&path), new()] {
        let text = message(result);
        assert!(text.contains("no Xunpin index") && text.contains("thesis.doc"), "{text}");
    }
    assert_eq!(fs::read_dir(&path).unwrap().count(), 1);

    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(message(Index::open(&file)).contains("a file, not a folder"));
    // Somebody else's manifest.
    fs::write(path.join("manifest.json"), r#"{"name":"web app"}"#).unwrap();
    assert!(matches!(Index::open(&path), Err(IndexError::NotAnIndex { .. })));
}

#[test]
fn interrupted_creation_can_go_on_and_existing_index_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    drop(create(&path, IndexOptions::new(2)));
    fs::remove_file(path.join("manifest.json")).unwrap();
    assert!(message(Index::open(&path)).contains("missing"));
    let index = create(&path, IndexOptions::new(2));
    fill(&index, &[vec![1.0, 0.0]], 0);
    drop(index);
    let again = || Index::create(&path, &fingerprint(2), IndexOptions::new(2), json!(null));
    assert!(matches!(again(), Err(IndexError::AlreadyExists { .. })));
    fs::remove_file(path.join("manifest.json")).unwrap();
    assert!(matches!(again(), Err(IndexError::DamagedManifest { .. })));
}

#[test]
fn newer_and_damaged_manifests() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    drop(create(&path, IndexOptions::new(2)));
    let manifest = path.join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();

    fs::write(&manifest, r#"{"format_version": 999, "all": "else differs"}"#).unwrap();
    let error = message(Index::open(&path));
    assert!(error.contains("999") && error.contains(&xunpin_core::FORMAT_VERSION.to_string()), "{error}");
    for damaged in [&text[..text.len() / 2], "", "[]", r#"{"format_version": 1}"#] {
        fs::write(&manifest, damaged).unwrap();
        let error = Index::open_read_only(&path);
        assert!(matches!(error, Err(IndexError::DamagedManifest { .. })), "{damaged}: {error:?}");
    }
    fs::write(&manifest, &text).unwrap();
    Index::open(&path).unwrap();
}

#[test]
fn second_writer_is_refused_with_the_first_ones_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let first = create(&path, IndexOptions::new(2));
    let error = message(Index::open(&path));
    assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
    assert!(error.contains("reading works"), "{error}");
    drop(first);
    Index::open(&path).unwrap();
}

#[test]
fn reader_sees_what_a_live_writer_has_committed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let mut options = IndexOptions::new(2);
    options.freeze_min = 1;
    let writer = create(&path, options);
    fill(&writer, &[vec![1.0, 0.0]], 0);
    let early = Index::open_read_only(&path).unwrap();
    fill(&writer, &[vec![0.0, 1.0]], 1);
    writer.freeze().unwrap();
    fill(&writer, &[vec![-1.0, 0.0]], 2);
    let late = Index::open_read_only(&path).unwrap();

    assert_eq!((early.len(), late.len()), (1, 3));
    assert_eq!(early.get("0").unwrap().unwrap().title, "product 0");
    assert_eq!(early.get("1").unwrap(), None);
    assert_eq!(late.stats().segments.len(), 1);
    for strategy in [xunpin_index::Strategy::Exact, xunpin_index::Strategy::Graph] {
        assert_eq!(
            search(&late, &[0.6, 0.8], 3, strategy).iter().map(|n| n.id.0).collect::<Vec<_>>(),
            [1, 0, 2]
        );
    }
    assert!(matches!(late.apply(Batch::new()), Err(IndexError::ReadOnly { .. })));
    assert!(matches!(late.freeze(), Err(IndexError::ReadOnly { .. })));
    assert!(late.is_read_only() && late.verify(None).is_ok());
    drop(writer);
    assert_eq!(late.products(&[xunpin_core::DocId(2)]).unwrap()[0].as_ref().unwrap().id, "2");
}

#[test]
fn folders_of_other_crates_are_left_alone_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    drop(create(&path, IndexOptions::new(2)));
    for (name, bytes) in [("lexical", 1_000), ("word2vec", 300)] {
        fs::create_dir(path.join(name)).unwrap();
        fs::write(path.join(name).join("segment-00000009.xpg.tmp"), vec![0; bytes]).unwrap();
    }
    for index in [Index::open_read_only(&path).unwrap(), Index::open(&path).unwrap()] {
        assert_eq!(index.notes(), []);
        let bytes = index.stats().bytes;
        assert_eq!((bytes.lexical, bytes.word2vec), (1_000, 300));
        assert!(bytes.total >= bytes.db + bytes.graph + 1_300, "{bytes:?}");
    }
    // Also by a creation that goes on after it was interrupted.
    fs::remove_file(path.join("manifest.json")).unwrap();
    drop(create(&path, IndexOptions::new(2)));
    assert_eq!(Index::open(&path).unwrap().stats().bytes.lexical, 1_000);
}

#[test]
fn a_reader_may_take_the_right_to_write_for_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    assert!(matches!(try_writer_lock(&path), Err(IndexError::NotFound { .. })));
    assert!(!path.exists());
    let writer = create(&path, IndexOptions::new(2));
    assert!(try_writer_lock(&path).unwrap().is_none());
    drop(writer);
    let reader = Index::open_read_only(&path).unwrap();
    let lock = try_writer_lock(&path).unwrap().unwrap();
    assert!(try_writer_lock(&path).unwrap().is_none());
    assert!(matches!(Index::open(&path), Err(IndexError::Locked { .. })));
    assert_eq!(Index::open_read_only(&path).unwrap().len(), reader.len());
    drop(lock);
    Index::open(&path).unwrap();
}
