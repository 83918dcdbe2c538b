use std::collections::BTreeMap;

use proptest::prelude::{
    Just, ProptestConfig, TestCaseError, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use proptest::strategy::Strategy as _;
use xunpin_core::{DocId, Neighbor, Product};
use xunpin_index::{Batch, Index, IndexOptions, SearchOptions, Strategy};

use crate::common::{Rng, create, search};

const DIMENSION: usize = 8;

#[derive(Clone, Debug)]
enum Step {
    /// New or new text, with a vector made from the seed; several in one batch.
    Write(Vec<(u8, u64)>),
    /// A new price only.
    Price(u8, u16),
    Delete(Vec<u8>),
    Freeze,
    Reopen,
}

fn steps() -> impl proptest::strategy::Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => prop::collection::vec((any::<u8>(), any::<u64>()), 1..40).prop_map(Step::Write),
        2 => (any::<u8>(), any::<u16>()).prop_map(|(id, price)| Step::Price(id, price)),
        2 => prop::collection::vec(any::<u8>(), 1..20).prop_map(Step::Delete),
        1 => Just(Step::Freeze),
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
}

impl Model {
    fn write(&mut self, batch: &mut Batch, id: u8, seed: u64) {
        let (id, vector) = (format!("p{id}"), Rng(seed % 50).unit(DIMENSION));
        let product = Product::new(&id, format!("text {seed}"));
        batch.upsert(product.clone(), u128::from(seed), Some(&vector));
        self.products.insert(id, (product, u128::from(seed), vector));
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

fn check(index: &Index, model: &Model) -> Result<(), TestCaseError> {
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
        let query = Rng(1_000 + seed).unit(DIMENSION);
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
        let mut model = Model::default();
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
                Step::Delete(ids) => {
                    for id in ids {
                        batch.delete(format!("p{id}"));
                        model.products.remove(&format!("p{id}"));
                        model.docs.remove(&format!("p{id}"));
                    }
                }
                Step::Freeze => {
                    index.freeze().unwrap();
                }
                Step::Reopen => {
                    drop(index);
                    index = Index::open(&path).unwrap();
                    prop_assert_eq!(index.notes(), vec![]);
                }
            }
            index.apply(batch).unwrap();
        }
        check(&index, &model)?;
        let report = index.verify(None);
        prop_assert!(report.is_ok(), "{:?}", report.problems);
        drop(index);
        check(&Index::open_read_only(&path).unwrap(), &model)?;
        check(&Index::open(&path).unwrap(), &model)?;
    }
}
