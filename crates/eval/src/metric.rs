use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::MAX_GRADE;

/// A measure of one ranking, 0 to 1, higher is better, and how many results it looks at. Written `ndcg@10`,
/// `mrr@10`, `recall@100`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Normalised discounted cumulative gain: the sum of `(2^grade - 1) / log2(rank + 1)` over the first results,
    /// divided by the same sum for the best possible ranking of the judged documents. The discount is that of
    /// Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques" (ACM TOIS 20(4), 2002); the
    /// exponential gain is that of Burges et al., "Learning to rank using gradient descent" (ICML 2005).
    Ndcg(usize),
    /// Reciprocal rank: 1 / rank of the first result with at least
    /// [`EvalOptions::reciprocal_rank_grade`](crate::EvalOptions::reciprocal_rank_grade); 0 if the first results
    /// have none. Its mean is the MRR of Voorhees, "The TREC-8 question answering track report" (1999).
    ReciprocalRank(usize),
    /// Recall: the share of the relevant documents (grade >= 1) that is among the first results.
    Recall(usize),
}

impl Metric {
    /// How many results the metric looks at.
    pub fn depth(self) -> usize {
        match self {
            Self::Ndcg(depth) | Self::ReciprocalRank(depth) | Self::Recall(depth) => depth,
        }
    }

    /// The value for one query. `ranked` holds the grades of the results in rank order, 0 for those nobody judged;
    /// `judged` holds the grades of all judged documents, highest first.
    pub(crate) fn score(self, ranked: &[i32], judged: &[i32], reciprocal_rank_grade: i32) -> f64 {
        let top = &ranked[..ranked.len().min(self.depth())];
        match self {
            Self::Ndcg(depth) => ndcg(ranked, judged, depth),
            Self::ReciprocalRank(_) => {
                let first = top.iter().position(|&grade| grade >= reciprocal_rank_grade);
                first.map_or(0.0, |at| 1.0 / (at + 1) as f64)
            }
            Self::Recall(_) => {
                let relevant = judged.iter().filter(|&&grade| grade >= 1).count();
                let found = top.iter().filter(|&&grade| grade >= 1).count();
                if relevant > 0 { found as f64 / relevant as f64 } else { 0.0 }
            }
        }
    }
}

/// nDCG of one ranking as [`Metric::Ndcg`] has it, 0 to 1, on plain grades, for a tuner that scores thousands of
/// rankings. `ranked` holds the grades of the results in rank order, 0 for those nobody judged; `judged` the grades of
/// all judged documents, in any order, though highest first saves sorting them. 0 if nothing is relevant or `k` is 0.
///
/// ```
/// assert_eq!(xunpin_eval::ndcg(&[3, 0, 1], &[0, 1, 3], 1), 1.0);
/// ```
pub fn ndcg(ranked: &[i32], judged: &[i32], k: usize) -> f64 {
    let mut judged = Cow::Borrowed(judged);
    if !judged.is_sorted_by(|a, b| a >= b) {
        judged.to_mut().sort_unstable_by(|a, b| b.cmp(a));
    }
    let ideal = discounted_gain(&judged[..judged.len().min(k)]);
    if ideal > 0.0 { discounted_gain(&ranked[..ranked.len().min(k)]) / ideal } else { 0.0 }
}

fn discounted_gain(grades: &[i32]) -> f64 {
    const KNOWN: usize = 128;
    static DISCOUNTS: LazyLock<[f64; KNOWN]> = LazyLock::new(|| std::array::from_fn(discount));
    let discount_of = |at: usize| DISCOUNTS.get(at).copied().unwrap_or_else(|| discount(at));
    let gain = |grade: i32| ((1u64 << grade.clamp(0, MAX_GRADE)) - 1) as f64;
    grades.iter().enumerate().map(|(at, &grade)| gain(grade) / discount_of(at)).sum()
}

/// By how much a result at position `at`, from 0, counts less.
fn discount(at: usize) -> f64 {
    ((at + 2) as f64).log2()
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ndcg(depth) => write!(f, "ndcg@{depth}"),
            Self::ReciprocalRank(depth) => write!(f, "mrr@{depth}"),
            Self::Recall(depth) => write!(f, "recall@{depth}"),
        }
    }
}

