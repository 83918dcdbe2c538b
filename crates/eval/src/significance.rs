//! The statistics behind [`compare`](crate::compare), on plain slices of paired differences.

use serde::Serialize;

use xunpin_core::SplitMix64;

/// Random sign assignments where there are too many to try all.
pub(crate) const SAMPLES: usize = 100_000;
/// With at most so many differences other than 0, all 2^n sign assignments are tried.
pub(crate) const EXACT_UP_TO: usize = 16;
/// Resamples behind an interval.
pub(crate) const RESAMPLES: usize = 10_000;
/// Share of the resampled means that an interval covers.
pub(crate) const CONFIDENCE: f64 = 0.95;
/// Where the random numbers begin; the bytes of `xunpin`.
pub(crate) const SEED: u64 = 0x7875_6e70_696e;

/// A range of values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Outcome of a randomisation test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SignFlip {
    /// Two-sided p value, above 0 and at most 1.
    pub(crate) p_value: f64,
    /// True if all sign assignments were tried, false if random ones were.
    pub(crate) exact: bool,
}

/// The paired two-sided randomisation test (Fisher's; Smucker, Allan and Carterette, CIKM 2007): if two systems were
/// alike, each query's difference could as well have the other sign, so p is the share of sign assignments whose
/// sum is at least as far from 0 as the one observed. Random assignments give (hits + 1) / (samples + 1), which
/// counts the observed one too and so is never 0 (Davison and Hinkley, "Bootstrap methods", 1997, section 4.2).
pub(crate) fn sign_flip_test(differences: &[f64]) -> SignFlip {
    // The sign of 0 changes no sum, so p is the same without them and fewer assignments need trying.
    let differences: Vec<f64> = differences.iter().copied().filter(|&d| d != 0.0).collect();
    let exact = differences.len() <= EXACT_UP_TO;
    let p_value = if exact { exact_p(&differences) } else { sampled_p(&differences, SAMPLES, SEED) };
    SignFlip { p_value, exact }
}

/// Tries all assignments; at most [`EXACT_UP_TO`] differences, none of them 0.
fn exact_p(differences: &[f64]) -> f64 {
    let Some(free) = differences.len().checked_sub(1) else { return 1.0 };
    let sums = SignSums::new(differences);
    // Turning all signs round gives the same distance from 0, so the last sign stays fixed.
    let patterns = 1u64 << free;
    let hits = (0..patterns).filter(|&pattern| sums.as_far_as_observed(|| pattern)).count();
    hits as f64 / patterns as f64
}

/// Tries `samples` random assignments.
fn sampled_p(differences: &[f64], samples: usize, seed: u64) -> f64 {
    let sums = SignSums::new(differences);
    let mut random = SplitMix64::new(seed);
    let hits = (0..samples).filter(|_| sums.as_far_as_observed(|| random.bits())).count();
    (hits + 1) as f64 / (samples + 1) as f64
}

/// Sums of differences under given signs, four differences at a time from tables.
struct SignSums {
    /// For each four differences, their sum under each of the 16 sign patterns; a set bit is the observed sign.
    tables: Vec<[f64; 16]>,
    /// Distance from 0 that counts as at least the observed one.
    threshold: f64,
}

impl SignSums {
    fn new(differences: &[f64]) -> Self {
        let table = |four: &[f64]| {
            std::array::from_fn(|pattern| {
                let signed = |(at, &d): (usize, &f64)| if pattern >> at & 1 == 1 { d } else { -d };
                four.iter().enumerate().map(signed).sum()
            })
        };
        let mut sums = Self { tables: differences.chunks(4).map(table).collect(), threshold: 0.0 };
        // Sums that are equal on paper differ in their last digits, and equal ones must count.
        let rounding = 1e-11 * differences.iter().map(|d| d.abs()).sum::<f64>();
        sums.threshold = sums.sum(|| u64::MAX).abs() - rounding;
        sums
    }

    /// The sum under the signs that `bits` gives, 64 at a call.
    fn sum(&self, mut bits: impl FnMut() -> u64) -> f64 {
        let mut sum = 0.0;
        for tables in self.tables.chunks(16) {
            let mut pattern = bits();
            for table in tables {
                sum += table[(pattern & 15) as usize];
                pattern >>= 4;
            }
        }
        sum
    }

    fn as_far_as_observed(&self, bits: impl FnMut() -> u64) -> bool {
        self.sum(bits).abs() >= self.threshold
    }
}

/// The bootstrap's percentile interval of the mean (Efron and Tibshirani, "An introduction to the bootstrap", 1993,
/// chapter 13): the middle 95% of the means of 10,000 samples drawn with replacement. `None` of nothing.
pub(crate) fn bootstrap_interval(differences: &[f64]) -> Option<Interval> {
    let n = differences.len();
    let mut random = SplitMix64::new(SEED);
    let mut means: Vec<f64> = match n {
        0 => return None,
        _ => (0..RESAMPLES)
            .map(|_| (0..n).map(|_| differences[random.below(n)]).sum::<f64>() / n as f64)
            .collect(),
    };
    means.sort_unstable_by(f64::total_cmp);
    let cut = ((1.0 - CONFIDENCE) / 2.0 * RESAMPLES as f64).round() as usize;
    Some(Interval { low: means[cut], high: means[RESAMPLES - 1 - cut] })
}

