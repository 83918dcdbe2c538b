//! Feedback and smoothing over the head of a ranking.

#![allow(clippy::unwrap_used)] // Only functions marked as tests are exempt by default.

use std::time::Instant;

use proptest::prelude::*;
use xunpin_core::{DocId, Matrix};
use xunpin_query::fusion::{Candidate, LexicalWeight, Ranked, Weights, head_length, rank, refine};

const WEIGHT: LexicalWeight = LexicalWeight { whole: 0.0, any: 0.5 };

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let norm = dot(&vector, &vector).sqrt();
    vector.iter_mut().for_each(|value| *value /= norm);
    vector
}

/// Products with their vectors; the number of one is its position.
#[derive(Clone, Debug)]
struct Case {
    query: Vec<f32>,
    products: Vec<(Vec<f32>, f32)>,
}

impl Case {
    /// The result with number `number(at)` for the product at `at`: what was ranked and what was refined, the products
    /// told by their positions.
    fn run(&self, weights: &Weights, number: impl Fn(usize) -> u32) -> (Vec<Ranked>, Vec<Ranked>) {
        let mut at_of = std::collections::BTreeMap::new();
        let candidates = self.products.iter().enumerate().map(|(at, (vector, lexical))| {
            at_of.insert(number(at), at);
            let cosine = dot(vector, &self.query);
            Candidate { doc: DocId(number(at)), cosine, lexical: *lexical, coverage: 0.0 }
        });
        let mut ranked = rank(candidates.collect(), WEIGHT, weights);
        let first = ranked.clone();
        let head = &ranked[..head_length(&ranked, weights)];
        let rows = head.iter().flat_map(|one| self.products[at_of[&one.candidate.doc.0]].0.clone());
        let vectors = Matrix::new(rows.collect(), self.query.len());
        refine(&mut ranked, &self.query, &vectors, WEIGHT, weights);
        let told = |mut ranked: Vec<Ranked>| {
            for one in &mut ranked {
                one.candidate.doc = DocId(at_of[&one.candidate.doc.0] as u32);
            }
            ranked
        };
        (told(first), told(ranked))
    }
}

fn docs(ranked: &[Ranked]) -> Vec<u32> {
    ranked.iter().map(|one| one.candidate.doc.0).collect()
}

/// Evidence by product.
fn evidence(ranked: &[Ranked]) -> Vec<f32> {
    let mut ranked = ranked.to_vec();
    ranked.sort_by_key(|one| one.candidate.doc);
    ranked.iter().map(|one| one.evidence).collect()
}

fn close(found: &[f32], expected: &[f32]) -> bool {
    found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4)
}

/// The query points along the first axis. B and C are as near to it, on two sides of it; C holds a word.
fn small() -> Case {
    Case {
        query: vec![1.0, 0.0],
        products: vec![(vec![0.8, 0.6], 0.0), (vec![0.6, 0.8], 0.0), (vec![0.6, -0.8], 2.0)],
    }
}

fn small_weights() -> Weights {
    Weights {
        cosine_scale: 0.1,
        feedback: 0.5,
        feedback_products: 1,
        smoothing: 0.25,
        smoothing_neighbors: 1,
        ..Weights::default()
    }
}

#[test]
fn an_example_by_hand() {
    let (first, refined) = small().run(&small_weights(), |at| at as u32);
    // Cosines .8, .6, .6 in tenths, and half a point for each of C's two.
    assert!(close(&evidence(&first), &[8.0, 6.0, 7.0]));
    assert_eq!(docs(&first), [0, 2, 1]);
    // Feedback: (1, 0) and A's (.8, .6) make (.9, .3) / .948683, whose cosines are .948683, .822192 and .316228.
    // Smoothing: A and B are each other's nearest (cosine .96), C has none (cosines 0 and -.28); so
    // A .75 * 9.48683 + .25 * 8.22192 = 9.17060, B 8.53815, C 3.16228 + 1 = 4.16228.
    // Level: the mean was 7 and is 7.290343, so 0.290343 less for each.
    assert!(close(&evidence(&refined), &[8.88026, 8.24780, 3.87193]), "{refined:?}");
    assert_eq!(docs(&refined), [0, 1, 2], "what is like the best comes before a stray word");
    let kept: Vec<f32> = refined.iter().map(|one| one.first_evidence).collect();
    assert!(close(&kept, &[8.0, 6.0, 7.0]));
}

