//! An index in one file, while it is written and while it is not, and back.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use xunpin_archive::{ArchiveError, EntryName, Snapshot, Source};
use xunpin_core::Product;
use xunpin_index::{
    Batch, Index, IndexOptions, Restoring, SnapshotError, SnapshotMethod, SnapshotReport, Strategy,
};

use crate::common::{Rng, clustered, create, fill, search, tamper};

fn go_on(_: u64, _: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn take(index: &Index, out: &Path) -> SnapshotReport {
    index.snapshot(out, false, &mut go_on).unwrap()
}

fn restore(archive: &Path, target: &Path) -> Result<Index, SnapshotError> {
    let (index, report) = Index::restore(archive, target, true, &mut go_on)?;
    assert_eq!(report.unwrap().products, index.len());
    Ok(index)
}

/// Ids with title and vector.
type Content = BTreeMap<String, (String, Vec<f32>)>;

fn content(index: &Index) -> Content {
    let row = |row: Result<(String, xunpin_index::Entry), _>| {
        let (id, entry) = row.unwrap();
        (id, (index.product(entry.doc).unwrap().unwrap().title, index.vector(entry.doc).unwrap()))
    };
    index.ids().map(row).collect()
}

/// What lies in a folder.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A frozen segment, a tail, tombstones in both, a job, a static vector; nothing moved from the log into tables.
fn written(path: &Path) -> Index {
    let mut options = IndexOptions::new(8);
    (options.freeze_at, options.freeze_min) = (400, 50);
    let index = create(path, options);
    let vectors = clustered(&mut Rng::new(3), 900, 8, 10);
    fill(&index, &vectors, 0);
    index.freeze().unwrap();
    let mut batch = Batch::new();
    batch.delete("3").delete("700").checkpoint("ingest", "at line 900");
    batch.upsert(Product::new("5", "another title"), 7, Some(&vectors[800]));
    batch.set_static("8", Some(&[0.6, 0.8]));
    index.apply(batch).unwrap();
    index
}

#[test]
fn a_snapshot_comes_back_as_the_same_index() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let index = written(&path("x"));
    fs::create_dir(path("x/word2vec")).unwrap();
    fs::write(path("x/word2vec/words.xpw"), "words").unwrap();
    fs::write(path("x/word2vec/words.xpw.tmp"), "half").unwrap();
    let before = names(&path("x"));
    let report = take(&index, &path("x.xpa"));
    assert_eq!((report.generation, report.products), (index.generation(), 898));
    assert_eq!(report.method, SnapshotMethod::Checkpoint);
    assert_eq!(report.archive_bytes, fs::metadata(path("x.xpa")).unwrap().len());
    assert_eq!(names(&path("x")), before, "nothing is left in the index's folder");

    let made = restore(&path("x.xpa"), &path("y")).unwrap();
    assert_eq!(names(&path("y")), ["db", "graph", "manifest.json", "word2vec", "writer.lock"]);
    assert_eq!(names(&path("y/word2vec")), ["words.xpw"]);
    assert_eq!(names(&path("y/graph")), names(&path("x/graph")));
    assert_eq!(content(&made), content(&index));
    assert_eq!((made.generation(), made.fingerprint()), (index.generation(), index.fingerprint()));
    assert_eq!((made.options(), made.extra()), (index.options(), index.extra()));
    assert_eq!(made.checkpoint("ingest").unwrap().unwrap(), b"at line 900");
    assert_eq!(made.changes_since(1).unwrap(), index.changes_since(1).unwrap());
    let query = index.vector(index.lookup(&["9"]).unwrap()[0].unwrap().doc).unwrap();
    for strategy in [Strategy::Exact, Strategy::Graph] {
        assert_eq!(search(&made, &query, 20, strategy), search(&index, &query, 20, strategy));
    }
    // It is an index like any other.
    made.apply({
        let mut batch = Batch::new();
        batch.delete("9");
        batch
    })
    .unwrap();
    assert_eq!((made.len(), index.len()), (897, 898));
    drop(made);
    assert!(Index::open_read_only(path("y")).unwrap().verify(None).is_ok());
    assert_eq!(names(folder.path()), ["x", "x.xpa", "y"]);
}

