//! Rotation and rounding: every instruction set against the plainest code.

use xunpin_kernels::Isa;
use xunpin_kernels::coding::{MOST, hadamard, round_to_codes, sign_bits};

fn values(length: usize) -> Vec<f32> {
    (0..length).map(|i| ((i * 37 % 101) as f32 - 50.0) / 31.0).collect()
}

/// By definition: the sign of a term is the parity of the bits that both numbers have.
fn transformed(values: &[f32]) -> Vec<f64> {
    let sign = |a: usize, b: usize| if (a & b).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 };
    let sum = |at| values.iter().enumerate().map(|(i, v)| sign(at, i) * f64::from(*v)).sum::<f64>();
    (0..values.len()).map(|at| sum(at) / (values.len() as f64).sqrt()).collect()
}

#[test]
fn transforms_are_those_of_the_definition_and_equal_everywhere() {
    for length in (0..=11).map(|power| 1 << power) {
        let (before, exact) = (values(length), transformed(&values(length)));
        let mut plain = before.clone();
        hadamard(Isa::available()[0], &mut plain);
        for (got, exact) in plain.iter().zip(&exact) {
            assert!((f64::from(*got) - exact).abs() < 1e-4, "{length}: {got} {exact}");
        }
        for isa in Isa::available() {
            let mut got = before.clone();
            hadamard(isa, &mut got);
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&got), bits(&plain), "{} {length}", isa.name());
        }
    }
    hadamard(Isa::detect(), &mut []);
}

#[test]
fn codes_are_rounded_and_cut_alike_everywhere() {
    let mut values = vec![0.49, 0.5, -0.5, 1.5, 2.5, -2.5, 126.4, 126.5, 127.6, -300.0, 0.499_999_97];
    values.extend([f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, -0.0]);
    let expected = [0, 1, -1, 2, 3, -3, 126, 127, 127, -127, 0, 0, 127, -127, 127, 0];
    for isa in Isa::available() {
        // Several times over, so that the widest registers are filled.
        let mut codes = vec![9; 80];
        round_to_codes(isa, &values.repeat(5), 1.0, &mut codes);
        assert_eq!(codes, expected.repeat(5), "{}", isa.name());
        round_to_codes(isa, &[0.25, -1.0], MOST, &mut codes[..2]);
        assert_eq!(codes[..3], [32, -127, -1]);
    }
}

#[test]
fn signs_are_bits_in_the_order_of_codes() {
    let codes: [i8; 64] = std::array::from_fn(|i| [0, -1, 127, -127, 1, -5, 3][i * i % 7]);
    let expected = (0..64).filter(|i| codes[*i] < 0).fold(0, |bits, i| bits | 1u64 << i);
    assert_eq!(sign_bits(&codes), expected);
    assert_eq!((sign_bits(&[-128; 64]), sign_bits(&[0; 64])), (u64::MAX, 0));
}
