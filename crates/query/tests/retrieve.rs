//! Retrieval over an encoder and a source in memory.

#![allow(clippy::unwrap_used)] // Only functions marked as tests are exempt by default.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use xunpin_core::{
    DocId, DocSet, EncodeError, Encoder, Filter, Fingerprint, Matrix, Neighbor, Product, Role,
};
use xunpin_query::{
    Candidates, MAX_RESULTS, Mode, NearestPlan, ProductSource, RetrieveError, SCHEMA, SearchRequest,
    SearchResponse, Strategy, parse_filter, retrieve,
};

/// Counts the letters a to d: texts with the same letters are near each other.
struct LetterEncoder(Fingerprint);

impl LetterEncoder {
    fn new() -> Self {
        Self(Fingerprint {
            model: "letters".into(),
            architecture: "letters".into(),
            weights: String::new(),
            tokenizer: String::new(),
            prompts: BTreeMap::new(),
            pooling: "sum".into(),
            dimension: 4,
            precision: "f32".into(),
            max_tokens: 1_000,
        })
    }
}

impl Encoder for LetterEncoder {
    fn fingerprint(&self) -> &Fingerprint {
        &self.0
    }

    fn encode(&self, texts: &[&str], role: Role) -> Result<Matrix, EncodeError> {
        assert_eq!(role, Role::Query, "products are encoded elsewhere");
        let mut data = Vec::new();
        for (row, text) in texts.iter().enumerate() {
            let vector = letters(text);
            if vector.iter().all(|v| v.is_nan()) {
                return Err(EncodeError::Unusable { row });
            }
            data.extend(vector);
        }
        Ok(Matrix::new(data, 4))
    }

    fn count_tokens(&self, text: &str, _: Role) -> Result<usize, EncodeError> {
        Ok(text.len())
    }

    fn fit<'a>(&self, text: &'a str, _: usize) -> Result<&'a str, EncodeError> {
        Ok(text)
    }
}

fn letters(text: &str) -> Vec<f32> {
    let count = |letter| text.chars().filter(|&c| c == letter).count() as f32;
    let counts = ['a', 'b', 'c', 'd'].map(count);
    let norm = counts.iter().map(|v| v * v).sum::<f32>().sqrt();
    counts.iter().map(|v| v / norm).collect()
}

#[derive(Debug, thiserror::Error)]
#[error("the disk is gone")]
struct DiskGone;

/// Products in memory; a product's number is its position.
#[derive(Default)]
struct Shelf {
    products: RefCell<Vec<Option<Product>>>,
    broken: bool,
    /// How many products vanish, from the front, right after the first look for neighbours.
    vanish: Cell<usize>,
    plans: RefCell<Vec<NearestPlan>>,
}

impl Shelf {
    fn new(products: impl IntoIterator<Item = Product>) -> Self {
        Self { products: RefCell::new(products.into_iter().map(Some).collect()), ..Self::default() }
    }
}

impl ProductSource for Shelf {
    type Error = DiskGone;

    fn allowed(&self, filter: &Filter) -> Result<Arc<DocSet>, DiskGone> {
        let products = self.products.borrow();
        let passes = |product: &Option<Product>| product.as_ref().is_some_and(|p| filter.matches(p));
        let set =
            (0..products.len()).filter(|&at| passes(&products[at])).map(|at| DocId(at as u32)).collect();
        Ok(Arc::new(set))
    }

    fn nearest(
        &self,
        query: &[f32],
        plan: &NearestPlan,
        allowed: Option<&DocSet>,
    ) -> Result<Candidates, DiskGone> {
        if self.broken {
            return Err(DiskGone);
        }
        self.plans.borrow_mut().push(*plan);
        let mut neighbors = Vec::new();
        for (at, product) in self.products.borrow().iter().enumerate() {
            let id = DocId(at as u32);
            if let Some(product) = product
                && allowed.is_none_or(|set| set.contains(id))
            {
                let score = letters(&product.title).iter().zip(query).map(|(a, b)| a * b).sum();
                neighbors.push(Neighbor { id, score });
            }
        }
        neighbors.sort_by(Neighbor::order);
        neighbors.truncate(plan.depth);
        self.products.borrow_mut().iter_mut().take(self.vanish.take()).for_each(|p| *p = None);
        Ok(Candidates { neighbors, strategy: Strategy::Exact })
    }

    fn product(&self, id: DocId) -> Result<Option<Product>, DiskGone> {
        Ok(self.products.borrow()[id.index()].clone())
    }
}

fn product(id: &str, title: &str, price: f64) -> Product {
    Product { price: Some(price), ..Product::new(id, title) }
}

fn search(shelf: &Shelf, request: &SearchRequest) -> SearchResponse {
    retrieve(&LetterEncoder::new(), shelf, request).unwrap()
}

fn ids(response: &SearchResponse) -> Vec<&str> {
    response.hits.iter().map(|hit| hit.id.as_str()).collect()
}

