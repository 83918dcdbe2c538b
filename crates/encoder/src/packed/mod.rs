//! The fast engine: a prepared model, mapped and run where it lies by [`xunpin_kernels`], without candle.
//!
//! [`prepare`](fn@prepare) rounds a folder's weights into a file ([`format`]); [`PackedEngine`] runs it. What is computed is a
//! [`Blueprint`](blueprint::Blueprint), the same for all architectures; [`pass`] is the computation.

mod blueprint;
mod engine;
mod format;
mod matrix;
mod model;
mod pass;
mod prepare;
mod smoothing;
mod table;

pub(crate) use engine::PackedEngine;
pub(crate) use format::{Contents, VERSION};
pub(crate) use prepare::{current, tokenizer};
pub use prepare::{prepare, verify_prepared};
