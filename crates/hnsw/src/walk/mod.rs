//! The walk: from the entry down the layers, then through the lowest one from the best candidate to the next, until no neighbour
//! of a kept candidate is better than the kept ones (Malkov and Yashunin 2016, algorithms 2 and 5).
//!
//! | file | role |
//! |---|---|
//! | `mod` | the walks: plain, through refused nodes, and over them |
//! | `accept` | which nodes are results |
//! | `scan` | no walk: all accepted nodes |
//! | `pool` | the candidates |
//! | `marks` | the nodes seen |

mod accept;
mod marks;
mod pool;
mod scan;

use std::cell::RefCell;

use xunpin_kernels::Isa;
use xunpin_kernels::product::{dot_i8, fetched, prefetch};

use crate::buffer::Codes;
use crate::graph::GraphRef;
use crate::query::Query;
use crate::sketch::SketchQuery;
pub use accept::{Accepts, Filter, holds};
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
    round: scan::Round,
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

/// A code whose sketch puts it so many deviations below the last of the candidates is not compared.
const DEVIATIONS: f32 = 2.0;

/// What a walk found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Accepted nodes and their codes' inner products with the query's, best first, ties by node.
    pub nodes: Vec<(u32, i32)>,
    /// Codes compared.
    pub scanned: usize,
}

impl GraphRef<'_> {
    /// About the `ef` accepted nodes nearest to the query. Nothing but the arguments decides the result.
    pub fn walk(&self, query: &Query, ef: usize, filter: Filter<'_>) -> Found {
        if self.is_empty() || ef == 0 {
            return Found::default();
        }
        let near = Near {
            isa: Isa::detect(),
            codes: self.codes,
            query: query.code(),
            sketched: Some(&query.sketched),
        };
        with_scratch(|scratch| {
            let scanned = match filter {
                Filter::None => self.walk_with(&near, ef, scratch, |_| true, false),
                Filter::Through(Accepts::Bits(bits)) => {
                    self.walk_with(&near, ef, scratch, |node| holds(bits, node), false)
                }
                Filter::Through(Accepts::If(accepts)) => self.walk_with(&near, ef, scratch, accepts, false),
                Filter::Over(Accepts::Bits(bits)) => {
                    self.walk_with(&near, ef, scratch, |node| holds(bits, node), true)
                }
                Filter::Over(Accepts::If(accepts)) => self.walk_with(&near, ef, scratch, accepts, true),
            };
            Found { nodes: scratch.pool.accepted().collect(), scanned }
        })
    }

    /// Leaves what it finds in the pool. The number of codes compared.
    #[inline(always)]
    fn walk_with(
        &self,
        near: &Near<'_>,
        ef: usize,
        scratch: &mut Scratch,
        accepts: impl Fn(u32) -> bool,
        over: bool,
    ) -> usize {
        let top = self.entry();
        let (nearest, best, mut scanned) = self.descend(near);
        scratch.marks.begin(self.len());
        scratch.pool.begin(ef);
        // From the top too: every node can be reached from there, and perhaps not from below.
        for (node, score) in [(nearest, best), (top, near.score(top))] {
            if scratch.marks.visit(node) {
                scratch.pool.offer(score, node, accepts(node));
            }
        }
        scanned += if over {
            self.over(near, scratch, accepts)
        } else {
            lowest(near, |node| self.row0(node), scratch, accepts)
        };
        scanned
    }

    /// The node that the upper layers lead to from the top, its score, and how many codes were compared.
    fn descend(&self, near: &Near<'_>) -> (u32, i32, usize) {
        let node = |place: u32| self.uppers[place as usize];
        let row = |layer, place| self.row(layer, place);
        let layers = (1..self.layer_nodes.len()).rev();
        let (place, best, scanned) = descend(near, row, node, (0, near.score(node(0))), layers);
        (node(place), best, scanned)
    }

    /// [`lowest`] over refused nodes: each is looked behind once, and each accepted node is compared once.
    #[inline(always)]
    fn over(&self, near: &Near<'_>, scratch: &mut Scratch, accepts: impl Fn(u32) -> bool) -> usize {
        let Scratch { marks, behind, pool, fresh, refused, .. } = scratch;
        behind.begin(self.len());
        let mut scanned = 0;
        while let Some(best) = pool.leave_best() {
            fresh.clear();
            refused.clear();
            for &neighbor in self.row0(best) {
                if accepts(neighbor) {
                    if marks.visit(neighbor) {
                        fresh.push(neighbor);
                    }
                } else if behind.visit(neighbor) {
                    prefetch(self.slots0(neighbor));
                    refused.push(neighbor);
                }
            }
            for &neighbor in refused.iter() {
                let nodes = self.row0(neighbor).iter().copied();
                fresh.extend(nodes.filter(|node| accepts(*node) && marks.visit(*node)));
            }
            if fresh.is_empty() {
                // Nothing accepted far and wide: go on through those that are refused.
                refused.retain(|node| marks.visit(*node));
                scanned += compare(near, refused, same, |node, score| pool.offer(score, node, false));
            }
            near.keep_near(fresh, pool);
            scanned += compare(near, fresh, same, |node, score| pool.offer(score, node, true));
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
    /// Looked at before codes are, where there is one.
    pub(crate) sketched: Option<&'a SketchQuery>,
}

impl Near<'_> {
    #[inline(always)]
    pub(crate) fn score(&self, node: u32) -> i32 {
        dot_i8(self.isa, self.query, self.codes.row(node))
    }

    /// Drops the nodes whose sketches tell that they are hardly among the best.
    #[inline(always)]
    fn keep_near(&self, nodes: &mut Vec<u32>, pool: &Pool) {
        let (Some(sketched), Some(worst)) = (self.sketched, pool.worst()) else { return };
        nodes.iter().for_each(|node| prefetch(self.codes.sketch(*node)));
        let most = sketched.most(worst, DEVIATIONS);
        nodes.retain(|node| sketched.sum(self.isa, self.codes.sketch(*node)) <= most);
    }
}

/// Goes in each of `layers` to the neighbour nearest to the query until none is nearer: where that ends, its score, and how many
/// codes were compared. `node` tells the number by which a neighbour has its code.
pub(crate) fn descend<'a>(
    near: &Near<'_>,
    row: impl Fn(usize, u32) -> &'a [u32],
    node: impl Fn(u32) -> u32,
    (mut at, mut best): (u32, i32),
    layers: impl Iterator<Item = usize>,
) -> (u32, i32, usize) {
    let mut scanned = 1;
    for layer in layers {
        loop {
            let from = at;
            let neighbors = row(layer, from);
            scanned += compare(near, neighbors, &node, |candidate, score| {
                if score > best || score == best && candidate < at {
                    (at, best) = (candidate, score);
                }
            });
            if at == from {
                break;
            }
        }
    }
    (at, best, scanned)
}

/// Neighbours go by their nodes' numbers.
pub(crate) fn same(node: u32) -> u32 {
    node
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
        near.keep_near(fresh, pool);
        scanned += compare(near, fresh, same, |node, score| pool.offer(score, node, accepts(node)));
    }
    scanned
}

/// Compares nodes with the query, fetching codes ahead.
#[inline(always)]
fn compare(
    near: &Near<'_>,
    nodes: &[u32],
    number: impl Fn(u32) -> u32,
    mut take: impl FnMut(u32, i32),
) -> usize {
    for node in fetched(nodes, AHEAD, |node| near.codes.row(number(node))) {
        take(node, near.score(number(node)));
    }
    nodes.len()
}
