use std::path::Path;

use rocksdb::{DB, Options};
use xunpin_core::{DocId, DocSet, NearestError, NearestNeighbors, Product};
use xunpin_index::{Batch, Index, IndexError, IndexOptions, StaticVectors};

use crate::common::{Rng, clustered, create, fill, tamper};

const UP: &[f32] = &[0.0, 1.0];
const A: &[f32] = &[1.0, 0.0, 0.0];
const B: &[f32] = &[0.0, 1.0, 0.0];
const C: &[f32] = &[0.0, 0.6, 0.8];

fn small() -> (tempfile::TempDir, Index) {
    let folder = tempfile::tempdir().unwrap();
    let index = create(&folder.path().join("x"), IndexOptions::new(2));
    (folder, index)
}

fn product(id: &str) -> Product {
    Product::new(id, "t")
}

fn apply(index: &Index, fill: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new();
    fill(&mut batch);
    index.apply(batch).unwrap();
}

fn numbers(vectors: &StaticVectors) -> Vec<u32> {
    vectors.docs().map(|doc| doc.0).collect()
}

#[test]
fn they_follow_the_internal_number() {
    let (folder, index) = small();
    assert_eq!((index.static_version(), index.static_vectors(7).unwrap().len()), (0, 0));
    apply(&index, |b| {
        b.upsert(product("a"), 1, Some(UP)).set_static("a", Some(A));
        b.upsert(product("b"), 1, Some(UP)).set_static("b", Some(B));
        b.upsert(product("c"), 1, Some(UP)).set_static("c", Some(C));
        b.upsert(product("none"), 1, Some(UP));
    });
    let first = index.static_vectors(3).unwrap();
    assert_eq!((numbers(&first), first.version()), (vec![0, 1, 2], index.static_version()));
    assert_eq!((first.vector(DocId(0)), first.vector(DocId(3))), (Some(A.to_vec()), None));

    // In place: kept, and what was read stays current.
    apply(&index, |b| _ = b.upsert(product("a"), 1, None).upsert(product("b"), 1, None));
    assert_eq!(first.version(), index.static_version());
    // Replaced, taken away, dropped with the number of the old text, deleted.
    apply(&index, |b| _ = b.upsert(product("a"), 1, None).set_static("a", Some(B)));
    assert!(first.version() < index.static_version());
    apply(&index, |b| _ = b.set_static("b", None).set_static("none", Some(A)));
    apply(&index, |b| _ = b.upsert(product("c"), 2, Some(UP)));
    let now = index.static_vectors(3).unwrap();
    assert_eq!((numbers(&now), now.vector(DocId(0))), (vec![0, 3], Some(B.to_vec())));
    apply(&index, |b| _ = b.delete("none"));
    assert_eq!(numbers(&index.static_vectors(3).unwrap()), [0]);
    assert_eq!(numbers(&first), [0, 1, 2], "what was read before stays as it is");
    let report = index.verify(None);
    assert!(report.is_ok(), "{:?}", report.problems);
    assert_eq!(report.static_vectors, 1);

    let version = index.static_version();
    drop(index);
    let path = folder.path().join("x");
    for index in [Index::open_read_only(&path).unwrap(), Index::open(&path).unwrap()] {
        let read = index.static_vectors(3).unwrap();
        assert_eq!((numbers(&read), read.version(), index.static_version()), (vec![0], version, version));
    }
}

#[test]
fn they_are_filled_in_after_training_and_made_room_for_others() {
    let (folder, index) = small();
    fill(&index, &[UP.to_vec(), UP.to_vec(), UP.to_vec()], 0);
    apply(&index, |b| _ = b.delete("1"));
    let generation = index.generation();
    let rows = [
        (DocId(0), Some(A.to_vec())),
        (DocId(1), Some(B.to_vec())),
        (DocId(2), None),
        (DocId(999), Some(B.to_vec())),
    ];
    assert_eq!(index.put_static(&rows).unwrap(), 2, "deleted and unknown numbers are left out");
    assert_eq!(numbers(&index.static_vectors(3).unwrap()), [0]);
    assert_eq!((index.generation(), index.static_version()), (generation, 1));
    assert_eq!(index.put_static(&[]).unwrap(), 0);
    assert_eq!(index.static_version(), 1);

    let refused =
        |vector: &[f32]| index.put_static(&[(DocId(2), Some(B.to_vec())), (DocId(0), Some(vector.to_vec()))]);
    assert!(matches!(refused(UP), Err(IndexError::StaticLength { expected: 3, got: 2 })));
    assert!(matches!(refused(&[1.0, 1.0, 0.0]), Err(IndexError::VectorNorm { id, .. }) if id == "0"));
    assert!(matches!(refused(&[f32::NAN, 1.0, 0.0]), Err(IndexError::VectorNorm { .. })));
    assert!(matches!(index.static_vectors(2), Err(IndexError::StaticLength { expected: 3, got: 2 })));
    let mut batch = Batch::new();
    batch.set_static("0", Some(UP));
    assert!(matches!(index.apply(batch), Err(IndexError::StaticLength { .. })));
    let mut batch = Batch::new();
    batch.set_static("nobody", Some(A));
    assert!(matches!(index.apply(batch), Err(IndexError::NoProduct { id }) if id == "nobody"));
    assert_eq!(
        (numbers(&index.static_vectors(3).unwrap()), index.static_version()),
        (vec![0], 1),
        "all or nothing"
    );

    index.clear_static().unwrap();
    index.clear_static().unwrap();
    assert_eq!((index.static_version(), index.static_vectors(2).unwrap().len()), (2, 0));
    index.put_static(&[(DocId(2), Some(UP.to_vec()))]).unwrap();
    assert_eq!(numbers(&index.static_vectors(2).unwrap()), [2]);
    assert!(index.verify(None).is_ok());
    drop(index);
    let reader = Index::open_read_only(folder.path().join("x")).unwrap();
    assert_eq!((numbers(&reader.static_vectors(2).unwrap()), reader.static_version()), (vec![2], 3));
    assert!(matches!(reader.put_static(&rows), Err(IndexError::ReadOnly { .. })));
    assert!(matches!(reader.clear_static(), Err(IndexError::ReadOnly { .. })));
}

