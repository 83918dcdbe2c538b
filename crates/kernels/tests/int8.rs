//! 8-bit products against a plain loop in 64 bits: exact for every instruction set, shape and division of the work.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{Random, activations, bits, divided, packed};
use proptest::prelude::*;
use xunpin_kernels::{
    Activations, GROUP, Gate, Gated, Int8Matrix, Isa, PANEL, Precision, Shared, Store, group_count,
    panel_count, round_row, vector,
};

/// A layer and, for some rows, what it must give.
struct Case {
    inputs: usize,
    outputs: usize,
    packed: Vec<i8>,
    scales: Vec<f32>,
    sums: Vec<f32>,
    bias: Vec<f32>,
    rows: Vec<f32>,
    want: Vec<f32>,
}

impl Case {
    /// `weights` are `[outputs, inputs]`, `rows` `[any, inputs]`.
    fn new(inputs: usize, outputs: usize, weights: &[i8], rows: Vec<f32>, seed: u64) -> Self {
        let mut random = Random::new(seed);
        // Panels are filled up with zeros; what is there must not matter.
        let groups = group_count(inputs);
        let length = Int8Matrix::scales_len(inputs, outputs);
        let scales: Vec<f32> = (0..length).map(|_| 0.01 + random.unit().abs()).collect();
        let mut sums = random.units(length);
        let place = |output: usize, group: usize| (output / PANEL * groups + group) * PANEL + output % PANEL;
        let bias: Vec<f32> = if seed.is_multiple_of(2) { random.units(outputs) } else { Vec::new() };
        let by_output = || weights.chunks_exact(inputs).enumerate();
        for (output, row) in by_output() {
            for (group, weights) in row.chunks(GROUP).enumerate() {
                sums[place(output, group)] = weights.iter().map(|w| f32::from(*w)).sum();
            }
        }
        let mut want = Vec::new();
        for row in rows.chunks_exact(inputs) {
            let (mut row_scales, mut zeros) = (vec![0f32; groups], vec![0f32; groups]);
            let mut numbers = vec![0u8; inputs];
            vector::round_to_u8(Isa::detect(), row, &mut numbers, &mut row_scales, &mut zeros);
            for (output, weights) in by_output() {
                let mut total = 0f32;
                let parts = weights.chunks(GROUP).zip(numbers.chunks(GROUP));
                for (group, (weights, numbers)) in parts.enumerate() {
                    let products = weights.iter().zip(numbers);
                    let zero = zeros[group] as i64;
                    let sum: i64 = products.map(|(w, n)| i64::from(*w) * (i64::from(*n) - zero)).sum();
                    total += sum as f32 * (row_scales[group] * scales[place(output, group)]);
                }
                want.push(total + bias.get(output).copied().unwrap_or(0.0));
            }
        }
        let packed = packed(weights, inputs, outputs, 4);
        Self { inputs, outputs, packed, scales, sums, bias, rows, want }
    }

    fn random(inputs: usize, outputs: usize, count: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let weights: Vec<i8> = (0..inputs * outputs).map(|_| random.weight()).collect();
        let rows = random.units(count * inputs);
        Self::new(inputs, outputs, &weights, rows, seed)
    }

    fn matrix(&self) -> Int8Matrix<'_> {
        let Self { inputs, outputs, packed, scales, sums, bias, .. } = self;
        Int8Matrix::new(*inputs, *outputs, packed, scales, sums, bias).unwrap()
    }

    fn activations(&self, isa: Isa) -> Activations {
        activations(Precision::Int8, isa, &self.rows, self.inputs)
    }

    /// The first `count` rows must come out as wanted, whether the work is one piece or many.
    fn check(&self, isa: Isa, input: &Activations, count: usize) {
        let out = Shared::new(count * self.outputs);
        let store = Store { out: &out, outputs: self.outputs, gate: Gate::Identity };
        // SAFETY: there is no other thread.
        unsafe { self.matrix().multiply(isa, input, 0..count, 0..panel_count(self.outputs), &store) };
        // SAFETY: as above.
        let got = unsafe { out.part(0..out.len()) };
        let want = &self.want[..got.len()];
        let Self { inputs, outputs, .. } = self;
        assert_eq!(bits(got), bits(want), "{}: {count} rows, {inputs} inputs, {outputs} outputs", isa.name());
    }
}

