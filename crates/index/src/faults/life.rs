use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use half::f16;
use tempfile::TempDir;
use xunpin_core::{DocId, Fingerprint, Product, SplitMix64};

use crate::{Batch, Index, IndexError, IndexOptions, SearchOptions, Strategy};

pub(super) const DIMENSION: usize = 8;

/// What is done to an index.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A batch.
    Apply(Vec<Change>),
    /// Static vectors of this length, made from the seeds.
    PutStatic(Vec<(u32, u64)>, usize),
    ClearStatic,
    Freeze,
    Forget(u64),
    Compact,
    Reopen,
}

/// What a batch does to a product, or notes for a job.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// A text, and a vector made from the seed.
    Text(u32, u64),
    /// The same, with a description of so many bytes.
    Bulk(u32, usize),
    /// The text stays.
    Price(u32, u16),
    Static(u32, Option<u64>, usize),
    Delete(u32),
    Job(Option<u8>),
}

const JOB: &str = "ingest";

fn texts(ids: Range<u32>, seed: u64) -> Vec<Change> {
    ids.map(|id| Change::Text(id, seed + u64::from(id))).collect()
}

fn deletions(ids: Range<u32>) -> Vec<Change> {
    ids.map(Change::Delete).collect()
}

/// Everything an index can do, in small.
pub(super) fn script() -> Vec<Step> {
    use Change::{Delete, Job, Price, Static, Text};
    let joined = |parts: Vec<Vec<Change>>| Step::Apply(parts.concat());
    vec![
        joined(vec![texts(0..12, 0), vec![Static(0, Some(1), 5), Static(3, Some(2), 5), Job(Some(1))]]),
        joined(vec![vec![Price(0, 9), Price(2, 8), Delete(4), Delete(99), Static(1, Some(3), 5)]]),
        Step::Freeze,
        joined(vec![texts(12..36, 0), vec![Text(1, 500), Text(2, 501), Static(2, Some(4), 5), Job(Some(2))]]),
        Step::PutStatic(vec![(5, 7), (13, 8), (0, 9)], 5),
        joined(vec![deletions(12..31), vec![Static(0, None, 5)]]),
        // Too few are left of the tail to be frozen: it is trimmed.
        Step::Freeze,
        Step::Forget(2),
        Step::ClearStatic,
        joined(vec![vec![Text(40, 1), Static(40, Some(5), 3), Price(31, 7)]]),
        Step::Reopen,
        // So many that the tail is frozen at once.
        joined(vec![texts(50..110, 3), vec![Static(31, Some(6), 3)]]),
        joined(vec![deletions(50..70), vec![Delete(0), Price(80, 1), Job(None)]]),
        joined(vec![texts(110..125, 4), vec![Text(80, 900)]]),
        // What is deleted leaves the segments, what is in the tail comes in.
        Step::Compact,
        joined(vec![texts(130..145, 5), vec![Text(110, 901)]]),
        Step::Freeze,
        joined(vec![vec![Price(125, 1), Text(126, 2), Price(1, 3)]]),
    ]
}

/// A tail so long that it is trimmed by the batch that deletes the most of it.
pub(super) fn long_script() -> Vec<Step> {
    vec![
        Step::Apply(texts(0..1_100, 0)),
        Step::Apply(deletions(20..1_070)),
        // So much that the closing writer moves its log into tables.
        Step::Apply([texts(2_000..2_005, 7), vec![Change::Bulk(2_005, 300_000)]].concat()),
        Step::Freeze,
        Step::Apply(texts(0..10, 9)),
    ]
}

/// Freezing and the live graph begin early.
pub(super) fn options() -> IndexOptions {
    let mut options = IndexOptions::new(DIMENSION);
    (options.live_graph_at, options.freeze_at, options.freeze_min) = (20, 60, 10);
    (options.m, options.ef_construction) = (6, 40);
    options
}

/// For [`long_script`].
pub(super) fn long_options() -> IndexOptions {
    let mut options = options();
    (options.live_graph_at, options.freeze_at) = (5_000, 5_000);
    options
}

/// A folder in memory where the system has one: these tests sync thousands of times.
pub(super) fn place() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

pub(super) fn create(path: &Path, options: &IndexOptions) -> Result<Index, IndexError> {
    let fingerprint: Fingerprint = serde_json::from_value(serde_json::json!({
        "model": "test", "architecture": "none", "weights": "0", "tokenizer": "0", "prompts": {}, "pooling": "mean",
        "dimension": options.dimension, "precision": "f32", "max_tokens": 8
    }))
    .unwrap();
    Index::create(path, &fingerprint, options.clone(), serde_json::json!({"template": "v1"}))
}

/// Copies an index as a crash at this moment would leave it. The lock of an open store must not be touched: closing it
/// would give the lock back.
pub(super) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if entry.file_name() != "LOCK" {
            match fs::copy(entry.path(), &target) {
                Ok(_) => {}
                // RocksDB removes files in the background.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => panic!("{}: {e}", entry.path().display()),
            }
        }
    }
}

/// Files of an index with this ending, in order.
pub(super) fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    found.sort();
    found
}