#[test]
fn they_are_scanned_apart_from_the_models_vectors() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = IndexOptions::new(8);
    options.freeze_min = 100;
    let index = create(&folder.path().join("x"), options);
    let mut rng = Rng::new(11);
    fill(&index, &clustered(&mut rng, 1_000, 8, 20), 0);
    assert!(index.freeze().unwrap());
    let vectors = clustered(&mut rng, 1_010, 20, 20);
    let (stored, queries) = vectors.split_at(1_000);
    let rows: Vec<_> = (0..).map(DocId).zip(stored.iter().cloned().map(Some)).collect();
    for chunk in rows.chunks(300) {
        assert_eq!(index.put_static(chunk).unwrap(), chunk.len());
    }
    let all = index.static_vectors(20).unwrap();
    let odd: DocSet = (0..1_000).filter(|id| id % 2 == 1).map(DocId).collect();
    for query in queries {
        for allowed in [None, Some(&odd)] {
            let mut expected: Vec<(u32, f32)> = (0..1_000u32)
                .filter(|id| allowed.is_none() || id % 2 == 1)
                .map(|id| (id, stored[id as usize].iter().zip(query).map(|(a, b)| a * b).sum()))
                .collect();
            expected.sort_by(|a, b| b.1.total_cmp(&a.1));
            let found = all.nearest(query, 10, allowed).unwrap();
            assert_eq!(found.len(), 10);
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found.score - expected.1).abs() < 2e-3, "{found:?} {expected:?}");
            }
        }
    }
    assert_eq!(all.nearest(&queries[0], 5_000, None).unwrap().len(), 1_000);
    assert!(matches!(all.nearest(&[1.0], 1, None), Err(NearestError::Dimension { expected: 20, got: 1 })));
    assert!(index.verify(None).is_ok());
}

/// What an index is that was made before the family existed.
fn without_family(path: &Path) {
    let options = Options::default();
    let families = DB::list_cf(&options, path.join("db")).unwrap();
    let mut db = DB::open_cf(&options, path.join("db"), families).unwrap();
    db.drop_cf("static").unwrap();
}

#[test]
fn an_index_without_the_family_opens_in_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    fill(&create(&path, IndexOptions::new(2)), &[UP.to_vec()], 0);
    without_family(&path);
    let old = Index::open_read_only(&path).unwrap();
    assert_eq!((old.len(), old.static_vectors(3).unwrap().len()), (1, 0));
    assert!(old.verify(None).is_ok());
    assert!(!DB::list_cf(&Options::default(), path.join("db")).unwrap().contains(&"static".into()));

    let index = Index::open(&path).unwrap();
    assert_eq!((index.len(), index.notes()), (1, vec![]));
    index.put_static(&[(DocId(0), Some(A.to_vec()))]).unwrap();
    assert!(index.verify(None).is_ok());
    let new = Index::open_read_only(&path).unwrap();
    assert_eq!((old.static_vectors(3).unwrap().len(), new.static_vectors(3).unwrap().len()), (0, 1));
}

#[test]
fn a_family_that_every_index_has_is_not_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    fill(&create(&path, IndexOptions::new(2)), &[UP.to_vec()], 0);
    let options = Options::default();
    let families = DB::list_cf(&options, path.join("db")).unwrap();
    DB::open_cf(&options, path.join("db"), families).unwrap().drop_cf("vectors").unwrap();
    for result in [Index::open(&path), Index::open_read_only(&path)] {
        let error = result.unwrap_err().to_string();
        assert!(error.contains("vectors"), "{error}");
    }
}

#[test]
fn verify_checks_them() {
    let folder = tempfile::tempdir().unwrap();
    let key = |doc: u32| doc.to_be_bytes();
    let harms: [(&str, u32, &[u8]); 4] = [
        ("a static vector and no product", 7, &[0, 0x3c, 0, 0, 0, 0]),
        ("static vector has the wrong length", 0, &[0, 0x3c]),
        ("static vector has length 0, not 1", 0, &[0; 6]),
        ("static vector has length NaN", 0, &[0, 0x7e, 0, 0, 0, 0]),
    ];
    for (at, (sign, doc, row)) in harms.iter().enumerate() {
        let path = folder.path().join(at.to_string());
        let index = create(&path, IndexOptions::new(2));
        apply(&index, |b| _ = b.upsert(product("a"), 1, Some(UP)).set_static("a", Some(A)));
        drop(index);
        tamper(&path, |db| db.put_cf(db.cf_handle("static").unwrap(), key(*doc), row).unwrap());
        let index = Index::open(&path).unwrap();
        let told: Vec<String> = index.verify(None).problems.iter().map(ToString::to_string).collect();
        assert!(matches!(&told[..], [one] if one.contains(sign)), "{sign}: {told:?}");
        if row.len() != 6 {
            assert!(matches!(index.static_vectors(3), Err(IndexError::Damaged { .. })));
        }
    }
}
