//! Byte pair encoding of one piece of text: the pair of the least rank is merged first, the leftmost of equal ones.
//!
//! Tokens form a linked list and the pairs that may merge a heap, so n characters take O(n log n) whatever they are.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::blob::NONE;
use super::tables::PairTable;

/// A merger that has seen a long text gives its memory back: tokens kept allocated.
const KEPT: usize = 1 << 14;

/// Merges the tokens of a piece; reused so that short texts allocate nothing.
#[derive(Default)]
pub(super) struct Merger {
    symbols: Vec<Symbol>,
    /// Rank in the upper half, index of the left symbol in the lower. Outdated entries stay in and are skipped.
    queue: BinaryHeap<Reverse<u64>>,
}

#[derive(Clone, Copy)]
struct Symbol {
    token: u32,
    /// Indices of the neighbours, or `NONE`.
    previous: u32,
    next: u32,
    /// Rank of the merge with the next symbol and the token that it makes; `NONE` if they don't merge, and for
    /// symbols that were merged into the one before.
    rank: u32,
    merged: u32,
    /// Where the text of the symbol ends.
    end: usize,
}

impl Merger {
    /// Appends a token whose text ends at byte `end`. A piece may have 2^32 - 2 tokens at most.
    pub(super) fn push(&mut self, token: u32, end: usize) {
        let at = self.symbols.len() as u32;
        let previous = at.checked_sub(1).unwrap_or(NONE);
        self.symbols.push(Symbol { token, previous, next: at + 1, rank: NONE, merged: NONE, end });
    }

    /// Merges what was pushed, gives the tokens and their ends to `emit` in order, and is empty again.
    pub(super) fn finish(&mut self, merges: &PairTable<'_>, emit: &mut impl FnMut(u32, usize)) {
        if let Some(last) = self.symbols.last_mut() {
            last.next = NONE;
        } else {
            return;
        }
        let mut waiting = std::mem::take(&mut self.queue).into_vec();
        for at in 1..self.symbols.len() {
            let right = self.symbols[at].token;
            let left = &mut self.symbols[at - 1];
            if let Some((rank, merged)) = merge_of(merges, left.token, right) {
                (left.rank, left.merged) = (rank, merged);
                waiting.push(entry(rank, at as u32 - 1));
            }
        }
        self.queue = BinaryHeap::from(waiting);
        while let Some(Reverse(top)) = self.queue.pop() {
            let (rank, at) = ((top >> 32) as u32, top as u32);
            if self.symbols[at as usize].rank == rank {
                self.merge(at, merges);
            }
        }
        let mut at = 0;
        while at != NONE {
            let symbol = self.symbols[at as usize];
            emit(symbol.token, symbol.end);
            at = symbol.next;
        }
        self.symbols.clear();
        self.symbols.shrink_to(KEPT);
        self.queue.shrink_to(KEPT);
    }

    /// Merges the symbol `at`, which has a rank and so a next symbol, with the next one.
    fn merge(&mut self, at: u32, merges: &PairTable<'_>) {
        let right = self.symbols[at as usize].next;
        let Symbol { next, end, .. } = self.symbols[right as usize];
        self.symbols[right as usize].rank = NONE;
        let symbol = &mut self.symbols[at as usize];
        (symbol.token, symbol.next, symbol.end) = (symbol.merged, next, end);
        let previous = symbol.previous;
        if next != NONE {
            self.symbols[next as usize].previous = at;
        }
        self.rank(at, merges);
        if previous != NONE {
            self.rank(previous, merges);
        }
    }

    /// Looks up whether the symbol `at` merges with the next one.
    fn rank(&mut self, at: u32, merges: &PairTable<'_>) {
        let Symbol { token, next, .. } = self.symbols[at as usize];
        let found = self.symbols.get(next as usize).and_then(|right| merge_of(merges, token, right.token));
        if let Some((rank, _)) = found {
            self.queue.push(entry(rank, at));
        }
        let symbol = &mut self.symbols[at as usize];
        (symbol.rank, symbol.merged) = found.unwrap_or((NONE, NONE));
    }
}

/// The rank of a pair's merge and the token that it makes.
fn merge_of(merges: &PairTable<'_>, left: u32, right: u32) -> Option<(u32, u32)> {
    // A damaged table must not make a pair of the symbols that have none.
    merges.get(left, right).filter(|(rank, _)| *rank != NONE)
}

fn entry(rank: u32, at: u32) -> Reverse<u64> {
    Reverse(u64::from(rank) << 32 | u64::from(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merge(merger: &mut Merger, entries: &[[u32; 4]], tokens: &[u32]) -> Vec<(u32, usize)> {
        let (bytes, probes) = PairTable::write(entries);
        tokens.iter().enumerate().for_each(|(at, token)| merger.push(*token, at + 1));
        let mut out = Vec::new();
        merger.finish(&PairTable::new(&bytes, probes), &mut |token, end| out.push((token, end)));
        out
    }

    #[test]
    fn ranks_then_places_decide() {
        // a = 1, b = 2, c = 3; bc before ab.
        let entries = [[2, 3, 0, 23], [1, 2, 1, 12], [1, 1, 2, 11], [11, 11, 3, 1111]];
        let mut merger = Merger::default();
        assert_eq!(merge(&mut merger, &entries, &[1, 2, 3]), [(1, 1), (23, 3)]);
        assert_eq!(merge(&mut merger, &entries, &[1, 2, 1]), [(12, 2), (1, 3)]);
        assert_eq!(merge(&mut merger, &entries, &[1, 1, 1]), [(11, 2), (1, 3)]);
        assert_eq!(merge(&mut merger, &entries, &[1, 1, 1, 1, 1, 1]), [(1111, 4), (11, 6)]);
        assert_eq!(merge(&mut merger, &entries, &[]), []);
        assert_eq!(merge(&mut merger, &entries, &[7]), [(7, 1)]);
        assert_eq!(merge(&mut merger, &[], &[7, 7]), [(7, 1), (7, 2)]);
    }

    #[test]
    fn a_rank_of_none_is_no_merge() {
        assert_eq!(merge(&mut Merger::default(), &[[1, 1, NONE, 5]], &[1, 1]), [(1, 1), (1, 2)]);
    }
}
