use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rocksdb::DB;
use xunpin_core::{DocId, Neighbor};
use xunpin_index::{Index, IndexError, IndexOptions, Problem, RecoveryNote, SearchOptions, Strategy};

use crate::common::{Rng, clustered, create, fill, search, tamper};

fn answers(index: &Index, queries: &[Vec<f32>]) -> Vec<Vec<Neighbor>> {
    [Strategy::Exact, Strategy::Graph]
        .iter()
        .flat_map(|s| queries.iter().map(|q| search(index, q, 10, *s)))
        .collect()
}

/// An index with two segments and a tail, and what it answers.
fn frozen(path: &Path) -> (Vec<Vec<f32>>, Vec<Vec<Neighbor>>) {
    let mut options = IndexOptions::new(16);
    options.freeze_min = 10;
    let index = create(path, options);
    let vectors = clustered(&mut Rng::new(9), 1_250, 16, 20);
    fill(&index, &vectors[..800], 0);
    assert!(index.freeze().unwrap());
    fill(&index, &vectors[800..1_200], 800);
    assert!(index.freeze().unwrap());
    fill(&index, &vectors[1_200..], 1_200);
    let queries = vectors[..20].to_vec();
    let expected = answers(&index, &queries);
    (queries, expected)
}

fn segment(path: &Path, number: u32) -> PathBuf {
    path.join("graph").join(format!("segment-{number:08}.xpg"))
}

/// The same of its vectors.
fn vectors_file(path: &Path, number: u32) -> PathBuf {
    segment(path, number).with_extension("xpv")
}

fn flip(file: &Path, at: u64) {
    let file = OpenOptions::new().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x40], at).unwrap();
}

#[test]
fn reopened_index_answers_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let (queries, expected) = frozen(&path);
    for _ in 0..2 {
        let index = Index::open(&path).unwrap();
        assert_eq!(answers(&index, &queries), expected);
        assert_eq!((index.len(), index.notes()), (1_250, vec![]));
        assert!(index.verify(None).is_ok());
    }
}

/// Bytes of the store's files that end so.
fn stored(path: &Path, extension: &str) -> u64 {
    let files = fs::read_dir(path.join("db")).unwrap().map(|entry| entry.unwrap());
    let wanted = files.filter(|file| file.path().extension().is_some_and(|e| e == extension));
    wanted.map(|file| file.metadata().unwrap().len()).sum()
}

#[test]
fn a_writer_that_closes_leaves_little_to_be_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let vectors = clustered(&mut Rng::new(4), 3_000, 256, 20);
    let index = create(&path, IndexOptions::new(256));
    fill(&index, &vectors, 0);
    let expected = answers(&index, &vectors[..5]);
    assert!(stored(&path, "log") > 1 << 20, "what is committed stands in the log");
    drop(index);
    assert_eq!(stored(&path, "log"), 0);
    assert!(stored(&path, "sst") > 3_000 * 256 * 2);
    let reader = Index::open_read_only(&path).unwrap();
    assert_eq!((answers(&reader, &vectors[..5]), reader.notes()), (expected, vec![]));
    drop(reader);

    // A small change is not worth tables of its own.
    let index = Index::open(&path).unwrap();
    fill(&index, &vectors[..10], 3_000);
    drop(index);
    assert!(stored(&path, "log") > 0);
    let reader = Index::open_read_only(&path).unwrap();
    assert_eq!(reader.len(), 3_010);
}

#[test]
fn damaged_segment_file_is_made_again_wherever_the_damage_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let (queries, expected) = frozen(&path);
    let file = segment(&path, 1);
    let size = fs::metadata(&file).unwrap().len();
    // Magic, a header field, adjacency, vectors, and lengths that are too short and too long.
    type Harm = fn(&Path, u64);
    let harms: [Harm; 7] = [
        |file, _| flip(file, 0),
        |file, _| flip(file, 20),
        |file, _| flip(file, 4_000),
        |file, size| flip(file, size - 5),
        |file, size| OpenOptions::new().write(true).open(file).unwrap().set_len(size / 2).unwrap(),
        |file, _| fs::write(file, b"").unwrap(),
        |file, _| fs::remove_file(file).unwrap(),
    ];
    for harm in harms {
        harm(&file, size);
        let reader = Index::open_read_only(&path).unwrap();
        assert!(matches!(reader.notes()[..], [RecoveryNote::SegmentInMemory { segment: 1, .. }]));
        assert_eq!(answers(&reader, &queries), expected);
        assert!(reader.verify(None).is_ok() && !reader.stats().segments[1].mapped);
        drop(reader);

        let index = Index::open(&path).unwrap();
        assert!(
            matches!(index.notes()[..], [RecoveryNote::SegmentRemade { segment: 1, .. }]),
            "{:?}",
            index.notes()
        );
        assert_eq!(answers(&index, &queries), expected);
        assert!(index.verify(None).is_ok());
        drop(index);
        assert_eq!(fs::metadata(&file).unwrap().len(), size);
        assert_eq!(Index::open(&path).unwrap().notes(), []);
    }
}

