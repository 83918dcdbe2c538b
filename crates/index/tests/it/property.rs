use std::collections::BTreeMap;

use proptest::prelude::{
    Just, ProptestConfig, TestCaseError, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use proptest::strategy::Strategy as _;
use xunpin_core::{DocId, NearestNeighbors, Neighbor, Product};
use xunpin_index::{Batch, Index, IndexOptions, SearchOptions, Strategy};

use crate::common::{Rng, create, search};

const DIMENSION: usize = 8;
const STATIC_DIMENSION: usize = 5;

#[derive(Clone, Debug)]
enum Step {
    /// New or new text, with a vector made from the seed; several in one batch.
    Write(Vec<(u8, u64)>),
    /// A new price only.
    Price(u8, u16),
    /// A static vector given, or taken away, in a batch or afterwards.
    Static(u8, Option<u64>, bool),
    Delete(Vec<u8>),
    Freeze,
    Compact,
    Reopen,
}

fn steps() -> impl proptest::strategy::Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => prop::collection::vec((any::<u8>(), any::<u64>()), 1..40).prop_map(Step::Write),
        2 => (any::<u8>(), any::<u16>()).prop_map(|(id, price)| Step::Price(id, price)),
        2 => (any::<u8>(), any::<Option<u64>>(), any::<bool>())
            .prop_map(|(id, seed, batch)| Step::Static(id, seed, batch)),
        2 => prop::collection::vec(any::<u8>(), 1..20).prop_map(Step::Delete),
        1 => Just(Step::Freeze),
        1 => Just(Step::Compact),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..30)
}

/// What the index should hold: product, hash, vector and number of every id.
#[derive(Default)]
struct Model {
    products: BTreeMap<String, (Product, u128, Vec<f32>)>,
    next_doc: u32,
    docs: BTreeMap<String, u32>,
    statics: BTreeMap<String, Vec<f32>>,
    /// The products by number after each batch.
    history: Vec<BTreeMap<u32, Product>>,
}

impl Model {
    fn write(&mut self, batch: &mut Batch, id: u8, seed: u64) {
        let (id, vector) = (format!("p{id}"), Rng::new(seed % 50).unit(DIMENSION));
        let product = Product::new(&id, format!("text {seed}"));
        batch.upsert(product.clone(), u128::from(seed), Some(&vector));
        // Some come with a static vector, the others lose theirs with their old text.
        if seed.is_multiple_of(3) {
            let vector = Rng::new(seed).unit(STATIC_DIMENSION);
            batch.set_static(&id, Some(&vector));
            self.statics.insert(id.clone(), vector);
        } else {
            self.statics.remove(&id);
        }
        self.products.insert(id, (product, u128::from(seed), vector));
    }

    fn by_number(&self) -> BTreeMap<u32, Product> {
        self.docs.iter().map(|(id, doc)| (*doc, self.products[id].0.clone())).collect()
    }

    /// The brute force over what is stored, which is rounded.
    fn nearest(&self, index: &Index, query: &[f32], k: usize) -> Vec<(u32, f32)> {
        let score = |doc: &u32| -> f32 {
            index.vector(DocId(*doc)).unwrap().iter().zip(query).map(|(a, b)| a * b).sum::<f32>()
        };
        let mut all: Vec<(u32, f32)> = self.docs.values().map(|doc| (*doc, score(doc))).collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        all.truncate(k);
        all
    }
}

fn close(found: &[Neighbor], expected: &[(u32, f32)]) -> bool {
    found.len() == expected.len() && found.iter().zip(expected).all(|(f, e)| (f.score - e.1).abs() < 2e-3)
}

/// What follows the index by its journal arrives at the index, wherever it starts from.
fn check_journal(index: &Index, model: &Model) -> Result<(), TestCaseError> {
    for (generation, products) in model.history.iter().enumerate() {
        let Some(changes) = index.changes_since(generation as u64).unwrap() else {
            return Err(TestCaseError::fail("the journal must reach back to the beginning"));
        };
        prop_assert_eq!(changes.generation, index.generation());
        prop_assert!(
            changes.written.is_sorted_by(|a, b| a < b) && changes.removed.is_sorted_by(|a, b| a < b)
        );
        let mut follower = products.clone();
        for doc in &changes.removed {
            follower.remove(&doc.0);
        }
        for (doc, product) in changes.written.iter().zip(index.products(&changes.written).unwrap()) {
            follower.insert(doc.0, product.unwrap());
        }
        prop_assert_eq!(&follower, &model.by_number());
    }
    Ok(())
}

fn check_static(index: &Index, model: &Model) -> Result<(), TestCaseError> {
    let all = index.static_vectors(STATIC_DIMENSION).unwrap();
    prop_assert_eq!(all.version(), index.static_version());
    let mut expected: Vec<(u32, &Vec<f32>)> =
        model.statics.iter().map(|(id, vector)| (model.docs[id], vector)).collect();
    expected.sort_by_key(|(doc, _)| *doc);
    prop_assert_eq!(
        all.docs().map(|d| d.0).collect::<Vec<_>>(),
        expected.iter().map(|e| e.0).collect::<Vec<_>>()
    );
    for (doc, vector) in expected {
        let stored = all.vector(DocId(doc)).unwrap();
        prop_assert!(stored.iter().zip(vector).all(|(a, b)| (a - b).abs() < 1e-3));
        prop_assert!(all.nearest(vector, 1, None).unwrap()[0].score > 0.999);
    }
    Ok(())
}