#[test]
fn an_empty_index_has_a_snapshot_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    take(&create(&path("x"), IndexOptions::new(4)), &path("x.xpa"));
    let made = restore(&path("x.xpa"), &path("y")).unwrap();
    assert_eq!((made.len(), made.generation()), (0, 0));
}

/// Readers take snapshots as well: by the right to write where nobody has it, else row by row.
#[test]
fn readers_take_snapshots() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let index = written(&path("x"));
    let reader = Index::open_read_only(path("x")).unwrap();
    let report = take(&reader, &path("rows.xpa"));
    assert_eq!(report.method, SnapshotMethod::Rows);
    assert_eq!(content(&restore(&path("rows.xpa"), &path("y")).unwrap()), content(&index));

    // Newer than what the reader shows: what was acknowledged at the call counts.
    fill(&index, &[vec![1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]], 5_000);
    let expected = content(&index);
    drop(index);
    let report = take(&reader, &path("checkpoint.xpa"));
    assert_eq!((report.method, report.products), (SnapshotMethod::Checkpoint, 899));
    assert_eq!(content(&restore(&path("checkpoint.xpa"), &path("z")).unwrap()), expected);
    assert_eq!(names(folder.path()), ["checkpoint.xpa", "rows.xpa", "x", "y", "z"]);
    assert_eq!(names(&path("x")), ["db", "graph", "manifest.json", "writer.lock"]);
    drop(Index::open(path("x")).expect("the right to write was given back"));
}

/// Snapshots by the writer and by a reader while batches are written without a pause. Each holds the state after just one
/// batch, and no older one than the last acknowledged before it began.
#[test]
fn snapshots_beside_a_writer_hold_one_generation_each() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut options = IndexOptions::new(16);
    (options.live_graph_at, options.freeze_at, options.freeze_min) = (200, 600, 100);
    let index = create(&path("x"), options);
    let vectors = clustered(&mut Rng::new(7), 500, 16, 20);
    let reader = Index::open_read_only(path("x")).unwrap();
    // What each generation holds, known before it is committed.
    let states: Mutex<BTreeMap<u64, BTreeMap<String, String>>> = Mutex::new([(0, BTreeMap::new())].into());
    let (done, batches) = (AtomicBool::new(false), AtomicUsize::new(0));
    let taken: Vec<(String, SnapshotReport, u64)> = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut rng = Rng::new(99);
            let mut state = BTreeMap::new();
            for generation in 1.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let mut batch = Batch::new();
                for _ in 0..20 {
                    let (id, title) = (rng.below(1_500).to_string(), format!("of {generation}"));
                    batch.upsert(
                        Product::new(&id, &title),
                        generation.into(),
                        Some(&vectors[rng.below(500)]),
                    );
                    state.insert(id, title);
                }
                for _ in 0..4 {
                    let id = rng.below(1_500).to_string();
                    batch.delete(&id);
                    state.remove(&id);
                }
                states.lock().unwrap().insert(generation, state.clone());
                assert_eq!(index.apply(batch).unwrap().generation, generation);
                batches.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut taken = Vec::new();
        for at in 0..6 {
            // Some batches in between.
            let before = batches.load(Ordering::Relaxed);
            while batches.load(Ordering::Relaxed) < before + 5 {
                std::thread::yield_now();
            }
            let by = if at % 2 == 0 { &index } else { &reader };
            let acknowledged = index.generation();
            let out = format!("{at}.xpa");
            taken.push((out.clone(), take(by, &path(&out)), acknowledged));
        }
        done.store(true, Ordering::Relaxed);
        taken
    });
    let states = states.into_inner().unwrap();
    for (out, report, acknowledged) in &taken {
        assert!(report.generation >= *acknowledged, "{report:?}, {acknowledged} were acknowledged");
        let made = restore(&path(out), &path("made")).unwrap();
        assert_eq!(made.generation(), report.generation);
        let titles: BTreeMap<_, _> = content(&made).into_iter().map(|(id, (title, _))| (id, title)).collect();
        assert_eq!(titles, states[&report.generation], "{out}");
        drop(made);
        fs::remove_dir_all(path("made")).unwrap();
    }
    let methods: Vec<_> = taken.iter().map(|(_, report, _)| report.method).collect();
    assert_eq!(methods, [SnapshotMethod::Checkpoint, SnapshotMethod::Rows].repeat(3));
    assert!(taken.iter().map(|(_, report, _)| report.generation).is_sorted_by(|a, b| a < b));
    assert_eq!(names(&path("x")), ["db", "graph", "manifest.json", "writer.lock"]);
    assert!(index.verify(None).is_ok());
}

