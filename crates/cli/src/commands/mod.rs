//! One module a command.

pub(crate) mod bench;
pub(crate) mod delete;
pub(crate) mod embed;
pub(crate) mod eval;
pub(crate) mod index;
pub(crate) mod model;
pub(crate) mod search;
pub(crate) mod stats;
pub(crate) mod verify;

use xunpin::{Engine, EngineBuilder};

use crate::args::{IndexDir, RetrievalArgs, StrategyArg};
use crate::exit::wrong_use;

/// Starts opening the index a command names.
fn builder(index: &IndexDir) -> EngineBuilder {
    Engine::builder(&index.index)
}

/// A request for `k` products, as the flags say.
fn request(
    query: &str,
    k: usize,
    mode: &str,
    retrieval: &RetrievalArgs,
) -> anyhow::Result<xunpin::SearchRequest> {
    let strategy = match retrieval.strategy {
        StrategyArg::Auto => xunpin::Strategy::Auto,
        StrategyArg::Exact => xunpin::Strategy::Exact,
        StrategyArg::Graph => xunpin::Strategy::Graph,
    };
    let mut request = xunpin::SearchRequest::new(query)
        .and_then(|r| r.with_results(k))
        .and_then(|r| Ok(r.with_mode(mode.parse()?).with_strategy(strategy)))
        .map_err(wrong_use)?;
    if let Some(ef) = retrieval.ef {
        request = request.with_ef(ef).map_err(wrong_use)?;
    }
    Ok(request)
}

/// Says what opening the index had to mend.
fn print_notes(engine: &Engine) {
    for note in engine.index().notes() {
        eprintln!("note: {note}");
    }
}
