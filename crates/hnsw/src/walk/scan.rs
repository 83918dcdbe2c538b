use std::collections::BinaryHeap;

use xunpin_kernels::Isa;
use xunpin_kernels::product::fetched;

use super::pool::{self, entry};
use super::{AHEAD, Accepts, Found, Near, with_scratch};
use crate::buffer::Codes;
use crate::query::Query;
use crate::sketch::SketchQuery;

/// A code whose sketch puts it so many deviations below the last of the candidates is not compared. More than in a walk, where
/// one that was left out is often met again by another way.
const DEVIATIONS: f32 = 3.0;
/// Nodes whose sketches are looked at before codes are: the best of them first, which tells early what is good.
const ROUND: usize = 16_384;
/// How many sketches ahead of the one being looked at are fetched.
const SKETCHES_AHEAD: usize = 12;

/// What a scan needs of memory.
#[derive(Default)]
pub(super) struct Round {
    nodes: Vec<u32>,
    /// How far their sketches put them from the query, and the nodes.
    ranked: Vec<(i32, u32)>,
}

impl Codes<'_> {
    /// The `keep` accepted codes nearest to the query's, all of which are looked at: sketches first, then the codes that
    /// these leave. Nothing but the arguments decides the result.
    pub fn scan(&self, query: &Query, keep: usize, accepts: Accepts<'_>) -> Found {
        if keep == 0 {
            return Found::default();
        }
        let sketched = &query.sketched;
        let near = Near { isa: Isa::detect(), codes: *self, query: query.code(), sketched: None };
        with_scratch(|scratch| {
            let round = &mut scratch.round;
            // Not a pool, which takes in at any place: `keep` may be large.
            let mut best = Best { entries: BinaryHeap::new(), keep };
            let mut scanned = 0;
            round.nodes.clear();
            accepts.each(self.len(), |node| {
                scanned += 1;
                round.nodes.push(node);
                if round.nodes.len() == ROUND {
                    best.take(&near, sketched, round);
                }
            });
            best.take(&near, sketched, round);
            let entries = best.entries.into_sorted_vec().into_iter();
            Found { nodes: entries.map(|entry| (pool::node(entry), pool::score(entry))).collect(), scanned }
        })
    }
}

/// The best so far; the last of them on top.
struct Best {
    entries: BinaryHeap<u64>,
    keep: usize,
}

impl Best {
    /// Takes the nodes of a round in, as far as they are among the best.
    fn take(&mut self, near: &Near<'_>, sketched: &SketchQuery, round: &mut Round) {
        let Round { nodes, ranked } = round;
        let most = self.most(sketched);
        ranked.clear();
        for node in fetched(nodes, SKETCHES_AHEAD, |node| near.codes.sketch(node)) {
            let sum = sketched.sum(near.isa, near.codes.sketch(node));
            if sum <= most {
                ranked.push((sum, node));
            }
        }
        nodes.clear();
        let first = 2 * self.keep;
        if ranked.len() > first {
            ranked.select_nth_unstable(first);
            self.compare(near, &ranked[..first]);
            let most = self.most(sketched);
            ranked.drain(..first);
            ranked.retain(|(sum, _)| *sum <= most);
        }
        self.compare(near, ranked);
    }

    fn compare(&mut self, near: &Near<'_>, nodes: &[(i32, u32)]) {
        for (_, node) in fetched(nodes, AHEAD, |(_, node)| near.codes.row(node)) {
            let new = entry(near.score(node), node, 0);
            if self.entries.len() < self.keep {
                self.entries.push(new);
            } else if let Some(mut worst) = self.entries.peek_mut().filter(|worst| new < **worst) {
                *worst = new;
            }
        }
    }

    /// The greatest sum of a sketch that may be among the best.
    fn most(&self, sketched: &SketchQuery) -> i32 {
        match self.entries.peek().filter(|_| self.entries.len() >= self.keep) {
            Some(worst) => sketched.most(pool::score(*worst), DEVIATIONS),
            None => i32::MAX,
        }
    }
}
