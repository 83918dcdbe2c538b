use xunpin_core::{DocId, NearestError, Product};
use xunpin_index::{Batch, Index, IndexError, IndexOptions, SearchOptions, Strategy};

use crate::common::{Rng, create, fill, search};

fn small() -> (tempfile::TempDir, Index) {
    let folder = tempfile::tempdir().unwrap();
    let index = create(&folder.path().join("x"), IndexOptions::new(2));
    (folder, index)
}

#[test]
fn batch_counts_what_it_does() {
    let (_folder, index) = small();
    let mut batch = Batch::new();
    batch
        .upsert(Product::new("a", "A"), 1, Some(&[1.0, 0.0]))
        .upsert(Product::new("b", "B"), 2, Some(&[0.0, 1.0]))
        .delete("nobody")
        .checkpoint("job", b"line 2");
    let applied = index.apply(batch).unwrap();
    assert_eq!((applied.inserted, applied.missing, applied.generation), (2, 1, 1));
    assert_eq!(index.checkpoint("job").unwrap().as_deref(), Some(&b"line 2"[..]));

    let mut batch = Batch::new();
    let mut cheaper = Product::new("a", "A");
    cheaper.price = Some(9.5);
    batch
        .upsert(cheaper.clone(), 1, None)
        .upsert(Product::new("b", "B2"), 3, Some(&[0.6, 0.8]))
        .clear_checkpoint("job");
    let applied = index.apply(batch).unwrap();
    assert_eq!((applied.updated_in_place, applied.re_embedded, applied.generation), (1, 1, 2));
    assert_eq!(index.get("a").unwrap(), Some(cheaper));
    let entries = index.lookup(&["b", "c", "a"]).unwrap();
    assert_eq!(entries[0].map(|e| (e.doc, e.content_hash)), Some((DocId(2), 3)));
    assert_eq!(entries[1], None);
    assert_eq!(entries[2].map(|e| e.doc), Some(DocId(0)));
    assert_eq!(index.checkpoint("job").unwrap(), None);
    assert_eq!((index.product(DocId(1)).unwrap(), index.vector(DocId(1))), (None, None));
    assert_eq!(
        search(&index, &[0.0, 1.0], 9, Strategy::Auto).iter().map(|n| n.id.0).collect::<Vec<_>>(),
        [2, 0]
    );

    let mut batch = Batch::new();
    batch.delete("a");
    assert_eq!(index.apply(batch).unwrap().deleted, 1);
    assert_eq!((index.len(), index.generation()), (1, 3));
    let ids: Vec<_> = index.ids().map(|row| row.unwrap().0).collect();
    assert_eq!(ids, ["b"]);
    assert!(index.verify(None).is_ok());
}

#[test]
fn refused_batch_changes_nothing() {
    let (_folder, index) = small();
    fill(&index, &[vec![1.0, 0.0]], 0);
    let before = (index.generation(), index.get("0").unwrap());
    let mut batch = Batch::new();
    batch.delete("0").upsert(Product::new("new", "N"), 1, None).checkpoint("job", b"x");
    assert!(matches!(index.apply(batch), Err(IndexError::VectorMissing { id }) if id == "new"));
    let mut batch = Batch::new();
    batch.delete("0").upsert(Product::new("new", "N"), 1, Some(&[3.0, 0.0]));
    assert!(matches!(index.apply(batch), Err(IndexError::VectorNorm { .. })));
    assert_eq!((index.generation(), index.get("0").unwrap()), before);
    assert_eq!(index.checkpoint("job").unwrap(), None);
}

#[test]
fn queries_are_checked_and_scores_are_cosines() {
    let (_folder, index) = small();
    fill(&index, &[vec![0.6, 0.8], vec![0.8, -0.6]], 0);
    let refused = |query: &[f32]| index.search(query, 1, &SearchOptions::default()).unwrap_err();
    assert!(matches!(refused(&[1.0]), IndexError::Query(NearestError::Dimension { expected: 2, got: 1 })));
    assert!(matches!(refused(&[0.0, f32::NAN]), IndexError::Query(NearestError::NotFinite { position: 1 })));
    let found = search(&index, &[0.6, 0.8], 5, Strategy::Exact);
    assert!((found[0].score - 1.0).abs() < 1e-3 && found[0].score <= 1.0 && found[1].score.abs() < 1e-3);
    assert!(search(&index, &[0.6, 0.8], 0, Strategy::Exact).is_empty());
    assert!(search(&index, &[0.6, 0.8], 0, Strategy::Graph).is_empty());
}

