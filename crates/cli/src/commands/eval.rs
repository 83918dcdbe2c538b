use std::time::Duration;

use serde::Serialize;
use xunpin::eval::{EvalOptions, Evaluation, Latency, Metric, Qrels, Queries, Run, ScoredDoc, evaluate};

use super::{builder, request};
use crate::args::{EvalArgs, Format};
use crate::exit::Done;
use crate::output::{self, count, table};

/// Results a query is judged by: what recall@100 needs.
const DEPTH: usize = 100;

#[derive(Serialize)]
struct Report {
    schema: &'static str,
    mode: String,
    /// How nearest neighbours were found.
    strategy: String,
    #[serde(flatten)]
    evaluation: Evaluation,
    /// From the query's words to the products, encoding included.
    latency: Option<Latency>,
    /// Without encoding.
    search_latency: Option<Latency>,
}

pub(crate) fn run(args: &EvalArgs) -> anyhow::Result<Done> {
    let queries = Queries::read(&args.queries)?;
    let qrels = Qrels::read(&args.qrels)?;
    let engine = builder(&args.index).open_read_only()?;
    super::print_notes(&engine);
    engine.encoder()?;
    let mut run = Run::new();
    let (mut total, mut search) = (Vec::new(), Vec::new());
    let mut strategy = String::new();
    for query in queries.iter() {
        let answer = engine.search(&request(&query.text, DEPTH, &args.mode, &args.retrieval)?)?;
        strategy = answer.strategy.to_string();
        total.push(Duration::from_secs_f64(answer.took_ms.total / 1e3));
        search.push(Duration::from_secs_f64(answer.took_ms.search / 1e3));
        run.set(
            query.id.as_str(),
            answer.hits.iter().map(|h| ScoredDoc::new(h.id.as_str(), h.score.into())).collect(),
        );
    }
    if let Some(path) = &args.run_out {
        run.write(path, &format!("xunpin-{}", args.mode))?;
    }
    let evaluation = evaluate(&run, &qrels, &EvalOptions::default().with_queries(queries.ids()))?;
    let report = Report {
        schema: "xunpin.eval.v1",
        mode: args.mode.clone(),
        strategy,
        evaluation,
        latency: Latency::of(&total),
        search_latency: Latency::of(&search),
    };
    match args.format {
        Format::Json => output::json(&report)?,
        Format::Table => print(&report, args.per_query)?,
    }
    Ok(if report.evaluation.per_query.is_empty() { Done::Partly } else { Done::Fully })
}

fn print(report: &Report, per_query: bool) -> anyhow::Result<()> {
    let evaluation = &report.evaluation;
    let metrics: Vec<Metric> = evaluation.means.keys().copied().collect();
    let names: Vec<String> = metrics.iter().map(Metric::to_string).collect();
    let mut header = vec!["query"];
    header.extend(names.iter().map(String::as_str));
    header.push("judged@10");
    let right: Vec<usize> = (1..header.len()).collect();
    let judged = |share: Option<f64>| share.map_or_else(String::new, |j| format!("{j:.2}"));
    let mut rows = Vec::new();
    if per_query {
        for query in &evaluation.per_query {
            let mut row = vec![query.query.clone()];
            row.extend(metrics.iter().map(|m| format!("{:.4}", query.scores[m])));
            row.push(judged(query.judged_at_10));
            rows.push(row);
        }
    }
    let mut means = vec![count(evaluation.per_query.len() as u64, "query", "queries")];
    means.extend(metrics.iter().map(|m| format!("{:.4}", evaluation.means[m])));
    means.push(judged(evaluation.judged_at_10));
    rows.push(means);
    output::line(table::render(&header, &right, rows))?;
    output::line(format!("mode {}, {} search", report.mode, report.strategy))?;
    if let (Some(all), Some(search)) = (&report.latency, &report.search_latency) {
        output::line(format!(
            "latency: {:.1} ms p50, {:.1} ms p95; without encoding {:.2} ms p50, {:.2} ms p95",
            all.p50_ms, all.p95_ms, search.p50_ms, search.p95_ms
        ))?;
    }
    for (ids, what) in [
        (&evaluation.queries_without_qrels, "not counted, for nobody judged them"),
        (&evaluation.queries_without_relevant, "not counted, for no product was judged relevant"),
        (&evaluation.qrels_without_query, "judged, but not among the queries"),
        (&evaluation.queries_without_results, "without any result, counted as 0"),
    ] {
        if !ids.is_empty() {
            output::line(format!("{what}: {}", ids.join(" ")))?;
        }
    }
    Ok(())
}
