use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use indicatif::ProgressBar;
use rayon::prelude::*;
use serde_json::Value;
use xunpin::index::{Batch, Index, IndexOptions};
use xunpin::{DocId, EngineError, Fingerprint, Product};

use super::super::blend::{blend, displaced};
use super::super::random::Random;
use super::truth::Block;
use crate::args::{GraphArgs, MadeArgs};
use crate::exit::WrongUse;
use crate::output::count;
use crate::progress;

/// Vectors between two commits.
const BATCH: usize = 2_000;
/// Vectors held at a time while they are looked through.
pub(super) const BLOCK: usize = 2_048;
/// Real vectors that are blended at most: they are held in memory.
const MOST_SOURCES: usize = 50_000;
/// What an index of made-up vectors names as its model.
const NO_MODEL: &str = "none: made-up vectors";
/// Keeps queries apart from vectors of the same seed.
const QUERY_SEED: u64 = 0x5155_4552;

/// Real vectors, and the index they came from.
pub(super) struct Sources {
    pub(super) vectors: Vec<Vec<f32>>,
    fingerprint: Fingerprint,
    extra: Value,
}

/// Where a new index is, and whether it goes when this is dropped.
pub(super) struct Place {
    pub(super) path: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

/// Seconds of filling an index.
#[derive(Default)]
pub(super) struct Filled {
    pub(super) generate_s: f64,
    pub(super) apply_s: f64,
}

impl Sources {
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let index = Index::open_read_only(path).map_err(EngineError::from)?;
        let mut vectors = Vec::new();
        for docs in documents(&index)?.chunks(BLOCK).take(MOST_SOURCES.div_ceil(BLOCK)) {
            let rows = index.gather(docs).rows;
            vectors.extend(rows.as_slice().chunks_exact(index.options().dimension).map(<[f32]>::to_vec));
        }
        vectors.truncate(MOST_SOURCES);
        if vectors.is_empty() {
            let message = format!("{} holds no vector to be blended", path.display());
            return Err(WrongUse(message).into());
        }
        let mut extra = index.extra().clone();
        if let Some(model) = extra.get_mut("model") {
            // No model made the vectors of these products, so none is to be asked for.
            *model = NO_MODEL.into();
        }
        Ok(Self { vectors, fingerprint: index.fingerprint().clone(), extra })
    }

    pub(super) fn dimension(&self) -> usize {
        self.fingerprint.dimension
    }

    /// Vector number `at` under `seed`: a blend of two or three real ones.
    pub(super) fn vector(&self, seed: u64, at: usize) -> anyhow::Result<Vec<f32>> {
        let mut random = Random::of(seed, at as u64);
        let picked = (0..2 + random.below(2)).filter_map(|_| random.pick(&self.vectors));
        let parents: Vec<&[f32]> = picked.map(Vec::as_slice).collect();
        blend(&parents, &mut random).context("the real vectors cancel each other out")
    }

    /// Vectors of these numbers, one behind the other.
    pub(super) fn rows(&self, seed: u64, numbers: Range<usize>) -> anyhow::Result<Vec<f32>> {
        let rows = numbers.into_par_iter().map(|at| self.vector(seed, at));
        Ok(rows.collect::<anyhow::Result<Vec<_>>>()?.concat())
    }

    /// `queries` of the first `vectors` vectors, displaced; one behind the other.
    pub(super) fn queries(&self, seed: u64, vectors: usize, queries: usize) -> anyhow::Result<Vec<f32>> {
        let query = |at: usize| {
            let mut random = Random::of(seed ^ QUERY_SEED, at as u64);
            let vector = self.vector(seed, random.below(vectors))?;
            displaced(vector, &mut random).context("a query has no length")
        };
        Ok((0..queries).into_par_iter().map(query).collect::<anyhow::Result<Vec<_>>>()?.concat())
    }

