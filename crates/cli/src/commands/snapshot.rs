use std::path::Path;

use indicatif::ProgressBar;
use serde::Serialize;
use xunpin::{Engine, RestoreOptions, RestoreReport, SnapshotMethod, SnapshotReport};

use super::builder;
use super::notes::Notes;
use crate::args::{Format, RestoreArgs, SnapshotArgs};
use crate::exit::Done;
use crate::output::{self, bytes, count};
use crate::progress;
use crate::stop::Stop;

#[derive(Serialize)]
struct Json<'a, T> {
    schema: &'static str,
    index: &'a Path,
    archive: &'a Path,
    #[serde(flatten)]
    report: &'a T,
}

pub(crate) fn take(args: &SnapshotArgs) -> anyhow::Result<Done> {
    let stop = Stop::on_signal("stopping; nothing will be left behind")?;
    // Whoever reads keeps nobody from writing.
    let engine = builder(&args.index).open_read_only()?;
    Notes::of(&engine);
    let bar = progress::of_bytes();
    bar.set_message("holding the state fast");
    let taken = engine.snapshot(&args.out, args.force, |done, total| {
        told(&bar, "archiving", done, total);
        stop.flow()
    });
    bar.finish_and_clear();
    let report = taken?;
    match args.format {
        Format::Json => json("xunpin.snapshot.v1", &args.index.index, &args.out, &report)?,
        Format::Table => print_taken(args, &report)?,
    }
    Ok(Done::Fully)
}

pub(crate) fn restore(args: &RestoreArgs) -> anyhow::Result<Done> {
    let stop = Stop::on_signal("stopping; nothing will be left behind")?;
    let mut options = RestoreOptions::default();
    options.verify = !args.no_verify;
    let bar = progress::of_bytes();
    bar.set_message("unpacking");
    let restored = Engine::restore(&args.archive, builder(&args.index), &options, |done, total| {
        let step = if done < total { "unpacking" } else { "making graphs and the full-text index, checking" };
        told(&bar, step, done, total);
        stop.flow()
    });
    bar.finish_and_clear();
    let (engine, report) = restored?;
    Notes::of(&engine);
    match args.format {
        Format::Json => json("xunpin.restore.v1", &args.index.index, &args.archive, &report)?,
        Format::Table => print_restored(args, &report)?,
    }
    Ok(Done::Fully)
}

fn told(bar: &ProgressBar, step: &'static str, done: u64, total: u64) {
    if total > 0 {
        bar.set_length(total);
        bar.set_position(done);
        bar.set_message(step);
    }
}

fn json(schema: &'static str, index: &Path, archive: &Path, report: &impl Serialize) -> anyhow::Result<()> {
    output::json(&Json { schema, index, archive, report })
}

fn print_taken(args: &SnapshotArgs, report: &SnapshotReport) -> anyhow::Result<()> {
    output::line(format!(
        "{}: {} of {} at generation {}, {} in {}, in {:.1} s",
        args.out.display(),
        count(report.products, "product", "products"),
        args.index.index.display(),
        report.generation,
        bytes(report.archive_bytes),
        count(report.files, "file", "files"),
        report.seconds
    ))?;
    if report.method == SnapshotMethod::Rows {
        eprintln!(
            "note: every row was copied, for another process is writing or the index's folder can't be written to"
        );
    }
    Ok(())
}

fn print_restored(args: &RestoreArgs, report: &RestoreReport) -> anyhow::Result<()> {
    output::line(format!(
        "{}: {} from {} at generation {}, {}{}, in {:.1} s",
        args.index.index.display(),
        count(report.products, "product", "products"),
        args.archive.display(),
        report.generation,
        bytes(report.bytes),
        if report.verified { ", verified" } else { "" },
        report.seconds
    ))
}