/// A reader does not read all vectors at opening, but none that is wrong either.
#[test]
fn damaged_vectors_are_never_answers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let (queries, expected) = frozen(&path);
    let file = vectors_file(&path, 0);
    let size = fs::metadata(&file).unwrap().len();
    // A header field, a vector, the checksums.
    for at in [40, 128 + 5 * 32 + 3, size - 7] {
        flip(&file, at);
        let reader = Index::open_read_only(&path).unwrap();
        if reader.notes().is_empty() {
            let scan = SearchOptions { strategy: Strategy::Exact, ..Default::default() };
            let error = reader.search(&queries[0], 10, &scan).unwrap_err();
            assert!(error.to_string().contains("vector 5 fails its checksum"), "{error}");
            let problems = reader.verify(None).problems;
            assert!(
                problems.iter().any(|p| matches!(p, Problem::Segment { segment: 0, .. })),
                "{problems:?}"
            );
            // Read from the store instead.
            assert_eq!(reader.vector(DocId(5)).unwrap().len(), 16);
        } else {
            assert_eq!(answers(&reader, &queries), expected);
        }
        drop(reader);
        let index = Index::open(&path).unwrap();
        assert!(matches!(index.notes()[..], [RecoveryNote::SegmentRemade { segment: 0, .. }]));
        assert_eq!(answers(&index, &queries), expected);
        drop(index);
        assert_eq!(Index::open(&path).unwrap().notes(), []);
    }
}

/// Segments of versions before this layout are built anew from their vectors.
#[test]
fn segments_of_an_older_layout_are_built_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let (queries, expected) = frozen(&path);
    tamper(&path, |db| {
        let old = r#"{"number":1,"first_doc":800,"end_doc":1200,"nodes":400,"degree0":32,"degree":16,"layers":2,"entry":3,
            "graph_len":54400,"chunks":1,"graph_crc":1,"vectors_crc":2}"#;
        db.put_cf(db.cf_handle("meta").unwrap(), b"segment/\0\0\0\x01", old).unwrap();
    });
    let reader = Index::open_read_only(&path).unwrap();
    assert!(matches!(reader.notes()[..], [RecoveryNote::GraphRebuilt { segment: 1, .. }]));
    assert_eq!(answers(&reader, &queries), expected);
    drop(reader);
    let index = Index::open(&path).unwrap();
    assert!(matches!(index.notes()[..], [RecoveryNote::GraphRebuilt { segment: 1, .. }]));
    assert_eq!(answers(&index, &queries), expected);
    assert!(index.verify(None).is_ok(), "{:?}", index.verify(None).problems);
    drop(index);
    assert_eq!(Index::open(&path).unwrap().notes(), []);
}

