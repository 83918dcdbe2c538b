use std::fmt;
use std::ops::ControlFlow;

use serde::Serialize;
use xunpin_core::{DocId, DocSet, NearestNeighbors, Product};

use crate::IndexError;
use crate::batch::NORM_TOLERANCE;
use crate::index::Index;
use crate::record::{self, Entry};
use crate::sample::displaced;
use crate::segment::{LAYOUT, Segment};
use crate::store::Family;
use crate::view::{ExactScan, GraphSearch, View};

/// What a check of the whole index found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Ids checked.
    pub products: usize,
    /// Vectors checked, deleted ones included.
    pub vectors: usize,
    /// Static vectors checked.
    pub static_vectors: usize,
    /// Segments checked.
    pub segments: usize,
    /// Tombstones checked.
    pub tombstones: usize,
    /// Number of problems; none means that the index is whole.
    pub problem_count: usize,
    /// The first thousand of them.
    pub problems: Vec<Problem>,
    /// Share of the exact scan's first ten that the graph finds too, over `recall_queries`. `None` if the index has
    /// no graph.
    pub recall_at_10: Option<f64>,
    /// Queries of the recall sample: stored vectors, a little displaced.
    pub recall_queries: usize,
}

impl VerifyReport {
    /// True if nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.problem_count == 0
    }

    fn add(&mut self, problem: Problem) {
        self.problem_count += 1;
        if self.problems.len() < KEPT {
            self.problems.push(problem);
        }
    }
}

/// Something wrong. The store's problems are mended by restoring a snapshot or indexing again; a segment's, by opening
/// the index for writing.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Problem {
    /// A part of the store can't be read.
    Unreadable {
        /// Column family or record.
        part: String,
        /// The store's message.
        reason: String,
    },
    /// A row can't be understood.
    BadRow {
        /// Column family.
        part: String,
        /// Its key.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// Rows that belong together don't match.
    Inconsistent {
        /// The internal number.
        doc: u32,
        /// What is wrong.
        reason: String,
    },
    /// A counter is not what counting gives.
    Counter {
        /// Its name.
        name: String,
        /// What the index holds.
        stored: u64,
        /// What was counted.
        counted: u64,
    },
    /// The caller's hash of a product is not the stored one: its vector was made from another text.
    StaleVector {
        /// The product's id.
        id: String,
    },
    /// A frozen segment differs from the store or from itself.
    Segment {
        /// Its number.
        segment: u32,
        /// What is wrong.
        reason: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { part, reason } => write!(f, "{part} can't be read: {reason}"),
            Self::BadRow { part, key, reason } => write!(f, "row {key} of {part}: {reason}"),
            Self::Inconsistent { doc, reason } => write!(f, "internal number {doc}: {reason}"),
            Self::Counter { name, stored, counted } => {
                write!(f, "counter `{name}` is {stored}, counted were {counted}")
            }
            Self::StaleVector { id } => write!(f, "product `{id}`: its vector was made from another text"),
            Self::Segment { segment, reason } => write!(f, "segment {segment}: {reason}"),
        }
    }
}

/// Problems that a report keeps.
const KEPT: usize = 1_000;
/// Size and depth of the recall sample.
const SAMPLE: usize = 100;
const DEPTH: usize = 10;

impl Index {
    /// Reads everything and checks that it fits together: rows against rows, products and vectors against the rules,
    /// segments against the store, the graph against the exact scan. RocksDB checks its own checksums on the way.
    /// `hash`, if given, is the caller's content hash, compared with the stored one. Writes nothing; batches wait.
    pub fn verify(&self, hash: Option<&dyn Fn(&Product) -> u128>) -> VerifyReport {
        // Held so that the store and the view stay those of one generation.
        let _writer = self.core.writer.as_ref().map(|w| w.lock());
        let view = self.view();
        let mut check = Check { index: self, view: &view, report: VerifyReport::default() };
        let listed = check.ids();
        check.products(&listed, hash);
        check.vectors(&listed);
        check.static_vectors(&listed);
        for segment in &view.segments {
            check.segment(segment);
        }
        check.others();
        let mut report = check.report;
        report.segments = view.segments.len();
        if view.has_graph() {
            (report.recall_at_10, report.recall_queries) = recall(&view);
        }
        report
    }
}

struct Check<'a> {
    index: &'a Index,
    view: &'a View,
    report: VerifyReport,
}