/// A metric's name was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no metric; expected ndcg@K, mrr@K or recall@K with K of at least 1, such as ndcg@10")]
pub struct ParseMetricError {
    /// What was given.
    pub name: String,
}

impl FromStr for Metric {
    type Err = ParseMetricError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseMetricError { name: name.to_owned() };
        let (kind, depth) = name.trim().split_once('@').ok_or_else(wrong)?;
        let depth = depth.parse().ok().filter(|&depth| depth >= 1).ok_or_else(wrong)?;
        match kind.to_ascii_lowercase().as_str() {
            "ndcg" => Ok(Self::Ndcg(depth)),
            "mrr" => Ok(Self::ReciprocalRank(depth)),
            "recall" => Ok(Self::Recall(depth)),
            _ => Err(wrong()),
        }
    }
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Metric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    #[test]
    fn ndcg_by_hand() {
        // Gains 7, 0, 1 at discounts 1, log2(3), 2; the ideal order is 3, 2, 1.
        let ranked = [3, 0, 1];
        let ideal = 7.0 + 3.0 / 3f64.log2() + 0.5;
        assert!(close(Metric::Ndcg(10).score(&ranked, &[3, 2, 1, 0], 1), 7.5 / ideal));
        assert!(close(Metric::Ndcg(1).score(&ranked, &[3, 2, 1, 0], 1), 1.0));
        assert!(close(Metric::Ndcg(10).score(&[3, 2, 1], &[3, 2, 1], 1), 1.0));
        assert_eq!(Metric::Ndcg(10).score(&[], &[3], 1), 0.0);
    }

    #[test]
    fn plain_grades_give_what_the_metric_gives() {
        let ranked: Vec<i32> = (0..200).map(|at| at * 7 % 5 - 1).collect();
        let mut judged = ranked.clone();
        judged.extend([3, 2, 3]);
        let unsorted = ndcg(&ranked, &judged, 150);
        judged.sort_unstable_by(|a, b| b.cmp(a));
        for k in [1, 10, 150, 1_000] {
            assert_eq!(ndcg(&ranked, &judged, k), Metric::Ndcg(k).score(&ranked, &judged, 1));
        }
        assert_eq!(unsorted, ndcg(&ranked, &judged, 150));
        assert!(close(
            ndcg(&[1], &[MAX_GRADE, 1], 10),
            1.0 / (2f64.powi(MAX_GRADE) - 1.0 + 1.0 / 3f64.log2())
        ));
        assert_eq!(ndcg(&[3], &[3], 0), 0.0);
        assert_eq!(ndcg(&[0], &[0, -1], 10), 0.0);
    }

    #[test]
    fn negative_grades_gain_nothing() {
        assert!(close(Metric::Ndcg(10).score(&[-2, 1], &[1, -2], 1), 1.0 / 3f64.log2()));
        assert_eq!(Metric::Recall(10).score(&[-2], &[1, -2], 1), 0.0);
    }

    #[test]
    fn reciprocal_rank_honours_depth_and_grade() {
        let ranked = [0, 1, 0, 2];
        assert_eq!(Metric::ReciprocalRank(10).score(&ranked, &[2, 1], 1), 0.5);
        assert_eq!(Metric::ReciprocalRank(10).score(&ranked, &[2, 1], 2), 0.25);
        assert_eq!(Metric::ReciprocalRank(3).score(&ranked, &[2, 1], 2), 0.0);
    }

    #[test]
    fn recall_counts_relevant_documents_within_depth() {
        assert_eq!(Metric::Recall(2).score(&[1, 0, 3], &[3, 2, 1, 1, 0], 1), 0.25);
        assert_eq!(Metric::Recall(3).score(&[1, 0, 3], &[3, 2, 1, 1, 0], 1), 0.5);
    }

    #[test]
    fn names_round_trip_and_wrong_ones_are_explained() {
        for metric in [Metric::Ndcg(10), Metric::ReciprocalRank(1), Metric::Recall(100)] {
            assert_eq!(metric.to_string().parse(), Ok(metric));
        }
        for name in ["ndcg", "ndcg@0", "ndcg@", "ndcg@-1", "map@10", ""] {
            let message = name.parse::<Metric>().unwrap_err().to_string();
            assert!(message.starts_with(&format!("`{name}` is no metric; expected ndcg@K")), "{message}");
        }
    }
}
