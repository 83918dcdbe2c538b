//! One module a command.

pub(crate) mod bench;
pub(crate) mod delete;
pub(crate) mod embed;
pub(crate) mod eval;
pub(crate) mod index;
mod judged;
pub(crate) mod model;
mod notes;
pub(crate) mod rebuild;
pub(crate) mod search;
pub(crate) mod stats;
pub(crate) mod tune;
pub(crate) mod verify;
pub(crate) mod word2vec;

use xunpin::{Engine, EngineBuilder, Mode};

use crate::args::{IndexDir, QueryPrecision, RetrievalArgs, StrategyArg};
use crate::exit::wrong_use;

/// Starts opening the index a command names.
fn builder(index: &IndexDir) -> EngineBuilder {
    Engine::builder(&index.index)
}

/// The same for a command that puts queries to it.
fn query_builder(index: &IndexDir, precision: &QueryPrecision) -> EngineBuilder {
    let builder = builder(index).allow_precision_mismatch(precision.allow_precision_mismatch);
    match precision.precision.precision {
        Some(precision) => builder.precision(precision),
        None => builder,
    }
}

/// A request for `k` products, as the flags say.
fn request(
    query: &str,
    k: usize,
    mode: Mode,
    retrieval: &RetrievalArgs,
) -> anyhow::Result<xunpin::SearchRequest> {
    let strategy = match retrieval.strategy {
        StrategyArg::Auto => xunpin::Strategy::Auto,
        StrategyArg::Exact => xunpin::Strategy::Exact,
        StrategyArg::Graph => xunpin::Strategy::Graph,
    };
    let mut request = xunpin::SearchRequest::new(query).and_then(|r| r.with_results(k)).map_err(wrong_use)?;
    request = request.with_mode(mode).with_strategy(strategy);
    if let Some(ef) = retrieval.ef {
        request = request.with_ef(ef).map_err(wrong_use)?;
    }
    Ok(request)
}

/// Whether a mode needs the language model.
fn needs_model(mode: Mode) -> bool {
    matches!(mode, Mode::Hybrid | Mode::Semantic)
}
