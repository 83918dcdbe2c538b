use std::path::Path;

use rocksdb::DB;
use serde_json::json;
use xunpin_core::{Fingerprint, Neighbor, Product, SplitMix64};
use xunpin_index::{Batch, Index, IndexOptions, SearchOptions, Strategy};

/// The same numbers in every run.
pub(crate) struct Rng(SplitMix64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SplitMix64::new(seed))
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.0.bits() % bound as u64) as usize
    }

    /// About normal: the sum of twelve uniform numbers.
    pub(crate) fn gauss(&mut self) -> f32 {
        (0..12).map(|_| self.0.unit()).sum::<f32>() - 6.0
    }

    pub(crate) fn unit(&mut self, dimension: usize) -> Vec<f32> {
        normalised((0..dimension).map(|_| self.gauss()).collect())
    }
}

pub(crate) fn normalised(mut vector: Vec<f32>) -> Vec<f32> {
    let norm = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|v| *v /= norm);
    vector
}

/// Vectors as embeddings are: around common centres, whose own spread shrinks from axis to axis.
pub(crate) fn clustered(rng: &mut Rng, count: usize, dimension: usize, centres: usize) -> Vec<Vec<f32>> {
    let axis = |i: usize| 1.0 / (1.0 + i as f32 / 8.0).sqrt();
    let centres: Vec<Vec<f32>> =
        (0..centres).map(|_| (0..dimension).map(|i| rng.gauss() * axis(i)).collect()).collect();
    (0..count)
        .map(|_| {
            let centre = rng.below(centres.len());
            let spread = |i: usize, rng: &mut Rng| centres[centre][i] + rng.gauss() * axis(i);
            normalised((0..dimension).map(|i| spread(i, rng)).collect())
        })
        .collect()
}

pub(crate) fn fingerprint(dimension: usize) -> Fingerprint {
    serde_json::from_value(json!({
        "model": "test", "architecture": "none", "weights": "0", "tokenizer": "0", "prompts": {"query": "q: "},
        "pooling": "mean", "dimension": dimension, "precision": "f32", "max_tokens": 8
    }))
    .unwrap()
}

pub(crate) fn create(path: &Path, options: IndexOptions) -> Index {
    Index::create(path, &fingerprint(options.dimension), options, json!({"template": "v1"})).unwrap()
}

/// Stores vectors as products `0`, `1`, ... in batches of 500.
pub(crate) fn fill(index: &Index, vectors: &[Vec<f32>], first: usize) {
    for (at, part) in vectors.chunks(500).enumerate() {
        let mut batch = Batch::new();
        for (offset, vector) in part.iter().enumerate() {
            let id = first + at * 500 + offset;
            batch.upsert(Product::new(id.to_string(), format!("product {id}")), id as u128, Some(vector));
        }
        index.apply(batch).unwrap();
    }
}

pub(crate) fn search(index: &Index, query: &[f32], k: usize, strategy: Strategy) -> Vec<Neighbor> {
    index.search(query, k, &SearchOptions { strategy, ..Default::default() }).unwrap().neighbors
}

/// What the graph finds of the exact scan's first `k`, as a share.
pub(crate) fn recall(index: &Index, queries: &[Vec<f32>], k: usize) -> f64 {
    let (mut found, mut wanted) = (0, 0);
    for query in queries {
        let truth = search(index, query, k, Strategy::Exact);
        let got = search(index, query, k, Strategy::Graph);
        let worst = truth.last().unwrap().score;
        found += got.iter().filter(|n| n.score >= worst).count().min(truth.len());
        wanted += truth.len();
    }
    found as f64 / wanted as f64
}

/// Changes the store behind the index's back.
pub(crate) fn tamper(path: &Path, change: impl FnOnce(&DB)) {
    let families = ["meta", "ids", "products", "vectors", "graph", "jobs", "static"];
    change(&DB::open_cf(&rocksdb::Options::default(), path.join("db"), families).unwrap());
}
