use std::cmp::Ordering;
use std::collections::BinaryHeap;

use xunpin_core::Neighbor;

/// A neighbour ordered by rank: the greatest is the worst.
#[derive(Clone, Copy)]
struct Ranked(Neighbor);

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        Neighbor::order(&self.0, &other.0)
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ranked {}

/// The best `limit` neighbours of those offered, whatever the order of offers.
pub(crate) struct Top {
    limit: usize,
    heap: BinaryHeap<Ranked>,
}

impl Top {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, heap: BinaryHeap::with_capacity(limit.min(1_024) + 1) }
    }

    /// Takes `neighbor` in if it is among the best so far.
    pub(crate) fn offer(&mut self, neighbor: Neighbor) {
        if !self.is_full() {
            self.heap.push(Ranked(neighbor));
        } else if let Some(mut worst) = self.heap.peek_mut()
            && Ranked(neighbor) < *worst
        {
            *worst = Ranked(neighbor);
        }
    }

    /// Neighbours it keeps at most.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Neighbours it keeps.
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.heap.len() >= self.limit
    }

    /// Keeps what is best of both.
    pub(crate) fn merge(&mut self, other: Self) {
        for ranked in other.heap {
            self.offer(ranked.0);
        }
    }

    /// The neighbours kept, best first.
    pub(crate) fn into_sorted(self) -> Vec<Neighbor> {
        self.heap.into_sorted_vec().into_iter().map(|ranked| ranked.0).collect()
    }
}

/// Brings scores of a finished search into -1 to 1, which half-precision rounding may leave by a little.
pub(crate) fn finish(mut found: Vec<Neighbor>) -> Vec<Neighbor> {
    for neighbor in &mut found {
        neighbor.score = neighbor.score.clamp(-1.0, 1.0);
    }
    found.sort_unstable_by(Neighbor::order);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use xunpin_core::DocId;

    #[test]
    fn keeps_the_best_and_breaks_ties_by_id() {
        let mut top = Top::new(3);
        for (id, score) in [(5, 0.5), (4, 0.9), (3, 0.5), (2, 0.5), (1, 0.1)] {
            top.offer(Neighbor { id: DocId(id), score });
        }
        assert_eq!(top.into_sorted().iter().map(|n| n.id.0).collect::<Vec<_>>(), [4, 2, 3]);
        let mut none = Top::new(0);
        none.offer(Neighbor { id: DocId(1), score: 1.0 });
        assert!(none.into_sorted().is_empty());
    }
}
