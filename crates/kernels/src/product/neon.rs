use std::arch::aarch64::*;

use super::plain;

/// Bytes of a register.
const WIDTH: usize = 16;

/// NEON is part of aarch64, so nothing is asked of the processor.
pub(super) fn dot_i8(a: &[i8], b: &[i8]) -> i32 {
    let (a_blocks, a_rest) = a.as_chunks::<WIDTH>();
    let (b_blocks, b_rest) = b.as_chunks::<WIDTH>();
    // SAFETY: NEON is part of aarch64, and each block holds the 16 bytes that are read.
    let sum = unsafe {
        // Two, so that additions need not wait for one another.
        let mut sums = [vdupq_n_s32(0); 2];
        for (a, b) in a_blocks.iter().zip(b_blocks) {
            let (a, b) = (vld1q_s8(a.as_ptr()), vld1q_s8(b.as_ptr()));
            sums[0] = vpadalq_s16(sums[0], vmull_s8(vget_low_s8(a), vget_low_s8(b)));
            sums[1] = vpadalq_s16(sums[1], vmull_high_s8(a, b));
        }
        vaddvq_s32(vaddq_s32(sums[0], sums[1]))
    };
    sum + plain::dot_i8(a_rest, b_rest)
}