#[test]
fn every_shape_is_exact() {
    let inputs = (1..=9).chain(127..=129).chain(767..=769);
    for (seed, inputs) in inputs.enumerate() {
        for (shift, outputs) in [1, 15, 16, 17, 31, 32, 33, 95, 96, 97].into_iter().enumerate() {
            let case = Case::random(inputs, outputs, 40, (seed + shift) as u64);
            for isa in Isa::available() {
                let input = case.activations(isa);
                // More rows than this are cut into the same tiles again; wide rows only at the borders of tiles.
                let counts: Vec<usize> = if inputs < 100 || outputs == 33 {
                    (1..=40).collect()
                } else {
                    vec![1, 2, 3, 4, 5, 11, 12, 13, 25, 40]
                };
                for count in counts {
                    case.check(isa, &input, count);
                }
            }
        }
    }
}

#[test]
fn extreme_values_neither_saturate_nor_overflow() {
    for inputs in [4, 769, 1 << 14] {
        for weight in [-127, 127] {
            // Only values of one sign: those of the greatest size become 255 or 0, with the other end as zero.
            for value in [1.0, -1.0, 1e-3] {
                let outputs = 33;
                let weights = vec![weight; inputs * outputs];
                let case = Case::new(inputs, outputs, &weights, vec![value; 5 * inputs], 1);
                for isa in Isa::available() {
                    case.check(isa, &case.activations(isa), 5);
                }
            }
        }
    }
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    let case = Case::random(9, 33, 1, 2);
    let Case { packed, scales, sums, bias, .. } = &case;
    let fits = |weights: &[i8], scales: &[f32], sums: &[f32], bias: &[f32]| {
        Int8Matrix::new(9, 33, weights, scales, sums, bias).is_some()
    };
    assert!(fits(packed, scales, sums, bias) && fits(packed, scales, sums, &[]));
    assert!(!fits(&packed[1..], scales, sums, bias));
    assert!(!fits(packed, &scales[1..], sums, bias));
    assert!(!fits(packed, scales, &sums[1..], bias));
    assert!(!fits(packed, scales, sums, &bias[1..]));
}

#[test]
fn rows_do_not_depend_on_the_tile_they_are_in() {
    let case = Case::random(35, 50, 40, 2);
    for isa in Isa::available() {
        let input = case.activations(isa);
        for (from, to) in [(0, 1), (7, 20), (3, 3), (39, 40), (11, 37)] {
            let out = Shared::new(40 * 50);
            let store = Store { out: &out, outputs: 50, gate: Gate::Identity };
            // SAFETY: there is no other thread.
            unsafe { case.matrix().multiply(isa, &input, from..to, 0..2, &store) };
            // SAFETY: as above.
            let got = unsafe { out.part(0..out.len()) };
            assert_eq!(
                bits(&got[from * 50..to * 50]),
                bits(&case.want[from * 50..to * 50]),
                "{}",
                isa.name()
            );
            // Other rows are left alone.
            assert!(got[..from * 50].iter().chain(&got[to * 50..]).all(|value| *value == 0.0));
        }
    }
}

#[test]
fn threads_may_share_the_panels() {
    let case = Case::random(70, 200, 19, 4);
    for isa in Isa::available() {
        let input = case.activations(isa);
        for threads in 1..=4 {
            let out = Shared::new(19 * 200);
            let store = Store { out: &out, outputs: 200, gate: Gate::Identity };
            let (case, input, store) = (&case, &input, &store);
            std::thread::scope(|scope| {
                for panels in divided(panel_count(200), threads) {
                    // SAFETY: the activations are only read, and every panel has one thread.
                    scope.spawn(move || unsafe { case.matrix().multiply(isa, input, 0..19, panels, store) });
                }
            });
            // SAFETY: the threads have ended.
            let got = unsafe { out.part(0..out.len()) };
            assert_eq!(bits(got), bits(&case.want), "{} {threads}", isa.name());
        }
    }
}