    /// An empty index for such vectors.
    pub(super) fn create(&self, path: &Path, graph: GraphArgs) -> anyhow::Result<Index> {
        let mut options = IndexOptions::new(self.dimension());
        options.m = graph.m.unwrap_or(options.m);
        options.ef_construction = graph.ef_construction.unwrap_or(options.ef_construction);
        options.recall = graph.recall.unwrap_or(options.recall);
        Ok(Index::create(path, &self.fingerprint, options, self.extra.clone()).map_err(EngineError::from)?)
    }

    /// Puts vectors in as products of their numbers, in this order.
    pub(super) fn fill(
        &self,
        index: &Index,
        seed: u64,
        numbers: impl IntoIterator<Item = usize>,
        batch: usize,
        bar: &ProgressBar,
    ) -> anyhow::Result<Filled> {
        let mut filled = Filled::default();
        let numbers: Vec<usize> = numbers.into_iter().collect();
        let mut done = 0;
        for numbers in numbers.chunks(batch) {
            let started = Instant::now();
            let made = numbers.par_iter().map(|at| Ok((*at, self.vector(seed, *at)?)));
            let made = made.collect::<anyhow::Result<Vec<(usize, Vec<f32>)>>>()?;
            filled.generate_s += started.elapsed().as_secs_f64();
            let started = Instant::now();
            let mut batch = Batch::new();
            for (at, vector) in &made {
                batch.upsert(Product::new(id(*at), format!("made {at}")), *at as u128, Some(vector));
            }
            index.apply(batch).map_err(EngineError::from)?;
            filled.apply_s += started.elapsed().as_secs_f64();
            done += numbers.len();
            bar.set_message(count(done, "vector", "vectors"));
        }
        Ok(filled)
    }
}

/// Makes the index of `args`. The bar tells how far it is.
pub(super) fn make(args: &MadeArgs, sources: &Sources, path: &Path) -> anyhow::Result<(Index, Filled)> {
    let index = sources.create(path, args.graph)?;
    let bar = progress::of_work();
    let filled = sources.fill(&index, args.seed, 0..args.vectors, BATCH, &bar)?;
    bar.finish_and_clear();
    Ok((index, filled))
}

/// Refuses what can't be measured.
pub(super) fn check(args: &MadeArgs) -> anyhow::Result<()> {
    if args.vectors == 0 || args.queries == 0 || args.k == 0 {
        return Err(WrongUse("vectors, queries and results must be at least 1 each".to_owned()).into());
    }
    Ok(())
}

/// The product of vector number `at`.
pub(super) fn id(at: usize) -> String {
    format!("v{at:07}")
}

impl Place {
    /// `out`, else a temporary folder.
    pub(super) fn new(out: Option<&Path>) -> anyhow::Result<Self> {
        match out {
            Some(path) => Ok(Self { path: path.into(), _temporary: None }),
            None => {
                let folder = tempfile::tempdir().context("a temporary folder can't be made")?;
                Ok(Self { path: folder.path().join("index"), _temporary: Some(folder) })
            }
        }
    }
}

/// The living products of an index, in the order of their internal numbers.
pub(super) fn documents(index: &Index) -> anyhow::Result<Vec<DocId>> {
    let docs = index.ids().map(|row| row.map(|(_, entry)| entry.doc)).collect::<Result<Vec<_>, _>>();
    let mut docs = docs.map_err(EngineError::from)?;
    docs.sort_unstable();
    Ok(docs)
}

/// The vectors of an index, as it stores them, a block at a time.
pub(super) fn stored<'a>(
    index: &'a Index,
    docs: &'a [DocId],
) -> impl Iterator<Item = anyhow::Result<Block>> + 'a {
    docs.chunks(BLOCK).map(|docs| {
        let rows = index.gather(docs).rows.as_slice().to_vec();
        Ok(Block { docs: docs.iter().map(|doc| doc.0).collect(), rows })
    })
}
