//! One precision on one number of threads, measured in a process of its own so that figures don't mix.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use xunpin::eval::Latency;
use xunpin::{Encoder, EncoderOptions, Precision, Role};

use super::super::texts_at_a_time;
use super::{lengths, round};
use crate::args::BenchCellArgs;
use crate::exit::{Done, WrongUse};
use crate::memory::Memory;
use crate::{output, threads};

/// Tokens encoded for each length of input, about.
const TOKENS_A_LENGTH: usize = 8_192;
/// How often each query is asked.
const ROUNDS: usize = 10;

/// The queries that the peers' benchmark asks.
const QUERIES: [&str; 4] = ["敏感肌抗老", "油皮控油祛痘洗面奶", "熬夜黑眼圈眼霜", "送给五十岁妈妈的抗皱套装"];

#[derive(Serialize, Deserialize)]
pub(super) struct Cell {
    pub(super) model: String,
    pub(super) precision: Precision,
    pub(super) threads: usize,
    pub(super) docs: usize,
    /// Tokens of all documents, prompts and special tokens included.
    pub(super) tokens: usize,
    pub(super) load_s: f64,
    pub(super) docs_per_s: f64,
    pub(super) tokens_per_s: f64,
    /// Inputs of one length each, shortest first.
    pub(super) lengths: Vec<OfLength>,
    pub(super) query_p50_ms: f64,
    pub(super) query_p95_ms: f64,
    /// Once the model is loaded; absent where the system doesn't tell.
    pub(super) memory_loaded: Option<Memory>,
    /// After all was encoded.
    pub(super) memory_worked: Option<Memory>,
}

/// Inputs without a prompt, cut from the documents.
#[derive(Serialize, Deserialize)]
pub(super) struct OfLength {
    /// Length asked for, special tokens included.
    pub(super) length: usize,
    pub(super) inputs: usize,
    /// Tokens of all of them.
    pub(super) tokens: usize,
    pub(super) inputs_per_s: f64,
    pub(super) tokens_per_s: f64,
}

/// Documents of a file, one a line.
pub(super) fn documents(file: &std::path::Path) -> anyhow::Result<Vec<String>> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("{}: cannot be read", file.display()))?;
    let docs: Vec<String> = text.lines().filter(|l| !l.trim().is_empty()).map(str::to_owned).collect();
    if docs.is_empty() {
        let message = format!("{} holds no text; one document a line is expected", file.display());
        return Err(WrongUse(message).into());
    }
    Ok(docs)
}

/// Prints one line of JSON, [`Cell`], and with `--vectors` behind it the documents' vectors, little-endian f32.
pub(crate) fn cell(args: &BenchCellArgs) -> anyhow::Result<Done> {
    let docs = documents(&args.texts)?;
    let docs: Vec<&str> = docs.iter().map(String::as_str).collect();
    let started = Instant::now();
    let (precision, device) = (args.precision, args.device.device);
    let options = EncoderOptions { precision, device, ..EncoderOptions::default() };
    let encoder = xunpin::load_encoder(&args.model, options)?;
    let encoder = encoder.as_ref();
    let load_s = started.elapsed().as_secs_f64();
    let memory_loaded = Memory::now();

    // The first call faults the weights in from the page cache.
    let batch = texts_at_a_time(device);
    encoder.encode(&docs[..docs.len().min(batch)], Role::Document)?;
    let mut vectors = Vec::new();
    let mut seconds = 0.0;
    for batch in docs.chunks(batch) {
        let started = Instant::now();
        let rows = encoder.encode(batch, Role::Document)?;
        seconds += started.elapsed().as_secs_f64();
        if args.vectors {
            vectors.extend(rows.as_slice().iter().flat_map(|value| value.to_le_bytes()));
        }
    }
    let mut tokens = 0;
    for doc in &docs {
        tokens += encoder.count_tokens(doc, Role::Document)?;
    }
    let mut lengths = Vec::new();
    for &length in args.lengths.iter().filter(|&&length| length <= encoder.fingerprint().max_tokens) {
        lengths.push(of_length(encoder, &docs, length, batch)?);
    }
    let latency = ask(encoder)?;
    let cell = Cell {
        model: encoder.fingerprint().model.clone(),
        precision: args.precision,
        threads: threads::settled(),
        docs: docs.len(),
        tokens,
        load_s: round(load_s, 3),
        docs_per_s: round(docs.len() as f64 / seconds, 1),
        tokens_per_s: round(tokens as f64 / seconds, 0),
        lengths,
        query_p50_ms: round(latency.p50_ms, 2),
        query_p95_ms: round(latency.p95_ms, 2),
        memory_loaded,
        memory_worked: Memory::now(),
    };
    let mut out = std::io::stdout().lock();
    output::json_line(&mut out, &cell)?;
    out.write_all(&vectors)?;
    out.flush()?;
    Ok(Done::Fully)
}

fn of_length(encoder: &dyn Encoder, docs: &[&str], length: usize, batch: usize) -> anyhow::Result<OfLength> {
    let inputs = lengths::inputs(encoder, docs, length, TOKENS_A_LENGTH.div_ceil(length))?;
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let mut tokens = 0;
    for input in &inputs {
        tokens += encoder.count_tokens(input, Role::Raw)?;
    }
    let started = Instant::now();
    for batch in inputs.chunks(batch) {
        encoder.encode(batch, Role::Raw)?;
    }
    let seconds = started.elapsed().as_secs_f64();
    Ok(OfLength {
        length,
        inputs: inputs.len(),
        tokens,
        inputs_per_s: round(inputs.len() as f64 / seconds, 1),
        tokens_per_s: round(tokens as f64 / seconds, 0),
    })
}

/// One query at a time, encoding alone.
fn ask(encoder: &dyn Encoder) -> anyhow::Result<Latency> {
    for query in QUERIES {
        encoder.encode(&[query], Role::Query)?;
    }
    let mut times: Vec<Duration> = Vec::new();
    for _ in 0..ROUNDS {
        for query in QUERIES {
            let started = Instant::now();
            encoder.encode(&[query], Role::Query)?;
            times.push(started.elapsed());
        }
    }
    Latency::of(&times).context("no query was timed")
}