#[test]
fn what_a_crash_leaves_in_the_graph_folder_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let (queries, expected) = frozen(&path);
    fs::write(segment(&path, 2), b"never committed").unwrap();
    fs::write(path.join("graph/segment-00000003.xpv.tmp"), b"half").unwrap();
    fs::write(path.join("graph/notes.txt"), b"not ours").unwrap();
    assert_eq!(Index::open_read_only(&path).unwrap().notes(), []);
    let index = Index::open(&path).unwrap();
    assert_eq!(index.notes().len(), 2, "{:?}", index.notes());
    assert_eq!(answers(&index, &queries), expected);
    let mut left: Vec<_> = fs::read_dir(path.join("graph"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    let segments =
        ["segment-00000000.xpg", "segment-00000000.xpv", "segment-00000001.xpg", "segment-00000001.xpv"];
    assert_eq!((&left[..1], &left[1..]), (&["notes.txt".to_owned()][..], &segments.map(String::from)[..]));
}

fn newest_log(path: &Path) -> PathBuf {
    let logs = fs::read_dir(path.join("db")).unwrap().map(|e| e.unwrap().path());
    logs.filter(|p| p.extension().is_some_and(|e| e == "log")).max().unwrap()
}

#[test]
fn torn_log_loses_at_most_the_last_batch() {
    let folder = tempfile::tempdir().unwrap();
    let vectors = clustered(&mut Rng::new(5), 60, 8, 5);
    for cut in [1, 3, 40, 333, 800, 2_000] {
        let path = folder.path().join(cut.to_string());
        let index = create(&path, IndexOptions::new(8));
        for at in 0..6 {
            fill(&index, &vectors[at * 10..(at + 1) * 10], at * 10);
        }
        drop(index);
        let log = newest_log(&path);
        let file = OpenOptions::new().write(true).open(&log).unwrap();
        file.set_len(file.metadata().unwrap().len() - cut).unwrap();
        drop(file);
        for read_only in [true, false] {
            let index = if read_only { Index::open_read_only(&path) } else { Index::open(&path) }.unwrap();
            let batches = index.generation();
            // A batch takes about a kilobyte of the log.
            assert!(if cut < 800 { batches == 5 } else { (3..=5).contains(&batches) }, "{cut}: {batches}");
            assert_eq!(index.len() as u64, batches * 10, "batches are whole");
            assert!(index.verify(None).is_ok());
            for id in 0..index.len() {
                assert!(index.get(&id.to_string()).unwrap().is_some());
            }
            // The journal tells of the batches that are there and of no other.
            for from in 0..=batches {
                let changes = index.changes_since(from).unwrap().unwrap();
                let written: Vec<usize> = changes.written.iter().map(|doc| doc.index()).collect();
                assert_eq!(written, (from as usize * 10..index.len()).collect::<Vec<_>>());
                assert_eq!(changes.generation, batches);
            }
            assert_eq!(index.changes_since(batches + 1).unwrap(), None);
        }
        // And it can be written to again.
        let index = Index::open(&path).unwrap();
        let from = index.len();
        fill(&index, &vectors[from..], from);
        assert!(index.verify(None).is_ok() && index.len() == 60);
    }
}

#[test]
fn damage_in_the_middle_of_the_log_stops_the_opening() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let index = create(&path, IndexOptions::new(8));
    let vectors = clustered(&mut Rng::new(6), 60, 8, 5);
    for at in 0..6 {
        fill(&index, &vectors[at * 10..(at + 1) * 10], at * 10);
    }
    drop(index);
    let log = newest_log(&path);
    flip(&log, fs::metadata(&log).unwrap().len() / 2);
    let error = Index::open(&path).unwrap_err();
    assert!(matches!(error, IndexError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains(".log: the record at byte"), "{error}");
}

#[test]
fn graph_whose_stored_copy_is_damaged_too_is_built_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let (queries, expected) = frozen(&path);
    tamper(&path, |db| {
        let graph = db.cf_handle("graph").unwrap();
        let key = [0, 0, 0, 0, 0, 0, 0, 0];
        let mut row = db.get_cf(graph, key).unwrap().unwrap();
        row[999] ^= 1;
        db.put_cf(graph, key, row).unwrap();
    });
    let index = Index::open_read_only(&path).unwrap();
    assert_eq!(index.notes(), [], "the file is whole");
    assert!(matches!(index.verify(None).problems[..], [Problem::Segment { segment: 0, .. }]));
    drop(index);

    fs::remove_file(segment(&path, 0)).unwrap();
    for _ in 0..2 {
        let reader = Index::open_read_only(&path).unwrap();
        assert!(matches!(reader.notes()[..], [_, RecoveryNote::GraphRebuilt { segment: 0, .. }]));
        assert!(reader.verify(None).recall_at_10.unwrap() > 0.98);
    }
    let index = Index::open(&path).unwrap();
    assert!(matches!(index.notes()[..], [_, RecoveryNote::GraphRebuilt { segment: 0, .. }]));
    assert!(index.verify(None).is_ok(), "{:?}", index.verify(None).problems);
    assert_eq!(answers(&index, &queries)[..20], expected[..20], "the scan");
    drop(index);
    let index = Index::open(&path).unwrap();
    assert_eq!(index.notes(), []);
    assert!(index.verify(None).is_ok());
}

#[test]
fn verify_finds_what_does_not_fit_together() {
    let folder = tempfile::tempdir().unwrap();
    let key = |doc: u32| doc.to_be_bytes();
    type Harm<'a> = (&'a str, &'a dyn Fn(&DB));
    let harms: [Harm; 10] = [
        ("its product is missing", &|db| db.delete_cf(db.cf_handle("products").unwrap(), key(3)).unwrap()),
        ("its vector is missing", &|db| db.delete_cf(db.cf_handle("vectors").unwrap(), key(3)).unwrap()),
        ("no id leads to", &|db| db.delete_cf(db.cf_handle("ids").unwrap(), "3").unwrap()),
        ("same internal number", &|db| {
            let ids = db.cf_handle("ids").unwrap();
            let row = db.get_cf(ids, "3").unwrap().unwrap();
            db.put_cf(ids, "4", row).unwrap();
        }),
        ("wrong length", &|db| db.put_cf(db.cf_handle("ids").unwrap(), "3", b"short").unwrap()),
        ("row 3 of products", &|db| db.put_cf(db.cf_handle("products").unwrap(), key(3), b"\x01{").unwrap()),
        ("encoding 9", &|db| db.put_cf(db.cf_handle("products").unwrap(), key(3), b"\x09").unwrap()),
        ("length 0, not 1", &|db| db.put_cf(db.cf_handle("vectors").unwrap(), key(3), [0; 32]).unwrap()),
        ("either a product or a tombstone", &|db| {
            db.put_cf(db.cf_handle("meta").unwrap(), b"dead/\0\0\0\x03", b"").unwrap();
        }),
        ("no internal number", &|db| db.put_cf(db.cf_handle("products").unwrap(), b"odd", b"").unwrap()),
    ];
    for (at, (sign, harm)) in harms.iter().enumerate() {
        let path = folder.path().join(at.to_string());
        frozen(&path);
        tamper(&path, harm);
        let index = Index::open(&path).unwrap();
        let report = index.verify(None);
        let told: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|p| p.contains(sign)), "{sign}: {told:?}");
        assert_eq!(report.problem_count, told.len());
    }
}