/// Corrects p values, in the order given, for coming from several tests at a time (Holm, "A simple sequentially
/// rejective multiple test procedure", Scandinavian Journal of Statistics 6(2), 1979): the smallest is multiplied by the
/// number of tests, the next by one less, and so on; none is below a smaller one's, none above 1. If results below .05
/// are then called significant, the chance that any of them is so by accident is at most .05.
///
/// ```
/// assert_eq!(xunpin_eval::holm(&[0.5, 0.01, 0.25]), [0.5, 0.03, 0.5]);
/// ```
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]).then(a.cmp(&b)));
    let mut corrected = vec![0.0; p_values.len()];
    let mut largest: f64 = 0.0;
    for (rank, &at) in order.iter().enumerate() {
        largest = largest.max((p_values.len() - rank) as f64 * p_values[at]).min(1.0);
        corrected[at] = largest;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn p_values_by_hand() {
        let p = |differences: &[f64]| sign_flip_test(differences).p_value;
        assert_eq!(p(&[]), 1.0);
        assert_eq!(p(&[0.0, 0.0]), 1.0);
        assert_eq!(p(&[0.3]), 1.0, "one query shows nothing: its sign may be either");
        assert_eq!(p(&[0.1; 5]), 2.0 / 32.0, "only all plus and all minus are as far from 0");
        // Of ±1 ±2 ±4, sums at least 5 from 0: +-(1+2+4), +-(-1+2+4); 1-2... stay below.
        assert_eq!(p(&[-1.0, 2.0, 4.0]), 4.0 / 8.0);
        assert_eq!(p(&[0.1, -0.1]), 1.0, "a sum of 0 is as far from 0 as any");
        // 0.1 + 0.2 and 0.3 differ in the last digit but are a tie: 8 of the 8 sums are 0 or farther.
        assert_eq!(p(&[0.1, 0.2, -0.3]), 1.0);
    }

    #[test]
    fn all_assignments_up_to_sixteen_differences_then_random_ones() {
        let mut differences = vec![0.1; EXACT_UP_TO];
        differences.extend([0.0; 100]);
        let all = sign_flip_test(&differences);
        assert_eq!(all, SignFlip { p_value: 2.0 / 65_536.0, exact: true });
        differences.push(0.1);
        assert!(!sign_flip_test(&differences).exact);
        let many = sign_flip_test(&[0.1; 500]);
        assert_eq!(many.p_value, 1.0 / 100_001.0, "no random assignment reaches it");
    }

    #[test]
    fn the_interval_of_equal_differences_is_a_point_and_others_lie_inside() {
        assert_eq!(bootstrap_interval(&[]), None);
        let point = bootstrap_interval(&[0.25; 8]).unwrap();
        assert_eq!((point.low, point.high), (0.25, 0.25));
        // The mean of 400 values that are 0 or 1 by turns has the standard error .025: .5 ± 1.96 * .025.
        let turns: Vec<f64> = (0..400).map(|n| f64::from(n % 2)).collect();
        let interval = bootstrap_interval(&turns).unwrap();
        assert!(
            (interval.low - 0.451).abs() < 0.004 && (interval.high - 0.549).abs() < 0.004,
            "{interval:?}"
        );
    }

    #[test]
    fn holm_by_hand() {
        let corrected = holm(&[0.04, 0.01, 0.03, 0.005]);
        for (got, expected) in corrected.iter().zip([0.06, 0.03, 0.06, 0.02]) {
            assert!((got - expected).abs() < 1e-12, "{corrected:?}");
        }
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }

    /// Differences as metrics give them: some 0, some equal.
    fn differences(n: std::ops::Range<usize>) -> impl Strategy<Value = Vec<f64>> {
        let one = prop_oneof![Just(0.0), Just(0.5), Just(-0.5), Just(0.25), -1.0..1.0];
        prop::collection::vec(one, n)
    }

    proptest! {
        #[test]
        fn the_order_of_the_systems_turns_signs_and_nothing_else(differences in differences(1..60)) {
            let turned: Vec<f64> = differences.iter().map(|d| -d).collect();
            let (one, other) = (sign_flip_test(&differences), sign_flip_test(&turned));
            prop_assert_eq!(one, other);
            prop_assert!(one.p_value > 0.0 && one.p_value <= 1.0);
            let (one, other) =
                (bootstrap_interval(&differences).unwrap(), bootstrap_interval(&turned).unwrap());
            prop_assert_eq!((one.low, one.high), (-other.high, -other.low));
            prop_assert!(one.low <= one.high);
        }

        #[test]
        fn random_assignments_come_near_to_all_of_them(differences in differences(1..13), seed: u64) {
            let nonzero: Vec<f64> = differences.into_iter().filter(|&d| d != 0.0).collect();
            let (all, random) = (exact_p(&nonzero), sampled_p(&nonzero, 20_000, seed));
            // Five standard errors of a share of 20,000 are at most .018.
            prop_assert!((all - random).abs() < 0.02, "{all} {random}");
        }

        #[test]
        fn correction_keeps_the_order_and_never_lowers(p in prop::collection::vec(0.0..=1.0, 0..10)) {
            let corrected = holm(&p);
            for (a, corrected_a) in p.iter().zip(&corrected) {
                prop_assert!(corrected_a >= a && *corrected_a <= 1.0);
                for (b, corrected_b) in p.iter().zip(&corrected) {
                    prop_assert!(a > b || corrected_a <= corrected_b);
                }
            }
        }
    }
}
