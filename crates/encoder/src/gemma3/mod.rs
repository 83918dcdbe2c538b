//! Gemma 3 as a text encoder: every token sees every other (in some layers, every other within a window), as
//! EmbeddingGemma was trained. The reference is `Gemma3TextModel` of Hugging Face's transformers with
//! `use_bidirectional_attention`.

mod attention;
mod config;
mod layer;
mod model;
mod rope;

pub(crate) use config::Config;
pub(crate) use model::Gemma3;

/// Name of the architecture in fingerprints.
pub(crate) const ARCHITECTURE: &str = "gemma3-bidirectional";
