//! The two random choices of word2vec: which occurrences are passed over, and which words stand as noise.

use super::random::Random;

/// Draws words with probability proportional to `count^0.75` (Mikolov et al. 2013), by Vose's alias method: two
/// look-ups a draw, however many words.
pub(crate) struct NoiseTable {
    /// A draw of slot `i` gives `i` if a 32-bit number is below `keep[i]`, and `alias[i]` otherwise.
    keep: Vec<u32>,
    alias: Vec<u32>,
}

impl NoiseTable {
    pub(crate) fn new(counts: &[u64]) -> Self {
        // Square roots are exact to the last bit everywhere, `powf` is not.
        let weights: Vec<f64> =
            counts.iter().map(|&c| (c as f64).sqrt() * (c as f64).sqrt().sqrt()).collect();
        let mean = weights.iter().sum::<f64>() / counts.len().max(1) as f64;
        let mut scaled: Vec<f64> = weights.iter().map(|w| w / mean).collect();
        let mut keep = vec![u32::MAX; counts.len()];
        let mut alias: Vec<u32> = (0..counts.len() as u32).collect();
        let (mut small, mut large): (Vec<u32>, Vec<u32>) =
            (0..counts.len() as u32).partition(|&i| scaled[i as usize] < 1.0);
        while let (Some(low), Some(&high)) = (small.pop(), large.last()) {
            let (at, from) = (low as usize, high as usize);
            keep[at] = (scaled[at] * 4_294_967_296.0) as u32;
            alias[at] = high;
            scaled[from] -= 1.0 - scaled[at];
            if scaled[from] < 1.0 {
                large.pop();
                small.push(high);
            }
        }
        Self { keep, alias }
    }

    pub(crate) fn draw(&self, random: &mut Random) -> u32 {
        let slot = random.below(self.keep.len() as u32);
        let at = slot as usize;
        if random.bits() <= self.keep[at] { slot } else { self.alias[at] }
    }
}

/// Chance of each word to be kept: `min(1, (sqrt(f / t) + 1) * t / f)` with `f` the word's share of the corpus, as in
/// Mikolov's program (the paper's formula differs slightly). As a share of 2^32: a word is kept if it draws a number of
/// at most this. `threshold` 0 keeps everything.
pub(crate) fn keep_thresholds(counts: &[u64], threshold: f64) -> Vec<u32> {
    let total = counts.iter().sum::<u64>() as f64;
    let keep = |&count: &u64| {
        if threshold <= 0.0 {
            return u32::MAX;
        }
        let ratio = threshold * total / count.max(1) as f64;
        // A cast of a float saturates.
        ((ratio.sqrt() + ratio) * 4_294_967_296.0) as u32
    };
    counts.iter().map(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_follows_the_smoothed_counts() {
        let counts = [10_000, 1_000, 100, 10, 1, 1];
        let table = NoiseTable::new(&counts);
        let mut random = Random::new(7, [0, 0]);
        let mut drawn = [0u32; 6];
        for _ in 0..1_000_000 {
            drawn[table.draw(&mut random) as usize] += 1;
        }
        let total: f64 = counts.iter().map(|&c| (c as f64).powf(0.75)).sum();
        for (word, &count) in counts.iter().enumerate() {
            let expected = (count as f64).powf(0.75) / total * 1e6;
            let off = (f64::from(drawn[word]) - expected).abs();
            assert!(off < 5.0 * expected.sqrt(), "word {word}: {} of {expected}", drawn[word]);
        }
    }

    #[test]
    fn one_word_is_always_drawn() {
        let table = NoiseTable::new(&[3]);
        assert_eq!(table.draw(&mut Random::new(1, [0, 0])), 0);
    }

    #[test]
    fn frequent_words_are_passed_over_and_rare_ones_kept() {
        let keep = keep_thresholds(&[500_000, 499_000, 1_000], 1e-3);
        let share = f64::from(keep[0]) / 4_294_967_296.0;
        let expected = (1e-3f64 / 0.5).sqrt() + 1e-3 / 0.5;
        assert!((share - expected).abs() < 1e-6, "{share}");
        assert_eq!(keep[2], u32::MAX);
        assert_eq!(keep_thresholds(&[5, 1], 0.0), [u32::MAX; 2]);
    }
}