/// Word vectors are exchanged in the order in which the engine does it: "none", file, its name.
#[test]
fn word_vectors_are_those_that_the_store_speaks_of() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let index = create(&path("x"), IndexOptions::new(4));
    let reader = Index::open_read_only(path("x")).unwrap();
    fs::create_dir(path("x/word2vec")).unwrap();
    let words = path("x/word2vec/words.xpw");
    let note = |text: &str| {
        let mut batch = Batch::new();
        batch.checkpoint("word2vec", text);
        index.apply(batch).unwrap();
    };
    let done = AtomicBool::new(false);
    let taken = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut rng = Rng::new(5);
            for number in 0.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                note("none");
                // All of the same length.
                let text = format!("{number:08}");
                fs::write(path("x/word2vec/words.xpw.tmp"), &text).unwrap();
                fs::rename(path("x/word2vec/words.xpw.tmp"), &words).unwrap();
                note(&text);
                // Readers need the time to open the store.
                std::thread::sleep(Duration::from_millis(rng.below(80) as u64));
            }
        });
        let mut taken = Vec::new();
        for at in 0..40 {
            let out = path(&format!("{at}.xpa"));
            let by = if at % 2 == 0 { &index } else { &reader };
            match by.snapshot(&out, false, &mut go_on) {
                Ok(_) => taken.push(out),
                Err(SnapshotError::WordsExchanged { .. }) => assert_eq!(at % 2, 1),
                Err(error) => panic!("{error}"),
            }
        }
        done.store(true, Ordering::Relaxed);
        taken
    });
    assert!(taken.len() >= 20);
    for (at, out) in taken.iter().enumerate() {
        let made = restore(out, &path(&at.to_string())).unwrap();
        let noted = made.checkpoint("word2vec").unwrap().map(|text| String::from_utf8(text).unwrap());
        if let Some(noted) = noted.filter(|noted| noted != "none") {
            let file = fs::read_to_string(path(&format!("{at}/word2vec/words.xpw"))).unwrap();
            assert_eq!(file, noted);
        }
    }
}

