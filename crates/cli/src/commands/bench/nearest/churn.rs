use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;
use xunpin::index::{Batch, ByteStats, Compacted, Index, SearchOptions};
use xunpin::{DocId, EngineError, Strategy};
use xunpin_core::{Neighbor, SplitMix64};

use super::super::{percentile, round};
use super::figures::Figures;
use super::made::{self, BLOCK, Place, Sources, documents, id, stored};
use super::probe::{Setting, measure};
use super::truth::Asked;
use crate::args::{BenchChurnArgs, Format};
use crate::exit::Done;
use crate::output::{self, bytes, count, table, thousands};
use crate::progress;
use crate::threads;

/// Products changed between two commits.
const BATCH: usize = 500;
/// One in so many is changed, as many are deleted, as many are new.
const SHARE: usize = 10;
/// Decides which.
const CHOICE_SEED: u64 = 0x4348_5552;

#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    /// The index whose vectors were blended.
    from: &'a Path,
    /// Vectors before the changes.
    vectors: usize,
    dimension: usize,
    seed: u64,
    threads: usize,
    queries: usize,
    top: usize,
    /// One segment, and nothing goes on beside the searches.
    idle: Stage,
    /// A tenth is given other vectors, a tenth deleted, while one thread searches.
    changes: During,
    /// A tenth of new ones comes, while one thread searches.
    additions: During,
    /// Right after that.
    churned: Stage,
    /// A new index of what the churned one then holds.
    fresh: Stage,
    compacted: Compacted,
    compact_s: f64,
    /// The churned index after compaction.
    after: Stage,
    /// Queries to which it gives just the answer of the fresh one: the same products with the same scores.
    same_answers: usize,
}

/// Walks of the index's own width at one moment.
#[derive(Serialize)]
struct Stage {
    products: usize,
    segments: usize,
    /// Vectors in the live part.
    tail: usize,
    /// Deleted ones that still take room.
    tombstones: usize,
    ef: usize,
    recall: f64,
    p50_ms: f64,
    p99_ms: f64,
    bytes: ByteStats,
}

/// Searches beside writing.
#[derive(Serialize)]
struct During {
    upserted: usize,
    deleted: usize,
    /// Until the batches were written, and until they were frozen and merged.
    apply_s: f64,
    settle_s: f64,
    searches: usize,
    p50_ms: f64,
    p99_ms: f64,
    /// As against the idle index.
    p50_ratio: f64,
    p99_ratio: f64,
}

pub(crate) fn churn(args: &BenchChurnArgs) -> anyhow::Result<Done> {
    let made = &args.made;
    made::check(made)?;
    let sources = Sources::read(&made.index.index)?;
    let place = Place::new(made.out.as_deref())?;
    let (index, _) = made::make(made, &sources, &place.path)?;
    index.compact().map_err(EngineError::from)?;
    let queries = sources.queries(made.seed, made.vectors, made.queries)?;
    let stage = |index: &Index| stage(index, &queries, args);
    let idle = stage(&index)?;

    let chosen = chosen(made.vectors);
    let share = made.vectors.div_ceil(SHARE);
    let (changed, deleted) = (&chosen[..share], &chosen[share..(2 * share).min(chosen.len())]);
    let bar = progress::of_work();
    let other = made.seed.wrapping_add(1);
    let changes = beside(&index, &queries, made.k, &idle, || {
        sources.fill(&index, other, changed.iter().copied(), BATCH, &bar)?;
        for ids in deleted.chunks(BATCH) {
            let mut batch = Batch::new();
            ids.iter().for_each(|at| {
                batch.delete(id(*at));
            });
            index.apply(batch).map_err(EngineError::from)?;
        }
        Ok((changed.len(), deleted.len()))
    })?;
    let additions = beside(&index, &queries, made.k, &idle, || {
        sources.fill(&index, made.seed, made.vectors..made.vectors + share, BATCH, &bar)?;
        Ok((share, 0))
    })?;
    bar.finish_and_clear();
    let churned = stage(&index)?;

    let fresh_place = Place::new(None)?;
    let fresh = copy(&index, &sources, &fresh_place.path, args)?;
    let fresh_stage = stage(&fresh)?;
    let started = Instant::now();
    let compacted = index.compact().map_err(EngineError::from)?;
    let compact_s = started.elapsed().as_secs_f64();
    let report = Report {
        schema: "xunpin.bench.churn.v1",
        from: &made.index.index,
        vectors: made.vectors,
        dimension: sources.dimension(),
        seed: made.seed,
        threads: threads::settled(),
        queries: made.queries,
        top: made.k,
        idle,
        changes,
        additions,
        churned,
        fresh: fresh_stage,
        compacted,
        compact_s: round(compact_s, 3),
        after: stage(&index)?,
        same_answers: same_answers(&index, &fresh, &queries, made.k)?,
    };
    match made.format {
        Format::Json => output::json(&report)?,
        Format::Table => print(&report)?,
    }
    Ok(Done::Fully)
}

