use std::cell::RefCell;

use xunpin_core::{DocId, Neighbor};

use super::{NONE, Segment};
use crate::top::{Frontier, Top};

thread_local! {
    /// Marks are kept from search to search, so that a search neither allocates nor clears them.
    static WALK: RefCell<Walk> = RefCell::default();
}

/// What a walk remembers.
#[derive(Default)]
struct Walk {
    /// The walk that last visited each node, by number.
    marks: Vec<u32>,
    epoch: u32,
    frontier: Frontier,
}

impl Walk {
    fn begin(&mut self, nodes: usize) {
        self.frontier.clear();
        self.epoch = match self.epoch.checked_add(1) {
            Some(epoch) => epoch,
            None => {
                self.marks.fill(0);
                1
            }
        };
        if self.marks.len() < nodes {
            self.marks.resize(nodes, 0);
        }
    }

    /// True at the first visit of this walk.
    fn visit(&mut self, node: u32) -> bool {
        let mark = &mut self.marks[node as usize];
        let first = *mark != self.epoch;
        *mark = self.epoch;
        first
    }
}

impl Segment {
    /// The best `k` accepted vectors among those of a walk that keeps `ef` distinct ones, and how many it looked at.
    /// Refused nodes are walked through but not returned. Nothing but the arguments decides the result.
    pub(crate) fn search(
        &self,
        query: &[f32],
        k: usize,
        ef: usize,
        accept: &dyn Fn(u32) -> bool,
    ) -> (Top, usize) {
        let mut top = Top::new(k);
        if self.ids().is_empty() || ef == 0 {
            return (top, 0);
        }
        let (found, scanned) = self.walk(query, ef, accept);
        for node in found.into_sorted() {
            for id in self.equals(node.id.0).filter(|id| accept(*id)) {
                top.offer(Neighbor { id: DocId(id), score: node.score });
            }
        }
        (top, scanned)
    }

    /// The DocIds of a node and its twins.
    fn equals(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        let next = |node: &u32| Some(self.twins()[*node as usize]).filter(|twin| *twin != NONE);
        std::iter::successors(Some(node), next).map(|node| self.ids()[node as usize])
    }

    /// The best `ef` nodes that are, or have a twin that is, accepted; as node numbers in place of DocIds, which rise
    /// together.
    fn walk(&self, query: &[f32], ef: usize, accept: &dyn Fn(u32) -> bool) -> (Top, usize) {
        let mut found = Top::new(ef);
        let offer = |found: &mut Top, node: Neighbor| {
            if self.equals(node.id.0).any(accept) {
                found.offer(node);
            }
        };
        let (start, mut scanned) = self.descend(query);
        WALK.with_borrow_mut(|walk| {
            walk.begin(self.ids().len());
            walk.visit(start.id.0);
            walk.frontier.push(start);
            offer(&mut found, start);
            while let Some(nearest) = walk.frontier.pop() {
                if found.is_full() && found.worst().is_some_and(|worst| nearest.score < worst.score) {
                    break;
                }
                for &node in self.row0(nearest.id.0) {
                    if !walk.visit(node) {
                        continue;
                    }
                    scanned += 1;
                    let candidate = Neighbor { id: DocId(node), score: self.score(query, node) };
                    if !found.is_full() || found.worst().is_some_and(|worst| candidate.score >= worst.score) {
                        walk.frontier.push(candidate);
                        offer(&mut found, candidate);
                    }
                }
            }
        });
        (found, scanned)
    }

    /// The node that the upper layers lead to, and how many vectors were looked at.
    fn descend(&self, query: &[f32]) -> (Neighbor, usize) {
        let entry = self.record.entry;
        let mut best = Neighbor { id: DocId(entry), score: self.score(query, entry) };
        let mut scanned = 1;
        for layer in (1..self.record.layers as usize).rev() {
            loop {
                let from = best;
                for &node in self.row(layer, from.id.0) {
                    scanned += 1;
                    let candidate = Neighbor { id: DocId(node), score: self.score(query, node) };
                    if Neighbor::order(&candidate, &best).is_lt() {
                        best = candidate;
                    }
                }
                if best.id == from.id {
                    break;
                }
            }
        }
        (best, scanned)
    }
}
