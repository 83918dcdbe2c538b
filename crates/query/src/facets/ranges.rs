use xunpin_core::DocSet;

use super::{NumberFacet, NumberRange};
use crate::columns::Column;

/// Most ranges of a facet.
const MAX_RANGES: usize = 8;

/// Smallest, largest and ranges of the numbers in `column` among `docs`, of which `products` have a value; `None` if
/// fewer than half of those have a number.
pub(super) fn number_facet(column: &Column, docs: &DocSet, products: usize) -> Option<NumberFacet> {
    // The filter grammar has no order for these.
    if column.field().is_text() {
        return None;
    }
    // Smallest and largest number of each product.
    let mut spans: Vec<(f64, f64)> = Vec::new();
    let mut numbers: Vec<f64> = Vec::new();
    for doc in docs.iter() {
        let before = numbers.len();
        let found = column.values(doc).filter_map(|value| value.number()).filter(|number| !number.is_nan());
        numbers.extend(found.map(|number| number + 0.0));
        let own = &numbers[before..];
        if !own.is_empty() {
            let min = own.iter().copied().fold(f64::INFINITY, f64::min);
            let max = own.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            spans.push((min, max));
        }
    }
    numbers.sort_unstable_by(f64::total_cmp);
    let (min, max) = (*numbers.first()?, *numbers.last()?);
    if 2 * spans.len() < products {
        return None;
    }
    let bounds = round_bounds(&numbers);
    let mut ranges = Vec::new();
    if !bounds.is_empty() {
        let from = std::iter::once(None).chain(bounds.iter().copied().map(Some));
        let to = bounds.iter().copied().map(Some).chain([None]);
        for (from, to) in from.zip(to) {
            // Each comparison of a filter asks for some value of the product, not both for the same one.
            let within = |(min, max): &&(f64, f64)| {
                from.is_none_or(|from| *max >= from) && to.is_none_or(|to| *min < to)
            };
            ranges.push(NumberRange { from, to, count: spans.iter().filter(within).count() });
        }
    }
    Some(NumberFacet { min, max, ranges })
}

/// Rising round numbers that cut `numbers`, which rise, into at most [`MAX_RANGES`] parts of about equal size, each
/// above the smallest and at most the largest.
fn round_bounds(numbers: &[f64]) -> Vec<f64> {
    let quantile = |at: usize| numbers[at * (numbers.len() - 1) / MAX_RANGES];
    let mut quantiles: Vec<f64> = (0..=MAX_RANGES).map(quantile).collect();
    quantiles.dedup();
    let middle = |at: usize| quantiles[at] / 2.0 + quantiles[at + 1] / 2.0;
    let mut bounds: Vec<f64> = Vec::new();
    for at in 1..quantiles.len() {
        // Bounds are sought round each quantile, up to half the way to its neighbours, so that they rise.
        let low = middle(at - 1);
        let high = if at + 1 < quantiles.len() { middle(at) } else { quantiles[at] };
        if let Some(bound) = roundest(low, high, quantiles[at])
            && bound > quantiles[0]
            && bounds.last().is_none_or(|last| *last < bound)
        {
            bounds.push(bound);
        }
    }
    // The last quantile is the largest number: a bound there adds a range only where there is room for one more.
    bounds.truncate(MAX_RANGES - 1);
    bounds
}

/// The roundest number in `(low, high]`: a multiple of the largest possible 5, 2 or 1 times a power of ten, of those
/// the one nearest to `wanted`, which is in there.
fn roundest(low: f64, high: f64, wanted: f64) -> Option<f64> {
    if !(low < high && low.is_finite() && high.is_finite()) {
        return None;
    }
    let largest = low.abs().max(high.abs()).log10().ceil() as i32;
    // Past the 17th digit numbers are no longer told apart.
    for power in (largest - 17..=largest).rev() {
        for digit in [5.0, 2.0, 1.0] {
            // Dividing by a power of ten rounds right where multiplying by a tenth does not.
            let multiple = |n: f64| match power {
                0.. => n * digit * 10f64.powi(power),
                _ => n * digit / 10f64.powi(-power),
            };
            let nearest = (wanted / multiple(1.0)).round();
            let mut near = [nearest, nearest - 1.0, nearest + 1.0].into_iter().map(multiple);
            if let Some(found) = near.find(|n| *n > low && *n <= high) {
                return Some(found + 0.0);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roundest_number_of_an_interval() {
        for (low, high, expected) in [
            (83.0, 120.0, 100.0),
            (130.0, 180.0, 150.0),
            (101.0, 109.0, 105.0),
            (0.22, 0.33, 0.3),
            (-7.0, 12.0, 0.0),
            (-130.0, -83.0, -100.0),
            (999.0, 1_000.0, 1_000.0),
            (1_003.2, 1_003.9, 1_003.5),
            (100.0, 130.0, 120.0),
        ] {
            assert_eq!(roundest(low, high, low / 2.0 + high / 2.0), Some(expected), "({low}, {high}]");
        }
        assert_eq!(roundest(170.0, 450.0, 260.0), Some(200.0));
        assert_eq!(roundest(170.0, 450.0, 360.0), Some(400.0));
        assert_eq!(roundest(1.0, 1.0, 1.0), None);
        assert_eq!(roundest(1.0, f64::INFINITY, 2.0), None);
    }

    #[test]
    fn bounds_follow_the_numbers() {
        let prices: Vec<f64> = (1..=1_000).map(|n| (f64::from(n) / 1_000.0).powi(3) * 5_000.0).collect();
        let bounds = round_bounds(&prices);
        assert_eq!(bounds, [20.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 4_000.0]);
        assert!(round_bounds(&[5.0; 40]).is_empty());
        assert_eq!(round_bounds(&[1.0, 2.0]), [2.0]);
        assert!(round_bounds(&[3.0]).is_empty());
    }

    #[test]
    fn a_narrow_and_a_negative_spread() {
        let narrow: Vec<f64> = (0..=80).map(|n| 1_000.0 + f64::from(n) / 8.0).collect();
        let bounds = round_bounds(&narrow);
        assert!(bounds.len() >= 4 && bounds.is_sorted_by(|a, b| a < b), "{bounds:?}");
        assert!(bounds[0] > 1_000.0 && bounds[bounds.len() - 1] <= 1_010.0);
        let negative: Vec<f64> = (0..=80).map(|n| f64::from(n) - 40.0).collect();
        assert!(round_bounds(&negative).contains(&0.0));
    }
}