impl Check<'_> {
    /// Reads a whole family; what RocksDB can't read is reported.
    fn scan(&mut self, family: Family, mut visit: impl FnMut(&mut VerifyReport, &[u8], &[u8])) {
        let report = &mut self.report;
        let read = self.index.core.store.scan(family, &[], |key, value| {
            visit(report, key, value);
            Ok(ControlFlow::Continue(()))
        });
        self.readable(family.name(), read);
    }

    fn readable<T>(&mut self, part: &str, read: Result<T, IndexError>) -> Option<T> {
        read.map_err(|e| {
            self.report.add(Problem::Unreadable { part: part.into(), reason: e.to_string() });
        })
        .ok()
    }

    /// The internal numbers that ids lead to.
    fn ids(&mut self) -> DocSet {
        let mut listed = DocSet::new();
        let mut count = 0;
        let next = self.view.next_doc;
        self.scan(Family::Ids, |report, key, value| {
            count += 1;
            let name = String::from_utf8_lossy(key).into_owned();
            let bad = |reason: &str| Problem::BadRow {
                part: "ids".into(),
                key: name.clone(),
                reason: reason.into(),
            };
            match Entry::decode(value) {
                None => report.add(bad("it has the wrong length")),
                Some(entry) if entry.doc.0 >= next => report.add(bad("its internal number was never given")),
                Some(entry) if !listed.insert(entry.doc) => {
                    report.add(bad("another id has the same internal number"));
                }
                Some(_) => {}
            }
        });
        self.report.products = count;
        if count != self.view.products {
            let (stored, counted) = (self.view.products as u64, count as u64);
            self.report.add(Problem::Counter { name: "products".into(), stored, counted });
        }
        listed
    }

    fn products(&mut self, listed: &DocSet, hash: Option<&dyn Fn(&Product) -> u128>) {
        let index = self.index;
        let mut seen = DocSet::new();
        self.scan(Family::Products, |report, key, value| {
            let Some(doc) = record::key_doc(key) else {
                return report.add(bad_key("products", key));
            };
            seen.insert(doc);
            if !listed.contains(doc) {
                return report.add(inconsistent(doc, "no id leads to its product"));
            }
            let product = match record::decode_product(value) {
                Ok(product) => product,
                Err(reason) => {
                    return report.add(Problem::BadRow {
                        part: "products".into(),
                        key: doc.to_string(),
                        reason,
                    });
                }
            };
            if let Err(e) = product.validate() {
                report.add(inconsistent(doc, &format!("its product: {e}")));
            }
            match index.lookup(&[&product.id]).map(|found| found[0]) {
                Ok(Some(entry)) if entry.doc == doc => {
                    if hash.is_some_and(|hash| hash(&product) != entry.content_hash) {
                        report.add(Problem::StaleVector { id: product.id });
                    }
                }
                _ => report.add(inconsistent(doc, &format!("the id `{}` does not lead to it", product.id))),
            }
        });
        self.missing(listed, &seen, "its product is missing");
    }

    fn missing(&mut self, expected: &DocSet, seen: &DocSet, reason: &str) {
        for doc in expected.iter().filter(|doc| !seen.contains(*doc)) {
            self.report.add(inconsistent(doc, reason));
        }
    }

    fn vectors(&mut self, listed: &DocSet) {
        let view = self.view;
        let mut seen = DocSet::new();
        let dimension = view.dimension();
        let mut vector = Vec::with_capacity(dimension);
        let mut count = 0;
        self.scan(Family::Vectors, |report, key, value| {
            count += 1;
            let Some(doc) = record::key_doc(key) else {
                return report.add(bad_key("vectors", key));
            };
            seen.insert(doc);
            if listed.contains(doc) == view.dead.contains(doc) {
                report.add(inconsistent(doc, "its vector must have either a product or a tombstone"));
            }
            vector.clear();
            if !record::decode_vector(value, dimension, &mut vector) {
                return report.add(inconsistent(doc, "its vector has the wrong length"));
            }
            if let Some(norm) = wrong_norm(&vector) {
                report.add(inconsistent(doc, &format!("its vector has length {norm}, not 1")));
            }
            let searched =
                view.vector(doc).ok().flatten().map(|searched| searched.iter().map(|v| v.to_le_bytes()));
            if !searched.is_some_and(|searched| searched.eq(value.as_chunks::<2>().0.iter().copied())) {
                report.add(inconsistent(doc, "the searched vector is not the stored one"));
            }
        });
        self.report.vectors = count;
        self.report.tombstones = view.dead.len();
        self.missing(listed, &seen, "its vector is missing");
        self.missing(&view.dead, &seen, "it has a tombstone and no vector");
        let searched: usize = view.segments.iter().map(|s| s.ids().len()).sum::<usize>() + view.tail.rows();
        if searched != count {
            let (stored, counted) = (count as u64, searched as u64);
            self.report.add(Problem::Counter { name: "searched vectors".into(), stored, counted });
        }
    }

    fn static_vectors(&mut self, listed: &DocSet) {
        let state = self.index.core.store.state();
        let Some(state) = self.readable("meta", state) else { return };
        let mut vector = Vec::new();
        let mut count = 0;
        self.scan(Family::Static, |report, key, value| {
            count += 1;
            let Some(doc) = record::key_doc(key) else {
                return report.add(bad_key("static", key));
            };
            if !listed.contains(doc) {
                report.add(inconsistent(doc, "it has a static vector and no product"));
            }
            vector.clear();
            if !record::decode_vector(value, state.static_dimension as usize, &mut vector) {
                report.add(inconsistent(doc, "its static vector has the wrong length"));
            } else if let Some(norm) = wrong_norm(&vector) {
                report.add(inconsistent(doc, &format!("its static vector has length {norm}, not 1")));
            }
        });
        self.report.static_vectors = count;
    }

    /// The rows lead without a gap to the present generation, and can be understood.
    fn journal(&mut self) {
        let now = self.view.generation;
        let mut last = None;
        self.scan(Family::Meta, |report, key, row| {
            let Some(generation) = record::change_generation(key) else { return };
            let bad = |reason: &str| Problem::BadRow {
                part: "meta".into(),
                key: format!("change/ {generation}"),
                reason: reason.into(),
            };
            if record::Change::decode(row).is_none() {
                report.add(bad("its lists of internal numbers have the wrong length"));
            }
            if last.is_some_and(|last| last + 1 != generation) {
                report.add(bad("the row before it is missing"));
            }
            last = Some(generation);
        });
        if let Some(last) = last.filter(|last| *last != now) {
            self.report.add(Problem::Counter { name: "journal".into(), stored: now, counted: last });
        }
    }

    fn segment(&mut self, segment: &Segment) {
        let number = segment.record().number;
        let store = &self.index.core.store;
        let (records, stored) = (store.segments(), store.adjacency(segment.record()));
        let Some(records) = self.readable("meta", records) else { return };
        let Some(stored) = self.readable("graph", stored) else { return };
        let mut add = |reason: String| self.report.add(Problem::Segment { segment: number, reason });
        // What a reader made of a segment of an older version is in its memory alone.
        let older = records.iter().any(|record| record.number == number && record.layout != LAYOUT);
        match stored {
            Ok(stored) if stored == segment.adjacency() => {}
            _ if older => {}
            Ok(_) => add("the stored adjacency is not the searched one".into()),
            Err(reason) => add(reason),
        }
        if let Some(reason) = segment.damage() {
            add(reason);
        }
    }

    /// What no other check reads.
    fn others(&mut self) {
        for family in [Family::Graph, Family::Jobs] {
            self.scan(family, |_, _, _| {});
        }
        self.journal();
        let state = self.index.core.store.state();
        if let Some(state) = self.readable("meta", state)
            && (state.generation, state.next_doc) != (self.view.generation, self.view.next_doc)
        {
            let (stored, counted) = (state.generation, self.view.generation);
            self.report.add(Problem::Counter { name: "generation".into(), stored, counted });
        }
    }
}

