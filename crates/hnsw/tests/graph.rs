//! Graphs against the exact scan of their codes.

#![allow(clippy::unwrap_used, reason = "helpers of tests count as no tests")]

use std::sync::atomic::AtomicBool;

use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};
use xunpin_core::SplitMix64;
use xunpin_hnsw::{
    Accepts, BuildError, BuildOptions, CodeBuffer, Coder, Codes, Filter, Graph, GraphRef, NONE, Query, build,
    link_count, upper_count,
};

const OPTIONS: BuildOptions = BuildOptions { m: 8, ef_construction: 80 };

/// Vectors as embeddings are: around common centres, whose own spread shrinks from axis to axis.
fn vectors(count: usize, dimension: usize, centres: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut random = SplitMix64::new(seed);
    let mut gauss = move || (0..6).map(|_| random.unit()).sum::<f32>() - 3.0;
    let axis = |i: usize| 1.0 / (1.0 + i as f32 / 8.0).sqrt();
    let centre: Vec<Vec<f32>> =
        (0..centres).map(|_| (0..dimension).map(|i| gauss() * axis(i)).collect()).collect();
    (0..count)
        .map(|at| {
            let vector: Vec<f32> =
                (0..dimension).map(|i| centre[at % centres][i] + gauss() * axis(i)).collect();
            let norm = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
            vector.iter().map(|v| v / norm).collect()
        })
        .collect()
}

fn coded(coder: &Coder, vectors: &[Vec<f32>]) -> CodeBuffer {
    let mut codes = CodeBuffer::new(coder);
    vectors.iter().for_each(|vector| {
        codes.push(coder, vector);
    });
    codes
}

fn built(codes: Codes<'_>, options: &BuildOptions) -> Graph {
    build(codes, options, &AtomicBool::new(false)).unwrap()
}

fn walkable<'a>(graph: &'a Graph, codes: &'a CodeBuffer) -> GraphRef<'a> {
    let Graph { degree0, degree, layer_nodes, links, uppers } = graph;
    GraphRef::new(*degree0, *degree, layer_nodes, links, uppers, codes.codes()).unwrap()
}

fn product(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum()
}

/// The set of the first `nodes` nodes for which `holds` holds.
fn bits(nodes: u32, holds: impl Fn(u32) -> bool) -> Vec<u64> {
    let mut words = vec![0; nodes.div_ceil(64) as usize];
    (0..nodes).filter(|node| holds(*node)).for_each(|node| words[node as usize / 64] |= 1 << (node % 64));
    words
}

/// The `k` accepted nodes nearest to the query.
fn nearest(codes: Codes<'_>, query: &[i8], k: usize, accept: impl Fn(u32) -> bool) -> Vec<(u32, i32)> {
    let mut all: Vec<(u32, i32)> = (0..codes.len() as u32)
        .filter(|node| accept(*node))
        .map(|node| (node, product(query, codes.row(node))))
        .collect();
    all.sort_by_key(|(node, score)| (std::cmp::Reverse(*score), *node));
    all.truncate(k);
    all
}

#[test]
fn walks_find_what_a_scan_finds() {
    let coder = Coder::new(48);
    let all = vectors(6_200, 48, 40, 1);
    let (stored, queries) = all.split_at(6_000);
    let codes = coded(&coder, stored);
    let graph = built(codes.codes(), &OPTIONS);
    let graph = walkable(&graph, &codes);
    let tenth = |node: u32| SplitMix64::mix(u64::from(node)).is_multiple_of(10);
    let most = |node: u32| !tenth(node);
    type Accept<'a> = &'a dyn Fn(u32) -> bool;
    let (tenth_bits, most_bits) = (bits(6_000, tenth), bits(6_000, most));
    let cases: [(&str, Filter<'_>, Accept<'_>, usize, f64); 6] = [
        ("plain", Filter::None, &|_| true, 60, 0.98),
        ("through", Filter::Through(Accepts::If(&most)), &most, 60, 0.98),
        ("through, bits", Filter::Through(Accepts::Bits(&most_bits)), &most, 60, 0.98),
        ("over", Filter::Over(Accepts::If(&tenth)), &tenth, 120, 0.95),
        ("over, bits", Filter::Over(Accepts::Bits(&tenth_bits)), &tenth, 120, 0.95),
        // The measure can fail.
        ("narrow", Filter::None, &|_| true, 10, 0.0),
    ];
    for (name, filter, accept, ef, bound) in cases {
        let (mut found, mut scanned) = (0, 0);
        for vector in queries {
            let query = Query::new(&coder, vector);
            let got = graph.walk(&query, ef, filter);
            assert!(got.nodes.len() <= ef && got.nodes.iter().all(|(node, _)| accept(*node)));
            assert!(got.nodes.is_sorted_by_key(|(node, score)| (std::cmp::Reverse(*score), *node)));
            assert!(
                got.nodes
                    .iter()
                    .all(|(node, score)| product(query.code(), codes.codes().row(*node)) == *score)
            );
            assert_eq!(got, graph.walk(&query, ef, filter), "the same again");
            let truth = nearest(codes.codes(), query.code(), 10, accept);
            found += truth.iter().filter(|hit| got.nodes.contains(hit)).count();
            scanned += got.scanned;
        }
        let recall = found as f64 / (queries.len() * 10) as f64;
        println!("{name}: recall@10 {recall:.4}, {} codes compared", scanned / queries.len());
        assert!(recall >= bound, "{name}: {recall}");
        assert!(name != "narrow" || recall < 0.98, "{recall}");
        assert!(scanned / queries.len() < 3_000);
    }
}