#[test]
fn feedback_alone_and_smoothing_alone() {
    let (_, refined) = small().run(&Weights { smoothing: 0.0, ..small_weights() }, |at| at as u32);
    // 9.48683, 8.22192, 4.16228, and the mean back to 7.
    assert!(close(&evidence(&refined), &[9.19649, 7.93158, 3.87193]), "{refined:?}");
    let (_, refined) = small().run(&Weights { feedback: 0.0, ..small_weights() }, |at| at as u32);
    // .75 * 8 + .25 * 6 and .75 * 6 + .25 * 8; the sum stays.
    assert!(close(&evidence(&refined), &[7.5, 6.5, 7.0]), "{refined:?}");
    assert_eq!(docs(&refined), [0, 2, 1]);
}

#[test]
fn a_neighbour_speaks_with_the_eighth_power_of_its_cosine() {
    // To A: B .96, C .8; evidence 10, 9.6, 8.
    let case = Case {
        query: vec![1.0, 0.0, 0.0],
        products: vec![(vec![1.0, 0.0, 0.0], 0.0), (vec![0.96, 0.28, 0.0], 0.0), (vec![0.8, 0.0, 0.6], 0.0)],
    };
    let weights = Weights { feedback: 0.0, smoothing: 0.5, smoothing_neighbors: 2, ..small_weights() };
    let (_, refined) = case.run(&weights, |at| at as u32);
    // Powers: AB .96^8 = .721390, AC .8^8 = .167772, BC .768^8 = .121030.
    let a = 5.0 + 0.5 * (0.721390 * 9.6 + 0.167772 * 8.0) / 0.889162;
    let b = 4.8 + 0.5 * (0.721390 * 10.0 + 0.121030 * 8.0) / 0.842420;
    let c = 4.0 + 0.5 * (0.167772 * 10.0 + 0.121030 * 9.6) / 0.288802;
    let shift = (27.6 - (a + b + c)) / 3.0;
    assert!(close(&evidence(&refined), &[a + shift, b + shift, c + shift]), "{refined:?}");
}

#[test]
fn too_little_to_refine() {
    let weights = Weights::default();
    let query = [1.0, 0.0];
    refine(&mut [], &query, &Matrix::default(), WEIGHT, &weights);
    for rows in [vec![], vec![0.6, 0.8]] {
        let candidate = Candidate { doc: DocId(3), cosine: 0.6, lexical: 0.0, coverage: 0.0 };
        let mut one = rank(vec![candidate], WEIGHT, &weights);
        let before = one.clone();
        refine(&mut one, &query, &Matrix::new(rows, 2), WEIGHT, &weights);
        assert_eq!(one, before, "one product has the score of its own evidence");
    }
}

/// Up to 40 products, some of them twins, and weights that make heads of all lengths.
fn cases() -> impl Strategy<Value = (Case, Weights)> {
    let vector = || {
        proptest::collection::vec(-1.0f32..1.0, 6).prop_map(|v| {
            // Never zero, and leaning to one side as embeddings do.
            unit(v.into_iter().enumerate().map(|(at, x)| if at == 0 { x + 2.0 } else { x }).collect())
        })
    };
    let lexical = prop_oneof![Just(0.0f32), 0.0f32..20.0];
    let products = proptest::collection::vec(((vector(), lexical), 1..4usize), 0..16);
    let twins = products.prop_map(|products| {
        products.into_iter().flat_map(|(product, copies)| vec![product; copies]).collect::<Vec<_>>()
    });
    let weights = (0..45usize, 1..20usize, 1..20usize, 0.0f32..0.9, 0.0f32..0.9);
    (vector(), twins, weights).prop_map(|(query, products, (head, speaking, near, feedback, smoothing))| {
        let weights = Weights {
            head,
            feedback,
            feedback_products: speaking,
            smoothing,
            smoothing_neighbors: near,
            ..Weights::default()
        };
        (Case { query, products }, weights)
    })
}