pub(super) fn flip(file: &Path, at: usize, bit: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 1 << (bit % 8);
    fs::write(file, bytes).unwrap();
}

pub(super) fn truncate(file: &Path, length: usize) {
    fs::OpenOptions::new().write(true).open(file).unwrap().set_len(length as u64).unwrap();
}

/// Does a step. The index is gone where reopening it failed.
pub(super) fn perform(index: &mut Option<Index>, path: &Path, step: &Step) -> Result<(), IndexError> {
    let open = || index.as_ref().expect("open before the step");
    match step {
        Step::Apply(changes) => {
            let applied = open().apply(batch(changes, open())?).map(drop);
            // So that writes come in the same order each time.
            open().wait_for_maintenance();
            applied
        }
        Step::PutStatic(rows, length) => {
            let ids: Vec<String> = rows.iter().map(|(id, _)| name(*id)).collect();
            let found = open().lookup(&ids)?;
            let row = |(entry, (_, seed)): (Option<crate::Entry>, &(u32, u64))| {
                (entry.map_or(DocId(u32::MAX - 1), |e| e.doc), Some(unit(*seed, *length)))
            };
            open().put_static(&found.into_iter().zip(rows).map(row).collect::<Vec<_>>()).map(drop)
        }
        Step::ClearStatic => open().clear_static(),
        Step::Freeze => open().freeze().map(drop),
        Step::Compact => open().compact().map(drop),
        Step::Forget(generation) => open().forget_changes(*generation),
        Step::Reopen => {
            drop(index.take());
            *index = Some(Index::open(path)?);
            Ok(())
        }
    }
}

fn batch(changes: &[Change], index: &Index) -> Result<Batch, IndexError> {
    let mut batch = Batch::new();
    for change in changes {
        match change {
            Change::Text(id, seed) => {
                batch.upsert(product(*id, *seed), u128::from(*seed), Some(&unit(*seed, DIMENSION)));
            }
            Change::Bulk(id, bytes) => {
                batch.upsert(bulky(*id, *bytes), 0, Some(&unit(u64::from(*id), DIMENSION)));
            }
            Change::Price(id, price) => {
                if let Some(product) = index.get(&name(*id))? {
                    let hash = index.lookup(&[name(*id)])?[0].map_or(0, |entry| entry.content_hash);
                    batch.upsert(priced(product, *price), hash, None);
                }
            }
            Change::Static(id, seed, length) => {
                batch.set_static(name(*id), seed.map(|seed| unit(seed, *length)).as_deref());
            }
            Change::Delete(id) => {
                batch.delete(name(*id));
            }
            Change::Job(Some(at)) => {
                batch.checkpoint(JOB, vec![*at]);
            }
            Change::Job(None) => {
                batch.clear_checkpoint(JOB);
            }
        }
    }
    Ok(batch)
}

fn name(id: u32) -> String {
    format!("p{id}")
}

fn product(id: u32, seed: u64) -> Product {
    Product::new(name(id), format!("text {seed}"))
}

fn bulky(id: u32, bytes: usize) -> Product {
    let mut product = product(id, 0);
    product.description = Some("x".repeat(bytes));
    product
}

fn priced(mut product: Product, price: u16) -> Product {
    product.price = Some(f64::from(price));
    product
}

fn unit(seed: u64, length: usize) -> Vec<f32> {
    let mut random = SplitMix64::new(seed);
    let mut vector: Vec<f32> = (0..length).map(|_| random.unit() - 0.5).collect();
    let norm = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|v| *v /= norm);
    vector
}

fn rounded(vector: Vec<f32>) -> Vec<f32> {
    vector.into_iter().map(|v| f16::from_f32(v).to_f32()).collect()
}

/// All that an index holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Held {
    pub(super) generation: u64,
    products: BTreeMap<String, Item>,
    job: Option<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Item {
    product: Product,
    hash: u128,
    vector: Vec<f32>,
    fixed: Option<Vec<f32>>,
}

impl Held {
    /// What it holds after a step.
    pub(super) fn after(&self, step: &Step) -> Self {
        let mut next = self.clone();
        match step {
            Step::Apply(changes) => {
                next.generation += 1;
                changes.iter().for_each(|change| next.change(change));
            }
            Step::PutStatic(rows, length) => {
                for (id, seed) in rows {
                    next.change(&Change::Static(*id, Some(*seed), *length));
                }
            }
            Step::ClearStatic => next.products.values_mut().for_each(|item| item.fixed = None),
            Step::Freeze | Step::Compact | Step::Forget(_) | Step::Reopen => {}
        }
        next
    }