#[test]
fn what_a_crashed_snapshot_left_is_removed_by_the_next_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    drop(written(&path("x")));
    fs::create_dir_all(path("x/snapshot-1-0.tmp/db.tmp")).unwrap();
    fs::write(path("x/snapshot-1-0.tmp/lock"), "").unwrap();
    let reader = Index::open_read_only(path("x")).unwrap();
    assert!(names(&path("x")).contains(&"snapshot-1-0.tmp".to_owned()));
    let index = Index::open(path("x")).unwrap();
    assert_eq!(names(&path("x")), ["db", "graph", "manifest.json", "writer.lock"]);
    drop(index);
    // A snapshot of a reader that is still being written keeps its folder when a writer comes.
    let mut seen = Vec::new();
    reader
        .snapshot(&path("x.xpa"), false, &mut |_, _| {
            if seen.is_empty() {
                drop(Index::open(path("x")).unwrap());
                seen = names(&path("x"));
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(seen.iter().any(|name| name.starts_with("snapshot-")), "{seen:?}");
    assert_eq!(names(&path("x")), ["db", "graph", "manifest.json", "writer.lock"]);
    restore(&path("x.xpa"), &path("y")).unwrap();
}

#[test]
fn what_is_in_the_way_is_refused_and_a_stop_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let index = written(&path("x"));
    fs::write(path("x.xpa"), "mine").unwrap();
    let exists = index.snapshot(&path("x.xpa"), false, &mut go_on).unwrap_err();
    assert!(matches!(exists, SnapshotError::Exists { .. }) && exists.is_wrong_use());
    assert_eq!(fs::read(path("x.xpa")).unwrap(), b"mine");
    let reader = Index::open_read_only(path("x")).unwrap();
    for by in [&index, &reader] {
        let stopped = by.snapshot(&path("new.xpa"), false, &mut |_, _| ControlFlow::Break(()));
        assert!(matches!(stopped, Err(SnapshotError::Archive(ArchiveError::Stopped))));
        let nowhere = by.snapshot(&path("no/such/new.xpa"), false, &mut go_on).unwrap_err();
        assert!(nowhere.to_string().contains("no/such"), "{nowhere}");
    }
    assert_eq!(names(folder.path()), ["x", "x.xpa"]);
    assert_eq!(names(&path("x")), ["db", "graph", "manifest.json", "writer.lock"]);
    index.snapshot(&path("x.xpa"), true, &mut go_on).unwrap();

    let taken = Index::restore(&path("x.xpa"), &path("x"), true, &mut go_on).unwrap_err();
    assert!(taken.is_wrong_use() && taken.to_string().contains("empty"), "{taken}");
    let stopped = Index::restore(&path("x.xpa"), &path("y"), true, &mut |_, _| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(SnapshotError::Archive(ArchiveError::Stopped))));
    // Given up after it was opened.
    let restoring = Restoring::unpack(&path("x.xpa"), &path("y"), &mut go_on).unwrap();
    drop(restoring.open().unwrap());
    drop(restoring);
    assert_eq!(names(folder.path()), ["x", "x.xpa"]);
}

#[test]
fn an_unsound_index_or_a_newer_one_is_not_restored() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    drop(written(&path("x")));
    tamper(&path("x"), |db| db.delete_cf(db.cf_handle("ids").unwrap(), "10").unwrap());
    take(&Index::open_read_only(path("x")).unwrap(), &path("x.xpa"));
    let Err(SnapshotError::Unsound { problem, .. }) = restore(&path("x.xpa"), &path("y")) else { panic!() };
    assert!(problem.contains("problems"), "{problem}");
    assert_eq!(names(folder.path()), ["x", "x.xpa"]);
    drop(Index::restore(&path("x.xpa"), &path("unverified"), false, &mut go_on).unwrap());

    // Whole archives of something else than a whole index.
    let archive = |name: &str, about: &Snapshot| {
        let manifest = Source::at(EntryName::new("manifest.json").unwrap(), path("x/manifest.json")).unwrap();
        xunpin_archive::write(&path(name), about, vec![manifest], &mut go_on).unwrap();
        restore(&path(name), &path("y")).unwrap_err()
    };
    let newer = archive("newer.xpa", &Snapshot { index_format: 999, ..Snapshot::default() });
    assert!(matches!(newer, SnapshotError::NewerFormat { found: 999, .. }), "{newer}");
    let storeless = archive("storeless.xpa", &Snapshot::default());
    assert!(matches!(storeless, SnapshotError::Unsound { .. } | SnapshotError::Index(_)), "{storeless}");
    assert!(!path("y").exists() && !path("y.restore.tmp").exists());
}
