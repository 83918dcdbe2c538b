//! Loops over rows against the same formulas in 64 bits, and bit for bit among instruction sets.

mod common;

use common::{Random, bits};
use half::bf16;
use proptest::prelude::*;
use xunpin_kernels::{GROUP, Gate, Isa, group_count, vector};

const GATES: [Gate; 6] = [Gate::Identity, Gate::Gelu, Gate::GeluTanh, Gate::Relu, Gate::Silu, Gate::Tanh];

/// What `run` makes of copies of `values`, which must be the same bits for every instruction set.
fn on_all(values: &[f32], run: impl Fn(Isa, &mut [f32])) -> Vec<f32> {
    let of = |isa: Isa| {
        let mut values = values.to_vec();
        run(isa, &mut values);
        values
    };
    let want = of(Isa::available()[0]);
    for isa in Isa::available() {
        assert_eq!(bits(&of(isa)), bits(&want), "{}", isa.name());
    }
    want
}

fn assert_close(got: &[f32], want: &[f64], bound: f64) {
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        assert!((f64::from(*got) - want).abs() <= bound * want.abs().max(1.0), "{got} is not {want}");
    }
}

/// The series of all positive terms, which loses no digits.
fn erf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= 2.0 * x * x / f64::from(2 * n + 1);
        sum += term;
    }
    if x.abs() > 7.0 { x.signum() } else { 2.0 / std::f64::consts::PI.sqrt() * (-x * x).exp() * sum }
}

fn exact(gate: Gate, x: f64) -> f64 {
    match gate {
        Gate::Gelu => 0.5 * x * (1.0 + erf(x / 2f64.sqrt())),
        Gate::GeluTanh => {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
            0.5 * x * (1.0 + inner.tanh())
        }
        Gate::Relu => x.max(0.0),
        Gate::Silu => x / (1.0 + (-x).exp()),
        Gate::Tanh => x.tanh(),
        _ => x,
    }
}

/// Rows of every length around the width of registers, and one of a model.
fn lengths() -> impl Iterator<Item = usize> {
    (1..70).chain([768])
}

#[test]
fn norms_agree_with_their_formulas() {
    for length in lengths() {
        let mut random = Random::new(length as u64);
        let (x, weight, bias, before) =
            (random.units(length), random.units(length), random.units(length), random.units(length));
        let eps = 1e-6f32;
        let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<f64>>();
        let (x64, weight64, bias64) = (wide(&x), wide(&weight), wide(&bias));
        let count = length as f64;
        let factor = 1.0 / (x64.iter().map(|v| v * v).sum::<f64>() / count + f64::from(eps)).sqrt();
        let want: Vec<f64> = x64.iter().zip(&weight64).map(|(x, w)| x * factor * w).collect();
        assert_close(&on_all(&before, |isa, out| vector::rms_norm(isa, &x, &weight, eps, out)), &want, 1e-6);
        let want: Vec<f64> = want.iter().zip(&before).map(|(a, b)| a + f64::from(*b)).collect();
        assert_close(
            &on_all(&before, |isa, out| vector::add_rms_norm(isa, &x, &weight, eps, out)),
            &want,
            1e-6,
        );

        // Around a mean that is large beside the spread; with an eps that keeps one value alone from being divided by 0.
        let shifted: Vec<f32> = x.iter().map(|x| x + 10.0).collect();
        let x64 = wide(&shifted);
        let mean = x64.iter().sum::<f64>() / count;
        let variance = x64.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
        let factor = 1.0 / (variance + 1e-2).sqrt();
        let want: Vec<f64> =
            (0..length).map(|at| (x64[at] - mean) * factor * weight64[at] + bias64[at]).collect();
        let got = on_all(&before, |isa, out| vector::layer_norm(isa, &shifted, &weight, &bias, 1e-2, out));
        assert_close(&got, &want, 3e-5);
    }
}

#[test]
fn sums_products_and_turns_agree_with_their_formulas() {
    for length in lengths() {
        let mut random = Random::new(length as u64);
        let (x, before) = (random.units(length), random.units(length));
        let pairs = || x.iter().zip(&before);
        let want: Vec<f32> = pairs().map(|(x, y)| y + x).collect();
        assert_eq!(on_all(&before, |isa, out| vector::add(isa, &x, out)), want);
        let want: Vec<f32> = pairs().map(|(x, y)| y * x).collect();
        assert_eq!(on_all(&before, |isa, out| vector::multiply(isa, &x, out)), want);
        let want: Vec<f32> = before.iter().map(|y| y * 0.3).collect();
        assert_eq!(on_all(&before, |isa, out| vector::scale(isa, 0.3, out)), want);

        let head = random.units(2 * length);
        let turns: Vec<f64> = (0..length).map(|at| at as f64 * 0.7).collect();
        let angles: Vec<f32> =
            turns.iter().map(|a| a.cos() as f32).chain(turns.iter().map(|a| a.sin() as f32)).collect();
        let want: Vec<f64> = (0..2 * length)
            .map(|at| {
                let (low, high) = (f64::from(head[at % length]), f64::from(head[at % length + length]));
                let (cos, sin) = (turns[at % length].cos(), turns[at % length].sin());
                if at < length { low * cos - high * sin } else { high * cos + low * sin }
            })
            .collect();
        assert_close(&on_all(&head, |isa, head| vector::rotate(isa, &angles, head)), &want, 1e-6);
    }
}