/// The length of a vector that is not 1. Rounding to half precision adds its own part to the tolerance.
fn wrong_norm(vector: &[f32]) -> Option<f32> {
    let norm = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
    (norm.is_nan() || (norm - 1.0).abs() > 2.0 * NORM_TOLERANCE).then_some(norm)
}

fn inconsistent(doc: DocId, reason: &str) -> Problem {
    Problem::Inconsistent { doc: doc.0, reason: reason.into() }
}

fn bad_key(part: &str, key: &[u8]) -> Problem {
    let reason = "the key is no internal number".into();
    Problem::BadRow { part: part.into(), key: format!("{key:02x?}"), reason }
}

/// Recall of the graph for stored vectors, displaced so that they are no trivial queries. Evenly spread, always the
/// same.
fn recall(view: &View) -> (Option<f64>, usize) {
    let ids: Vec<u32> = view.live_ids().collect();
    let view = std::sync::Arc::new(view.clone());
    let (exact, graph) = (ExactScan::new(view.clone()), GraphSearch::new(view.clone(), None));
    let (mut wanted, mut found, mut queries) = (0, 0, 0);
    for id in ids.iter().step_by(ids.len().div_ceil(SAMPLE).max(1)) {
        let Ok(Some(vector)) = view.vector(DocId(*id)) else { continue };
        let vector: Vec<f32> = vector.iter().map(|v| v.to_f32()).collect();
        // Another seed than the one that widths were measured with.
        let query = displaced(&vector, !u64::from(*id));
        let (Ok(truth), Ok(got)) = (exact.nearest(&query, DEPTH, None), graph.nearest(&query, DEPTH, None))
        else {
            continue;
        };
        queries += 1;
        wanted += truth.len();
        // By score: among equal vectors, each is as right as the other.
        let worst = truth.last().map_or(f32::MAX, |n| n.score);
        found += got.iter().filter(|n| n.score >= worst).count();
    }
    ((wanted > 0).then(|| found as f64 / wanted as f64), queries)
}
