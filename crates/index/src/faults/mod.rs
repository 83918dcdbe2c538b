//! An index loses nothing: its life, lived again and again while something goes wrong, against a plain map.
//!
//! | file | what goes wrong |
//! |---|---|
//! | `life` | nothing: the scripted lives, and the map that lives them too |
//! | `writes` | a write of the store fails, before it or after it; a read fails |
//! | `crash` | the process ends around a write, or between a file's renaming and its commit |
//! | `logs` | the log is cut anywhere, or a bit of it flipped |
//! | `files` | any other file is cut, or a bit of it flipped |
//! | `disk` | the disk is full |
//!
//! Where trying every place takes too long for a usual run, every so many are tried; with `XUNPIN_TORTURE=1`
//! (`make torture`) all of them, or many more.

mod crash;
mod disk;
mod files;
mod life;
mod logs;
mod writes;

/// A usual run tries one place of so many, torture one of `torture`.
fn stride(usual: usize, torture: usize) -> usize {
    if torture_asked() { torture } else { usual }
}

fn torture_asked() -> bool {
    std::env::var_os("XUNPIN_TORTURE").is_some()
}
