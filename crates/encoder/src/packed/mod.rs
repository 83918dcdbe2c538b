//! The fast engine: a prepared model, mapped and run where it lies by [`xunpin_kernels`], without candle.
//!
//! [`prepare`](fn@prepare) rounds a folder's weights into a file ([`format`]); [`PackedEngine`] runs it. What is computed is a
//! [`Blueprint`](blueprint::Blueprint), the same for all architectures; [`pass`] is the computation.

mod blueprint;
mod engine;
#[allow(unsafe_code)] // maps the prepared file
mod format;
#[allow(unsafe_code)] // products by a crew's threads on shared activations
mod matrix;
mod model;
#[allow(unsafe_code)] // buffers that a crew's threads share, a piece each
mod pass;
mod prepare;
mod smoothing;
mod table;

pub(crate) use engine::PackedEngine;
pub(crate) use format::{Contents, VERSION};
pub(crate) use prepare::{current, tokenizer};
pub use prepare::{prepare, verify_prepared};
