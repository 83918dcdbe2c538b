use rayon::prelude::*;

/// Rows a thread takes at a time: enough work to pay for the hand-over.
const BLOCK_ROWS: usize = 16;

/// Divides the rows of `out`, `width` values each, among the threads: calls `visit` with the number of the first row and
/// the values of every block of rows.
pub(crate) fn for_each_block(out: &mut [f32], width: usize, visit: impl Fn(usize, &mut [f32]) + Sync) {
    out.par_chunks_mut(BLOCK_ROWS * width).enumerate().for_each(|(at, block)| visit(at * BLOCK_ROWS, block));
}
