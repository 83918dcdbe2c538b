//! Products of f32 blocks against a plain loop in the same order: equal to the bit.

mod common;

use common::{Random, bits};
use proptest::prelude::*;
use xunpin_kernels::{Isa, attention};

#[derive(Clone, Copy, Debug)]
struct Shape {
    rows: usize,
    inner: usize,
    columns: usize,
    /// What rows of the three are longer by than they need be.
    gaps: [usize; 3],
}

fn check(shape: Shape, seed: u64) {
    let Shape { rows, inner, columns, gaps } = shape;
    let (a_stride, b_stride, out_stride) = (inner + gaps[0], columns + gaps[1], columns + gaps[2]);
    let mut random = Random::new(seed);
    // The last rows end where they must, not where the stride would.
    let length = |rows: usize, stride: usize, width: usize| rows.saturating_sub(1) * stride + width;
    let a = random.units(length(rows, a_stride, inner));
    let b = random.units(length(inner, b_stride, columns));
    let before = random.units(length(rows, out_stride, columns));
    let mut want = before.clone();
    for row in 0..rows {
        for column in 0..columns {
            let products = (0..inner).map(|step| a[row * a_stride + step] * b[step * b_stride + column]);
            want[row * out_stride + column] = products.fold(0.0, |sum, product| sum + product);
        }
    }
    for isa in Isa::available() {
        let mut out = before.clone();
        attention::multiply(isa, rows, inner, columns, &a, a_stride, &b, b_stride, &mut out, out_stride);
        assert_eq!(bits(&out), bits(&want), "{} {shape:?}", isa.name());
    }
}

#[test]
fn every_tail_is_right() {
    for rows in (1..=17).chain([64]) {
        for columns in [1, 2, 15, 16, 17, 31, 32, 33, 47, 48, 49, 80] {
            for inner in [1, 2, 7, 64] {
                check(Shape { rows, inner, columns, gaps: [0; 3] }, 1);
                check(Shape { rows, inner, columns, gaps: [3, 1, 5] }, 2);
            }
        }
    }
    check(Shape { rows: 0, inner: 3, columns: 5, gaps: [0; 3] }, 1);
    check(Shape { rows: 3, inner: 3, columns: 0, gaps: [2; 3] }, 1);
}

proptest! {
    #[test]
    fn any_shape_is_right(
        (rows, inner, columns) in (1usize..30, 1usize..40, 1usize..100),
        gaps in any::<[u8; 3]>(),
        seed in any::<u64>(),
    ) {
        check(Shape { rows, inner, columns, gaps: gaps.map(|gap| usize::from(gap % 9)) }, seed);
    }
}

#[test]
fn slices_that_are_too_short_are_refused() {
    let run = |rows: usize, a: usize, a_stride: usize, b: usize, b_stride: usize| {
        let (a, b) = (vec![0.0; a], vec![0.0; b]);
        std::panic::catch_unwind(move || {
            for isa in Isa::available() {
                attention::multiply(isa, rows, 4, 8, &a, a_stride, &b, b_stride, &mut vec![0.0; rows * 8], 8);
            }
        })
        .is_ok()
    };
    assert!(run(3, 12, 4, 32, 8));
    assert!(!run(3, 11, 4, 32, 8));
    assert!(!run(3, 12, 4, 31, 8));
    assert!(!run(3, 12, 5, 32, 8));
    // Strides whose products leave the range of addresses.
    assert!(!run(3, 12, 1 << 63, 32, 8));
    assert!(!run(3, 12, 4, 32, 1 << 63));
    assert!(!run(3, 12, 4, 32, usize::MAX / 3 + 1));
}
