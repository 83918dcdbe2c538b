use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;
use xunpin::eval::Latency;
use xunpin::{Mode, Precision};

use super::{child, round};
use crate::args::{BenchColdArgs, Format};
use crate::commands::query_builder;
use crate::exit::Done;
use crate::memory::Memory;
use crate::output::{self, bytes, count};

#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    index: &'a Path,
    query: &'a str,
    mode: Mode,
    model: String,
    /// What queries are encoded in.
    precision: String,
    products: usize,
    runs: usize,
    /// From the start of the process to its end.
    p50_ms: f64,
    least_ms: f64,
    most_ms: f64,
    /// Of that, loading the model and encoding the query; 0 in a mode without the model.
    encode_p50_ms: f64,
    /// Of that, the search with the vector at hand, opening the full-text index included.
    search_p50_ms: f64,
    /// Of the run with the highest peak, at its end; absent where the system doesn't tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Memory>,
}

/// Runs `xunpin search` in fresh processes. One run goes before and is not counted: it brings the files into the page cache.
pub(crate) fn cold(args: &BenchColdArgs) -> anyhow::Result<Done> {
    // Told once, and before anything is measured.
    let engine = query_builder(&args.index, &args.compute).open_read_only()?;
    let fingerprint = engine.index().fingerprint();
    let precision = args.compute.with.precision;
    let precision = precision.map_or_else(|| fingerprint.precision.clone(), |p: Precision| p.to_string());
    let (model, products) = (fingerprint.model.clone(), engine.index().len());
    drop(engine);

    let command = search(args)?;
    child::run(&command)?;
    let mut times: Vec<Duration> = Vec::new();
    let (mut encoding, mut searching) = (Vec::new(), Vec::new());
    let mut memory: Option<Memory> = None;
    for _ in 0..args.runs.max(1) {
        let ran = child::run(&command)?;
        times.push(ran.took);
        let answer: Value = serde_json::from_slice(&ran.stdout).context("a search's answer can't be read")?;
        encoding.extend(part(&answer, "encode"));
        searching.extend(part(&answer, "search"));
        memory = memory.into_iter().chain(ran.memory).max_by_key(|memory| memory.peak);
    }
    let ms = |time: Option<&Duration>| round(time.map_or(0.0, Duration::as_secs_f64) * 1e3, 1);
    let p50 = |times: &[Duration]| round(Latency::of(times).map_or(0.0, |latency| latency.p50_ms), 1);
    let report = Report {
        schema: "xunpin.bench.cold.v1",
        index: &args.index.index,
        query: &args.query,
        mode: args.mode,
        model,
        precision,
        products,
        runs: times.len(),
        p50_ms: p50(&times),
        least_ms: ms(times.iter().min()),
        most_ms: ms(times.iter().max()),
        encode_p50_ms: p50(&encoding),
        search_p50_ms: p50(&searching),
        memory,
    };
    match args.format {
        Format::Json => output::json(&report)?,
        Format::Table => print(&report)?,
    }
    Ok(Done::Fully)
}

/// The command line of one search.
fn search(args: &BenchColdArgs) -> anyhow::Result<Vec<String>> {
    let index = args.index.index.to_str().context("the name of the index's folder is not Unicode")?;
    let mut command = vec!["search".to_owned(), format!("--index={index}"), "--format=json".to_owned()];
    command.push(format!("--mode={}", args.mode));
    if let Some(precision) = args.compute.with.precision {
        command.push(format!("--precision={precision}"));
    }
    command.push(format!("--device={}", args.compute.with.device.device));
    if args.compute.allow_precision_mismatch {
        command.push("--allow-precision-mismatch".to_owned());
    }
    if let Some(threads) = args.threads.threads {
        command.push(format!("--threads={threads}"));
    }
    command.extend(["--".to_owned(), args.query.clone()]);
    Ok(command)
}

/// A part of the time that an answer tells.
fn part(answer: &Value, name: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(answer["took_ms"][name].as_f64()? / 1e3).ok()
}

fn print(report: &Report) -> anyhow::Result<()> {
    output::line(format!(
        "{} of {} in {} {}, {}",
        count(report.runs, "run", "runs"),
        count(report.products, "product", "products"),
        report.model,
        report.precision,
        report.mode
    ))?;
    output::line(format!(
        "process: {} ms p50, {} ms least, {} ms most",
        report.p50_ms, report.least_ms, report.most_ms
    ))?;
    output::line(format!(
        "in it: {} ms p50 to load the model and encode, {} ms p50 to search",
        report.encode_p50_ms, report.search_p50_ms
    ))?;
    if let Some(memory) = &report.memory {
        output::line(format!(
            "memory: {} at its peak; at the end {} own, {} mapped",
            bytes(memory.peak),
            bytes(memory.anonymous),
            bytes(memory.files)
        ))?;
    }
    Ok(())
}
