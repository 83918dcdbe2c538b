use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;
use xunpin::eval::Latency;
use xunpin::{Engine, Mode, SearchRequest};

use super::{nearest, percentile, round};
use crate::args::{BenchSearchArgs, Format};
use crate::commands::notes::Notes;
use crate::commands::{needs_model, query_builder};
use crate::exit::{Done, WrongUse, wrong_use};
use crate::output::{self, count, table};
use crate::threads;

/// Queries timed if the caller doesn't say.
const LIMIT: usize = 200;

#[derive(Serialize)]
struct Report {
    schema: &'static str,
    model: String,
    products: usize,
    threads: usize,
    queries: usize,
    warmup: usize,
    top: usize,
    modes: Vec<ModeReport>,
    /// What hybrid takes beyond semantic, without encoding; absent unless both were measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    hybrid_over_semantic: Option<Overhead>,
}

#[derive(Serialize)]
struct ModeReport {
    mode: Mode,
    /// Milliseconds.
    total: Percentiles,
    encode: Percentiles,
    lexical: Percentiles,
    nearest: Percentiles,
    fusion: Percentiles,
    /// All but encoding, by the clock around the call.
    search: Percentiles,
}

#[derive(Clone, Copy, Serialize)]
struct Percentiles {
    p50: f64,
    p95: f64,
}

/// In milliseconds, without encoding.
#[derive(Serialize)]
struct Overhead {
    /// Difference of the medians.
    of_p50: f64,
    /// Median of the differences, query by query.
    paired_p50: f64,
}

/// Where the time of one search went.
#[derive(Clone, Copy)]
struct Times {
    total: f64,
    encode: f64,
    lexical: f64,
    nearest: f64,
    fusion: f64,
}

impl Times {
    fn search(&self) -> f64 {
        (self.total - self.encode).max(0.0)
    }
}

/// Asks every query in every mode before the next query, so that what else the machine does hits all modes alike; which
/// mode is first changes from query to query.
pub(crate) fn search(args: &BenchSearchArgs) -> anyhow::Result<Done> {
    let Some(queries) = &args.queries else { return nearest::search(args) };
    let mut modes: Vec<Mode> = Vec::new();
    for &mode in &args.modes {
        if !modes.contains(&mode) {
            modes.push(mode);
        }
    }
    let requests = read_requests(queries, args)?;
    let engine = query_builder(&args.index, &args.compute).open_read_only()?;
    let mut notes = Notes::of(&engine);
    if modes.iter().any(|mode| needs_model(*mode)) {
        engine.encoder()?;
    }
    for request in requests.iter().cycle().take(args.warmup) {
        for &mode in &modes {
            ask(&engine, request, mode)?;
        }
    }
    notes.tell(&engine);
    let mut times: Vec<Vec<Times>> = vec![Vec::with_capacity(requests.len()); modes.len()];
    for (at, request) in requests.iter().enumerate() {
        for turn in 0..modes.len() {
            let which = (at + turn) % modes.len();
            times[which].push(ask(&engine, request, modes[which])?);
        }
    }
    let of = |mode: Mode| modes.iter().position(|m| *m == mode).map(|at| times[at].as_slice());
    let report = Report {
        schema: "xunpin.bench.search.v1",
        model: engine.index().fingerprint().model.clone(),
        products: engine.index().len(),
        threads: threads::settled(),
        queries: requests.len(),
        warmup: args.warmup,
        top: args.k,
        hybrid_over_semantic: of(Mode::Hybrid).zip(of(Mode::Semantic)).map(|(h, s)| overhead(h, s)),
        modes: modes.iter().zip(&times).map(|(mode, times)| mode_report(*mode, times)).collect(),
    };
    match args.format {
        Format::Json => output::json(&report)?,
        Format::Table => print(&report)?,
    }
    Ok(Done::Fully)
}