proptest! {
    #[test]
    fn the_same_products_in_one_order((case, weights) in cases()) {
        let (first, refined) = case.run(&weights, |at| at as u32);
        let length = head_length(&first, &weights);
        prop_assert!(length <= weights.head);
        prop_assert!(refined.iter().all(|one| one.evidence.is_finite()));
        prop_assert!(refined.is_sorted_by(|a, b| a.evidence >= b.evidence));
        let sorted = |ranked: &[Ranked]| { let mut docs = docs(ranked); docs.sort_unstable(); docs };
        prop_assert_eq!(sorted(&first[..length]), sorted(&refined[..length]));
        prop_assert_eq!(docs(&first[length..]), docs(&refined[length..]));
        for (before, after) in first[length..].iter().zip(&refined[length..]) {
            prop_assert!(after.evidence <= before.evidence);
            prop_assert_eq!(after.first_evidence, before.evidence);
        }
        let mean = |ranked: &[Ranked]| ranked.iter().map(|one| one.evidence).sum::<f32>() / length as f32;
        prop_assert!(length == 0 || (mean(&first[..length]) - mean(&refined[..length])).abs() < 1e-3);
    }

    #[test]
    fn numbers_do_not_matter((case, weights) in cases(), salt in any::<u32>()) {
        // Another number for each product, so another order among equals and another order of input.
        let (_, one) = case.run(&weights, |at| at as u32);
        let (_, other) = case.run(&weights, |at| (at as u32).wrapping_mul(2_654_435_761) ^ salt);
        // To the last bit.
        prop_assert_eq!(evidence(&one), evidence(&other));
        let mut shuffled = case.clone();
        shuffled.products.reverse();
        let (_, other) = shuffled.run(&weights, |at| at as u32);
        let mut reversed = evidence(&other);
        reversed.reverse();
        prop_assert_eq!(evidence(&one), reversed);
    }

    #[test]
    fn twins_stay_equal((case, weights) in cases()) {
        let (_, refined) = case.run(&weights, |at| at as u32);
        let evidence = evidence(&refined);
        for (at, pair) in case.products.windows(2).enumerate() {
            prop_assert!(pair[0] != pair[1] || evidence[at] == evidence[at + 1]);
        }
    }

    #[test]
    fn nothing_of_either_changes_nothing((case, weights) in cases()) {
        let weights = Weights { feedback: 0.0, smoothing: 0.0, ..weights };
        let (first, refined) = case.run(&weights, |at| at as u32);
        prop_assert_eq!(first, refined);
    }

    #[test]
    fn vectors_that_are_none_do_no_harm((case, weights) in cases(), every in 2..5usize, bad in 0..3usize) {
        let bad = [0.0, f32::NAN, f32::INFINITY][bad];
        let weights = Weights { head: 1_000, ..weights };
        let (first, _) = case.run(&weights, |at| at as u32);
        let gone = |one: &Ranked| one.candidate.doc.index().is_multiple_of(every);
        let vector = |one: &Ranked| match gone(one) {
            true => vec![bad; 6],
            false => case.products[one.candidate.doc.index()].0.clone(),
        };
        let run = |mut ranked: Vec<Ranked>| {
            let vectors = Matrix::new(ranked.iter().flat_map(vector).collect(), 6);
            refine(&mut ranked, &case.query, &vectors, WEIGHT, &weights);
            ranked
        };
        let (stayed, left): (Vec<Ranked>, Vec<Ranked>) = run(first.clone()).into_iter().partition(|r| gone(r));
        let before = first.iter().copied().partition::<Vec<Ranked>, _>(|r| gone(r));
        prop_assert_eq!(evidence(&stayed), evidence(&before.0));
        prop_assert_eq!(left, run(before.1));
    }
}

#[test]
#[ignore = "prints a time"]
fn time_of_a_head_of_100() {
    let mut state = 1u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.3
    };
    let products = (0..100).map(|_| (unit((0..768).map(|_| random()).collect()), random() * 9.0)).collect();
    let case = Case { query: unit((0..768).map(|_| random()).collect()), products };
    let weights = Weights::default();
    let candidates: Vec<Candidate> = (0..)
        .zip(&case.products)
        .map(|(doc, (vector, lexical))| Candidate {
            doc: DocId(doc),
            cosine: dot(vector, &case.query),
            lexical: *lexical,
            coverage: 0.0,
        })
        .collect();
    let ranked = rank(candidates, WEIGHT, &weights);
    let rows = ranked.iter().flat_map(|one| case.products[one.candidate.doc.index()].0.clone());
    let vectors = Matrix::new(rows.collect(), 768);
    let mut times: Vec<_> = (0..200)
        .map(|_| {
            let mut ranked = ranked.clone();
            let since = Instant::now();
            refine(&mut ranked, &case.query, &vectors, WEIGHT, &weights);
            since.elapsed()
        })
        .collect();
    times.sort();
    println!("head of 100 x 768: median {:?}, p95 {:?}", times[100], times[190]);
}
