use serde::Serialize;
use serde_json::Value;
use xunpin::{Engine, TuneReport, Weights};

use super::judged::Judged;
use super::notes::Notes;
use super::{builder, query_builder};
use crate::args::{Format, TuneArgs};
use crate::exit::Done;
use crate::output::{self, count, table};
use crate::progress;

/// Ids told at most.
const TOLD_IDS: usize = 10;

const SCHEMA: &str = "xunpin.tune.v1";

/// What `--show` and `--reset` answer.
#[derive(Serialize)]
struct InUse<'a> {
    schema: &'static str,
    /// False if these are the defaults.
    tuned: bool,
    weights: &'a Weights,
}

#[derive(Serialize)]
struct Learned<'a> {
    schema: &'static str,
    /// Whether the weights in use now are others than the defaults.
    tuned: bool,
    weights: &'a Weights,
    #[serde(flatten)]
    report: &'a TuneReport,
}

pub(crate) fn run(args: &TuneArgs) -> anyhow::Result<Done> {
    if args.show {
        let engine = builder(&args.index).open_read_only()?;
        Notes::of(&engine);
        return show(&engine.weights()?, args.format);
    }
    if args.reset {
        let engine = builder(&args.index).open()?;
        let mut notes = Notes::of(&engine);
        engine.set_weights(None)?;
        notes.tell(&engine);
        return show(&engine.weights()?, args.format);
    }
    let judged = Judged::read(&args.judged)?;
    let engine = query_builder(&args.index, &args.compute).open()?;
    let mut notes = Notes::of(&engine);
    let report = learn(&engine, &judged);
    notes.tell(&engine);
    let report = report?;
    match args.format {
        Format::Json => {
            let weights = engine.weights()?;
            let tuned = weights != Weights::default();
            output::json(&Learned { schema: SCHEMA, tuned, weights: &weights, report: &report })?;
        }
        Format::Table => print(&judged, &report)?,
    }
    Ok(if report.unknown_ids.is_empty() { Done::Fully } else { Done::Partly })
}

fn learn(engine: &Engine, judged: &Judged) -> anyhow::Result<TuneReport> {
    let bar = progress::of_share();
    bar.set_message("asking every query");
    let report = engine.tune(&judged.queries, &judged.qrels, |share| {
        bar.set_message("learning");
        bar.set_position((share * progress::SHARE_STEPS as f64) as u64);
    });
    bar.finish_and_clear();
    Ok(report?)
}

fn show(weights: &Weights, format: Format) -> anyhow::Result<Done> {
    let tuned = *weights != Weights::default();
    match format {
        Format::Json => output::json(&InUse { schema: SCHEMA, tuned, weights })?,
        Format::Table => {
            let defaults = values(&Weights::default())?;
            let rows = values(weights)?.into_iter().zip(defaults).map(|((name, value), (_, default))| {
                let default = if value == default { String::new() } else { format!("default {default}") };
                vec![name, value, default]
            });
            output::line(table::render(&["weight", "value", ""], &[1], rows.collect()))?;
            output::line(if tuned { "tuned" } else { "the defaults" })?;
        }
    }
    Ok(Done::Fully)
}

fn print(judged: &Judged, report: &TuneReport) -> anyhow::Result<()> {
    output::line(format!(
        "{}: learned from {}",
        judged.name,
        count(report.queries as u64, "query", "queries")
    ))?;
    let rows = vec![
        vec!["before".to_owned(), format!("{:.4}", report.ndcg_before)],
        vec!["after, on the same queries".to_owned(), format!("{:.4}", report.ndcg_after)],
        vec!["after, on queries held out".to_owned(), format!("{:.4}", report.ndcg_held_out)],
    ];
    output::line(table::render(&["mean nDCG@10", ""], &[1], rows))?;
    let changes: Vec<Vec<String>> = values(&report.before)?
        .into_iter()
        .zip(values(&report.after)?)
        .filter(|(before, after)| before != after)
        .map(|((name, before), (_, after))| vec![name, before, after])
        .collect();
    if changes.is_empty() {
        output::line("no other weights are better")?;
    } else {
        output::line(table::render(&["weight", "before", "after"], &[1, 2], changes))?;
    }
    output::line(if report.stored {
        "stored with the index; `xunpin tune --reset` goes back to the defaults"
    } else {
        "nothing was stored: on queries held out the learned weights are no better than those in use"
    })?;
    tell_ids("judged, but not in the index", &report.unknown_ids);
    tell_ids("left out, for no product judged relevant is in the index", &report.queries_without_relevant);
    Ok(())
}

fn tell_ids(what: &str, ids: &[String]) {
    if !ids.is_empty() {
        let more = if ids.len() > TOLD_IDS { " ..." } else { "" };
        output::tell(format_args!(
            "{what} ({}): {}{more}",
            ids.len(),
            ids[..ids.len().min(TOLD_IDS)].join(" ")
        ));
    }
}

/// The weights by name, each as short as it can be written.
fn values(weights: &Weights) -> anyhow::Result<Vec<(String, String)>> {
    let Value::Object(all) = serde_json::to_value(weights)? else { return Ok(Vec::new()) };
    let short = |value: &Value| match value.as_f64() {
        Some(number) => (number as f32).to_string(),
        None => value.to_string(),
    };
    Ok(all.iter().map(|(name, value)| (name.clone(), short(value))).collect())
}
