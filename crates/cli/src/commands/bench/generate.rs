use std::time::Instant;

use anyhow::Context;
use serde::Serialize;
use xunpin::catalogue::content_hash;
use xunpin::index::{Batch, Index};
use xunpin::{Engine, EngineError};
use xunpin_analysis::Analyzer;

use super::recombine::{Source, recombine};
use super::round;
use crate::args::{BenchGenerateArgs, Format};
use crate::commands::builder;
use crate::commands::notes::Notes;
use crate::exit::{Done, WrongUse};
use crate::output::{self, count};
use crate::progress;

/// Products between two commits.
const BATCH: usize = 2_000;
/// Real products that are recombined at most: they are held in memory.
const MOST_SOURCES: usize = 50_000;

#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    index: &'a std::path::Path,
    products: usize,
    /// Real products that were recombined.
    sources: usize,
    seed: u64,
    seconds: f64,
}

/// Makes an index of `--products` products recombined from those of a real one, for the same model and with the same
/// settings. The model is loaded for its tokenizer, which cuts long texts as indexing does, and never run.
pub(crate) fn generate(args: &BenchGenerateArgs) -> anyhow::Result<Done> {
    let started = Instant::now();
    let engine = builder(&args.index).open_read_only()?;
    Notes::of(&engine);
    let sources = read_sources(&engine)?;
    if sources.is_empty() || args.products == 0 {
        let message = "there is nothing to make: the index is empty, or no product is wanted";
        return Err(WrongUse(message.to_owned()).into());
    }
    fill(&engine, &sources, args)?;
    // Opened once to write, so that the full-text index is built.
    let made = Engine::builder(&args.out).open()?;
    Notes::of(&made);
    let report = Report {
        schema: "xunpin.bench.generate.v1",
        index: &args.out,
        products: made.stats().products,
        sources: sources.len(),
        seed: args.seed,
        seconds: round(started.elapsed().as_secs_f64(), 1),
    };
    match args.format {
        Format::Json => output::json(&report)?,
        Format::Table => output::line(format!(
            "{}: {} recombined from {} with seed {}, in {} s",
            args.out.display(),
            count(report.products, "product", "products"),
            count(report.sources, "real one", "real ones"),
            report.seed,
            report.seconds
        ))?,
    }
    Ok(Done::Fully)
}

/// The real products, by their internal numbers.
fn read_sources(engine: &Engine) -> anyhow::Result<Vec<Source>> {
    let analyzer = Analyzer::default();
    let index = engine.index();
    let mut sources = Vec::with_capacity(index.len().min(MOST_SOURCES));
    index
        .for_each_product(|doc, product| {
            if sources.len() < MOST_SOURCES
                && let Some(vector) = index.vector(doc)
            {
                sources.push(Source::new(product.clone(), vector, &analyzer));
            }
        })
        .map_err(EngineError::from)?;
    Ok(sources)
}

fn fill(engine: &Engine, sources: &[Source], args: &BenchGenerateArgs) -> anyhow::Result<()> {
    let from = engine.index();
    let encoder = engine.encoder()?.as_ref();
    let made = Index::create(&args.out, from.fingerprint(), from.options().clone(), from.extra().clone())
        .map_err(EngineError::from)?;
    let bar = progress::of_share();
    for start in (0..args.products).step_by(BATCH) {
        let end = args.products.min(start + BATCH);
        let mut batch = Batch::new();
        for at in start..end {
            let (product, vector) =
                recombine(sources, args.seed, at).context("the real vectors cancel each other out")?;
            let text = engine.template().render(&product, encoder)?;
            batch.upsert(product, content_hash(&text), Some(&vector));
        }
        made.apply(batch).map_err(EngineError::from)?;
        bar.set_message(count(end, "product", "products"));
        bar.set_position(end as u64 * progress::SHARE_STEPS / args.products as u64);
    }
    bar.set_message("building the graph");
    made.freeze().map_err(EngineError::from)?;
    bar.finish_and_clear();
    Ok(())
}
