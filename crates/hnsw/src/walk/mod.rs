//! The walk: from the entry down the layers, then through the lowest one from the best candidate to the next, until no neighbour
//! of a kept candidate is better than the kept ones (Malkov and Yashunin 2016, algorithms 2 and 5).
//!
//! | file | role |
//! |---|---|
//! | `mod` | the walks: plain, through refused nodes, and over them |
//! | `pool` | the candidates |
//! | `marks` | the nodes seen |

mod marks;
mod pool;

use std::cell::RefCell;

use xunpin_kernels::Isa;
use xunpin_kernels::product::{dot_i8, prefetch};

use crate::buffer::Codes;
use crate::graph::GraphRef;
pub(crate) use marks::Marks;
pub(crate) use pool::Pool;

/// What a walk needs of memory.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) marks: Marks,
    /// Refused nodes that were looked behind.
    behind: Marks,
    pub(crate) pool: Pool,
    fresh: Vec<u32>,
    refused: Vec<u32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Gives this thread's scratch memory to `work`, which must not ask for it again.
pub(crate) fn with_scratch<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    SCRATCH.with_borrow_mut(work)
}

/// How many codes ahead of the one being compared are fetched.
const AHEAD: usize = 2;

/// Which nodes are results.
#[derive(Clone, Copy)]
pub enum Filter<'a> {
    /// All.
    None,
    /// Those for which this holds; the walk goes through the others. For few refused ones, such as deleted.
    Through(&'a dyn Fn(u32) -> bool),
    /// Those for which this holds; the walk looks over the others to the neighbours behind them, and never compares them. For
    /// filters that refuse much.
    Over(&'a dyn Fn(u32) -> bool),
}

impl Filter<'_> {
    fn takes(&self, node: u32) -> bool {
        match self {
            Self::None => true,
            Self::Through(accepts) | Self::Over(accepts) => accepts(node),
        }
    }
}

/// What a walk found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Accepted nodes and their codes' inner products with the query's, best first, ties by node.
    pub nodes: Vec<(u32, i32)>,
    /// Codes compared.
    pub scanned: usize,
}

impl GraphRef<'_> {
    /// About the `ef` accepted nodes nearest to the query of code `query`. Nothing but the arguments decides the result.
    pub fn walk(&self, query: &[i8], ef: usize, filter: Filter<'_>) -> Found {
        if self.is_empty() || ef == 0 {
            return Found::default();
        }
        let isa = Isa::detect();
        with_scratch(|scratch| {
            let near = Near { isa, codes: self.codes, query };
            let top = (0, near.score(0));
            let (nearest, best, mut scanned) = self.descend(&near, top);
            scratch.marks.begin(self.len());
            scratch.pool.begin(ef);
            // From the top too: every node can be reached from there, and perhaps not from below.
            for (node, score) in [(nearest, best), top] {
                if scratch.marks.visit(node) {
                    scratch.pool.offer(score, node, filter.takes(node));
                }
            }
            let row = |node| self.row0(node);
            scanned += match filter {
                Filter::None => lowest(&near, row, scratch, |_| true),
                Filter::Through(accepts) => lowest(&near, row, scratch, accepts),
                Filter::Over(accepts) => self.over(&near, scratch, accepts),
            };
            Found { nodes: scratch.pool.accepted().collect(), scanned }
        })
    }

    /// The node that the upper layers lead to from `top`, its score, and how many codes were compared.
    fn descend(&self, near: &Near<'_>, top: (u32, i32)) -> (u32, i32, usize) {
        descend(near, |layer, node| self.row(layer, node), top, (1..self.layer_nodes.len()).rev())
    }

    /// [`lowest`] over refused nodes: each is looked behind once, and each node is asked for once.
    fn over(&self, near: &Near<'_>, scratch: &mut Scratch, accepts: &dyn Fn(u32) -> bool) -> usize {
        let Scratch { marks, behind, pool, fresh, refused } = scratch;
        behind.begin(self.len());
        let mut scanned = 0;
        while let Some(best) = pool.leave_best() {
            fresh.clear();
            refused.clear();
            for &neighbor in self.row0(best) {
                let first = marks.visit(neighbor);
                if accepts(neighbor) {
                    if first {
                        fresh.push(neighbor);
                    }
                } else if behind.visit(neighbor) {
                    prefetch(self.slots0(neighbor));
                    refused.push(neighbor);
                }
            }
            for &neighbor in refused.iter() {
                let nodes = self.row0(neighbor).iter().copied();
                fresh.extend(nodes.filter(|node| marks.visit(*node) && accepts(*node)));
            }
            if fresh.is_empty() {
                // Nothing accepted far and wide: go on through those that are refused.
                scanned += compare(near, refused, |node, score| pool.offer(score, node, false));
            }
            scanned += compare(near, fresh, |node, score| pool.offer(score, node, true));
        }
        scanned
    }
}

/// What nodes are compared with.
#[derive(Clone, Copy)]
pub(crate) struct Near<'a> {
    pub(crate) isa: Isa,
    pub(crate) codes: Codes<'a>,
    pub(crate) query: &'a [i8],
}

impl Near<'_> {
    #[inline(always)]
    pub(crate) fn score(&self, node: u32) -> i32 {
        dot_i8(self.isa, self.query, self.codes.row(node))
    }
}

/// Goes in each of `layers` to the neighbour nearest to the query until none is nearer: where that ends, its score, and how many
/// codes were compared.
pub(crate) fn descend<'a>(
    near: &Near<'_>,
    row: impl Fn(usize, u32) -> &'a [u32],
    (mut node, mut best): (u32, i32),
    layers: impl Iterator<Item = usize>,
) -> (u32, i32, usize) {
    let mut scanned = 1;
    for layer in layers {
        loop {
            let from = node;
            let neighbors = row(layer, from);
            scanned += compare(near, neighbors, |candidate, score| {
                if score > best || score == best && candidate < node {
                    (node, best) = (candidate, score);
                }
            });
            if node == from {
                break;
            }
        }
    }
    (node, best, scanned)
}

/// Leaves the best candidate of the pool for its neighbours until there is none left. The number of codes compared.
#[inline(always)]
pub(crate) fn lowest<'a>(
    near: &Near<'_>,
    row: impl Fn(u32) -> &'a [u32],
    scratch: &mut Scratch,
    accepts: impl Fn(u32) -> bool,
) -> usize {
    let Scratch { marks, pool, fresh, .. } = scratch;
    let mut scanned = 0;
    while let Some(best) = pool.leave_best() {
        fresh.clear();
        fresh.extend(row(best).iter().copied().filter(|node| marks.visit(*node)));
        if let Some(next) = pool.peek() {
            prefetch(row(next));
        }
        scanned += compare(near, fresh, |node, score| pool.offer(score, node, accepts(node)));
    }
    scanned
}

/// Compares nodes with the query, fetching codes ahead.
#[inline(always)]
fn compare(near: &Near<'_>, nodes: &[u32], mut take: impl FnMut(u32, i32)) -> usize {
    for node in nodes.iter().take(AHEAD) {
        prefetch(near.codes.row(*node));
    }
    for (at, &node) in nodes.iter().enumerate() {
        if let Some(ahead) = nodes.get(at + AHEAD) {
            prefetch(near.codes.row(*ahead));
        }
        take(node, near.score(node));
    }
    nodes.len()
}