fn check(index: &Index, model: &Model) -> Result<(), TestCaseError> {
    check_journal(index, model)?;
    check_static(index, model)?;
    prop_assert_eq!(index.len(), model.products.len());
    let stored: Vec<(String, u128)> =
        index.ids().map(|row| row.unwrap()).map(|(id, entry)| (id, entry.content_hash)).collect();
    let expected: Vec<(String, u128)> =
        model.products.iter().map(|(id, (_, h, _))| (id.clone(), *h)).collect();
    prop_assert_eq!(stored, expected);
    for (id, (product, _, vector)) in &model.products {
        prop_assert_eq!(index.get(id).unwrap(), Some(product.clone()));
        let doc = index.lookup(&[id]).unwrap()[0].unwrap().doc;
        prop_assert_eq!(doc.0, model.docs[id]);
        for (got, wanted) in index.vector(doc).unwrap().iter().zip(vector) {
            prop_assert!((got - wanted).abs() < 1e-3);
        }
    }
    let mut order = Vec::new();
    index.for_each_product(|doc, _| order.push(doc.0)).unwrap();
    let mut docs: Vec<u32> = model.docs.values().copied().collect();
    docs.sort_unstable();
    prop_assert_eq!(order, docs);

    let allowed = index.filter_ids(|p| p.id.ends_with(['1', '3', '5', '7'])).unwrap();
    for seed in 0..4 {
        let query = Rng::new(1_000 + seed).unit(DIMENSION);
        let expected = model.nearest(index, &query, 10);
        prop_assert!(close(&search(index, &query, 10, Strategy::Exact), &expected));
        // As wide as the index, so that the walk must find everything.
        let wide = SearchOptions { strategy: Strategy::Graph, ef: Some(5_000), ..Default::default() };
        let found = index.search(&query, 10, &wide).unwrap().neighbors;
        prop_assert!(close(&found, &expected), "{:?} {:?}", found, expected);
        for strategy in [Strategy::Exact, Strategy::Graph] {
            let options = SearchOptions { allowed: Some(&allowed), strategy, ef: Some(5_000) };
            let found = index.search(&query, 10, &options).unwrap().neighbors;
            prop_assert!(found.iter().all(|n| allowed.contains(n.id)));
            prop_assert_eq!(found.len(), allowed.len().min(10));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Random histories against a plain map and a brute-force scan. Freezing and the live graph begin early, so that
    /// short histories reach them.
    #[test]
    fn index_equals_a_map(steps in steps()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let mut options = IndexOptions::new(DIMENSION);
        (options.live_graph_at, options.freeze_at, options.freeze_min) = (40, 200, 20);
        (options.m, options.ef_construction) = (6, 40);
        let mut index = create(&path, options);
        let mut model = Model { history: vec![BTreeMap::new()], ..Model::default() };
        for step in steps {
            let mut batch = Batch::new();
            match step {
                Step::Write(writes) => {
                    // The last write of an id is the one that counts, also for the order of numbers.
                    for (at, (id, seed)) in writes.iter().enumerate() {
                        model.write(&mut batch, *id, *seed);
                        if writes[at + 1..].iter().all(|(later, _)| later != id) {
                            model.docs.insert(format!("p{id}"), model.next_doc);
                            model.next_doc += 1;
                        }
                    }
                }
                Step::Price(id, price) => {
                    if let Some((product, hash, _)) = model.products.get_mut(&format!("p{id}")) {
                        product.price = Some(f64::from(price));
                        batch.upsert(product.clone(), *hash, None);
                    }
                }
                Step::Static(id, seed, batched) => {
                    let id = format!("p{id}");
                    if let Some(doc) = model.docs.get(&id) {
                        let vector = seed.map(|seed| Rng::new(seed).unit(STATIC_DIMENSION));
                        if batched {
                            batch.set_static(&id, vector.as_deref());
                        } else {
                            index.put_static(&[(DocId(*doc), vector.clone())]).unwrap();
                        }
                        match vector {
                            Some(vector) => model.statics.insert(id, vector),
                            None => model.statics.remove(&id),
                        };
                    }
                }
                Step::Delete(ids) => {
                    for id in ids {
                        model.statics.remove(&format!("p{id}"));
                        batch.delete(format!("p{id}"));
                        model.products.remove(&format!("p{id}"));
                        model.docs.remove(&format!("p{id}"));
                    }
                }
                Step::Freeze => {
                    index.freeze().unwrap();
                }
                Step::Compact => {
                    index.compact().unwrap();
                }
                Step::Reopen => {
                    drop(index);
                    index = Index::open(&path).unwrap();
                    prop_assert_eq!(index.notes(), vec![]);
                }
            }
            index.apply(batch).unwrap();
            model.history.push(model.by_number());
        }
        check(&index, &model)?;
        let report = index.verify(None);
        prop_assert!(report.is_ok(), "{:?}", report.problems);
        drop(index);
        check(&Index::open_read_only(&path).unwrap(), &model)?;
        check(&Index::open(&path).unwrap(), &model)?;
    }
}
