use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;
use serde_json::json;
use xunpin::catalogue::{Catalogue, Entry, FileInfo, Input, Mapping, ReadOptions, Template};
use xunpin::index::Index;
use xunpin::{EncoderOptions, Engine, IngestOptions, IngestProgress, IngestReport, SyncOutcome};

use super::notes::Notes;
use super::{builder, computing};
use crate::args::{ComputeArgs, DEFAULT_MODEL, DeviceArg, Format, GraphArgs, IndexArgs};
use crate::exit::{Done, wrong_use};
use crate::output::{self, count, thousands};
use crate::progress;
use crate::stop::Stop;

pub(crate) fn run(args: &IndexArgs) -> anyhow::Result<Done> {
    let mut catalogue = open_catalogue(args)?;
    if args.dry_run {
        return dry_run(args, catalogue);
    }
    // First, so that a signal during the loading of the model is not lost on what is already open.
    let stop = Stop::on_signal("stopping after this batch")?;
    let engine = open_engine(args)?;
    let mut notes = Notes::of(&engine);
    let mut options = IngestOptions::default();
    options.batch = args.batch;
    options.sync = args.sync;
    options.force = args.force;
    options.rejects = Some(args.rejects.clone().unwrap_or_else(|| rejects_beside(&args.index.index)));

    let bar = progress::of_share();
    bar.set_message("reading");
    let started = Instant::now();
    let report = engine.ingest(&mut catalogue, &options, |at| {
        if let Some(fraction) = at.fraction {
            bar.set_position((fraction * progress::SHARE_STEPS as f64) as u64);
        }
        bar.set_message(running(at, started));
        stop.flow()
    });
    bar.finish_and_clear();
    notes.tell(&engine);
    let report = report?;
    match args.format {
        Format::Json => output::json(&Json {
            schema: "xunpin.index.v1",
            report: &report,
            products: engine.stats().products,
        })?,
        Format::Table => print(&engine, args, &report)?,
    }
    let whole = report.progress.rejected == 0
        && !report.interrupted
        && matches!(report.sync, None | Some(SyncOutcome::Deleted { .. }));
    Ok(if whole { Done::Fully } else { Done::Partly })
}

#[derive(Serialize)]
struct Json<'a> {
    schema: &'static str,
    /// Products in the index after the run.
    products: usize,
    #[serde(flatten)]
    report: &'a IngestReport,
}

fn open_catalogue(args: &IndexArgs) -> anyhow::Result<Catalogue> {
    let mut mapping = match &args.mapping {
        Some(file) => Mapping::from_file(file).map_err(wrong_use)?,
        None => Mapping::default(),
    };
    mapping.apply(&args.map).map_err(wrong_use)?;
    let mut options = ReadOptions { max_line_bytes: args.max_line_bytes, ..ReadOptions::default() };
    if let Some(name) = &args.input_format {
        options.format = Some(name.parse().map_err(wrong_use)?);
    }
    if let Some(name) = &args.encoding {
        options.encoding = Some(name.parse().map_err(wrong_use)?);
    }
    // Parsing an input can't fail: whatever is no glob is a file name.
    let inputs: Vec<Input> = args.inputs.iter().filter_map(|i| i.parse().ok()).collect();
    Ok(Catalogue::open(&inputs, &mapping, options).map_err(xunpin::EngineError::from)?)
}

/// The model of an index that this command makes.
fn model_of_a_new_index(args: &IndexArgs) -> &str {
    args.model.as_deref().unwrap_or(DEFAULT_MODEL)
}

fn open_engine(args: &IndexArgs) -> anyhow::Result<Engine> {
    let mut builder = builder(&args.index);
    if !Index::exists(&args.index.index) {
        builder = builder.model(model_of_a_new_index(args));
    } else if let Some(model) = &args.model {
        builder = builder.model(model);
    }
    if let Some(dimension) = args.vectors.dimension {
        builder = builder.dimension(dimension);
    }
    let GraphArgs { m, ef_construction, recall } = args.graph;
    if let Some(m) = m {
        builder = builder.m(m);
    }
    if let Some(ef_construction) = ef_construction {
        builder = builder.ef_construction(ef_construction);
    }
    if let Some(recall) = recall {
        builder = builder.recall(recall);
    }
    let engine = computing(builder, &args.compute).create()?;
    // Now rather than after the first lines are read: a model that doesn't fit is told at once.
    engine.encoder()?;
    Ok(engine)
}

/// `indexes/shop` has its rejected lines in `indexes/shop.rejects.jsonl`.
fn rejects_beside(index: &Path) -> PathBuf {
    let mut name = index.file_name().map_or_else(|| "index".into(), ToOwned::to_owned);
    name.push(".rejects.jsonl");
    index.with_file_name(name)
}