#[test]
fn every_function_is_applied_to_the_products() {
    let gates = [Gate::Identity, Gate::Gelu, Gate::GeluTanh, Gate::Relu, Gate::Silu, Gate::Tanh];
    // Gates and ups of 21 each, filled up to 32.
    let (inputs, width) = (13, 32);
    let case = Case::random(inputs, 2 * width, 15, 6);
    for isa in Isa::available() {
        let input = case.activations(isa);
        for gate in gates {
            let mut stored = case.want.clone();
            vector::apply(isa, gate, &mut stored);
            let out = Shared::new(15 * 2 * width);
            let store = Store { out: &out, outputs: 2 * width, gate };
            // SAFETY: there is no other thread.
            unsafe { case.matrix().multiply(isa, &input, 0..15, 0..2, &store) };
            // SAFETY: as above.
            assert_eq!(bits(unsafe { out.part(0..out.len()) }), bits(&stored), "{} {gate:?}", isa.name());

            let out = Shared::new(15 * width);
            let gated = Gated { out: &out, outputs: width, gate };
            // SAFETY: there is no other thread.
            unsafe { case.matrix().multiply(isa, &input, 0..15, 0..2, &gated) };
            // SAFETY: as above.
            let got = unsafe { out.part(0..out.len()) };
            for row in 0..15 {
                for at in 0..width {
                    let of = |from: usize| row * 2 * width + Gated::place(from, width);
                    let want = stored[of(at)] * case.want[of(width + at)];
                    assert_eq!(got[row * width + at].to_bits(), want.to_bits(), "{} {gate:?}", isa.name());
                }
            }
        }
    }
}

#[test]
fn gated_places_are_a_permutation() {
    for width in [16, 48, 1152] {
        let mut places: Vec<usize> = (0..2 * width).map(|from| Gated::place(from, width)).collect();
        for at in 0..width {
            // A gate and its up are in one panel, half a panel apart.
            assert_eq!(places[width + at], places[at] + PANEL / 2);
            assert_eq!(places[at] / PANEL, places[width + at] / PANEL);
        }
        places.sort_unstable();
        assert!(places.into_iter().eq(0..2 * width));
    }
}

#[test]
fn damaged_sums_and_scales_give_wrong_numbers_and_no_panic() {
    let mut case = Case::random(9, 33, 3, 2);
    case.sums.fill(f32::INFINITY);
    case.scales.fill(f32::NAN);
    for isa in Isa::available() {
        let out = Shared::new(3 * 33);
        let store = Store { out: &out, outputs: 33, gate: Gate::Identity };
        // SAFETY: there is no other thread.
        unsafe { case.matrix().multiply(isa, &case.activations(isa), 0..3, 0..2, &store) };
        // SAFETY: as above.
        assert!(unsafe { out.part(0..out.len()) }.iter().all(|value| value.is_nan()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rounded_weights_multiply_as_the_layout_says(
        (inputs, outputs) in (1usize..300, 1usize..80),
        seed in any::<u64>(),
    ) {
        let mut random = Random::new(seed);
        let weights = random.units(inputs * outputs);
        let row = |output: usize, out: &mut [f32]| out.copy_from_slice(&weights[output * inputs..][..inputs]);
        let rounded = Int8Matrix::round(inputs, outputs, row);
        let mut numbers = vec![0i8; inputs * outputs];
        for (output, numbers) in numbers.chunks_exact_mut(inputs).enumerate() {
            let values = &weights[output * inputs..][..inputs];
            for (group, (values, numbers)) in values.chunks(GROUP).zip(numbers.chunks_mut(GROUP)).enumerate() {
                let place = (output / PANEL * group_count(inputs) + group) * PANEL + output % PANEL;
                let scale = round_row(values, numbers);
                prop_assert_eq!(scale, rounded.scales[place]);
                prop_assert_eq!(numbers.iter().map(|n| f32::from(*n)).sum::<f32>(), rounded.sums[place]);
                for (value, number) in values.iter().zip(&*numbers) {
                    prop_assert!((value - scale * f32::from(*number)).abs() <= scale * 0.5001);
                }
            }
        }
        prop_assert_eq!(&rounded.weights, &packed(&numbers, inputs, outputs, 4));
        prop_assert_eq!(rounded.weights.len(), Int8Matrix::packed_len(inputs, outputs));
    }
}

#[test]
fn rows_without_size_and_damaged_rows() {
    let mut numbers = [1i8; 3];
    assert_eq!(round_row(&[0.0, -0.0, 0.0], &mut numbers), 0.0);
    assert_eq!(numbers, [0; 3]);
    // Scales of the least numbers there are have no inverse.
    round_row(&[1e-40, -1e-40, 0.0], &mut numbers);
    assert_eq!(numbers, [0; 3]);
    for damage in [f32::NAN, f32::INFINITY] {
        assert!(round_row(&[1.0, damage, 0.0], &mut numbers).is_nan());
    }
    assert_eq!(round_row(&[127.0, -63.5, 0.5], &mut numbers), 1.0);
    assert_eq!(numbers, [127, -64, 0]);
}