/// A scan looks at all, by sketches first, and hardly ever leaves out what it should not.
#[test]
fn scans_find_the_nearest() {
    let coder = Coder::new(256);
    let all = vectors(5_100, 256, 40, 6);
    let (stored, queries) = all.split_at(5_000);
    let codes = coded(&coder, stored);
    let third = |node: u32| node.is_multiple_of(3) || node == 4_999;
    // One set is as good as the other, and bits beyond the last node are none.
    let mut words = bits(5_000, third);
    words[5_000 / 64] |= 1 << 63;
    words.push(u64::MAX);
    let mut right = 0;
    for vector in queries {
        let query = Query::new(&coder, vector);
        let found = codes.codes().scan(&query, 20, Accepts::Bits(&words));
        assert_eq!(found, codes.codes().scan(&query, 20, Accepts::If(&third)));
        assert_eq!(found.scanned, 1_668);
        let truth = nearest(codes.codes(), query.code(), 20, third);
        right += truth.iter().filter(|hit| found.nodes.contains(hit)).count();
        // With room for all of them, none is left out.
        let whole = codes.codes().scan(&query, 1_668, Accepts::Bits(&words));
        assert_eq!(whole.nodes, nearest(codes.codes(), query.code(), 1_668, third));
    }
    let recall = right as f64 / (queries.len() * 20) as f64;
    println!("recall {recall:.4}");
    assert!(recall >= 0.998, "{recall}");
    assert_eq!(codes.codes().scan(&Query::new(&coder, &queries[0]), 0, Accepts::Bits(&words)).nodes, vec![]);
}

#[test]
fn graphs_are_the_same_on_any_number_of_threads() {
    let coder = Coder::new(16);
    let codes = coded(&coder, &vectors(3_000, 16, 30, 2));
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| build(codes.codes(), &OPTIONS, &AtomicBool::new(false)).unwrap())
    };
    let one = on(1);
    assert!(one == on(2) && one == on(5));
    assert!(one.layer_nodes.len() >= 3, "{:?}", one.layer_nodes);
}

/// Nodes that layer 0 leads to from the entry.
fn reached(graph: &Graph, codes: &CodeBuffer) -> usize {
    let mut seen = vec![false; codes.codes().len()];
    let mut open = Vec::new();
    if let Some(&entry) = graph.uppers.first() {
        seen[entry as usize] = true;
        open.push(entry);
    }
    let graph = walkable(graph, codes);
    while let Some(node) = open.pop() {
        for &next in graph.row0(node) {
            if !std::mem::replace(&mut seen[next as usize], true) {
                open.push(next);
            }
        }
    }
    seen.iter().filter(|seen| **seen).count()
}

/// Many nearly equal vectors beside others fill each other's rows.
#[test]
fn every_node_can_be_reached() {
    let coder = Coder::new(8);
    let mut all = vectors(900, 8, 5, 3);
    for at in (0..900).filter(|at| at % 3 > 0) {
        let near: Vec<f32> = all[0].iter().zip(&all[at]).map(|(a, b)| a + b * 0.02).collect();
        let norm = near.iter().map(|v| v * v).sum::<f32>().sqrt();
        all[at] = near.iter().map(|v| v / norm).collect();
    }
    let options = BuildOptions { m: 2, ef_construction: 8 };
    let codes = coded(&coder, &all);
    assert_eq!(reached(&built(codes.codes(), &options), &codes), 900);
}

