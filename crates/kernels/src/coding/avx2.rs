use std::arch::x86_64::*;

/// Values that are held in registers while six stages go over them.
pub(super) const BLOCK: usize = 64;
/// Values of a register.
const WIDTH: usize = 8;

/// The first six stages of a transform, those within blocks of 64. Values after the last whole block stay as they are.
#[target_feature(enable = "avx2")]
pub(super) fn blocks(values: &mut [f32]) {
    for block in values.as_chunks_mut::<BLOCK>().0 {
        let registers = block.as_chunks_mut::<WIDTH>().0;
        let mut held = [_mm256_setzero_ps(); BLOCK / WIDTH];
        for (held, values) in held.iter_mut().zip(registers.iter()) {
            // SAFETY: the array holds the 8 values that are read.
            *held = within(unsafe { _mm256_loadu_ps(values.as_ptr()) });
        }
        for half in [1, 2, 4] {
            for at in (0..held.len()).filter(|at| at & half == 0) {
                let (a, b) = (held[at], held[at + half]);
                (held[at], held[at + half]) = (_mm256_add_ps(a, b), _mm256_sub_ps(a, b));
            }
        }
        for (values, held) in registers.iter_mut().zip(held) {
            // SAFETY: the array holds the 8 values that are written.
            unsafe { _mm256_storeu_ps(values.as_mut_ptr(), held) };
        }
    }
}

/// Three stages within a register: each adds to one value of a pair the other, or takes it from the other. A change of the sign
/// bit and an addition round as a subtraction does.
#[inline]
#[target_feature(enable = "avx2")]
fn within(values: __m256) -> __m256 {
    let signs = _mm256_setr_ps(0., -0., 0., -0., 0., -0., 0., -0.);
    let (low, high) = (_mm256_moveldup_ps(values), _mm256_movehdup_ps(values));
    let values = _mm256_add_ps(low, _mm256_xor_ps(high, signs));
    let signs = _mm256_setr_ps(0., 0., -0., -0., 0., 0., -0., -0.);
    let low = _mm256_permute_ps::<0b01_00_01_00>(values);
    let high = _mm256_permute_ps::<0b11_10_11_10>(values);
    let values = _mm256_add_ps(low, _mm256_xor_ps(high, signs));
    let signs = _mm256_setr_ps(0., 0., 0., 0., -0., -0., -0., -0.);
    let low = _mm256_permute2f128_ps::<0x00>(values, values);
    let high = _mm256_permute2f128_ps::<0x11>(values, values);
    _mm256_add_ps(low, _mm256_xor_ps(high, signs))
}