    fn change(&mut self, change: &Change) {
        match change {
            Change::Text(id, seed) => {
                let vector = rounded(unit(*seed, DIMENSION));
                let (product, hash) = (product(*id, *seed), u128::from(*seed));
                self.products.insert(name(*id), Item { product, hash, vector, fixed: None });
            }
            Change::Bulk(id, bytes) => {
                let vector = rounded(unit(u64::from(*id), DIMENSION));
                let product = bulky(*id, *bytes);
                self.products.insert(name(*id), Item { product, hash: 0, vector, fixed: None });
            }
            Change::Price(id, price) => {
                if let Some(item) = self.products.get_mut(&name(*id)) {
                    item.product.price = Some(f64::from(*price));
                }
            }
            Change::Static(id, seed, length) => {
                if let Some(item) = self.products.get_mut(&name(*id)) {
                    item.fixed = seed.map(|seed| rounded(unit(seed, *length)));
                }
            }
            Change::Delete(id) => drop(self.products.remove(&name(*id))),
            Change::Job(at) => self.job = at.map(|at| vec![at]),
        }
    }

    /// What an index holds, by everything that can be asked of it.
    pub(super) fn read(index: &Index) -> Result<Self, IndexError> {
        let length = index.core.store.state()?.static_dimension as usize;
        let fixed = index.static_vectors(length)?;
        let mut products = BTreeMap::new();
        for row in index.ids() {
            let (id, entry) = row?;
            let product = index.get(&id)?.unwrap_or_else(|| panic!("the product of {id} is gone"));
            let vector = index.vector(entry.doc).unwrap_or_else(|| panic!("the vector of {id} is gone"));
            let fixed = fixed.vector(entry.doc);
            products.insert(id, Item { product, hash: entry.content_hash, vector, fixed });
        }
        assert_eq!(index.len(), products.len(), "the count");
        Ok(Self { generation: index.generation(), products, job: index.checkpoint(JOB)? })
    }

    /// Searches find what a look at every vector finds. An error is the store's.
    pub(super) fn check_search(&self, index: &Index) -> Result<(), IndexError> {
        for seed in 0..3 {
            let query = unit(1_000 + seed, DIMENSION);
            let mut scores: Vec<f32> =
                self.products.values().map(|item| similarity(&item.vector, &query)).collect();
            scores.sort_by(|a, b| b.total_cmp(a));
            for strategy in [Strategy::Exact, Strategy::Graph] {
                let wide = SearchOptions { strategy, ef: Some(5_000), ..SearchOptions::default() };
                let found = index.search(&query, 10, &wide)?.neighbors;
                assert_eq!(found.len(), scores.len().min(10));
                for (neighbor, score) in found.iter().zip(&scores) {
                    assert!((neighbor.score - score).abs() < 1e-5, "{} for {score}", neighbor.score);
                    let product = index.product(neighbor.id)?.expect("what is found is there");
                    let item = self.products.get(&product.id).expect("nothing else is found");
                    assert!(
                        (similarity(&item.vector, &query) - neighbor.score).abs() < 1e-5,
                        "{}",
                        product.id
                    );
                }
            }
        }
        Ok(())
    }

    /// The index holds this and is whole.
    pub(super) fn check(&self, index: &Index) {
        assert_eq!(&Self::read(index).unwrap(), self);
        self.check_whole(index);
    }

    /// It is whole, once it was found to hold this.
    pub(super) fn check_whole(&self, index: &Index) {
        self.check_search(index).unwrap();
        let report = index.verify(None);
        assert!(report.is_ok(), "{:?}", report.problems);
    }
}

/// As a search gives it: rounding may leave the range.
fn similarity(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>().clamp(-1.0, 1.0)
}

/// Something that follows an index by its journal.
#[derive(Clone, Default)]
pub(super) struct Follower {
    generation: u64,
    products: BTreeMap<u32, Product>,
}

impl Follower {
    /// Takes in what changed; it must then hold what the index holds.
    pub(super) fn catch_up(&mut self, index: &Index) {
        let mut all = BTreeMap::new();
        index.for_each_product(|doc, product| drop(all.insert(doc.0, product.clone()))).unwrap();
        match index.changes_since(self.generation).unwrap() {
            Some(changes) => {
                changes.removed.iter().for_each(|doc| drop(self.products.remove(&doc.0)));
                for (doc, product) in changes.written.iter().zip(index.products(&changes.written).unwrap()) {
                    self.products.insert(doc.0, product.expect("what was written lives"));
                }
                self.generation = changes.generation;
            }
            None => *self = Self { generation: index.generation(), products: all.clone() },
        }
        assert_eq!((self.generation, &self.products), (index.generation(), &all), "the journal");
    }
}

/// Lives a life without faults, and checks each step of it.
#[test]
fn scripted_lives_go_as_the_map_says() {
    for (script, options) in [(script(), options()), (long_script(), long_options())] {
        let folder = place();
        let path = folder.path().join("x");
        let mut index = Some(create(&path, &options).unwrap());
        let (mut held, mut follower) = (Held::default(), Follower::default());
        let mut frozen = 0;
        for step in &script {
            perform(&mut index, &path, step).unwrap();
            held = held.after(step);
            let index = index.as_ref().unwrap();
            held.check(index);
            follower.catch_up(index);
            assert_eq!(index.notes(), []);
            frozen = frozen.max(index.stats().segments.len());
        }
        // The script reaches what it is meant to reach.
        assert!(frozen >= 1 && !index.unwrap().stats().segments.is_empty());
        assert!(held.generation >= 3);
    }
}
