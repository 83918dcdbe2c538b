use std::fs;
use std::path::Path;

use anyhow::Context;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use xunpin::DocId;
use xunpin_core::{DocSet, Neighbor, SplitMix64};

/// Filters measured: of a thousand products so many are kept.
const KEPT: [u32; 3] = [1_000, 100, 10];
/// Which products a filter keeps.
const FILTER_SEED: u64 = 0x4649_4c54;
/// Queries compared with a vector while it is at hand.
const TILE: usize = 8;
/// Scores closer than this are equal: the order of additions decides the rest.
const EQUAL: f32 = 1e-6;
const FILE: &str = "asked.json";
const QUERIES: &str = "queries.f32";

/// What is asked, and what would be right.
#[derive(Serialize, Deserialize)]
pub(super) struct Asked {
    pub(super) dimension: usize,
    pub(super) top: usize,
    pub(super) groups: Vec<Group>,
    /// Query after query.
    #[serde(skip)]
    pub(super) queries: Vec<f32>,
}

/// All queries under one filter.
#[derive(Serialize, Deserialize)]
pub(super) struct Group {
    /// Products kept of a thousand.
    pub(super) kept: u32,
    /// For each query the true nearest, best first: internal number and score.
    pub(super) truth: Vec<Vec<(u32, f32)>>,
}

/// Some vectors, row after row, and their internal numbers.
pub(super) struct Block {
    pub(super) docs: Vec<u32>,
    pub(super) rows: Vec<f32>,
}

impl Asked {
    /// Compares every query with every vector, in 32 bits.
    pub(super) fn new(
        queries: Vec<f32>,
        dimension: usize,
        top: usize,
        blocks: impl Iterator<Item = anyhow::Result<Block>>,
    ) -> anyhow::Result<Self> {
        let mut best = vec![[const { Vec::new() }; KEPT.len()]; queries.len() / dimension];
        for block in blocks {
            let Block { docs, rows } = block?;
            let kept: Vec<[bool; KEPT.len()]> =
                docs.iter().map(|doc| KEPT.map(|kept| keeps(kept, *doc))).collect();
            best.par_chunks_mut(TILE).zip(queries.par_chunks(TILE * dimension)).for_each(
                |(best, queries)| {
                    for ((row, doc), kept) in rows.chunks_exact(dimension).zip(&docs).zip(&kept) {
                        for (best, query) in best.iter_mut().zip(queries.chunks_exact(dimension)) {
                            let score = dot(query, row);
                            for (best, _) in best.iter_mut().zip(kept).filter(|(_, kept)| **kept) {
                                offer(best, top, (*doc, score));
                            }
                        }
                    }
                },
            );
        }
        let mut groups: Vec<Group> =
            KEPT.iter().map(|&kept| Group { kept, truth: Vec::with_capacity(best.len()) }).collect();
        for best in best {
            groups.iter_mut().zip(best).for_each(|(group, best)| group.truth.push(best));
        }
        Ok(Self { dimension, top, groups, queries })
    }

    pub(super) fn len(&self) -> usize {
        self.queries.len() / self.dimension
    }

    pub(super) fn query(&self, at: usize) -> &[f32] {
        &self.queries[at * self.dimension..][..self.dimension]
    }

    pub(super) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let bytes: Vec<u8> = self.queries.iter().flat_map(|value| value.to_le_bytes()).collect();
        let (queries, file) = (folder.join(QUERIES), folder.join(FILE));
        fs::write(&queries, bytes).with_context(|| format!("{}: cannot be written", queries.display()))?;
        let told = serde_json::to_vec(self)?;
        fs::write(&file, told).with_context(|| format!("{}: cannot be written", file.display()))
    }

    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let read = |name| {
            let path = folder.join(name);
            fs::read(&path).with_context(|| format!("{}: cannot be read", path.display()))
        };
        let mut asked: Self = serde_json::from_slice(&read(FILE)?).context("the queries can't be read")?;
        let bytes = read(QUERIES)?;
        asked.queries = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        Ok(asked)
    }

    /// The file of the queries in a folder that was written.
    pub(super) fn queries_in(folder: &Path) -> std::path::PathBuf {
        folder.join(QUERIES)
    }
}

