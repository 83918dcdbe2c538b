use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use xunpin::{Carried, Engine, RebuildOptions, RebuildProgress, RebuildReport};

use super::builder;
use super::notes::Notes;
use crate::args::{Format, RebuildArgs};
use crate::exit::Done;
use crate::output::{self, count, thousands};
use crate::progress;
use crate::stop::Stop;

#[derive(Serialize)]
struct Json<'a> {
    schema: &'static str,
    from: &'a Path,
    into: &'a Path,
    model: &'a str,
    precision: &'a str,
    /// Products in the new index after the run.
    products: usize,
    #[serde(flatten)]
    report: &'a RebuildReport,
}

pub(crate) fn run(args: &RebuildArgs) -> anyhow::Result<Done> {
    let stop = Stop::on_signal("stopping after this batch")?;
    let old = builder(&args.index).open_read_only()?;
    Notes::of(&old);
    let mut into = Engine::builder(&args.into).device(args.device.device);
    if let Some(model) = &args.model {
        into = into.model(model);
    }
    if let Some(precision) = args.precision {
        into = into.precision(precision);
    }
    if let Some(dimension) = args.vectors.dimension {
        into = into.dimension(dimension);
    }
    let mut options = RebuildOptions::default();
    options.batch = args.batch;
    let bar = progress::of_share();
    bar.set_message("loading the model");
    let mut started = None;
    let rebuilt = old.rebuild_into(into, &options, |at| {
        bar.set_position(at.done * progress::SHARE_STEPS / at.total.max(1));
        bar.set_message(running(at, *started.get_or_insert_with(Instant::now)));
        stop.flow()
    });
    bar.finish_and_clear();
    let (made, report) = rebuilt?;
    let fingerprint = made.index().fingerprint();
    match args.format {
        Format::Json => output::json(&Json {
            schema: "xunpin.rebuild.v1",
            from: &args.index.index,
            into: &args.into,
            model: made.model_name(),
            precision: &fingerprint.precision,
            products: made.stats().products,
            report: &report,
        })?,
        Format::Table => print(&made, args, &report)?,
    }
    Ok(if report.interrupted { Done::Partly } else { Done::Fully })
}

fn running(at: &RebuildProgress, started: Instant) -> String {
    let rate = at.embedded as f64 / started.elapsed().as_secs_f64().max(1e-3);
    format!(
        "{} of {}, {} embedded ({rate:.1}/s), {} copied, {} unchanged",
        thousands(at.done),
        thousands(at.total),
        thousands(at.embedded),
        thousands(at.copied),
        thousands(at.unchanged)
    )
}

fn print(made: &Engine, args: &RebuildArgs, report: &RebuildReport) -> anyhow::Result<()> {
    let at = &report.progress;
    output::line(format!(
        "{}: {} from {}, in {} {}; {} embedded, {} copied, {} unchanged, in {:.1} s",
        args.into.display(),
        count(made.stats().products, "product", "products"),
        args.index.index.display(),
        made.model_name(),
        made.index().fingerprint().precision,
        thousands(at.embedded),
        thousands(at.copied),
        thousands(at.unchanged),
        report.seconds
    ))?;
    if report.deleted > 0 {
        let products = count(report.deleted, "product", "products");
        output::line(format!("{products} deleted that the old index no longer holds"))?;
    }
    carried("word vectors", &report.word2vec)?;
    carried("fusion weights", &report.weights)?;
    if report.interrupted {
        output::line(
            "interrupted: the new index is unfinished, and the same command again goes on from there",
        )?;
    }
    Ok(())
}

fn carried(what: &str, carried: &Carried) -> anyhow::Result<()> {
    match carried {
        Carried::Kept => output::line(format!("{what}: taken over"))?,
        Carried::LeftOut { reason } => output::tell(format_args!("note: the {what} were left out: {reason}")),
        _ => {}
    }
    Ok(())
}
