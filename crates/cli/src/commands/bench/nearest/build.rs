use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;
use xunpin::EngineError;
use xunpin::index::{ByteStats, Index};
use xunpin_hnsw::{BuildOptions, CodeBuffer, Coder};

use super::super::round;
use super::figures::{Nearest, Turns};
use super::made::{self, BLOCK, Place, Sources, documents, stored};
use super::peers::{self, Peers};
use super::truth::{Asked, Block};
use crate::args::{BenchBuildArgs, Format};
use crate::exit::Done;
use crate::memory::Memory;
use crate::output::{self, bytes, count};
use crate::threads;

#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    /// The index whose vectors were blended.
    from: &'a Path,
    /// The new index, where it stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    out: Option<&'a Path>,
    vectors: usize,
    dimension: usize,
    sources: usize,
    seed: u64,
    m: usize,
    ef_construction: usize,
    /// The recall asked for.
    recall: f64,
    threads: usize,
    build: Build,
    nearest: Nearest,
    #[serde(skip_serializing_if = "Option::is_none")]
    peers: Option<Peers>,
    /// Why peers were asked for and not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    peers_skipped: Option<String>,
}

/// Seconds and bytes.
#[derive(Serialize)]
struct Build {
    /// Making the vectors, which is no part of what follows.
    generate_s: f64,
    /// Batches written, while full live parts are frozen and segments merged beside that.
    apply_s: f64,
    /// From the last batch until that is done and the rest is frozen.
    settle_s: f64,
    segments_settled: usize,
    bytes_settled: ByteStats,
    /// Making one segment of all, RocksDB's own compaction included.
    compact_s: f64,
    bytes: ByteStats,
    /// When all that was done; its peak is that of ingest and compaction. Absent where the system doesn't tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Memory>,
    /// The graph alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    graph: Option<GraphAlone>,
}

/// One graph of all vectors, built in memory and thrown away: what hnswlib's `add_items` does.
#[derive(Clone, Copy, Serialize)]
pub(super) struct GraphAlone {
    /// Vectors to codes, on one thread.
    codes_s: f64,
    /// Codes to a graph.
    build_s: f64,
    /// Both.
    pub(super) total_s: f64,
}

pub(crate) fn build(args: &BenchBuildArgs) -> anyhow::Result<Done> {
    let made = &args.made;
    made::check(made)?;
    let sources = Sources::read(&made.index.index)?;
    let place = Place::new(made.out.as_deref())?;
    let (index, mut build) = fill(args, &sources, &place.path)?;
    let options = index.options().clone();
    if made.vectors <= args.peers_up_to {
        build.graph = Some(graph_alone(&index)?);
    }
    // Closed, as readers find it.
    drop(index);

    let queries = sources.queries(made.seed, made.vectors, made.queries)?;
    let asked = Asked::new(queries, sources.dimension(), made.k, blocks(&sources, args))?;
    let folder = tempfile::tempdir().context("a temporary folder can't be made")?;
    asked.write(folder.path())?;
    let (mut running, peers_skipped) = match peers::begin(args, &sources, &options, folder.path())? {
        Ok(running) => (running, None),
        Err(reason) => (None, Some(reason)),
    };
    let mut turns = Turns::begin(&place.path, folder.path(), &args.ladder.ef)?;
    for _ in 0..args.ladder.rounds.max(1) {
        turns.turn(1)?;
        if let Some(running) = &mut running {
            running.turn()?;
        }
    }
    let nearest = turns.end(asked.len(), asked.top).context("nothing was measured")?;
    let peers = running.map(|running| running.end(build.graph, &nearest)).transpose()?;
    let report = Report {
        schema: "xunpin.bench.build.v1",
        from: &made.index.index,
        out: made.out.as_deref(),
        vectors: made.vectors,
        dimension: sources.dimension(),
        sources: sources.vectors.len(),
        seed: made.seed,
        m: options.m,
        ef_construction: options.ef_construction,
        recall: options.recall,
        threads: threads::settled(),
        build,
        nearest,
        peers,
        peers_skipped,
    };
    match made.format {
        Format::Json => output::json(&report)?,
        Format::Table => print(&report)?,
    }
    Ok(Done::Fully)
}