#[test]
fn gathered_vectors_are_those_of_each_number() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = IndexOptions::new(8);
    options.freeze_min = 100;
    let index = create(&folder.path().join("x"), options);
    let mut rng = Rng::new(12);
    let vectors: Vec<_> = (0..300).map(|_| rng.unit(8)).collect();
    fill(&index, &vectors[..200], 0);
    assert!(index.freeze().unwrap());
    fill(&index, &vectors[200..], 200);
    let mut batch = Batch::new();
    batch.delete("7").delete("250");
    index.apply(batch).unwrap();
    let docs: Vec<DocId> = [299, 7, 0, 199, 200, 250, 300, 0, u32::MAX].map(DocId).to_vec();
    let gathered = index.gather(&docs);
    assert_eq!(gathered.present, [true, false, true, true, true, false, false, true, false]);
    assert_eq!((gathered.rows.rows(), gathered.rows.columns()), (docs.len(), 8));
    for (at, doc) in docs.iter().enumerate() {
        let expected = index.vector(*doc).unwrap_or_else(|| vec![0.0; 8]);
        assert_eq!(gathered.rows.row(at), expected, "{doc}");
    }
    assert!(index.gather(&[]).present.is_empty());
}

#[test]
fn strategy_follows_size_and_filter() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = IndexOptions::new(8);
    (options.exact_below, options.freeze_min) = (20, 100);
    let index = create(&folder.path().join("x"), options);
    let mut rng = Rng::new(3);
    let vectors: Vec<_> = (0..1_000).map(|_| rng.unit(8)).collect();
    fill(&index, &vectors, 0);
    let used = |allowed: Option<&xunpin_core::DocSet>| {
        let options = SearchOptions { allowed, ..Default::default() };
        let outcome = index.search(&vectors[5], 3, &options).unwrap();
        assert!(outcome.scanned > 0);
        outcome.strategy
    };
    assert_eq!(used(None), Strategy::Graph, "codes are looked at where there is no graph yet");
    assert!(index.freeze().unwrap());
    assert_eq!(used(None), Strategy::Graph);
    assert_eq!(index.stats().strategy, Strategy::Graph);
    let even = index.filter_ids(|p| p.id.len() == 3).unwrap();
    assert_eq!((even.len(), used(Some(&even))), (900, Strategy::Graph));
    let few = index.filter_ids(|p| p.id.len() == 1).unwrap();
    assert_eq!((few.len(), used(Some(&few))), (10, Strategy::Exact));
}

#[test]
fn long_ingest_freezes_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let mut options = IndexOptions::new(16);
    (options.live_graph_at, options.freeze_at, options.freeze_min) = (1_000, 3_000, 100);
    let index = create(&path, options);
    let mut rng = Rng::new(4);
    let vectors: Vec<_> = (0..4_900).map(|_| rng.unit(16)).collect();
    fill(&index, &vectors[..2_500], 0);
    assert_eq!((index.stats().tail.vectors, index.stats().tail.in_graph), (2_500, 1_500));
    let mut batch = Batch::new();
    (0..40).for_each(|id| {
        batch.delete((id * 50).to_string());
    });
    index.apply(batch).unwrap();
    for query in &vectors[..40] {
        assert_eq!(search(&index, query, 1, Strategy::Graph), search(&index, query, 1, Strategy::Exact));
    }
    fill(&index, &vectors[2_500..], 2_500);
    index.wait_for_maintenance();
    let stats = index.stats();
    assert_eq!((stats.segments.len(), stats.segments[0].vectors, stats.segments[0].deleted), (1, 2_960, 0));
    assert_eq!((stats.tail.vectors, stats.tombstones, stats.products), (1_900, 0, 4_860));
    let report = index.verify(Some(&|p| p.id.parse().unwrap()));
    assert!(report.is_ok(), "{:?}", report.problems);
    assert!(report.recall_at_10.unwrap() > 0.97, "{report:?}");
    assert!(!index.verify(Some(&|_| 7)).is_ok());

    // A small rest is not frozen, but rid of what is deleted.
    drop(index);
    let index = Index::open(&path).unwrap();
    assert_eq!((index.stats().tail.vectors, index.stats().tail.in_graph), (1_900, 0));
    let mut batch = Batch::new();
    (3_000..4_850).for_each(|id| {
        batch.delete(id.to_string());
    });
    index.apply(batch).unwrap();
    index.wait_for_maintenance();
    assert_eq!(index.stats().tail.vectors, 50, "trimmed");
    let mut batch = Batch::new();
    batch.delete("4860");
    index.apply(batch).unwrap();
    assert!(!index.freeze().unwrap());
    assert_eq!((index.stats().tail.vectors, index.stats().tombstones), (49, 0));
    assert!(index.verify(None).is_ok());
}