#[test]
fn nearest_first_and_ties_by_the_shops_id() {
    let shelf = Shelf::new([
        product("p9", "ab", 1.0),
        product("p3", "a", 2.0),
        product("p1", "ab", 3.0),
        product("p2", "c", 4.0),
    ]);
    let response = search(&shelf, &SearchRequest::new(" ab ").unwrap());
    assert_eq!(ids(&response), ["p1", "p9", "p3", "p2"]);
    assert!((response.hits[0].score - 1.0).abs() < 1e-6 && response.hits[3].score == 0.0);
    assert_eq!((response.schema.as_str(), response.query.as_str()), (SCHEMA, "ab"));
    assert_eq!((response.mode, response.strategy), (Mode::Semantic, Strategy::Exact));
    assert_eq!(response.filter, None);
    let first = search(&shelf, &SearchRequest::new("ab").unwrap().with_results(1).unwrap());
    assert_eq!(ids(&first), ["p1"], "though p9 arrived earlier");
}

#[test]
fn a_filter_is_honoured_and_shown() {
    let shelf = Shelf::new(
        (0..500).map(|n| product(&format!("p{n:03}"), if n < 300 { "a" } else { "b" }, f64::from(n))),
    );
    let request =
        SearchRequest::new("a").unwrap().with_filter(parse_filter("价格 >= 400 and not price>404").unwrap());
    let response = search(&shelf, &request);
    assert_eq!(ids(&response), ["p400", "p401", "p402", "p403", "p404"]);
    assert_eq!(response.filter.as_deref(), Some("price >= 400 and not price > 404"));

    let none = request.with_filter(parse_filter("price > 1e6").unwrap());
    assert!(search(&shelf, &none).hits.is_empty());
    assert_eq!(shelf.plans.borrow().len(), 1, "nothing passes, so nothing is searched");
}

#[test]
fn depth_is_the_same_for_all_small_numbers_of_results() {
    let shelf = Shelf::new((0..2_000).map(|n| product(&format!("p{n:04}"), "a", 1.0)));
    for results in [1, 10, 200, 201, MAX_RESULTS] {
        let request = SearchRequest::new("a").unwrap().with_results(results).unwrap();
        let request = request.with_strategy(Strategy::Graph).with_ef(77).unwrap();
        assert_eq!(search(&shelf, &request).hits.len(), results);
    }
    let plans = shelf.plans.borrow();
    let depths: Vec<usize> = plans.iter().map(|plan| plan.depth).collect();
    assert_eq!(depths, [256, 256, 256, 1_280, 1_280]);
    assert!(plans.iter().all(|plan| plan.strategy == Strategy::Graph && plan.ef == Some(77)));
}

#[test]
fn vanished_products_are_replaced_by_the_next() {
    for (vanish, looks) in [(3, 1), (300, 2)] {
        let shelf = Shelf::new((0..1_000).map(|n| product(&format!("p{n:04}"), "a", 1.0)));
        shelf.vanish.set(vanish);
        let response = search(&shelf, &SearchRequest::new("a").unwrap());
        assert_eq!(response.hits.len(), 10);
        assert_eq!(response.hits[0].id, format!("p{vanish:04}"));
        assert_eq!(shelf.plans.borrow().len(), looks);
    }
}

#[test]
fn a_product_that_no_longer_passes_is_left_out() {
    struct Repriced(Shelf);
    impl ProductSource for Repriced {
        type Error = DiskGone;
        fn allowed(&self, _: &Filter) -> Result<Arc<DocSet>, DiskGone> {
            Ok(Arc::new([DocId(0), DocId(1)].into_iter().collect()))
        }
        fn nearest(
            &self,
            query: &[f32],
            plan: &NearestPlan,
            allowed: Option<&DocSet>,
        ) -> Result<Candidates, DiskGone> {
            self.0.nearest(query, plan, allowed)
        }
        fn product(&self, id: DocId) -> Result<Option<Product>, DiskGone> {
            self.0.product(id)
        }
    }
    let shelf = Repriced(Shelf::new([product("p0", "a", 100.0), product("p1", "a", 5.0)]));
    let request = SearchRequest::new("a").unwrap().with_filter(parse_filter("price < 10").unwrap());
    assert_eq!(ids(&retrieve(&LetterEncoder::new(), &shelf, &request).unwrap()), ["p1"]);
}

#[test]
fn failures_keep_their_cause() {
    let request = SearchRequest::new("a").unwrap();
    let broken = Shelf { broken: true, ..Shelf::default() };
    let error = retrieve(&LetterEncoder::new(), &broken, &request).unwrap_err();
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "the disk is gone");
    let unusable = SearchRequest::new("xyz").unwrap();
    let error = retrieve(&LetterEncoder::new(), &Shelf::default(), &unusable).unwrap_err();
    assert!(matches!(error, RetrieveError::Encode(EncodeError::Unusable { row: 0 })));
}

#[test]
fn json_is_the_documented_schema() {
    let shelf = Shelf::new([product("p1", "a", 239.0)]);
    let request = SearchRequest::new("a").unwrap().with_filter(parse_filter("price < 300").unwrap());
    let response = search(&shelf, &request);
    let json = serde_json::to_value(&response).unwrap();
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["schema", "query", "mode", "filter", "strategy", "took_ms", "hits"]);
    assert_eq!(json["schema"], "xunpin.search.v1");
    assert_eq!((&json["mode"], &json["strategy"]), (&"semantic".into(), &"exact".into()));
    assert_eq!(json["hits"][0]["product"], serde_json::json!({"id": "p1", "title": "a", "price": 239.0}));
    let times: Vec<&String> = json["took_ms"].as_object().unwrap().keys().collect();
    assert_eq!(times, ["encode", "filter", "search", "total"]);
    assert_eq!(serde_json::from_value::<SearchResponse>(json).unwrap(), response);
}