impl Group {
    /// The filter over internal numbers below `end`; none where everything is kept.
    pub(super) fn filter(&self, end: u32) -> Option<DocSet> {
        let kept = (0..end).filter(|doc| keeps(self.kept, *doc)).map(DocId);
        (self.kept < 1_000).then(|| kept.collect())
    }

    /// Results wanted of query number `at`, and how many of those found are right: among the true nearest, or as near as the last of
    /// them.
    pub(super) fn judge(&self, at: usize, found: &[Neighbor]) -> (usize, usize) {
        let truth = &self.truth[at];
        let worst = truth.last().map_or(f32::INFINITY, |(_, score)| score - EQUAL);
        let right = |n: &&Neighbor| n.score >= worst || truth.iter().any(|(doc, _)| *doc == n.id.0);
        (truth.len(), found.iter().take(truth.len()).filter(right).count())
    }
}

/// Decides by the number alone, so that every process makes the same filter.
fn keeps(kept: u32, doc: u32) -> bool {
    (SplitMix64::new(FILTER_SEED ^ u64::from(doc)).below(1_000) as u32) < kept
}

/// Takes `found` in if it is among the best `top`.
fn offer(best: &mut Vec<(u32, f32)>, top: usize, found: (u32, f32)) {
    if best.len() == top && best.last().is_some_and(|(_, worst)| found.1 <= *worst) {
        return;
    }
    let at = best.partition_point(|(_, score)| *score >= found.1);
    best.insert(at, found);
    best.truncate(top);
}

/// With sixteen sums at a time, which compilers turn into vector instructions.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    let mut sums = [0.0f32; 16];
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(docs: std::ops::Range<u32>) -> Block {
        let row = |doc: u32| [(doc as f32 * 0.01).cos(), (doc as f32 * 0.01).sin()];
        Block { rows: docs.clone().flat_map(row).collect(), docs: docs.collect() }
    }

    #[test]
    fn the_nearest_are_found_block_by_block_and_under_filters() {
        let blocks = [0..40, 40..41, 41..200].map(|docs| Ok(block(docs)));
        // On the numbers 100 and 7.
        let queries = vec![1f32.cos(), 1f32.sin(), 0.07f32.cos(), 0.07f32.sin()];
        let asked = Asked::new(queries, 2, 3, blocks.into_iter()).unwrap();
        let docs = |group: &Group, at: usize| -> Vec<u32> {
            let mut docs: Vec<u32> = group.truth[at].iter().map(|(doc, _)| *doc).collect();
            docs.sort_unstable();
            docs
        };
        assert_eq!(
            (docs(&asked.groups[0], 0), docs(&asked.groups[0], 1)),
            (vec![99, 100, 101], vec![6, 7, 8])
        );
        let filter = asked.groups[1].filter(200).unwrap();
        assert!((5..40).contains(&filter.len()), "{}", filter.len());
        assert!(docs(&asked.groups[1], 0).iter().all(|doc| filter.contains(DocId(*doc))));
        assert_eq!(asked.groups[0].filter(200), None);

        let found = |ids: [u32; 3]| {
            let score = |id: u32| ((id as f32 - 100.0) * 0.01).cos();
            ids.map(|id| Neighbor { id: DocId(id), score: score(id) })
        };
        assert_eq!(asked.groups[0].judge(0, &found([100, 99, 101])), (3, 3));
        assert_eq!(asked.groups[0].judge(0, &found([100, 98, 103])), (3, 1));
        assert_eq!(asked.groups[0].judge(0, &[]), (3, 0));
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let asked = Asked::new(vec![0.6, 0.8], 2, 2, std::iter::once(Ok(block(0..9)))).unwrap();
        asked.write(folder.path()).unwrap();
        let read = Asked::read(folder.path()).unwrap();
        assert_eq!((read.len(), read.query(0), read.top), (1, asked.query(0), 2));
        assert_eq!(read.groups[0].truth, asked.groups[0].truth);
    }
}
