//! Building a graph of all its nodes at once, in parallel and always the same.
//!
//! Nodes are inserted in batches. A batch first looks for its nodes' neighbours in the graph as it stands, on all threads and
//! without locks, since nothing changes meanwhile; then its links are put in, and rows that overflow are thinned, each by one thread
//! (the prefix doubling of ParlayANN, Manohar et al. 2024). A batch holds at most a fiftieth of the nodes there are, so that
//! hardly a neighbour is in the same batch. What comes out depends on codes and options only, not on the number of threads.
//!
//! | file | role |
//! |---|---|
//! | `mod` | batches |
//! | `draft` | the rows while they grow |
//! | `select` | which candidates become neighbours |
//! | `connect` | nodes that nothing leads to |
//! | `number` | the finished arrays |

mod connect;
mod draft;
mod number;
mod select;

use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use xunpin_core::SplitMix64;
use xunpin_kernels::Isa;

use crate::buffer::Codes;
use crate::graph::{Graph, MAX_LAYERS};
use crate::walk::{Near, descend, lowest, same, with_scratch};
use draft::{Draft, Link};
use select::select;

/// How a graph is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildOptions {
    /// Links that a node asks for; as many slots in the upper layers, twice as many in the lowest. At least 2.
    pub m: usize,
    /// Candidates looked at for a node's links: more build slower and better graphs.
    pub ef_construction: usize,
}

/// Why there is no graph.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The caller's stop sign went up.
    #[error("building the graph was stopped")]
    Stopped,
    /// More codes than a graph can hold; split them into several.
    #[error("a graph holds at most {most} vectors, not {nodes}")]
    TooMany {
        /// Codes given.
        nodes: usize,
        /// Most that are possible.
        most: usize,
    },
}

/// The seed of the nodes' levels and of their order of insertion.
const SEED: u64 = 0x9bd1_7c2a;
/// A batch has at most this share of the nodes before it.
const SHARE: usize = 50;
/// And at most so many nodes, which bounds the memory for links on their way.
const BATCH: usize = 16_384;

/// The graph of `codes`, which are best distinct, built by the threads of the rayon pool that this is called in. `stop` is looked
/// at between batches.
pub fn build(codes: Codes<'_>, options: &BuildOptions, stop: &AtomicBool) -> Result<Graph, BuildError> {
    let nodes = codes.len();
    if nodes > crate::graph::MAX_NODES {
        return Err(BuildError::TooMany { nodes, most: crate::graph::MAX_NODES });
    }
    let m = options.m.max(2);
    let levels = levels(nodes, m);
    let sequence = sequence(&levels);
    let Some(&entry) = sequence.first() else {
        return Ok(Graph { degree0: 2 * m, degree: m, ..Graph::default() });
    };
    let mut building = Building {
        isa: Isa::detect(),
        codes,
        m,
        ef: options.ef_construction.max(m),
        entry,
        draft: Draft::new(&levels, 2 * m, m),
    };
    let mut done = 1;
    while done < nodes {
        if stop.load(Ordering::Relaxed) {
            return Err(BuildError::Stopped);
        }
        let end = (done + (done / SHARE).clamp(1, BATCH)).min(nodes);
        building.insert(&sequence[done..end]);
        done = end;
    }
    connect::connect(&mut building.draft, entry);
    Ok(number::finish(&building.draft, &sequence))
}

/// The highest layer of each node: exponentially fewer the higher.
fn levels(nodes: usize, m: usize) -> Vec<u8> {
    let factor = 1.0 / (m as f64).ln();
    (0..nodes as u64)
        .map(|node| {
            // Above 0, so that the logarithm is finite.
            let uniform = ((SplitMix64::new(SEED ^ node).bits() >> 11) + 1) as f64 / (1u64 << 53) as f64;
            // Fits: at most 37 / ln 2.
            (-uniform.ln() * factor).min((MAX_LAYERS - 1) as f64) as u8
        })
        .collect()
}

/// The order of insertion: the highest first, so that the entry stays; else at random, so that neighbours in the catalogue, which are
/// often alike, are seldom in one batch.
fn sequence(levels: &[u8]) -> Vec<u32> {
    let mut sequence: Vec<u32> = (0..levels.len() as u32).collect();
    sequence.sort_by_cached_key(|node| {
        (std::cmp::Reverse(levels[*node as usize]), SplitMix64::mix(SEED ^ u64::from(*node) << 20), *node)
    });
    sequence
}

struct Building<'a> {
    isa: Isa,
    codes: Codes<'a>,
    m: usize,
    ef: usize,
    entry: u32,
    draft: Draft,
}

/// The links that a node asks for, from its highest layer down.
struct Asked {
    node: u32,
    layers: Vec<(usize, Vec<Link>)>,
}

impl Building<'_> {
    fn insert(&mut self, batch: &[u32]) {
        let asked: Vec<Asked> = batch.par_iter().map(|node| self.ask(*node)).collect();
        for asked in &asked {
            for (layer, links) in &asked.layers {
                self.draft.set(*layer, asked.node, links);
            }
        }
        // Back: a link on each side.
        let mut back: Vec<(usize, u32, Link)> = asked
            .iter()
            .flat_map(|asked| asked.layers.iter().map(move |(layer, links)| (asked.node, *layer, links)))
            .flat_map(|(node, layer, links)| {
                links.iter().map(move |link| (layer, link.node, Link { node, score: link.score }))
            })
            .collect();
        back.par_sort_unstable_by_key(|(layer, at, link)| (*layer, *at, link.rank()));
        let groups: Vec<_> = back.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).collect();
        let rows: Vec<Vec<Link>> = groups.par_iter().map(|group| self.joined(group)).collect();
        for (group, row) in groups.iter().zip(rows) {
            self.draft.set(group[0].0, group[0].1, &row);
        }
    }

    /// Looks for a node's neighbours in the graph as it is.
    fn ask(&self, node: u32) -> Asked {
        let near = Near { isa: self.isa, codes: self.codes, query: self.codes.row(node), sketched: None };
        let level = self.draft.level(node);
        let top = self.draft.level(self.entry);
        let row = |layer, node| self.draft.row(layer, node);
        let entry = (self.entry, near.score(self.entry));
        let (mut from, mut best, _) = descend(&near, row, same, entry, (level + 1..=top).rev());
        let layers = (0..=level.min(top)).rev().map(|layer| {
            let candidates = with_scratch(|scratch| {
                scratch.marks.begin(self.codes.len());
                scratch.pool.begin(self.ef);
                scratch.marks.visit(from);
                scratch.pool.offer(best, from, true);
                lowest(&near, |node| self.draft.row(layer, node), scratch, |_| true);
                scratch.pool.accepted().map(|(node, score)| Link { node, score }).collect::<Vec<_>>()
            });
            if let Some(first) = candidates.first() {
                (from, best) = (first.node, first.score);
            }
            (layer, select(self.isa, self.codes, &candidates, self.m))
        });
        Asked { node, layers: layers.collect() }
    }

    /// A row and what comes to it, thinned if they are too many.
    fn joined(&self, group: &[(usize, u32, Link)]) -> Vec<Link> {
        let Some(&(layer, node, _)) = group.first() else { return Vec::new() };
        let slots = self.draft.slots(layer);
        let mut row: Vec<Link> =
            self.draft.links(layer, node).chain(group.iter().map(|(_, _, link)| *link)).collect();
        if row.len() > slots {
            row.sort_unstable_by_key(|link| link.rank());
            row = select(self.isa, self.codes, &row, slots);
        }
        row
    }
}
