use xunpin_core::{DocSet, NearestNeighbors};
use xunpin_index::{Batch, IndexOptions, SearchOptions, Strategy};

use crate::common::{Rng, clustered, create, fill, recall, search};

/// Failure budget: of the true first ten, at most 2 in 100 are missed, with seeded vectors shaped like embeddings.
const BUDGET: f64 = 0.98;

#[test]
fn frozen_and_live_graphs_find_what_the_scan_finds() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = IndexOptions::new(64);
    (options.live_graph_at, options.freeze_at) = (1_000, 50_000);
    let index = create(&folder.path().join("x"), options);
    let mut rng = Rng::new(1);
    let vectors = clustered(&mut rng, 20_300, 64, 40);
    let (stored, queries) = vectors.split_at(20_000);

    fill(&index, &stored[..14_000], 0);
    assert_eq!(index.stats().tail.in_graph, 13_000, "the first are scanned");
    let live = recall(&index, queries, 10);
    assert!(index.freeze().unwrap());
    let frozen = recall(&index, queries, 10);
    fill(&index, &stored[14_000..], 14_000);
    assert!(index.freeze().unwrap());
    let two = recall(&index, queries, 10);
    assert_eq!(index.stats().segments.len(), 2);
    println!("recall@10: live {live:.4}, frozen {frozen:.4}, two segments {two:.4}");
    assert!(live >= BUDGET && frozen >= BUDGET && two >= BUDGET, "{live} {frozen} {two}");

    let report = index.verify(None);
    assert!(report.is_ok() && report.recall_at_10.unwrap() >= BUDGET, "{report:?}");

    // The measure can fail: a walk that keeps too few candidates misses some.
    let narrow = SearchOptions { strategy: Strategy::Graph, ef: Some(10), ..Default::default() };
    assert!(queries.iter().any(|query| {
        index.search(query, 10, &narrow).unwrap().neighbors != search(&index, query, 10, Strategy::Exact)
    }));

    // A filter, and a tenth deleted.
    let mut batch = Batch::new();
    (0..20_000).step_by(10).for_each(|id| {
        batch.delete(id.to_string());
    });
    index.apply(batch).unwrap();
    let allowed: DocSet = (0..20_000).filter(|id| id % 3 != 0).map(xunpin_core::DocId).collect();
    let (exact, graph) = (index.exact_scan(), index.graph_search(None));
    let mut missed = 0;
    for query in queries {
        let truth = exact.nearest(query, 10, Some(&allowed)).unwrap();
        let got = graph.nearest(query, 10, Some(&allowed)).unwrap();
        assert!(got.iter().all(|n| n.id.0 % 3 != 0 && n.id.0 % 10 != 0));
        missed += truth.iter().filter(|n| !got.contains(n)).count();
    }
    assert!((missed as f64) < queries.len() as f64 * 10.0 * (1.0 - BUDGET), "{missed} missed");

    let wide = SearchOptions { strategy: Strategy::Graph, ef: Some(20_000), ..Default::default() };
    for query in &queries[..20] {
        let all = index.search(query, 100, &wide).unwrap();
        assert_eq!(
            all.neighbors,
            search(&index, query, 100, Strategy::Exact),
            "a walk this wide sees every node"
        );
        assert_eq!(all.neighbors, index.search(query, 100, &wide).unwrap().neighbors);
    }
}

/// Catalogues hold the same text many times. As nodes of a graph, a third of these vectors would be cut off.
#[test]
fn equal_vectors_stay_reachable() {
    let folder = tempfile::tempdir().unwrap();
    let index = create(&folder.path().join("x"), IndexOptions::new(16));
    let mut rng = Rng::new(2);
    let mut vectors = clustered(&mut rng, 1_500, 16, 30);
    for at in 0..1_500 {
        vectors.push(vectors[at % 3].clone());
    }
    fill(&index, &vectors, 0);
    assert!(index.freeze().unwrap());
    assert!(index.verify(None).is_ok());
    let wide = SearchOptions { strategy: Strategy::Graph, ef: Some(3_000), ..Default::default() };
    for query in &vectors[..50] {
        assert_eq!(index.search(query, 3_000, &wide).unwrap().neighbors.len(), 3_000);
        let some = SearchOptions { ef: Some(128), ..wide };
        let ten = index.search(query, 10, &some).unwrap().neighbors;
        assert_eq!(ten, search(&index, query, 10, Strategy::Exact));
    }
}
