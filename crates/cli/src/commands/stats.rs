use serde::Serialize;
use xunpin::words::Pooling;
use xunpin::{Engine, EngineError, FullTextStats, Weights};

use super::builder;
use super::notes::Notes;
use crate::args::{Format, StatsArgs};
use crate::exit::Done;
use crate::output::{self, bytes, count, thousands};

#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    model: &'a str,
    fingerprint: &'a xunpin::Fingerprint,
    #[serde(flatten)]
    stats: &'a xunpin::index::Stats,
    full_text: &'a FullTextStats,
    /// Absent where the index has no word vectors.
    #[serde(skip_serializing_if = "Option::is_none")]
    word2vec: Option<&'a WordStats>,
    fusion: Fusion<'a>,
}

#[derive(Serialize)]
struct WordStats {
    words: usize,
    dimension: usize,
    pooling: Pooling,
    /// True if they were trained here, false if they came from a file.
    trained: bool,
}

#[derive(Serialize)]
struct Fusion<'a> {
    /// False if these are the defaults.
    tuned: bool,
    weights: &'a Weights,
}

pub(crate) fn run(args: &StatsArgs) -> anyhow::Result<Done> {
    let engine = builder(&args.index).open_read_only()?;
    let stats = engine.stats();
    let full_text = engine.full_text_stats()?;
    let words = word_stats(&engine);
    let weights = engine.weights()?;
    let tuned = weights != Weights::default();
    if args.format == Format::Json {
        output::json(&Report {
            schema: "xunpin.stats.v1",
            model: engine.model_name(),
            fingerprint: engine.index().fingerprint(),
            stats: &stats,
            full_text: &full_text,
            word2vec: words.as_ref().ok().and_then(Option::as_ref),
            fusion: Fusion { tuned, weights: &weights },
        })?;
    } else {
        print_index(args, &engine, &stats)?;
        print_words(&full_text, &stats, words.as_ref().ok().and_then(Option::as_ref))?;
        output::line(format!("fusion    {} weights", if tuned { "tuned" } else { "default" }))?;
        output::line(format!("search    {}", stats.strategy))?;
        output::line(format!(
            "disk      {} (store {}, graphs {}, vectors {}, full text {}, word vectors {})",
            bytes(stats.bytes.total),
            bytes(stats.bytes.db),
            bytes(stats.bytes.graphs),
            bytes(stats.bytes.vectors),
            bytes(stats.bytes.lexical),
            bytes(stats.bytes.word2vec)
        ))?;
    }
    if let Err(error) = words {
        output::tell(format_args!("note: {error}"));
    }
    Notes::of(&engine);
    Ok(Done::Fully)
}

/// What the index has of word vectors, or why they can't be used.
fn word_stats(engine: &Engine) -> Result<Option<WordStats>, EngineError> {
    match engine.word2vec() {
        Ok(words) => Ok(Some(WordStats {
            words: words.vectors().len(),
            dimension: words.dimension(),
            pooling: words.pooling(),
            trained: words.vectors().train_options().is_some(),
        })),
        Err(EngineError::NoWord2Vec { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn print_index(args: &StatsArgs, engine: &Engine, stats: &xunpin::index::Stats) -> anyhow::Result<()> {
    output::line(format!(
        "index     {} (format {}, made by xunpin {})",
        args.index.index.display(),
        stats.format_version,
        stats.created_by
    ))?;
    output::line(format!("products  {}", count(stats.products as u64, "product", "products")))?;
    output::line(format!(
        "model     {} ({}, {} values)",
        engine.model_name(),
        engine.index().fingerprint().precision,
        stats.dimension
    ))?;
    output::line(format!("commits   {}", stats.generation))?;
    for segment in &stats.segments {
        output::line(format!(
            "segment   {}: {}, {} deleted, {} layers, ef {} for ten results, {}{}",
            segment.number,
            count(segment.vectors as u64, "vector", "vectors"),
            segment.deleted,
            segment.layers,
            segment.ef,
            bytes(segment.bytes),
            if segment.mapped { "" } else { ", held in memory: its file can't be used" },
        ))?;
    }
    let tail = &stats.tail;
    output::line(format!(
        "tail      {}, {} deleted",
        count(tail.vectors as u64, "vector", "vectors"),
        tail.deleted
    ))
}

fn print_words(
    full_text: &FullTextStats,
    stats: &xunpin::index::Stats,
    words: Option<&WordStats>,
) -> anyhow::Result<()> {
    let state = match (&full_text.unusable, full_text.behind) {
        (Some(reason), _) => format!("{reason}; the next search or writer builds it"),
        (None, 0) => count(full_text.products, "product", "products"),
        (None, behind) => format!(
            "{}, {} behind; the next search or writer brings it up to date",
            count(full_text.products, "product", "products"),
            count(behind, "commit", "commits")
        ),
    };
    output::line(format!("full text {state}, {}", bytes(stats.bytes.lexical)))?;
    output::line(match words {
        Some(words) => format!(
            "words     {} word vectors of {} values, {}, {}",
            thousands(words.words as u64),
            words.dimension,
            match words.pooling {
                Pooling::Mean => "mean",
                Pooling::Sif { .. } => "SIF-weighted mean",
            },
            if words.trained { "trained" } else { "imported" }
        ),
        None => "words     no word vectors".to_owned(),
    })
}
