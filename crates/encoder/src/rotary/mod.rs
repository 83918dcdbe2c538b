//! Models with rotary positions, RMS norms before each branch and a gated feed-forward layer. One code runs them all;
//! what tells them apart is in [`Config`] and [`names`]:
//!
//! | | [`gemma3`] | [`qwen3`] |
//! |---|---|---|
//! | a token sees | all, in some layers all within a window | those before it |
//! | norms | before and after each branch, `1 + weight` | before each branch |
//! | gate | GELU in tanh form | SiLU |
//! | embeddings | times the root of the width | as they are |

mod config;
pub(crate) mod gemma3;
mod layer;
mod model;
pub(crate) mod names;
pub(crate) mod qwen3;

pub(crate) use config::Config;
pub(crate) use layer::norm_weight;
pub(crate) use model::Rotary;
