//! The number of threads, settled once before any is started.

/// What rayon's global pool and candle's matrix products read.
const VARIABLE: &str = "RAYON_NUM_THREADS";

/// Sets the number of threads for the whole program: `wanted`, else what the environment says, else all cores. Without
/// the variable candle counts the cores anew, from a file, for every matrix product, which costs a query ten
/// milliseconds. Call it first in `main`.
pub(crate) fn settle(wanted: Option<usize>) {
    let threads = wanted.unwrap_or_else(settled).max(1);
    // SAFETY: the environment may only be changed while no other thread reads it, and `main` calls this before it or
    // anything it calls has started a thread.
    unsafe { std::env::set_var(VARIABLE, threads.to_string()) };
}

/// The number of threads: what the environment says, else all cores.
pub(crate) fn settled() -> usize {
    let said = std::env::var(VARIABLE).ok().and_then(|n| n.parse().ok()).filter(|&n| n > 0);
    said.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}
