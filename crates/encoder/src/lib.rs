//! Turns texts into vectors with a language model on the CPU.
//!
//! [`LlmEncoder`] opens any sentence-transformers folder of a supported architecture
//! ([`supported_architectures`]) and implements [`xunpin_core::Encoder`]. On the way from text to vector:
//!
//! * the folder's JSON files say what it holds, the tokenizer gives ids, and texts are sorted by length into batches
//!   of about [`EncoderOptions::batch_tokens`] tokens;
//! * a batch is packed without padding and run through the language model: candle computes the matrix products, our
//!   own loops everything between them;
//! * the token states are pooled, go through the folder's dense layers and are normalised.
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

mod backbone;
mod batch;
mod dense;
mod encoder;
mod error;
mod folder;
mod gemma3;
mod json;
mod kernels;
mod linear;
mod pooling;
mod precision;
mod tokenizer;
mod weights;

pub use backbone::supported_architectures;
pub use encoder::{EncoderOptions, LlmEncoder};
pub use error::ModelError;
pub use precision::{
    Precision, PrecisionError, Prepared, PreparedState, prepare, prepared_path, verify_prepared,
};