/// The file's queries: a line each, what stands before a tab passed over.
fn read_requests(queries: &Path, args: &BenchSearchArgs) -> anyhow::Result<Vec<SearchRequest>> {
    let text =
        std::fs::read_to_string(queries).with_context(|| format!("{}: cannot be read", queries.display()))?;
    let mut requests = Vec::new();
    for (at, line) in
        text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).take(args.limit.unwrap_or(LIMIT))
    {
        let query = line.split_once('\t').map_or(line, |(_, query)| query);
        let request = SearchRequest::new(query)
            .and_then(|request| request.with_results(args.k))
            .map_err(wrong_use)
            .with_context(|| format!("{}:{}", queries.display(), at + 1))?;
        requests.push(request);
    }
    if requests.is_empty() {
        let message = format!("{} holds no query; one a line is expected", queries.display());
        return Err(WrongUse(message).into());
    }
    Ok(requests)
}

fn ask(engine: &Engine, request: &SearchRequest, mode: Mode) -> anyhow::Result<Times> {
    let request = request.clone().with_mode(mode);
    let started = Instant::now();
    let took = engine.search(&request)?.took_ms;
    let total = started.elapsed().as_secs_f64() * 1e3;
    Ok(Times {
        total,
        encode: took.encode,
        lexical: took.lexical,
        nearest: took.nearest,
        fusion: took.fusion,
    })
}

fn mode_report(mode: Mode, times: &[Times]) -> ModeReport {
    let of = |part: fn(&Times) -> f64| percentiles(times.iter().map(part));
    ModeReport {
        mode,
        total: of(|t| t.total),
        encode: of(|t| t.encode),
        lexical: of(|t| t.lexical),
        nearest: of(|t| t.nearest),
        fusion: of(|t| t.fusion),
        search: of(Times::search),
    }
}

fn percentiles(ms: impl Iterator<Item = f64>) -> Percentiles {
    let times: Vec<Duration> = ms.map(|ms| Duration::from_secs_f64(ms.max(0.0) / 1e3)).collect();
    let latency = Latency::of(&times);
    let (p50, p95) = latency.map_or((0.0, 0.0), |l| (l.p50_ms, l.p95_ms));
    Percentiles { p50: round(p50, 3), p95: round(p95, 3) }
}

fn overhead(hybrid: &[Times], semantic: &[Times]) -> Overhead {
    let p50 = |times: &[Times]| percentile(&mut times.iter().map(Times::search).collect::<Vec<_>>(), 50);
    let mut pairs: Vec<f64> = hybrid.iter().zip(semantic).map(|(h, s)| h.search() - s.search()).collect();
    Overhead {
        of_p50: round(p50(hybrid) - p50(semantic), 3),
        paired_p50: round(percentile(&mut pairs, 50), 3),
    }
}

fn print(report: &Report) -> anyhow::Result<()> {
    output::line(format!(
        "{}, {}, {}, top {}",
        count(report.products, "product", "products"),
        count(report.queries, "query", "queries"),
        count(report.threads, "thread", "threads"),
        report.top
    ))?;
    let header = ["ms p50 / p95", "total", "encode", "search", "words", "nearest", "fusion"];
    let cell = |p: Percentiles| format!("{:.2} / {:.2}", p.p50, p.p95);
    let rows = report.modes.iter().map(|mode| {
        let parts = [mode.total, mode.encode, mode.search, mode.lexical, mode.nearest, mode.fusion];
        std::iter::once(mode.mode.to_string()).chain(parts.map(cell)).collect()
    });
    output::line(table::render(&header, &[1, 2, 3, 4, 5, 6], rows.collect()))?;
    output::line("search: all but encoding, by the clock around the call")?;
    if let Some(overhead) = &report.hybrid_over_semantic {
        output::line(format!(
            "hybrid over semantic without encoding: {:.2} ms (difference of p50), {:.2} ms (p50 of differences)",
            overhead.of_p50, overhead.paired_p50
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overhead_is_paired_and_unpaired() {
        let of = |search: f64| Times {
            total: search + 10.0,
            encode: 10.0,
            lexical: 0.0,
            nearest: 0.0,
            fusion: 0.0,
        };
        let hybrid = [of(3.0), of(9.0), of(5.0)];
        let semantic = [of(2.0), of(4.0), of(1.0)];
        let found = overhead(&hybrid, &semantic);
        assert_eq!((found.of_p50, found.paired_p50), (3.0, 4.0));
    }
}
