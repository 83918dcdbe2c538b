//! Products in bf16 against sums in 64 bits, and against themselves in other divisions of the work.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{Random, activations, bits, divided, packed};
use half::bf16;
use xunpin_kernels::{Bf16Matrix, Gate, Isa, Precision, Shared, Store, panel_count};

fn rounded(values: &[f32]) -> Vec<f32> {
    values.iter().map(|value| bf16::from_f32(*value).to_f32()).collect()
}

struct Case {
    inputs: usize,
    outputs: usize,
    weights: Vec<f32>,
    packed: Vec<u16>,
    bias: Vec<f32>,
    rows: Vec<f32>,
}

impl Case {
    fn random(inputs: usize, outputs: usize, count: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let weights = random.units(inputs * outputs);
        let packed = Bf16Matrix::round(inputs, outputs, |output, row| {
            row.copy_from_slice(&weights[output * inputs..][..inputs]);
        });
        let bias = if seed.is_multiple_of(2) { random.units(outputs) } else { Vec::new() };
        Self { inputs, outputs, weights, packed, bias, rows: random.units(count * inputs) }
    }

    fn multiply(&self, isa: Isa, rows: std::ops::Range<usize>) -> Vec<f32> {
        let input = activations(Precision::Bf16, isa, &self.rows, self.inputs);
        let out = Shared::new(self.rows.len() / self.inputs * self.outputs);
        let store = Store { out: &out, outputs: self.outputs, gate: Gate::Identity };
        let matrix = Bf16Matrix::new(self.inputs, self.outputs, &self.packed, &self.bias).unwrap();
        // SAFETY: there is no other thread.
        unsafe { matrix.multiply(isa, &input, rows.clone(), 0..panel_count(self.outputs), &store) };
        // SAFETY: as above.
        unsafe { out.part(rows.start * self.outputs..rows.end * self.outputs) }.to_vec()
    }
}

#[test]
fn every_shape_is_close_to_exact_sums() {
    for (seed, inputs) in (1..=9).chain(767..=769).enumerate() {
        for (shift, outputs) in [1, 15, 16, 17, 31, 32, 33, 95, 96, 97].into_iter().enumerate() {
            let case = Case::random(inputs, outputs, 40, (seed + shift) as u64);
            let (weights, rows) = (rounded(&case.weights), rounded(&case.rows));
            let all: Vec<(Isa, Vec<f32>)> =
                Isa::available().into_iter().map(|isa| (isa, case.multiply(isa, 0..40))).collect();
            for (row, values) in rows.chunks_exact(inputs).enumerate() {
                for (output, weights) in weights.chunks_exact(inputs).enumerate() {
                    let bias = f64::from(case.bias.get(output).copied().unwrap_or(0.0));
                    let products = || values.iter().zip(weights).map(|(a, b)| f64::from(*a) * f64::from(*b));
                    let want = products().sum::<f64>() + bias;
                    // Each of the sums in f32 rounds by at most half a unit of 2^-23 of what was summed up to there.
                    let size = products().map(f64::abs).sum::<f64>() + bias.abs();
                    let bound = size * (inputs + 1) as f64 * 2f64.powi(-24) + 1e-30;
                    for (isa, got) in &all {
                        let got = f64::from(got[row * outputs + output]);
                        assert!(
                            (got - want).abs() <= bound,
                            "{}: {got} is not {want} at {row}, {output} of {inputs} x {outputs}",
                            isa.name()
                        );
                    }
                }
            }
            // Processors without products in bf16 agree to the bit.
            for (isa, got) in &all {
                if !isa.name().ends_with("bf16") {
                    assert_eq!(bits(got), bits(&all[0].1), "{}", isa.name());
                }
            }
        }
    }
}

#[test]
fn rows_do_not_depend_on_their_number_or_tile() {
    let case = Case::random(51, 70, 40, 2);
    for isa in Isa::available() {
        let all = case.multiply(isa, 0..40);
        for count in 1..40 {
            assert_eq!(
                bits(&case.multiply(isa, 0..count)),
                bits(&all[..count * 70]),
                "{} {count}",
                isa.name()
            );
            let end = (count + 7).min(40);
            let some = case.multiply(isa, count..end);
            assert_eq!(bits(&some), bits(&all[count * 70..end * 70]), "{} {count}", isa.name());
        }
    }
}

#[test]
fn threads_may_share_the_panels() {
    let case = Case::random(33, 150, 9, 2);
    let matrix = Bf16Matrix::new(33, 150, &case.packed, &case.bias).unwrap();
    for isa in Isa::available() {
        let input = activations(Precision::Bf16, isa, &case.rows, 33);
        let want = case.multiply(isa, 0..9);
        for threads in 1..=4 {
            let out = Shared::new(9 * 150);
            let store = Store { out: &out, outputs: 150, gate: Gate::Identity };
            let (input, store) = (&input, &store);
            std::thread::scope(|scope| {
                for panels in divided(panel_count(150), threads) {
                    // SAFETY: the activations are only read, and every panel has one thread.
                    scope.spawn(move || unsafe { matrix.multiply(isa, input, 0..9, panels, store) });
                }
            });
            // SAFETY: the threads have ended.
            let got = unsafe { out.part(0..out.len()) };
            assert_eq!(bits(got), bits(&want), "{} {threads}", isa.name());
        }
    }
}

#[test]
fn weights_are_laid_out_in_panels() {
    for (inputs, outputs) in [(1, 1), (5, 33), (8, 32), (31, 65)] {
        let case = Case::random(inputs, outputs, 1, 1);
        let halves: Vec<u16> = case.weights.iter().map(|value| bf16::from_f32(*value).to_bits()).collect();
        assert_eq!(case.packed, packed(&halves, inputs, outputs, 2));
        assert_eq!(case.packed.len(), Bf16Matrix::packed_len(inputs, outputs));
        assert!(Bf16Matrix::new(inputs, outputs, &case.packed[1..], &[]).is_none());
        assert!(Bf16Matrix::new(inputs, outputs, &case.packed, &vec![0.0; outputs + 1]).is_none());
    }
}

#[test]
fn nan_shows() {
    let mut case = Case::random(6, 33, 2, 1);
    case.rows[7] = f32::NAN;
    for isa in Isa::available() {
        let got = case.multiply(isa, 0..2);
        assert!(
            got[..33].iter().all(|value| value.is_finite()) && got[33..].iter().all(|value| value.is_nan())
        );
    }
}