/// The numbers below `vectors` in an order that only they decide.
fn chosen(vectors: usize) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..vectors).collect();
    numbers.sort_by_cached_key(|at| SplitMix64::new(CHOICE_SEED ^ *at as u64).bits());
    numbers
}

/// Times walks, and judges them by the vectors that the index holds.
fn stage(index: &Index, queries: &[f32], args: &BenchChurnArgs) -> anyhow::Result<Stage> {
    let docs = documents(index)?;
    let dimension = index.options().dimension;
    let asked = Asked::new(queries.to_vec(), dimension, args.made.k, stored(index, &docs))?;
    let setting = Setting { strategy: Strategy::Graph, kept: 1_000, ef: None };
    let timed = measure(index, &asked, &[setting], args.rounds.max(1))?;
    let stats = index.stats();
    let ef = stats.segments.iter().map(|segment| segment.ef).max().unwrap_or(0);
    let figures = Figures::of(timed.first().context("nothing was measured")?, ef);
    Ok(Stage {
        products: stats.products,
        segments: stats.segments.len(),
        tail: stats.tail.vectors,
        tombstones: stats.tombstones,
        ef,
        recall: figures.recall,
        p50_ms: figures.p50_ms,
        p99_ms: figures.p99_ms,
        bytes: stats.bytes,
    })
}

