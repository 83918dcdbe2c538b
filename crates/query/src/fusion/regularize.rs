//! Feedback and smoothing over the head of a ranking.

use xunpin_core::Matrix;

use super::{LexicalWeight, Ranked, Weights, evidence};
use crate::dot::dot;

/// Gives every product of `head` the evidence that feedback and smoothing leave it; products without a usable vector
/// (gone meanwhile) keep theirs and have no part in it. A single one keeps its own. The order of `head` stays as it is.
pub(super) fn refine(
    head: &mut [Ranked],
    query: &[f32],
    vectors: &Matrix,
    weight: LexicalWeight,
    weights: &Weights,
) {
    let rows: Vec<Option<&[f32]>> = vectors.iter().take(head.len()).map(usable).collect();
    if rows.iter().flatten().count() < 2 {
        return;
    }
    let level = mean(head, &rows);
    if weights.feedback > 0.0 {
        let expanded = expand(query, &rows, weights);
        for (one, row) in head.iter_mut().zip(&rows) {
            if let Some(row) = row {
                one.evidence = evidence(dot(&expanded, row), &one.candidate, weight, weights);
            }
        }
    }
    if weights.smoothing > 0.0 {
        smooth(head, &rows, weights);
    }
    // A vector with products mixed in is nearer to all products, good matches or not: only differences mean something.
    let shift = level - mean(head, &rows);
    for (one, _) in head.iter_mut().zip(&rows).filter(|(_, row)| row.is_some()) {
        one.evidence += shift;
    }
}

fn usable(row: &[f32]) -> Option<&[f32]> {
    let square = dot(row, row);
    (square.is_finite() && square > 0.0).then_some(row)
}

/// The mean evidence of the products that have a vector, of which there are some.
fn mean(head: &[Ranked], rows: &[Option<&[f32]>]) -> f32 {
    let having = head.iter().zip(rows).filter(|(_, row)| row.is_some());
    let (sum, count) = having.fold((0f32, 0), |(sum, count), (one, _)| (sum + one.evidence, count + 1));
    sum / count as f32
}

/// The query's vector with the direction of the best products' mean mixed in, of unit length.
fn expand(query: &[f32], rows: &[Option<&[f32]>], weights: &Weights) -> Vec<f32> {
    let mut mean = vec![0f32; query.len()];
    for row in rows.iter().flatten().take(weights.feedback_products) {
        for (sum, value) in mean.iter_mut().zip(*row) {
            *sum += value;
        }
    }
    let (share, length) = (weights.feedback, dot(&mean, &mean).sqrt());
    // Vectors may cancel out to nothing but rounding, which has no direction.
    if length < 1e-6 {
        return query.to_vec();
    }
    let mut expanded: Vec<f32> =
        query.iter().zip(&mean).map(|(q, m)| (1.0 - share) * q + share * m / length).collect();
    let length = dot(&expanded, &expanded).sqrt();
    if length < 1e-6 {
        return query.to_vec();
    }
    expanded.iter_mut().for_each(|value| *value /= length);
    expanded
}

/// Mixes each product's evidence with the mean of its nearest neighbours', weighted by the eighth power of the cosine:
/// a neighbour at .9 counts as much as five at .74.
fn smooth(head: &mut [Ranked], rows: &[Option<&[f32]>], weights: &Weights) {
    let n = rows.len();
    let mut affinity = vec![0f32; n * n];
    for a in 0..n {
        for b in 0..a {
            if let (Some(x), Some(y)) = (rows[a], rows[b]) {
                let value = dot(x, y).max(0.0).powi(8);
                affinity[a * n + b] = value;
                affinity[b * n + a] = value;
            }
        }
    }
    let before: Vec<f32> = head.iter().map(|one| one.evidence).collect();
    let mut nearest: Vec<usize> = Vec::with_capacity(n);
    for (a, one) in head.iter_mut().enumerate().take(n) {
        let row = &affinity[a * n..(a + 1) * n];
        nearest.clear();
        nearest.extend((0..n).filter(|&b| b != a && row[b] > 0.0));
        // By what a neighbour contributes, never by its place, and summed in that order: so products with equal
        // vectors and evidence come out equal to the last bit, and stay in the order of their ids.
        let order = |x: &usize, y: &usize| {
            row[*y].total_cmp(&row[*x]).then(before[*y].total_cmp(&before[*x])).then(x.cmp(y))
        };
        if nearest.len() > weights.smoothing_neighbors {
            nearest.select_nth_unstable_by(weights.smoothing_neighbors, order);
            nearest.truncate(weights.smoothing_neighbors);
        }
        nearest.sort_unstable_by(order);
        let (mut sum, mut mass) = (0f32, 0f32);
        for &b in &nearest {
            sum += row[b] * before[b];
            mass += row[b];
        }
        if mass > 0.0 {
            one.evidence = (1.0 - weights.smoothing) * before[a] + weights.smoothing * sum / mass;
        }
    }
}