#[test]
fn building_can_be_stopped() {
    let coder = Coder::new(4);
    let codes = coded(&coder, &vectors(50, 4, 5, 4));
    let stopped = build(codes.codes(), &OPTIONS, &AtomicBool::new(true));
    assert!(matches!(stopped, Err(BuildError::Stopped)));
}

/// A file whose checksum is right may still be none of ours.
#[test]
fn parts_that_do_not_fit_are_refused() {
    let coder = Coder::new(4);
    let codes = coded(&coder, &vectors(200, 4, 5, 5));
    let graph = built(codes.codes(), &OPTIONS);
    let new = |degree0, degree, layer_nodes: &[u32], links: &[u32]| {
        GraphRef::new(degree0, degree, layer_nodes, links, &graph.uppers, codes.codes()).is_some()
    };
    let (layers, links) = (&graph.layer_nodes[..], &graph.links[..]);
    assert!(new(16, 8, layers, links));
    assert!(!new(15, 8, layers, links) && !new(16, 9, layers, links));
    assert!(!new(16, 8, layers, &links[1..]) && !new(16, 8, &layers[..1], links) && !new(16, 8, &[], links));
    let mut bad = links.to_vec();
    bad[3] = 200;
    assert!(!new(16, 8, layers, &bad));
    // A link of an upper layer to a node that is only in layer 0.
    let mut bad = links.to_vec();
    bad[200 * 16] = 199;
    assert!(!new(16, 8, layers, &bad));
    let other = |uppers: &[u32], codes| GraphRef::new(16, 8, layers, links, uppers, codes).is_some();
    let uppers = &graph.uppers[..];
    assert!(other(uppers, codes.codes()) && !other(&uppers[1..], codes.codes()));
    assert!(!other(&[&uppers[1..], &[200]].concat(), codes.codes()));
    let (bytes, sketches) = (codes.codes().as_bytes(), codes.codes().sketches());
    assert!(!other(uppers, Codes::new(bytes, &sketches[1..], 4)));
    assert!(!other(uppers, Codes::new(&bytes[1..], sketches, 4)));
    assert_eq!(link_count(16, 8, &[10, 11]), None);
    assert_eq!(link_count(16, 8, &[10; 17]), None);
    assert_eq!(link_count(usize::MAX, 8, &[10]), None);
    assert_eq!((link_count(16, 8, &[]), link_count(16, 8, &[10, 3])), (Some(0), Some(184)));
    assert_eq!([upper_count(&[]), upper_count(&[10]), upper_count(&[10, 3, 1])], [0, 1, 3]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Few vectors, many of them equal; walks as wide as the graph find everything.
    #[test]
    fn small_graphs_are_whole(count in 0usize..120, distinct in 1usize..40, m in 0usize..6, seed in any::<u64>()) {
        let coder = Coder::new(6);
        let some = vectors(distinct, 6, 3, seed);
        let all: Vec<Vec<f32>> = (0..count).map(|at| some[at % distinct].clone()).collect();
        let codes = coded(&coder, &all);
        let options = BuildOptions { m, ef_construction: 1 + m };
        let graph = built(codes.codes(), &options);
        prop_assert_eq!(reached(&graph, &codes), count);
        let walked = walkable(&graph, &codes);
        for node in 0..count as u32 {
            let row = walked.row0(node);
            prop_assert!(!row.contains(&NONE) && !row.contains(&node));
        }
        let query = Query::new(&coder, &vectors(1, 6, 1, !seed)[0]);
        let odd = |node: u32| node % 2 == 1;
        let found = walked.walk(&query, count, Filter::None);
        prop_assert_eq!(found.nodes, nearest(codes.codes(), query.code(), count, |_| true));
        let found = walked.walk(&query, count, Filter::Through(Accepts::If(&odd)));
        prop_assert_eq!(found.nodes, nearest(codes.codes(), query.code(), count, odd));
        prop_assert_eq!(walked.walk(&query, 0, Filter::None).nodes, vec![]);
    }
}
