use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use hnsw_rs::anndists::dist::distances::Distance;
use hnsw_rs::hnsw::Hnsw;
use rayon::prelude::*;
use xunpin_kernels::Isa;
use xunpin_kernels::product::dot_i8;
use xxhash_rust::xxh3::xxh3_128;

use crate::IndexOptions;

/// How far apart codes are, as hnsw_rs wants it: finite and never negative, or it panics.
struct CodeDistance {
    isa: Isa,
}

impl Distance<i8> for CodeDistance {
    fn eval(&self, a: &[i8], b: &[i8]) -> f32 {
        // The greatest product of codes of this length, so that the difference is never below 0.
        let most = a.len() as i64 * 127 * 127;
        (most - i64::from(dot_i8(self.isa, a, b))) as f32
    }
}

/// Most layers hnsw_rs knows.
const LAYERS: usize = 16;
/// Vectors it makes room for before it has them.
const EXPECTED: usize = 1 << 15;
/// So many first nodes are inserted one after the other. Two first insertions at a time would leave one of them
/// without links, and small graphs come out the same each time.
const SERIAL: usize = 1_000;
/// Fewer than these are not worth starting threads for.
const PARALLEL: usize = 64;

/// A graph of the newest vectors' codes, which takes more while it is searched. Because of that a reader may find numbers
/// in it that are newer than its view, and must leave them out.
///
/// Of equal codes, only the first becomes a node; the others are its twins. Catalogues hold the same text many
/// times, and as nodes such vectors fill each other's rows, which cuts them and their surroundings off, and every
/// candidate list that comes near.
pub(crate) struct LiveGraph {
    hnsw: Hnsw<'static, i8, CodeDistance>,
    twins: RwLock<Twins>,
    /// It holds every vector of the tail from this DocId on.
    pub(crate) first: u32,
}

/// Which codes are equal.
#[derive(Default)]
struct Twins {
    /// The first number of each code, by the code's hash.
    first: HashMap<u128, u32>,
    /// The later numbers of codes that have several, rising.
    later: HashMap<u32, Vec<u32>>,
    /// All numbers.
    rows: usize,
}

impl Twins {
    /// Takes a code in; true if it is the first of its kind.
    fn add(&mut self, id: u32, code: &[i8]) -> bool {
        self.rows += 1;
        let first = *self.first.entry(xxh3_128(bytemuck::cast_slice(code))).or_insert(id);
        if first != id {
            self.later.entry(first).or_default().push(id);
        }
        first == id
    }
}

impl LiveGraph {
    /// An empty graph of vectors from DocId `first` on.
    pub(crate) fn new(options: &IndexOptions, first: u32) -> Self {
        let distance = CodeDistance { isa: Isa::detect() };
        let hnsw = Hnsw::new(options.m, EXPECTED, LAYERS, options.ef_construction, distance);
        Self { hnsw, twins: RwLock::default(), first }
    }

    /// How many vectors it holds.
    pub(crate) fn len(&self) -> usize {
        self.twins().rows
    }

    fn twins(&self) -> RwLockReadGuard<'_, Twins> {
        self.twins.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Inserts codes under numbers that are higher than those it holds.
    pub(crate) fn insert(&self, rows: &[(u32, &[i8])]) {
        let fresh: Vec<_> = {
            let mut twins = self.twins.write().unwrap_or_else(PoisonError::into_inner);
            rows.iter().copied().filter(|(id, code)| twins.add(*id, code)).collect()
        };
        let one_by_one = SERIAL.saturating_sub(self.hnsw.get_nb_point()).min(fresh.len());
        let (first, rest) = fresh.split_at(one_by_one);
        let insert = |(id, code): &(u32, &[i8])| self.hnsw.insert((code, *id as usize));
        first.iter().for_each(insert);
        if rest.len() < PARALLEL {
            return rest.iter().for_each(insert);
        }
        // A pool of its own: in the common one, searches would queue behind the insertions.
        match rayon::ThreadPoolBuilder::new().build() {
            Ok(pool) => pool.install(|| rest.par_iter().for_each(insert)),
            Err(_) => rest.iter().for_each(insert),
        }
    }

    /// Numbers of about the `ef` nearest distinct codes, in no order that the caller can rely on.
    pub(crate) fn search(&self, code: &[i8], ef: usize) -> Vec<u32> {
        let mut found: Vec<u32> =
            self.hnsw.search(code, ef, ef).iter().map(|n| n.get_origin_id() as u32).collect();
        let twins = self.twins();
        for at in 0..found.len() {
            found.extend(twins.later.get(&found[at]).into_iter().flatten());
        }
        found
    }
}
