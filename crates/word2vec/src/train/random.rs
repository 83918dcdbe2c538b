use xunpin_core::SplitMix64;

/// The random numbers of one piece of work. A seed must give the same ones for as long as the file
/// format lives.
#[derive(Clone, Debug)]
pub(crate) struct Random(SplitMix64);

impl Random {
    /// Pieces with other `parts` draw independent numbers.
    pub(crate) fn new(seed: u64, parts: [u64; 2]) -> Self {
        let seed = parts.into_iter().fold(seed, |seed, part| SplitMix64::new(seed ^ part).bits());
        Self(SplitMix64::new(seed))
    }

    /// The next 32 random bits.
    pub(crate) fn bits(&mut self) -> u32 {
        (self.0.bits() >> 32) as u32
    }

    /// A number below `bound`; 0 where `bound` is 0. The bias of the multiplication is below `bound / 2^32`.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.bits()) * u64::from(bound)) >> 32) as u32
    }

    /// Uniform in [0, 1), 24 bits.
    pub(crate) fn unit(&mut self) -> f32 {
        self.0.unit()
    }

    /// Fisher-Yates.
    pub(crate) fn shuffle(&mut self, items: &mut [u32]) {
        for last in (1..items.len()).rev() {
            // At most 2^32 items: there are no more u32 to tell them apart.
            let other = self.below((last + 1) as u32) as usize;
            items.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_and_pieces_differ() {
        let mut random = Random::new(1, [0, 0]);
        for _ in 0..1_000 {
            assert!(random.below(7) < 7);
            assert!((0.0..1.0).contains(&random.unit()));
        }
        let first = |a, b| Random::new(1, [a, b]).bits();
        assert!(first(0, 1) != first(1, 0) && first(0, 0) != first(0, 1));
        let mut items: Vec<u32> = (0..50).collect();
        random.shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