/// Runs `write`, which tells how much it put in and deleted, and settles the index, while one thread searches.
fn beside(
    index: &Index,
    queries: &[f32],
    top: usize,
    idle: &Stage,
    write: impl FnOnce() -> anyhow::Result<(usize, usize)>,
) -> anyhow::Result<During> {
    let stop = AtomicBool::new(false);
    let search = || -> anyhow::Result<Vec<f64>> {
        let options = SearchOptions { strategy: Strategy::Graph, ..SearchOptions::default() };
        let mut times = Vec::new();
        for query in queries.chunks_exact(index.options().dimension).cycle() {
            if stop.load(Ordering::Relaxed) && !times.is_empty() {
                break;
            }
            let started = Instant::now();
            index.search(query, top, &options).map_err(EngineError::from)?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        Ok(times)
    };
    let work = || -> anyhow::Result<_> {
        let started = Instant::now();
        let (upserted, deleted) = write()?;
        let applied = started.elapsed().as_secs_f64();
        index.wait_for_maintenance();
        index.freeze().map_err(EngineError::from)?;
        Ok((upserted, deleted, applied, started.elapsed().as_secs_f64() - applied))
    };
    let (worked, times) = std::thread::scope(|scope| {
        let searcher = scope.spawn(search);
        let worked = work();
        stop.store(true, Ordering::Relaxed);
        (worked, searcher.join())
    });
    let (upserted, deleted, apply_s, settle_s) = worked?;
    let mut times = times.map_err(|_| anyhow::anyhow!("the thread that searches has failed"))??;
    let (p50, p99) = (percentile(&mut times, 50), percentile(&mut times, 99));
    Ok(During {
        upserted,
        deleted,
        apply_s: round(apply_s, 3),
        settle_s: round(settle_s, 3),
        searches: times.len(),
        p50_ms: round(p50, 4),
        p99_ms: round(p99, 4),
        p50_ratio: round(p50 / idle.p50_ms.max(1e-9), 2),
        p99_ratio: round(p99 / idle.p99_ms.max(1e-9), 2),
    })
}

/// A new index of what `index` holds, in the order of its internal numbers, in one segment.
fn copy(index: &Index, sources: &Sources, path: &Path, args: &BenchChurnArgs) -> anyhow::Result<Index> {
    let fresh = sources.create(path, args.made.graph)?;
    for docs in documents(index)?.chunks(BLOCK) {
        let rows = index.gather(docs).rows;
        let products = index.products(docs).map_err(EngineError::from)?;
        let mut batch = Batch::new();
        for (row, product) in rows.as_slice().chunks_exact(index.options().dimension).zip(products) {
            batch.upsert(product.context("a product has no row")?, 0, Some(row));
        }
        fresh.apply(batch).map_err(EngineError::from)?;
    }
    fresh.compact().map_err(EngineError::from)?;
    Ok(fresh)
}

fn same_answers(index: &Index, fresh: &Index, queries: &[f32], top: usize) -> anyhow::Result<usize> {
    let docs = documents(index)?;
    let options = SearchOptions { strategy: Strategy::Graph, ..SearchOptions::default() };
    let answer = |index: &Index, query| -> anyhow::Result<Vec<Neighbor>> {
        Ok(index.search(query, top, &options).map_err(EngineError::from)?.neighbors)
    };
    let mut same = 0;
    for query in queries.chunks_exact(index.options().dimension) {
        let mut expected = answer(fresh, query)?;
        // The fresh index numbers the same products from 0.
        for neighbor in &mut expected {
            neighbor.id = docs.get(neighbor.id.index()).copied().unwrap_or(DocId(u32::MAX));
        }
        same += usize::from(answer(index, query)? == expected);
    }
    Ok(same)
}

fn print(report: &Report<'_>) -> anyhow::Result<()> {
    output::line(format!(
        "{} of {} values, seed {}, {}; {}, top {}, walks of the index's own width on one thread",
        count(report.vectors, "vector", "vectors"),
        report.dimension,
        report.seed,
        count(report.threads, "thread", "threads"),
        count(report.queries, "query", "queries"),
        report.top
    ))?;
    let stages = [
        ("idle", &report.idle),
        ("churned", &report.churned),
        ("fresh", &report.fresh),
        ("compacted", &report.after),
    ];
    let header = ["", "products", "segments", "tail", "deleted", "ef", "recall", "ms p50", "ms p99", "disk"];
    let rows = stages.map(|(name, stage)| {
        vec![
            name.to_owned(),
            thousands(stage.products as u64),
            stage.segments.to_string(),
            thousands(stage.tail as u64),
            thousands(stage.tombstones as u64),
            stage.ef.to_string(),
            format!("{:.4}", stage.recall),
            format!("{:.3}", stage.p50_ms),
            format!("{:.3}", stage.p99_ms),
            bytes(stage.bytes.total),
        ]
    });
    output::line(table::render(&header, &[1, 2, 3, 4, 5, 6, 7, 8, 9], rows.to_vec()))?;
    for (what, during) in [("changes", &report.changes), ("additions", &report.additions)] {
        output::line(format!(
            "{what}: {} put in, {} deleted in {:.1} s, {:.1} s more to freeze and merge; {} meanwhile, ms p50 {:.3} ({:.2} times \
             idle), p99 {:.3} ({:.2} times)",
            thousands(during.upserted as u64),
            thousands(during.deleted as u64),
            during.apply_s,
            during.settle_s,
            count(during.searches, "search", "searches"),
            during.p50_ms,
            during.p50_ratio,
            during.p99_ms,
            during.p99_ratio
        ))?;
    }
    output::line(format!(
        "compaction: {:.1} s, {} dropped, {} before and {} after; {} of {} answers are those of the fresh index",
        report.compact_s,
        count(report.compacted.dropped, "deleted vector", "deleted vectors"),
        bytes(report.compacted.bytes_before),
        bytes(report.compacted.bytes_after),
        thousands(report.same_answers as u64),
        thousands(report.queries as u64)
    ))
}
