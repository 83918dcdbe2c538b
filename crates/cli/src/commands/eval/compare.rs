use anyhow::Context;
use xunpin::eval::{
    ComparisonReport, ComparisonSetup, EvalOptions, Latency, Metric, QueryChange, System, evaluate,
};
use xunpin::{Engine, EngineError, Mode};

use super::ask::ask;
use super::{print_left_out, share};
use crate::args::{EvalArgs, Format};
use crate::commands::judged::Judged;
use crate::commands::needs_model;
use crate::commands::notes::Notes;
use crate::exit::{Done, WrongUse, wrong_use};
use crate::output::{self, count, table};
use crate::threads;

/// Columns of a query in a table.
const QUERY_COLUMNS: usize = 48;

/// Measures the modes one after the other and sets them side by side.
pub(super) fn run(
    args: &EvalArgs,
    judged: &Judged,
    engine: &Engine,
    notes: &mut Notes,
) -> anyhow::Result<Done> {
    let mut told = Vec::new();
    let modes = usable_modes(&args.modes, engine, &mut told)?;
    let Some(&subject) = modes.iter().find(|mode| **mode == Mode::Hybrid).or(modes.last()) else {
        return Err(WrongUse("no mode is left to compare; name two or more with --modes".to_owned()).into());
    };
    if modes.iter().any(|mode| needs_model(*mode)) {
        engine.encoder()?;
    }
    let options = EvalOptions::default().with_queries(judged.queries.ids());
    let mut systems = Vec::with_capacity(modes.len());
    for mode in modes {
        let asked = ask(engine, &judged.queries, mode, &args.retrieval);
        notes.tell(engine);
        let asked = asked?;
        systems.push(System {
            name: mode.to_string(),
            single: mode != Mode::Hybrid,
            evaluation: evaluate(&asked.run, &judged.qrels, &options)?,
            latency: Latency::of(&asked.total),
        });
    }
    let mut setup = ComparisonSetup::new(judged.name.as_str(), subject.to_string());
    setup.reciprocal_rank_grade = options.reciprocal_rank_grade;
    setup.notes = vec![about(engine)?];
    setup.notes.extend(told);
    let report = ComparisonReport::new(setup, &judged.queries, systems).map_err(wrong_use)?;
    if let Some(path) = &args.html {
        std::fs::write(path, report.to_html())
            .with_context(|| format!("{}: cannot be written", path.display()))?;
    }
    match args.format {
        Format::Json => output::json(&report)?,
        Format::Table => print(&report)?,
    }
    if let (Format::Table, Some(path)) = (args.format, &args.html) {
        output::line(format!("page: {}", path.display()))?;
    }
    Ok(Done::Fully)
}

/// The modes without repetition, and without word2vec where the index has no word vectors.
fn usable_modes(asked: &[Mode], engine: &Engine, told: &mut Vec<String>) -> anyhow::Result<Vec<Mode>> {
    let mut modes: Vec<Mode> = Vec::new();
    for &mode in asked {
        if modes.contains(&mode) {
            continue;
        }
        if mode == Mode::Word2Vec {
            match engine.word2vec() {
                Ok(_) => {}
                Err(error @ EngineError::NoWord2Vec { .. }) => {
                    output::tell(format_args!("note: word2vec is left out: {error}"));
                    told.push("word2vec is left out, for the index has no word vectors".to_owned());
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
        }
        modes.push(mode);
    }
    Ok(modes)
}

/// What a reader of the figures should know.
fn about(engine: &Engine) -> anyhow::Result<String> {
    let fingerprint = engine.index().fingerprint();
    let tuned = if engine.weights()? == xunpin::Weights::default() { "default" } else { "tuned" };
    Ok(format!(
        "{}, model {} ({}, {} values), {tuned} fusion weights; {}, one query at a time after one to warm up",
        count(engine.index().len(), "product", "products"),
        engine.model_name(),
        fingerprint.precision,
        fingerprint.dimension,
        count(threads::settled(), "thread", "threads"),
    ))
}

fn print(report: &ComparisonReport) -> anyhow::Result<()> {
    let metrics = report.metrics();
    let names: Vec<String> = metrics.iter().map(Metric::to_string).collect();
    let mut header = vec!["mode"];
    header.extend(names.iter().map(String::as_str));
    header.extend(["judged@10", "p50 ms", "p95 ms", "difference", "p (Holm)"]);
    let right: Vec<usize> = (1..header.len()).collect();
    let rows = report.systems.iter().map(|system| {
        let mut row = vec![system.name.clone()];
        row.extend(metrics.iter().map(|m| format!("{:.4}", system.means[m])));
        row.push(share(system.judged_at_10));
        row.push(system.latency.map_or_else(String::new, |l| format!("{:.1}", l.p50_ms)));
        row.push(system.latency.map_or_else(String::new, |l| format!("{:.1}", l.p95_ms)));
        match &system.against_best {
            Some(against) => {
                row.push(format!("{:+.4}", against.comparison.mean_difference));
                row.push(p_value(against.p_holm));
            }
            None => row.extend(["best single".to_owned(), String::new()]),
        }
        row
    });
    output::line(format!("{}: {}", report.collection, count(report.queries, "query", "queries")))?;
    output::line(table::render(&header, &right, rows.collect()))?;
    output::line(format!(
        "difference: of {} to {}, the best single mode; p by {}, {}-corrected",
        report.metric, report.best_single, report.method.test, report.method.correction
    ))?;
    print_changes("gains", report, &report.gains)?;
    print_changes("losses", report, &report.losses)?;
    print_left_out(&[
        (&report.left_out.without_qrels, "not counted, for nobody judged them"),
        (&report.left_out.without_relevant, "not counted, for no product was judged relevant"),
        (&report.left_out.not_asked, "judged, but not among the queries"),
    ])?;
    for note in &report.notes {
        output::line(note)?;
    }
    Ok(())
}

fn p_value(p: f64) -> String {
    if p < 1e-4 { "<0.0001".to_owned() } else { format!("{p:.4}") }
}

fn print_changes(what: &str, report: &ComparisonReport, changes: &[QueryChange]) -> anyhow::Result<()> {
    if changes.is_empty() || report.subject == report.best_single {
        return Ok(());
    }
    output::line(format!("\nlargest {what} of {} over {}", report.subject, report.best_single))?;
    let rows = changes.iter().map(|change| {
        vec![
            change.query.clone(),
            format!("{:.4}", change.best_single),
            format!("{:.4}", change.subject),
            format!("{:+.4}", change.difference),
            change.text.as_deref().map_or_else(String::new, |text| table::cut(text, QUERY_COLUMNS)),
        ]
    });
    let header = ["query", report.best_single.as_str(), report.subject.as_str(), "difference", "text"];
    output::line(table::render(&header, &[1, 2, 3], rows.collect()))
}