fn running(at: &IngestProgress, started: Instant) -> String {
    let rate = at.embedded as f64 / started.elapsed().as_secs_f64().max(1e-3);
    format!(
        "{} read, {} embedded ({rate:.1}/s), {} unchanged, {} rejected",
        thousands(at.read),
        thousands(at.embedded),
        thousands(at.unchanged),
        thousands(at.rejected)
    )
}

fn print(engine: &Engine, args: &IndexArgs, report: &IngestReport) -> anyhow::Result<()> {
    let at = &report.progress;
    if let Some(done) = report.resumed_after {
        let done = count(done, "product was", "products were");
        output::line(format!("went on with an interrupted run: {done} already in"))?;
    }
    output::line(format!(
        "{}: {}; {} embedded, {} updated without embedding, {} unchanged, {} rejected, in {:.1} s",
        args.index.index.display(),
        count(engine.stats().products as u64, "product", "products"),
        thousands(at.embedded),
        thousands(at.updated),
        thousands(at.unchanged),
        thousands(at.rejected),
        report.seconds
    ))?;
    for reject in &report.first_rejects {
        output::tell(format_args!("rejected: {reject}"));
    }
    if at.rejected > report.first_rejects.len() as u64 {
        eprintln!("and {} more", thousands(at.rejected - report.first_rejects.len() as u64));
    }
    if let Some(file) = &report.rejects_file {
        output::tell(format_args!("rejected lines are kept in {}", file.display()));
    }
    match &report.sync {
        None => {}
        Some(SyncOutcome::Deleted { deleted }) => {
            output::line(format!("sync: {} deleted", count(*deleted as u64, "product", "products")))?;
        }
        Some(SyncOutcome::TooMany { absent, total }) => eprintln!(
            "sync: {absent} of {total} products are absent from the catalogue; more than a fifth is not deleted \
             unless you add --force"
        ),
        Some(SyncOutcome::UnreadableIds { lines, absent }) => eprintln!(
            "sync: the id of {lines} rejected lines can't be read, and they may be among the {absent} products that \
             seem absent; mend the lines, or add --force to delete"
        ),
        Some(_) => eprintln!("sync: nothing was deleted, for the catalogue was not read to its end"),
    }
    if report.interrupted {
        output::line("interrupted: what is committed stays, and the same command again goes on from there")?;
    }
    Ok(())
}

/// Shows what would be read and embedded.
fn dry_run(args: &IndexArgs, mut catalogue: Catalogue) -> anyhow::Result<Done> {
    // The template may need the model's tokenizer to cut long descriptions.
    let (encoder, template) = if Index::exists(&args.index.index) {
        let engine = builder(&args.index).open_read_only()?;
        (engine.encoder()?.clone(), engine.template().clone())
    } else {
        let ComputeArgs { precision, device: DeviceArg { device } } = args.compute;
        let precision = precision.unwrap_or(device.default_precision());
        let options = EncoderOptions { precision, device, ..EncoderOptions::default() };
        (xunpin::load_encoder(model_of_a_new_index(args), options)?, Template::default())
    };
    let info = catalogue.info().cloned();
    let mut products = Vec::new();
    let mut rejects = Vec::new();
    while products.len() < args.sample {
        match catalogue.next() {
            None => break,
            Some(entry) => match entry.map_err(xunpin::EngineError::from)? {
                Entry::Record(record) => {
                    let text = template.render(&record.product, encoder.as_ref())?;
                    let tokens = encoder.count_tokens(&text, xunpin::Role::Document)?;
                    products.push((record.product, text, tokens));
                }
                Entry::Reject(reject) => rejects.push(reject),
            },
        }
    }
    if args.format == Format::Json {
        let products: Vec<_> = products
            .iter()
            .map(|(product, text, tokens)| json!({"product": product, "text": text, "tokens": tokens}))
            .collect();
        output::json(
            &json!({"schema": "xunpin.dry-run.v1", "file": info, "products": products, "rejects": rejects}),
        )?;
    } else {
        if let Some(info) = &info {
            print_columns(info)?;
        }
        for (product, text, tokens) in &products {
            output::line(format!("\n{} ({tokens} tokens)\n  {text}", product.id))?;
        }
        for reject in &rejects {
            output::tell(format_args!("rejected: {reject}"));
        }
        output::line("\nnothing was written (--dry-run)")?;
    }
    Ok(if rejects.is_empty() { Done::Fully } else { Done::Partly })
}

fn print_columns(info: &FileInfo) -> anyhow::Result<()> {
    output::line(format!("{}: {}, {}", info.path.display(), info.format, info.encoding))?;
    for column in &info.columns {
        output::line(format!("  {} -> {}", column.column, column.target))?;
    }
    Ok(())
}
