//! Inner products: every instruction set against double precision and exact integers, at every length.

use half::f16;
use xunpin_kernels::Isa;
use xunpin_kernels::product::{dot_f16, dot_i8, fetched, masked_sum, prefetch};

fn codes(length: usize, step: usize) -> Vec<i8> {
    (0..length).map(|i| ((i * step + i / 7) % 255) as i16 - 127).map(|v| v as i8).collect()
}

#[test]
fn codes_are_multiplied_exactly() {
    for isa in Isa::available() {
        for length in (0..300).chain([768, 832, 1_024, 4_096]) {
            let (a, b) = (codes(length, 37), codes(length, 53));
            let exact: i32 = a.iter().zip(&b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
            assert_eq!(dot_i8(isa, &a, &b), exact, "{} {length}", isa.name());
            assert_eq!(dot_i8(isa, &b, &a), exact, "{} {length}", isa.name());
        }
        // The greatest sums there are.
        for (x, y) in [(127, 127), (-127, 127), (127, -127), (-127, -127)] {
            let (a, b) = (vec![x; 4_096], vec![y; 4_096]);
            let exact = 4_096 * i32::from(x) * i32::from(y);
            assert_eq!(dot_i8(isa, &a, &b), exact, "{} {x} {y}", isa.name());
        }
    }
}

#[test]
fn values_under_a_mask_are_summed_exactly() {
    for words in (0..20).chain([31, 32, 70]) {
        let values: Vec<i32> = (0..64 * words).map(|i| ((i * 37 + i / 5) % 16) as i32 - 8).collect();
        let set = |i: usize| (i * 29 + i / 11) % 7 < 3;
        let mask = |which: &dyn Fn(usize) -> bool, word: usize| {
            (0..64).fold(0, |bits, at| bits | u64::from(which(64 * word + at)) << at)
        };
        let bits: Vec<u64> = (0..words).map(|word| mask(&set, word)).collect();
        let plane = |word, bit: usize| mask(&|i| values[i] >> bit & 1 == 1, word);
        let planes: Vec<[u64; 4]> =
            (0..words).map(|word| std::array::from_fn(|bit| plane(word, bit))).collect();
        let exact: i32 = (0..values.len()).filter(|i| set(*i)).map(|i| values[i]).sum();
        for isa in Isa::available() {
            assert_eq!(masked_sum(isa, &planes, &bits), exact, "{} {words}", isa.name());
        }
    }
}

#[test]
fn half_precision_gives_the_same_bits_everywhere() {
    for length in (0..200).chain([256, 768, 1_000, 1_024]) {
        let query: Vec<f32> = (0..length).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
        let row: Vec<f16> =
            (0..length).map(|i| f16::from_f32(((i * 53 % 97) as f32 - 48.0) / 48.0)).collect();
        let exact: f64 = query.iter().zip(&row).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        let plain = dot_f16(Isa::available()[0], &query, &row);
        assert!((f64::from(plain) - exact).abs() < 1e-6 * (1.0 + length as f64), "{length}: {plain} {exact}");
        for isa in Isa::available() {
            let got = dot_f16(isa, &query, &row);
            assert_eq!(got.to_bits(), plain.to_bits(), "{} {length}: {got} {plain}", isa.name());
        }
    }
}

/// Each value must count, and nothing beyond the end.
#[test]
fn all_values_are_read_and_no_other() {
    let ones = vec![1.0f32; 300];
    let mut guarded = vec![f16::NAN; 300];
    for length in 0..200 {
        guarded[..length].fill(f16::ONE);
        for isa in Isa::available() {
            assert_eq!(dot_f16(isa, &ones[..length], &guarded[..length]), length as f32);
            assert_eq!(dot_f16(isa, &ones, &guarded[..length]), length as f32, "the shorter counts");
            assert_eq!(dot_i8(isa, &vec![1; length], &[1; 300]), length as i32);
        }
        guarded.fill(f16::NAN);
    }
    prefetch(&guarded);
}

#[test]
fn items_come_in_their_order_however_far_ahead_they_are_fetched() {
    let values = [1.0f32; 8];
    for distance in [0, 1, 3, 8, 20] {
        let items = [5usize, 0, 7, 7, 2];
        assert_eq!(fetched(&items, distance, |at| &values[at..]).collect::<Vec<_>>(), items);
        assert_eq!(fetched(&[], distance, |at: usize| &values[at..]).count(), 0);
    }
}
