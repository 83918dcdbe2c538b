mod ask;
mod compare;

use serde::Serialize;
use xunpin::Mode;
use xunpin::eval::{EvalOptions, Evaluation, Latency, Metric, evaluate};

use super::judged::Judged;
use super::notes::Notes;
use super::{needs_model, query_builder};
use crate::args::{EvalArgs, Format};
use crate::exit::Done;
use crate::output::{self, count, table};
use ask::ask;

#[derive(Serialize)]
struct Report {
    schema: &'static str,
    mode: Mode,
    /// How nearest neighbours were found, if any were looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    strategy: Option<String>,
    #[serde(flatten)]
    evaluation: Evaluation,
    /// From the query's words to the products, encoding included.
    latency: Option<Latency>,
    /// Without encoding.
    search_latency: Option<Latency>,
}

pub(crate) fn run(args: &EvalArgs) -> anyhow::Result<Done> {
    let judged = Judged::read(&args.judged)?;
    let engine = query_builder(&args.index, &args.compute).open_read_only()?;
    let mut notes = Notes::of(&engine);
    if args.compare {
        return compare::run(args, &judged, &engine, &mut notes);
    }
    if needs_model(args.mode) {
        engine.encoder()?;
    }
    let asked = ask(&engine, &judged.queries, args.mode, &args.retrieval);
    notes.tell(&engine);
    let asked = asked?;
    if let Some(path) = &args.run_out {
        asked.run.write(path, &format!("xunpin-{}", args.mode))?;
    }
    let evaluation =
        evaluate(&asked.run, &judged.qrels, &EvalOptions::default().with_queries(judged.queries.ids()))?;
    let report = Report {
        schema: "xunpin.eval.v1",
        mode: args.mode,
        strategy: asked.strategy.map(|strategy| strategy.to_string()),
        evaluation,
        latency: Latency::of(&asked.total),
        search_latency: Latency::of(&asked.search),
    };
    match args.format {
        Format::Json => output::json(&report)?,
        Format::Table => print(&report, args.per_query)?,
    }
    Ok(Done::Fully)
}

fn print(report: &Report, per_query: bool) -> anyhow::Result<()> {
    let evaluation = &report.evaluation;
    let metrics: Vec<Metric> = evaluation.means.keys().copied().collect();
    let names: Vec<String> = metrics.iter().map(Metric::to_string).collect();
    let mut header = vec!["query"];
    header.extend(names.iter().map(String::as_str));
    header.push("judged@10");
    let right: Vec<usize> = (1..header.len()).collect();
    let mut rows = Vec::new();
    if per_query {
        for query in &evaluation.per_query {
            let mut row = vec![query.query.clone()];
            row.extend(metrics.iter().map(|m| format!("{:.4}", query.scores[m])));
            row.push(share(query.judged_at_10));
            rows.push(row);
        }
    }
    let mut means = vec![count(evaluation.per_query.len() as u64, "query", "queries")];
    means.extend(metrics.iter().map(|m| format!("{:.4}", evaluation.means[m])));
    means.push(share(evaluation.judged_at_10));
    rows.push(means);
    output::line(table::render(&header, &right, rows))?;
    let strategy = report.strategy.as_ref().map_or_else(String::new, |s| format!(", {s} search"));
    output::line(format!("mode {}{strategy}", report.mode))?;
    if let (Some(all), Some(search)) = (&report.latency, &report.search_latency) {
        output::line(format!(
            "latency: {:.1} ms p50, {:.1} ms p95; without encoding {:.2} ms p50, {:.2} ms p95",
            all.p50_ms, all.p95_ms, search.p50_ms, search.p95_ms
        ))?;
    }
    print_left_out(&[
        (&evaluation.queries_without_qrels, "not counted, for nobody judged them"),
        (&evaluation.queries_without_relevant, "not counted, for no product was judged relevant"),
        (&evaluation.qrels_without_query, "judged, but not among the queries"),
        (&evaluation.queries_without_results, "without any result, counted as 0"),
    ])
}

/// A share of 0 to 1, or nothing.
fn share(share: Option<f64>) -> String {
    share.map_or_else(String::new, |share| format!("{share:.2}"))
}

/// Tells what became of queries that don't count as others do.
fn print_left_out(groups: &[(&Vec<String>, &str)]) -> anyhow::Result<()> {
    for (ids, what) in groups.iter().filter(|(ids, _)| !ids.is_empty()) {
        output::line(format!("{what}: {}", ids.join(" ")))?;
    }
    Ok(())
}
