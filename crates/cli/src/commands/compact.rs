use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use xunpin::index::Compacted;

use super::builder;
use super::notes::Notes;
use crate::args::{CompactArgs, Format};
use crate::exit::Done;
use crate::output::{self, bytes, count};

#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    index: &'a Path,
    products: usize,
    #[serde(flatten)]
    compacted: &'a Compacted,
    /// Without opening the index.
    seconds: f64,
}

pub(crate) fn run(args: &CompactArgs) -> anyhow::Result<Done> {
    let engine = builder(&args.index).open()?;
    let mut notes = Notes::of(&engine);
    let started = Instant::now();
    let compacted = engine.compact()?;
    let seconds = started.elapsed().as_secs_f64();
    notes.tell(&engine);
    let products = engine.index().len();
    match args.format {
        Format::Json => output::json(&Report {
            schema: "xunpin.compact.v1",
            index: &args.index.index,
            products,
            compacted: &compacted,
            seconds: (seconds * 1e3).round() / 1e3,
        })?,
        Format::Table => output::line(format!(
            "{}: {}; {} became {}, {} dropped; {} on the disk before, {} now; in {seconds:.1} s",
            args.index.index.display(),
            count(products, "product", "products"),
            count(compacted.segments_before, "segment", "segments"),
            compacted.segments_after,
            count(compacted.dropped, "deleted vector", "deleted vectors"),
            bytes(compacted.bytes_before),
            bytes(compacted.bytes_after)
        ))?,
    }
    Ok(Done::Fully)
}