#[test]
fn softmax_gives_shares_of_one() {
    for length in lengths() {
        let scores: Vec<f32> = Random::new(length as u64).units(length).iter().map(|v| v * 40.0).collect();
        let got = on_all(&scores, vector::softmax);
        let total: f64 = scores.iter().map(|s| f64::from(*s).exp()).sum();
        let want: Vec<f64> = scores.iter().map(|s| f64::from(*s).exp() / total).collect();
        assert_close(&got, &want, 1e-6);
        assert!((got.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
    on_all(&[], vector::softmax);
    assert_eq!(on_all(&[-1e30, 1e30], vector::softmax)[1], 1.0);
    for at in 0..20 {
        let mut scores = vec![1.0; 20];
        scores[at] = f32::NAN;
        assert!(on_all(&scores, vector::softmax).iter().all(|weight| weight.is_nan()), "{at}");
    }
}

#[test]
fn functions_at_their_extremes() {
    for gate in GATES {
        let got =
            on_all(&[f32::NAN, 0.0, 100.0, -100.0, 1e30, -1e6], |isa, row| vector::apply(isa, gate, row));
        assert!(got[0].is_nan() && got[1].abs() < 1e-7, "{gate:?}");
        match gate {
            Gate::Identity => assert_eq!(got[3..], [-100.0, 1e30, -1e6]),
            Gate::Tanh => assert_eq!(got[2..], [1.0, -1.0, 1.0, -1.0]),
            _ => {
                assert_eq!((got[2], got[4]), (100.0, 1e30), "{gate:?}");
                assert!(got[3].abs() < 1e-6 && got[5].abs() < 1e-6, "{gate:?}: {} {}", got[3], got[5]);
            }
        }
    }
}

proptest! {
    #[test]
    fn functions_are_close(row in prop::collection::vec(-30f32..30.0, 1..40)) {
        for gate in GATES {
            let want: Vec<f64> = row.iter().map(|x| exact(gate, f64::from(*x))).collect();
            assert_close(&on_all(&row, |isa, row| vector::apply(isa, gate, row)), &want, 1.5e-6);
        }
    }

    #[test]
    fn bytes_are_within_half_a_step(
        mut row in prop::collection::vec(-1f32..1.0, 1..300),
        size in prop::sample::select(vec![1e-30f32, 1e-3, 1.0, 1e4, 1e30]),
        shift in -2f32..2.0,
    ) {
        row.iter_mut().for_each(|value| *value = (*value + shift) * size);
        row[0] = 0.0;
        let mut first: Option<(Vec<u8>, Vec<f32>, Vec<f32>)> = None;
        let groups = group_count(row.len());
        for isa in Isa::available() {
            let mut numbers = vec![7; row.len() + 3];
            let (mut scales, mut zeros) = (vec![-1.0; groups], vec![-1.0; groups]);
            vector::round_to_u8(isa, &row, &mut numbers, &mut scales, &mut zeros);
            prop_assert_eq!(&numbers[row.len()..], &[0; 3]);
            for (at, (value, number)) in row.iter().zip(&numbers).enumerate() {
                let (scale, zero) = (f64::from(scales[at / GROUP]), f64::from(zeros[at / GROUP]));
                prop_assert_eq!(zero, zero.trunc());
                let back = scale * (f64::from(*number) - zero);
                // Zero and number are both rounded: at the ends of the range half a step more may be cut off.
                let bound = if matches!(number, 0 | 255) { 1.0 } else { 0.5 };
                let error = (back - f64::from(*value)).abs();
                prop_assert!(error <= scale * (bound + 1e-4), "{} {}", value, back);
                if *value == 0.0 {
                    prop_assert_eq!(back, 0.0);
                }
            }
            let got = (numbers, scales, zeros);
            prop_assert_eq!(first.get_or_insert_with(|| got.clone()), &got);
        }
    }

    #[test]
    fn halves_round_as_the_half_crate_does(words in prop::collection::vec(any::<u32>(), 1..50)) {
        let row: Vec<f32> = words.into_iter().map(f32::from_bits).collect();
        for isa in Isa::available() {
            let mut halves = vec![7; row.len() + 1];
            vector::round_to_bf16(isa, &row, &mut halves);
            prop_assert_eq!(halves.pop(), Some(0));
            for (value, half) in row.iter().zip(halves) {
                let (got, want) = (bf16::from_bits(half), bf16::from_f32(*value));
                prop_assert!(got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan());
            }
        }
    }
}

#[test]
fn bytes_of_odd_rows() {
    for isa in Isa::available() {
        let of = |row: &[f32]| {
            let mut numbers = vec![9; row.len().next_multiple_of(4)];
            let (mut scale, mut zero) = ([0.0], [0.0]);
            vector::round_to_u8(isa, row, &mut numbers, &mut scale, &mut zero);
            (numbers, scale[0], zero[0])
        };
        assert_eq!(of(&[0.0, 0.0, -0.0]), (vec![0; 4], 0.0, 0.0));
        assert_eq!(of(&[]), (vec![], 0.0, 0.0));
        assert_eq!(of(&[255.0, 1.0]), (vec![255, 1, 0, 0], 1.0, 0.0));
        assert_eq!(of(&[-255.0, -1.0]), (vec![0, 254, 0, 0], 1.0, 255.0));
        // Scales of the least numbers there are have no inverse.
        let (numbers, _, zero) = of(&[1e-40, -1e-40, 0.0]);
        assert_eq!((numbers, zero), (vec![0; 4], 0.0));
        for damage in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for at in [0, 15, 16, 33] {
                let mut row = vec![0.5; 34];
                row[at] = damage;
                assert!(of(&row).1.is_nan(), "{damage} at {at}");
            }
        }
    }
}
