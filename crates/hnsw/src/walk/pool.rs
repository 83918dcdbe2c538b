/// Candidates of a walk in the order of their rank, best first: higher scores before lower ones, then lower nodes first. It keeps
/// the best `limit` accepted ones, and refused ones as long as they are better than the last of those.
#[derive(Default)]
pub(crate) struct Pool {
    /// Score, node and marks in one number, so that their order is the numbers'.
    entries: Vec<u64>,
    limit: usize,
    accepted: usize,
    /// Entries before this one have been left.
    next: usize,
}

/// The walk has looked at the neighbours.
const LEFT: u64 = 1;
/// Walked through, but not a result.
const REFUSED: u64 = 2;
/// Refused entries are dropped from the end once there are so many times as many entries as wanted.
const CROWD: usize = 8;

/// A candidate as one number: better ones are less.
pub(super) fn entry(score: i32, node: u32, marks: u64) -> u64 {
    // Flips the sign bit so that numbers without a sign are in order, then the order.
    let rank = !(score as u32 ^ 1 << 31);
    u64::from(rank) << 32 | u64::from(node) << 2 | marks
}

pub(super) fn score(entry: u64) -> i32 {
    (!((entry >> 32) as u32) ^ 1 << 31) as i32
}

pub(super) fn node(entry: u64) -> u32 {
    (entry as u32) >> 2
}

impl Pool {
    /// Empties the pool; it will keep `limit`, at least one.
    pub(crate) fn begin(&mut self, limit: usize) {
        self.entries.clear();
        (self.limit, self.accepted, self.next) = (limit.max(1), 0, 0);
    }

    /// The score of the last one, once it is full: nothing below it comes in.
    #[inline(always)]
    pub(crate) fn worst(&self) -> Option<i32> {
        (self.accepted >= self.limit).then(|| self.entries.last().map(|entry| score(*entry))).flatten()
    }

    /// Takes a candidate in if it is among the best.
    #[inline(always)]
    pub(crate) fn offer(&mut self, score: i32, node: u32, accepted: bool) {
        let new = entry(score, node, if accepted { 0 } else { REFUSED });
        if self.accepted >= self.limit && self.entries.last().is_some_and(|last| new > *last) {
            return;
        }
        self.insert(new);
    }

    fn insert(&mut self, new: u64) {
        let at = self.entries.partition_point(|entry| *entry < new);
        self.entries.insert(at, new);
        self.next = self.next.min(at);
        self.accepted += usize::from(new & REFUSED == 0);
        // The last is always an accepted one once there are enough of them.
        while self.accepted >= self.limit
            && self.entries.last().is_some_and(|last| self.accepted > self.limit || last & REFUSED != 0)
            || self.entries.len() > self.limit.saturating_mul(CROWD)
        {
            let dropped = self.entries.pop().unwrap_or(REFUSED);
            self.accepted -= usize::from(dropped & REFUSED == 0);
        }
    }

    /// The best one that the walk has not left yet; from now on it has.
    #[inline(always)]
    pub(crate) fn leave_best(&mut self) -> Option<u32> {
        while let Some(entry) = self.entries.get_mut(self.next) {
            self.next += 1;
            if *entry & LEFT == 0 {
                *entry |= LEFT;
                return Some(node(*entry));
            }
        }
        None
    }

    /// The one that will be left next, if nothing better comes.
    #[inline(always)]
    pub(crate) fn peek(&self) -> Option<u32> {
        self.entries.get(self.next..)?.iter().find(|entry| **entry & LEFT == 0).map(|entry| node(*entry))
    }

    /// Accepted candidates and their scores, best first.
    pub(crate) fn accepted(&self) -> impl Iterator<Item = (u32, i32)> + '_ {
        self.entries.iter().filter(|entry| *entry & REFUSED == 0).map(|entry| (node(*entry), score(*entry)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(pool: &Pool) -> Vec<(u32, i32)> {
        pool.accepted().collect()
    }

    #[test]
    fn the_best_stay_in_order_whatever_came_first() {
        let mut pool = Pool::default();
        for turn in 0..50u32 {
            pool.begin(3);
            for at in 0..6 {
                let node = (at * 5 + turn) % 6;
                pool.offer([7, -3, 7, i32::MIN, i32::MAX, 0][node as usize], node, true);
            }
            assert_eq!(nodes(&pool), [(4, i32::MAX), (0, 7), (2, 7)]);
            assert_eq!(pool.accepted, 3);
        }
    }

    #[test]
    fn refused_ones_are_walked_through_and_do_not_count() {
        let mut pool = Pool::default();
        pool.begin(2);
        pool.offer(10, 1, false);
        pool.offer(5, 2, true);
        pool.offer(4, 3, false);
        pool.offer(3, 4, true);
        pool.offer(2, 5, false);
        assert_eq!(nodes(&pool), [(2, 5), (4, 3)]);
        assert_eq!(pool.peek(), Some(1));
        assert_eq!(std::iter::from_fn(|| pool.leave_best()).collect::<Vec<_>>(), [1, 2, 3, 4]);
        // A better one drops the last, and refused ones behind the new last.
        pool.offer(6, 6, true);
        assert_eq!(nodes(&pool), [(6, 6), (2, 5)]);
        assert_eq!((pool.leave_best(), pool.leave_best(), pool.peek()), (Some(6), None, None));
        // A crowd of refused ones does not grow without bound.
        (0..1_000).for_each(|node| pool.offer(100, node, false));
        assert!(pool.entries.len() <= 2 * CROWD && pool.accepted == 0);
    }
}