/// The vectors as they were made, not as they are stored.
fn blocks<'a>(
    sources: &'a Sources,
    args: &'a BenchBuildArgs,
) -> impl Iterator<Item = anyhow::Result<Block>> + 'a {
    let made = &args.made;
    (0..made.vectors).step_by(BLOCK).map(move |start| {
        let numbers = start..(start + BLOCK).min(made.vectors);
        let rows = sources.rows(made.seed, numbers.clone())?;
        // Products get their internal numbers in the order in which they come.
        Ok(Block { docs: numbers.map(|at| at as u32).collect(), rows })
    })
}

fn fill(args: &BenchBuildArgs, sources: &Sources, path: &Path) -> anyhow::Result<(Index, Build)> {
    let (index, filled) = made::make(&args.made, sources, path)?;
    let started = Instant::now();
    index.wait_for_maintenance();
    index.freeze().map_err(EngineError::from)?;
    let settle_s = started.elapsed().as_secs_f64();
    let settled = index.stats();
    let started = Instant::now();
    index.compact().map_err(EngineError::from)?;
    let compact_s = started.elapsed().as_secs_f64();
    let build = Build {
        generate_s: round(filled.generate_s, 3),
        apply_s: round(filled.apply_s, 3),
        settle_s: round(settle_s, 3),
        segments_settled: settled.segments.len(),
        bytes_settled: settled.bytes,
        compact_s: round(compact_s, 3),
        bytes: index.stats().bytes,
        memory: Memory::now(),
        graph: None,
    };
    Ok((index, build))
}

/// Builds the graph of what the index stores on the threads of rayon's common pool.
fn graph_alone(index: &Index) -> anyhow::Result<GraphAlone> {
    let options = index.options();
    let coder = Coder::new(options.dimension);
    let docs = documents(index)?;
    let mut codes = CodeBuffer::new(&coder);
    codes.reserve(docs.len());
    let mut codes_s = 0.0;
    for block in stored(index, &docs) {
        let rows = block?.rows;
        let started = Instant::now();
        for row in rows.chunks_exact(options.dimension) {
            codes.push(&coder, row);
        }
        codes_s += started.elapsed().as_secs_f64();
    }
    let options = BuildOptions { m: options.m, ef_construction: options.ef_construction };
    let started = Instant::now();
    xunpin_hnsw::build(codes.codes(), &options, &AtomicBool::new(false))?;
    let build_s = started.elapsed().as_secs_f64();
    let total_s = round(codes_s + build_s, 3);
    Ok(GraphAlone { codes_s: round(codes_s, 3), build_s: round(build_s, 3), total_s })
}

fn print(report: &Report<'_>) -> anyhow::Result<()> {
    let build = &report.build;
    output::line(format!(
        "{} of {} values, blended from {} with seed {}; m {}, ef_construction {}, recall {}, {}",
        count(report.vectors, "vector", "vectors"),
        report.dimension,
        count(report.sources, "real one", "real ones"),
        report.seed,
        report.m,
        report.ef_construction,
        report.recall,
        count(report.threads, "thread", "threads"),
    ))?;
    output::line(format!(
        "built: {:.1} s to write, {:.1} s more to freeze and merge ({}), {:.1} s to compact into one",
        build.apply_s,
        build.settle_s,
        count(build.segments_settled, "segment", "segments"),
        build.compact_s
    ))?;
    if let Some(graph) = &build.graph {
        output::line(format!(
            "graph alone: {:.1} s ({:.1} s of it for the codes)",
            graph.total_s, graph.codes_s
        ))?;
    }
    output::line(format!(
        "disk: {} (store {}, graphs {}, vectors {}); before compaction {}",
        bytes(build.bytes.total),
        bytes(build.bytes.db),
        bytes(build.bytes.graphs),
        bytes(build.bytes.vectors),
        bytes(build.bytes_settled.total)
    ))?;
    if let Some(memory) = &build.memory {
        output::line(format!("memory of building: {} at its peak", bytes(memory.peak)))?;
    }
    output::line("")?;
    report.nearest.print()?;
    if let Some(reason) = &report.peers_skipped {
        output::line(format!("\nno peers: {reason}"))?;
    }
    report.peers.as_ref().map_or(Ok(()), Peers::print)
}
