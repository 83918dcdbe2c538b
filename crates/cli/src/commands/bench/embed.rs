use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;
use xunpin::Role;
use xunpin::eval::Latency;

use super::round;
use crate::args::{BenchEmbedArgs, Format};
use crate::exit::{Done, WrongUse};
use crate::{output, threads};

/// Documents a call: what indexing embeds between two commits.
const BATCH: usize = 128;

/// The queries that the peers' benchmark asks.
const QUERIES: [&str; 4] = ["敏感肌抗老", "油皮控油祛痘洗面奶", "熬夜黑眼圈眼霜", "送给五十岁妈妈的抗皱套装"];

#[derive(Serialize)]
struct EmbedBench {
    schema: &'static str,
    model: String,
    precision: String,
    threads: usize,
    docs: usize,
    /// Tokens of all documents, prompts and special tokens included.
    tokens: usize,
    load_s: f64,
    docs_per_s: f64,
    tokens_per_s: f64,
    query_p50_ms: f64,
    query_p95_ms: f64,
}

pub(crate) fn embed(args: &BenchEmbedArgs) -> anyhow::Result<Done> {
    let text = std::fs::read_to_string(&args.texts)
        .with_context(|| format!("{}: cannot be read", args.texts.display()))?;
    let docs: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    if docs.is_empty() {
        let message = format!("{} holds no text; one document a line is expected", args.texts.display());
        return Err(WrongUse(message).into());
    }
    let started = Instant::now();
    let encoder = xunpin::load_encoder(&args.model, None)?;
    let load_s = started.elapsed().as_secs_f64();
    // The first call faults the weights in from the page cache.
    encoder.encode(&docs[..docs.len().min(BATCH)], Role::Document)?;
    let started = Instant::now();
    for batch in docs.chunks(BATCH) {
        encoder.encode(batch, Role::Document)?;
    }
    let seconds = started.elapsed().as_secs_f64();
    let mut tokens = 0;
    for doc in &docs {
        tokens += encoder.count_tokens(doc, Role::Document)?;
    }
    let mut times = Vec::new();
    for _ in 0..5 {
        for query in QUERIES {
            times.push(time(|| encoder.encode(&[query], Role::Query))?);
        }
    }
    let latency = Latency::of(&times).context("no query was timed")?;
    let result = EmbedBench {
        schema: "xunpin.bench.embed.v1",
        model: encoder.fingerprint().model.clone(),
        precision: encoder.fingerprint().precision.clone(),
        threads: threads::settled(),
        docs: docs.len(),
        tokens,
        load_s: round(load_s, 2),
        docs_per_s: round(docs.len() as f64 / seconds, 1),
        tokens_per_s: round(tokens as f64 / seconds, 0),
        query_p50_ms: round(latency.p50_ms, 1),
        query_p95_ms: round(latency.p95_ms, 1),
    };
    match args.format {
        Format::Json => output::json_line(&mut std::io::stdout().lock(), &result)?,
        Format::Table => {
            output::line(format!("{} {}, {} threads", result.model, result.precision, result.threads))?;
            output::line(format!(
                "{} documents of {:.1} tokens: {} a second",
                result.docs,
                tokens as f64 / docs.len() as f64,
                result.docs_per_s
            ))?;
            output::line(format!(
                "one query: {} ms p50, {} ms p95",
                result.query_p50_ms, result.query_p95_ms
            ))?;
            output::line(format!("model loaded in {} s", result.load_s))?;
        }
    }
    Ok(Done::Fully)
}

fn time<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<Duration, E> {
    let started = Instant::now();
    work()?;
    Ok(started.elapsed())
}
