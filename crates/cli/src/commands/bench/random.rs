use xunpin_core::SplitMix64;

/// What is drawn for a generated product: what a seed gives stays the same for good, so that a generated index can be
/// made again.
pub(super) struct Random(SplitMix64);

impl Random {
    /// The sequence of product number `at` under `seed`: products don't depend on how many there are.
    pub(super) fn of(seed: u64, at: u64) -> Self {
        Self(SplitMix64::new(SplitMix64::new(seed).bits() ^ SplitMix64::new(at).bits()))
    }

    /// 0 to below 1.
    pub(super) fn unit(&mut self) -> f32 {
        self.0.unit()
    }

    /// 0 to below `n`; 0 for 0.
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0.below(n)
    }

    /// One of `items`; none of none.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }
}
