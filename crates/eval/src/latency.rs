use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long a set of operations took, in milliseconds. A percentile is the smallest time that at least so many
/// percent of the operations stayed within (nearest rank).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Number of operations.
    pub count: usize,
    /// Mean.
    pub mean_ms: f64,
    /// Median.
    pub p50_ms: f64,
    /// 95th percentile.
    pub p95_ms: f64,
    /// Longest.
    pub max_ms: f64,
}

impl Latency {
    /// Sums up `times`, in any order; `None` if there are none.
    pub fn of(times: &[Duration]) -> Option<Self> {
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        let last = sorted.last()?;
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let percentile = |percent: usize| ms(sorted[(sorted.len() * percent).div_ceil(100) - 1]);
        Some(Self {
            count: sorted.len(),
            mean_ms: sorted.iter().copied().map(ms).sum::<f64>() / sorted.len() as f64,
            p50_ms: percentile(50),
            p95_ms: percentile(95),
            max_ms: ms(*last),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_by_nearest_rank() {
        let times: Vec<Duration> = (1..=20).rev().map(Duration::from_millis).collect();
        let latency = Latency::of(&times).unwrap();
        assert_eq!((latency.count, latency.p50_ms, latency.p95_ms, latency.max_ms), (20, 10.0, 19.0, 20.0));
        assert!((latency.mean_ms - 10.5).abs() < 1e-9);
        let one = Latency::of(&times[..1]).unwrap();
        assert_eq!((one.p50_ms, one.p95_ms), (20.0, 20.0));
        assert_eq!(Latency::of(&[]), None);
    }
}
