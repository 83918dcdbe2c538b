//! Xunpin finds products by meaning: "敏感肌抗老" finds "温和A醇精华", though they share no character.
//!
//! [`Engine`] is the whole of it: open an index folder, put catalogues in, ask it a shopper's words. One engine may
//! write to an index at a time; it serves searches from any number of threads while it writes, and other processes
//! may open the same folder to read.
//!
//! ```
//! use xunpin::{Engine, Product, SearchRequest};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("shop");
//! # // Tiny, with random weights: it understands nothing, but runs anywhere.
//! # let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/tiny-gemma3");
//! // `model` is a known name, such as "embeddinggemma-300m", or a folder.
//! let engine = Engine::builder(&path).model(model).create()?;
//! engine.upsert(&[Product::new("p1", "温和A醇精华 30ml"), Product::new("p2", "儿童雨鞋 防滑")])?;
//! let answer = engine.search(&SearchRequest::new("敏感肌用的A醇精华")?)?;
//! for hit in &answer.hits {
//!     println!("{:.3} {} {}", hit.score, hit.id, hit.product.title);
//! }
//! # assert_eq!((answer.hits[0].id.as_str(), engine.stats().products), ("p1", 2));
//! # Ok(())
//! # }
//! ```
//!
//! A catalogue file goes in with [`Engine::ingest`]; `examples/shop.rs` shows a back end's day. The modules are the
//! parts an engine is made of: [`catalogue`] reads files, [`models`] fetches models, [`index`] is the store beneath,
//! [`eval`] measures rankings.

#![forbid(unsafe_code)]

mod builder;
mod commit;
mod engine;
mod error;
mod fields;
mod full_text;
mod ingest;
mod lexical;
mod model;
mod products;
mod rebuild;
mod search;
mod settings;
mod snapshot;
mod tune;
mod word2vec;

pub use builder::EngineBuilder;
pub use engine::{DeleteReport, Engine, Note};
pub use error::EngineError;
pub use full_text::FullTextStats;
pub use ingest::{IngestOptions, IngestProgress, IngestReport, SyncOutcome};
pub use lexical::LexicalNote;
pub use model::{load_encoder, shortened};
pub use rebuild::{Carried, RebuildOptions, RebuildProgress, RebuildReport, Unfinished};
pub use snapshot::{RestoreOptions, RestoreReport};
pub use tune::TuneReport;
pub use word2vec::{CatalogueCorpus, SentenceEncoderHandle, Word2VecReport};

pub use xunpin_core::{
    AttributeValue, CompareOp, DocId, EncodeError, Encoder, ExactKind, Field, Filter, Fingerprint, Literal,
    Matrix, Product, Role, Strategy,
};
pub use xunpin_encoder::{self as encoder, Device, DeviceError, EncoderOptions, Precision, PrecisionError};
pub use xunpin_eval as eval;
pub use xunpin_index as index;
pub use xunpin_index::{SnapshotError, SnapshotMethod, SnapshotReport};
pub use xunpin_ingest as catalogue;
pub use xunpin_models as models;
pub use xunpin_query::fusion::Weights;
pub use xunpin_query::{
    Facet, FacetRequest, FieldError, FilterError, Hit, Mode, Placement, QueryError, RulePlace, Rules,
    RulesError, SearchRequest, SearchResponse, Sides, SortKey, parse_filter,
};
pub use xunpin_word2vec as words;
