//! One module a command.

pub(crate) mod bench;
pub(crate) mod compact;
pub(crate) mod delete;
pub(crate) mod embed;
pub(crate) mod eval;
pub(crate) mod index;
mod judged;
pub(crate) mod model;
mod notes;
pub(crate) mod rebuild;
pub(crate) mod search;
pub(crate) mod snapshot;
pub(crate) mod stats;
pub(crate) mod tune;
pub(crate) mod verify;
pub(crate) mod word2vec;

use xunpin::{Device, Engine, EngineBuilder, Mode};

use crate::args::{ComputeArgs, IndexDir, QueryComputeArgs, RetrievalArgs, StrategyArg};
use crate::exit::wrong_use;

/// Starts opening the index a command names.
fn builder(index: &IndexDir) -> EngineBuilder {
    Engine::builder(&index.index)
}

/// With the model computing as the flags say.
fn computing(builder: EngineBuilder, args: &ComputeArgs) -> EngineBuilder {
    let builder = builder.device(args.device.device);
    match args.precision {
        Some(precision) => builder.precision(precision),
        None => builder,
    }
}

/// Starts opening the index of a command that puts queries to it.
fn query_builder(index: &IndexDir, args: &QueryComputeArgs) -> EngineBuilder {
    computing(builder(index), &args.with).allow_precision_mismatch(args.allow_precision_mismatch)
}

/// Texts encoded in one call. Of the processor's, what indexing embeds between two commits; other devices are idle if they
/// get so few.
fn texts_at_a_time(device: Device) -> usize {
    match device {
        Device::Cpu => 128,
        _ => 1024,
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
