//! How many candidates a walk must keep to find what is wanted: measured when a segment is built, because it depends on how many
//! vectors there are and on how they lie.

use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use xunpin_core::{DocSet, NearestError};
use xunpin_hnsw::Coder;

use super::Segment;
use super::search::{Accept, Query};
use crate::record::Width;
use crate::sample::displaced;
use crate::top::Top;

/// Queries of the sample.
const SAMPLE: usize = 256;
/// The sample must miss less than what may be missed, by this share: it is small, the first width that reaches something is often one
/// that was lucky, and queries that are near to no stored vector miss more than these.
const MARGIN: f64 = 0.6;
/// Numbers of results that are measured.
const DEPTHS: [usize; 2] = [10, 100];
/// Widths tried, as multiples of the number of results, in eighths.
const STEPS: [usize; 14] = [8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128, 256];
/// Where nothing was measured.
const UNKNOWN: usize = 128;

/// For each depth the least width at which the sample's recall is at least `target`; the greatest where none is. `None` soon after
/// `stop` has gone up.
pub(super) fn measure(
    segment: &Segment,
    target: f64,
    stop: &AtomicBool,
) -> Result<Option<Vec<Width>>, NearestError> {
    let stopped = || stop.load(Ordering::Relaxed);
    let rows = segment.record.rows as usize;
    let deepest = DEPTHS[DEPTHS.len() - 1];
    let none = DocSet::new();
    let accept = Accept { allowed: None, dead: &none };
    let coder = Coder::new(segment.vectors.dimension());
    let queries: Vec<(Vec<f32>, Vec<f32>)> = (0..rows)
        .step_by(rows.div_ceil(SAMPLE).max(1))
        .collect::<Vec<_>>()
        .into_par_iter()
        .take_any_while(|_| !stopped())
        .map(|row| {
            let values: Vec<f32> = segment.vectors.row(row)?.iter().map(|v| v.to_f32()).collect();
            let query = displaced(&values, row as u64);
            let (truth, _) = segment.scan(&query, deepest, accept)?;
            Ok((query, scores(truth)))
        })
        .collect::<Result<_, NearestError>>()?;
    let mut widths = Vec::new();
    if stopped() {
        return Ok(None);
    }
    for k in DEPTHS {
        let mut ef = k;
        for step in STEPS {
            ef = k * step / 8;
            if stopped() {
                return Ok(None);
            }
            let counts = queries.par_iter().map(|(query, truth)| {
                let (found, _) = segment.search(&Query::new(&coder, query), k, Some(ef), accept)?;
                let truth = &truth[..k.min(truth.len())];
                // By score: among equal vectors, each is as right as the other.
                let worst = truth.last().copied().unwrap_or(f32::INFINITY);
                Ok((
                    scores(found).iter().filter(|score| **score >= worst).count().min(truth.len()),
                    truth.len(),
                ))
            });
            let (found, wanted) =
                counts.try_reduce(|| (0, 0), |a, b| Ok::<_, NearestError>((a.0 + b.0, a.1 + b.1)))?;
            let least = 1.0 - (1.0 - target) * (1.0 - MARGIN);
            if found as f64 >= wanted as f64 * least {
                break;
            }
        }
        widths.push(Width { k: k as u32, ef: ef as u32 });
    }
    Ok(Some(widths))
}

fn scores(top: Top) -> Vec<f32> {
    top.into_sorted().iter().map(|neighbor| neighbor.score).collect()
}

/// The width for `k` results: between those measured in proportion, beyond them as the last.
pub(super) fn of(widths: &[Width], k: usize) -> usize {
    let at = widths.partition_point(|width| (width.k as usize) < k);
    match (at.checked_sub(1).and_then(|before| widths.get(before)), widths.get(at)) {
        (None, None) => UNKNOWN.max(2 * k),
        (None, Some(first)) => first.ef as usize,
        (Some(last), None) => (last.ef as usize * k).div_ceil(last.k as usize),
        (Some(a), Some(b)) => {
            let (span, step) = ((b.k - a.k) as usize, k - a.k as usize);
            let (low, high) = (a.ef as usize, (b.ef as usize).max(a.ef as usize));
            low + ((high - low) * step).div_ceil(span)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_between_and_beyond_the_measured_ones() {
        let widths = [Width { k: 10, ef: 40 }, Width { k: 100, ef: 150 }];
        let of = |k| super::of(&widths, k);
        assert_eq!((of(1), of(10), of(55), of(100), of(1_000)), (40, 40, 95, 150, 1_500));
        assert_eq!((super::of(&[], 10), super::of(&[], 100)), (128, 200));
        assert!((1..300).all(|k| of(k) <= of(k + 1)));
    }
}
