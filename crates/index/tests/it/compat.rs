//! The committed index of format version 1: every later version opens it. `make fixture-index` writes it, once a format version.

use std::fs;
use std::path::{Path, PathBuf};

use xunpin_core::Product;
use xunpin_index::{Batch, Index, IndexOptions, RecoveryNote, Strategy};

use crate::common::{Rng, clustered, create, search};

const DIMENSION: usize = 16;
/// Products that the fixture was made of; of these, every seventh is deleted.
const PRODUCTS: usize = 260;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/index-v1")
}

fn vectors() -> Vec<Vec<f32>> {
    clustered(&mut Rng::new(1_001), PRODUCTS, DIMENSION, 12)
}

fn product(at: usize) -> Product {
    let mut product = Product::new(format!("p{at}"), format!("商品 {at}"));
    product.price = Some(at as f64 / 4.0);
    product
}

fn upsert(index: &Index, range: std::ops::Range<usize>) {
    let vectors = vectors();
    let mut batch = Batch::new();
    for at in range {
        batch.upsert(product(at), at as u128, Some(&vectors[at]));
        batch.set_static(format!("p{at}"), Some(&Rng::new(at as u64).unit(5)));
    }
    batch.checkpoint("ingest", b"somewhere".to_vec());
    index.apply(batch).unwrap();
}

fn deleted(at: usize) -> bool {
    at.is_multiple_of(7)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (name, target) = (entry.file_name(), to.join(entry.file_name()));
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if !matches!(name.to_str(), Some("LOCK" | "LOG" | "writer.lock")) {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

/// Run by `make fixture-index`.
#[test]
fn write_the_fixture() {
    if std::env::var_os("XUNPIN_WRITE_FIXTURE").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let mut options = IndexOptions::new(DIMENSION);
    (options.m, options.ef_construction, options.freeze_min) = (4, 40, 10);
    let index = create(&path, options);
    upsert(&index, 0..150);
    assert!(index.freeze().unwrap());
    // Moves the store's rows into tables; what comes after stays in the log.
    index.compact().unwrap();
    upsert(&index, 150..220);
    assert!(index.freeze().unwrap());
    upsert(&index, 220..PRODUCTS);
    let mut batch = Batch::new();
    (0..PRODUCTS).filter(|at| deleted(*at)).for_each(|at| _ = batch.delete(format!("p{at}")));
    index.apply(batch).unwrap();
    drop(index);
    fs::remove_dir_all(fixture()).ok();
    copy(&path, &fixture());
}

fn check(index: &Index) {
    let living: Vec<usize> = (0..PRODUCTS).filter(|at| !deleted(*at)).collect();
    assert_eq!((index.len(), index.generation()), (living.len(), 4));
    assert_eq!(index.checkpoint("ingest").unwrap().as_deref(), Some(&b"somewhere"[..]));
    let vectors = vectors();
    let statics = index.static_vectors(5).unwrap();
    for &at in &living {
        assert_eq!(index.get(&format!("p{at}")).unwrap(), Some(product(at)));
        let entry = index.lookup(&[format!("p{at}")]).unwrap()[0].unwrap();
        assert_eq!(entry.content_hash, at as u128);
        let stored = index.vector(entry.doc).unwrap();
        assert!(stored.iter().zip(&vectors[at]).all(|(a, b)| (a - b).abs() < 1e-3));
        assert!(statics.vector(entry.doc).is_some());
        for strategy in [Strategy::Exact, Strategy::Graph] {
            assert_eq!(search(index, &vectors[at], 1, strategy)[0].id, entry.doc);
        }
    }
    assert_eq!(index.get("p7").unwrap(), None);
    assert!(index.changes_since(0).unwrap().is_some());
    let stats = index.stats();
    assert_eq!((stats.segments.len(), stats.tail.vectors, stats.format_version), (2, 40, 1));
    assert!(index.verify(None).is_ok(), "{:?}", index.verify(None).problems);
}

#[test]
fn the_index_of_version_1_opens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    copy(&fixture(), &path);
    // Its graphs have an older layout: a reader builds them in memory, a writer once and for all.
    let rebuilt = |index: &Index| {
        check(index);
        let graphs = |note: &RecoveryNote| matches!(note, RecoveryNote::GraphRebuilt { .. });
        assert!(index.notes().len() == 2 && index.notes().iter().all(graphs), "{:?}", index.notes());
    };
    let mapped = |index: &Index| index.stats().segments.iter().all(|segment| segment.mapped);
    let reader = Index::open_read_only(&path).unwrap();
    rebuilt(&reader);
    assert!(!mapped(&reader));
    let writer = Index::open(&path).unwrap();
    rebuilt(&writer);
    drop((reader, writer));
    let reader = Index::open_read_only(&path).unwrap();
    check(&reader);
    assert!(reader.notes().is_empty() && mapped(&reader), "its files are read as they are");
    let index = Index::open(&path).unwrap();
    assert!(index.notes().is_empty());
    // And can be written to.
    upsert(&index, 0..7);
    index.compact().unwrap();
    assert_eq!((index.len(), index.stats().segments.len()), (PRODUCTS - PRODUCTS.div_ceil(7) + 1, 1));
    assert!(index.verify(None).is_ok());
}
