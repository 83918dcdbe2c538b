use serde::Serialize;

use super::builder;
use crate::args::{Format, StatsArgs};
use crate::exit::Done;
use crate::output::{self, bytes, count};

#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    model: &'a str,
    fingerprint: &'a xunpin::Fingerprint,
    #[serde(flatten)]
    stats: &'a xunpin::index::Stats,
}

pub(crate) fn run(args: &StatsArgs) -> anyhow::Result<Done> {
    let engine = builder(&args.index).open_read_only()?;
    let stats = engine.stats();
    let fingerprint = engine.index().fingerprint();
    if args.format == Format::Json {
        let model = engine.model_name();
        output::json(&Report { schema: "xunpin.stats.v1", model, fingerprint, stats: &stats })?;
        return Ok(Done::Fully);
    }
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
        fingerprint.precision,
        stats.dimension
    ))?;
    output::line(format!("commits   {}", stats.generation))?;
    for segment in &stats.segments {
        output::line(format!(
            "segment   {}: {}, {} deleted, {} layers, {}{}",
            segment.number,
            count(segment.vectors as u64, "vector", "vectors"),
            segment.deleted,
            segment.layers,
            bytes(segment.bytes),
            if segment.mapped { "" } else { ", held in memory: its file can't be used" },
        ))?;
    }
    let tail = &stats.tail;
    output::line(format!(
        "tail      {}, {} deleted",
        count(tail.vectors as u64, "vector", "vectors"),
        tail.deleted
    ))?;
    output::line(format!("search    {}", stats.strategy))?;
    output::line(format!(
        "disk      {} (store {}, graph {})",
        bytes(stats.bytes.total),
        bytes(stats.bytes.db),
        bytes(stats.bytes.graph)
    ))?;
    super::print_notes(&engine);
    Ok(Done::Fully)
}