/// The first of many segments are merged while more comes, the rest at the end.
#[test]
fn segments_stay_few() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let mut options = IndexOptions::new(16);
    (options.freeze_at, options.freeze_min, options.ef_construction) = (500, 100, 40);
    let index = create(&path, options);
    let mut rng = Rng::new(5);
    let vectors: Vec<_> = (0..5_300).map(|_| rng.unit(16)).collect();
    fill(&index, &vectors, 0);
    index.wait_for_maintenance();
    let sizes = |index: &Index| index.stats().segments.iter().map(|s| s.vectors).collect::<Vec<_>>();
    assert_eq!((sizes(&index), index.stats().tail.vectors), (vec![4_000, 500, 500], 300));
    assert!(index.freeze().unwrap());
    assert_eq!((sizes(&index), index.stats().tail.vectors), (vec![4_000, 1_300], 0));
    let files = || std::fs::read_dir(path.join("graph")).unwrap().count();
    assert_eq!(files(), 4, "files of merged segments are removed");

    // More than three tenths of the newer one deleted.
    let mut batch = Batch::new();
    (4_000..4_500).for_each(|id| {
        batch.delete(id.to_string());
    });
    index.apply(batch).unwrap();
    index.wait_for_maintenance();
    assert_eq!((sizes(&index), index.stats().tombstones), (vec![4_000, 800], 0));
    assert!(index.verify(None).is_ok());

    // A few deleted, a few new: all of it becomes one.
    let mut batch = Batch::new();
    (0..20).for_each(|id| {
        batch.delete((id * 7).to_string());
    });
    index.apply(batch).unwrap();
    fill(&index, &vectors[..30], 6_000);
    assert_eq!((index.stats().tombstones, index.stats().tail.vectors), (20, 30));
    let compacted = index.compact().unwrap();
    assert_eq!((compacted.segments_before, compacted.segments_after, compacted.dropped), (2, 1, 20));
    assert_eq!((sizes(&index), index.stats().tombstones, files()), (vec![4_810], 0, 2));
    let again = index.compact().unwrap();
    assert_eq!((again.segments_before, again.segments_after, again.dropped), (1, 1, 0));
    let report = index.verify(None);
    assert!(report.is_ok() && report.recall_at_10.unwrap() > 0.95, "{report:?}");
    drop(index);
    let index = Index::open(&path).unwrap();
    assert_eq!((index.notes(), sizes(&index), index.len()), (vec![], vec![4_810], 4_810));

    // Everything deleted.
    let ids: Vec<String> = index.ids().map(|row| row.unwrap().0).collect();
    let mut batch = Batch::new();
    ids.iter().for_each(|id| {
        batch.delete(id);
    });
    index.apply(batch).unwrap();
    index.compact().unwrap();
    assert_eq!((sizes(&index), index.stats().tombstones), (vec![0], 0));
    assert_eq!(search(&index, &vectors[0], 3, Strategy::Graph), []);
    assert!(index.verify(None).is_ok());
    drop(index);
    let index = Index::open(&path).unwrap();
    fill(&index, &vectors[..200], 0);
    assert!(index.freeze().unwrap());
    assert_eq!(sizes(&index), [200], "the empty one is merged away");
}
