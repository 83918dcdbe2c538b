//! DocIds of a segment whose numbers are not all there: what was deleted before it was made left gaps.

/// Which of the numbers from the first DocId to the last are rows.
pub(super) struct Gaps {
    present: Vec<u64>,
}

impl Gaps {
    /// `None` where there are none. `ids` rise.
    pub(super) fn of(ids: &[u32]) -> Option<Self> {
        let (first, last) = (*ids.first()?, *ids.last()?);
        let range = (last - first) as usize + 1;
        if range == ids.len() {
            return None;
        }
        let mut present = vec![0; range.div_ceil(64)];
        for id in ids {
            let at = (id - first) as usize;
            present[at / 64] |= 1u64 << (at % 64);
        }
        Some(Self { present })
    }

    /// Bits by distance from the first DocId as bits by row.
    pub(super) fn close(&self, words: &[u64]) -> Vec<u64> {
        let (mut closed, mut filled) = (vec![0u64], 0);
        // Appends the lowest `count` bits, above which there are none.
        let mut append = |bits: u64, count: u32| {
            if let Some(last) = closed.last_mut() {
                *last |= bits << filled;
            }
            if filled + count >= 64 {
                // In two steps, because a shift by 64 is none.
                closed.push(bits >> 1 >> (63 - filled));
            }
            filled = (filled + count) % 64;
        };
        for (word, &present) in words.iter().zip(&self.present) {
            let mut present = present;
            while present != 0 {
                let start = present.trailing_zeros();
                let count = (present >> start).trailing_ones();
                let run = u64::MAX >> (64 - count);
                append(word >> start & run, count);
                present &= !(run << start);
            }
        }
        closed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(bits: &[bool]) -> Vec<u64> {
        bits.chunks(64)
            .map(|c| (0..).zip(c).fold(0, |word, (at, bit)| word | u64::from(*bit) << at))
            .collect()
    }

    #[test]
    fn without_gaps_there_is_nothing_to_close() {
        assert!(Gaps::of(&[]).is_none() && Gaps::of(&[7]).is_none() && Gaps::of(&[7, 8, 9]).is_none());
    }

    proptest! {
        #[test]
        fn bits_of_absent_numbers_go(
            first in 0u32..1_000,
            numbers in prop::collection::vec((prop::bool::weighted(0.8), any::<bool>()), 1..400),
        ) {
            let ids: Vec<u32> = (first..).zip(&numbers).filter(|(_, (there, _))| *there).map(|(id, _)| id).collect();
            let Some(gaps) = Gaps::of(&ids) else { return Ok(()) };
            let skipped = (ids[0] - first) as usize;
            let rest = &numbers[skipped..];
            let set: Vec<bool> = rest.iter().map(|(_, set)| *set).collect();
            let rows: Vec<bool> = rest.iter().filter(|(there, _)| *there).map(|(_, set)| *set).collect();
            let mut closed = gaps.close(&words(&set));
            closed.truncate(rows.len().div_ceil(64));
            prop_assert_eq!(closed, words(&rows));
        }
    }
}
