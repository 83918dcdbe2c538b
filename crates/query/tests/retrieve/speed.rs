//! What hybrid costs beyond both searches.

use std::sync::Arc;

use xunpin_core::{
    DocId, DocSet, ExactMatch, Field, Filter, Matrix, Neighbor, Product, TextMatch, TextMatches,
};
use xunpin_query::fusion::Weights;
use xunpin_query::{
    Column, Mode, Nearest, NearestPlan, ProductSource, SIDE_DEPTH, StaticNearest, Strategy, retrieve,
};

use super::request;

const PRODUCTS: u32 = 100_000;
const DIMENSION: usize = 768;

/// Answers that are there already: every fifth product holds a word, every hundredth is near.
struct Ready {
    text: TextMatches,
    near: Vec<Neighbor>,
    /// Of a few products, which stand for all.
    vectors: Vec<Vec<f32>>,
}

impl Ready {
    fn new() -> Self {
        let value = |a: u32, b: u32| (a.wrapping_mul(2_654_435_761) ^ b.wrapping_mul(40_503)) % 1_000;
        let vector = |a| (0..DIMENSION as u32).map(|b| value(a, b) as f32 / 16_000.0).collect();
        let text = |doc| {
            let score = value(doc, 3) as f32 / 50.0;
            TextMatch { doc: DocId(doc), score, coverage: score / 20.0 }
        };
        let near = |doc| Neighbor { id: DocId(doc), score: 0.9 - value(doc, 5) as f32 / 6_000.0 };
        Self {
            text: TextMatches {
                matches: (0..PRODUCTS).step_by(5).map(text).collect(),
                terms: 4,
                names: false,
            },
            near: (0..PRODUCTS).step_by(98).map(near).collect(),
            vectors: (0..50).map(vector).collect(),
        }
    }

    fn vector(&self, doc: DocId) -> &[f32] {
        &self.vectors[doc.index() % self.vectors.len()]
    }
}

impl ProductSource for Ready {
    type Error = std::convert::Infallible;

    fn generation(&self) -> u64 {
        1
    }

    fn allowed(&self, _: &Filter) -> Result<Arc<DocSet>, Self::Error> {
        Ok(Arc::default())
    }

    fn encode(&self, _: &str) -> Result<Vec<f32>, Self::Error> {
        Ok(self.vector(DocId(7)).to_vec())
    }

    fn nearest(&self, _: &[f32], _: &NearestPlan, _: Option<&DocSet>) -> Result<Nearest, Self::Error> {
        Ok(Nearest { neighbors: self.near.clone(), strategy: Strategy::Graph })
    }

    fn vectors(&self, docs: &[DocId]) -> Result<Matrix, Self::Error> {
        Ok(Matrix::new(docs.iter().flat_map(|doc| self.vector(*doc)).copied().collect(), DIMENSION))
    }

    fn text_matches(&self, _: &str) -> Result<TextMatches, Self::Error> {
        Ok(self.text.clone())
    }

    fn exact_matches(&self, _: &str) -> Result<Vec<ExactMatch>, Self::Error> {
        Ok(Vec::new())
    }

    fn static_nearest(&self, _: &str, _: usize, _: Option<&DocSet>) -> Result<StaticNearest, Self::Error> {
        Ok(StaticNearest::default())
    }

    fn column(&self, _: &Field) -> Result<Arc<Column>, Self::Error> {
        unreachable!("no field is asked for")
    }

    fn find(&self, ids: &[String]) -> Result<Vec<Option<DocId>>, Self::Error> {
        Ok(vec![None; ids.len()])
    }

    fn products(&self, docs: &[DocId]) -> Result<Vec<Option<Product>>, Self::Error> {
        Ok(docs.iter().map(|doc| Some(Product::new(doc.to_string(), "t"))).collect())
    }
}

#[test]
#[ignore = "prints a time"]
fn time_of_hybrid_beyond_both_searches() {
    let source = Ready::new();
    let mut times: Vec<[f64; 4]> = Vec::new();
    for _ in 0..200 {
        let response = retrieve(&source, &request("a", Mode::Hybrid), &Weights::default()).unwrap();
        assert!(response.total > SIDE_DEPTH + SIDE_DEPTH / 2 && response.cut);
        let took = response.took_ms;
        times.push([took.lexical, took.nearest, took.fusion, took.search]);
    }
    for (at, part) in ["lexical", "nearest", "fusion", "search"].iter().enumerate() {
        let mut times: Vec<f64> = times.iter().map(|t| t[at]).collect();
        times.sort_by(f64::total_cmp);
        println!("{part}: median {} ms, p95 {} ms", times[100], times[190]);
    }
}
