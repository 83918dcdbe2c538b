//! Turns texts into vectors with a language model, on the CPU or on a GPU.
//!
//! [`LlmEncoder`] opens any sentence-transformers folder of a supported architecture
//! ([`supported_architectures`]) and implements [`xunpin_core::Encoder`]. On the way from text to vector:
//!
//! * the folder's JSON files say what it holds, the tokenizer gives ids, and texts are sorted by length into batches
//!   of about [`EncoderOptions::batch_tokens`] tokens;
//! * a batch is packed without padding and run through the language model (Gemma 3, Qwen3, or one of BERT's family):
//!   [`xunpin_kernels`] runs it from a prepared file, in f32 candle computes the matrix products. On a [`Device::Cuda`]
//!   (feature `cuda`) the batch is padded and all of it is computed there by candle;
//! * the token states are pooled (first, last or mean), go through the folder's dense layers and are normalised.
//!
//! A damaged or foreign folder is a [`ModelError`] that names the file and the remedy.
//!
//! ```no_run
//! use std::path::Path;
//! use xunpin_core::{Encoder, Role};
//! use xunpin_encoder::{EncoderOptions, LlmEncoder};
//!
//! let encoder = LlmEncoder::open(Path::new("models/embeddinggemma-300m"), EncoderOptions::default())?;
//! let documents = encoder.encode(&["温和A醇精华", "婴儿纯棉连体衣"], Role::Document)?;
//! let query = encoder.encode(&["敏感肌抗老"], Role::Query)?;
//! let cosine = |row: &[f32]| row.iter().zip(query.row(0)).map(|(a, b)| a * b).sum::<f32>();
//! assert!(cosine(documents.row(0)) > cosine(documents.row(1)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// Only where files are mapped and where the crew's threads share buffers; named where the modules are.
#![deny(unsafe_code)]

// By the name that the helpers of `tests/` know.
#[cfg(test)]
extern crate self as xunpin_encoder;

mod backbone;
mod batch;
mod bert;
mod blocks;
mod dense;
mod device;
mod encoder;
mod error;
mod folder;
#[doc(hidden)]
pub mod fuzzing;
mod json;
mod layers;
mod linear;
mod packed;
mod pooling;
mod precision;
mod reference;
mod rotary;
mod source;
mod tensor;
mod tokenizer;
#[allow(unsafe_code)] // maps the weights' files
mod weights;
mod workers;

pub use backbone::supported_architectures;
pub use device::{Device, DeviceError};
pub use encoder::{EncoderOptions, LlmEncoder};
pub use error::ModelError;
pub use packed::{prepare, verify_prepared};
pub use precision::{Precision, PrecisionError, Prepared, PreparedState, prepared_path};
