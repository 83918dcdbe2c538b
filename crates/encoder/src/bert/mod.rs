//! BERT and its kin: learned positions, norms after each branch, and every token sees every other. The references are
//! `BertModel`, `RobertaModel` and `XLMRobertaModel` of Hugging Face's transformers; RoBERTa and XLM-RoBERTa count
//! positions from another number and are the same otherwise.

mod config;
mod layer;
mod model;
pub(crate) mod names;

pub(crate) use config::{Config, Family, place_rows};
pub(crate) use model::Bert;
