mod blend;
mod cell;
mod child;
mod cold;
mod embed;
mod generate;
mod lengths;
mod nearest;
mod random;
mod recombine;
mod search;

pub(crate) use cell::cell;
pub(crate) use child::tell;
pub(crate) use cold::cold;
pub(crate) use embed::embed;
pub(crate) use generate::generate;
pub(crate) use nearest::{build, churn, probe};
pub(crate) use search::search;

/// `value` to so many digits after the point.
fn round(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}

/// The smallest of `values` that at least so many percent of them stay within (nearest rank); 0 of nothing. Sorts them.
fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get((values.len() * percent).div_ceil(100).saturating_sub(1)).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn percentiles_by_nearest_rank() {
        let mut values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!([0, 50, 99, 100].map(|p| super::percentile(&mut values, p)), [1.0, 100.0, 198.0, 200.0]);
        assert_eq!(super::percentile(&mut [], 50), 0.0);
    }
}
