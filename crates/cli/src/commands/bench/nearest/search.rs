use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use xunpin::EngineError;
use xunpin::index::Index;

use super::super::blend::displaced;
use super::super::random::Random;
use super::figures::{Nearest, Turns};
use super::made::{documents, stored};
use super::truth::Asked;
use crate::args::{BenchSearchArgs, Format};
use crate::exit::{Done, WrongUse};
use crate::output;

/// Queries asked if the caller doesn't say.
const QUERIES: usize = 1_000;
/// The seed of the queries.
const SEED: u64 = 0x4e45_4152;

#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    index: &'a Path,
    /// The true nearest are those by the vectors as they are stored.
    #[serde(flatten)]
    nearest: Nearest,
}

/// Measures searches of an existing index by vectors alone.
pub(crate) fn search(args: &BenchSearchArgs) -> anyhow::Result<Done> {
    let path = &args.index.index;
    let asked = ask(path, args.limit.unwrap_or(QUERIES), args.k)?;
    let folder = tempfile::tempdir().context("a temporary folder can't be made")?;
    asked.write(folder.path())?;
    let mut turns = Turns::begin(path, folder.path(), &args.ladder.ef)?;
    turns.turn(args.ladder.rounds)?;
    let nearest = turns.end(asked.len(), asked.top).context("nothing was measured")?;
    match args.format {
        Format::Json => output::json(&Report { schema: "xunpin.bench.nearest.v1", index: path, nearest })?,
        Format::Table => nearest.print()?,
    }
    Ok(Done::Fully)
}

/// Vectors of the index, displaced, and their truth.
fn ask(path: &Path, queries: usize, top: usize) -> anyhow::Result<Asked> {
    let index = Index::open_read_only(path).map_err(EngineError::from)?;
    let docs = documents(&index)?;
    if docs.is_empty() || queries == 0 || top == 0 {
        let message = "there is nothing to ask: the index is empty, or no query or result is wanted";
        return Err(WrongUse(message.to_owned()).into());
    }
    let mut asked = Vec::with_capacity(queries * index.options().dimension);
    for at in 0..queries {
        let mut random = Random::of(SEED, at as u64);
        let vector = random.pick(&docs).and_then(|doc| index.vector(*doc));
        let query = vector.and_then(|vector| displaced(vector, &mut random));
        asked.extend(query.context("a stored vector has no length")?);
    }
    Asked::new(asked, index.options().dimension, top, stored(&index, &docs))
}
