use serde::Serialize;

use super::builder;
use crate::args::{Format, VerifyArgs};
use crate::exit::Done;
use crate::output::{self, count};

#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    ok: bool,
    #[serde(flatten)]
    report: &'a xunpin::index::VerifyReport,
}

pub(crate) fn run(args: &VerifyArgs) -> anyhow::Result<Done> {
    let engine = builder(&args.index).open_read_only()?;
    super::print_notes(&engine);
    let report = engine.verify();
    if args.format == Format::Json {
        output::json(&Report { schema: "xunpin.verify.v1", ok: report.is_ok(), report: &report })?;
    } else {
        output::line(format!(
            "{}, {}, {}, {} checked",
            count(report.products as u64, "product", "products"),
            count(report.vectors as u64, "vector", "vectors"),
            count(report.segments as u64, "segment", "segments"),
            count(report.tombstones as u64, "tombstone", "tombstones"),
        ))?;
        if let Some(recall) = report.recall_at_10 {
            output::line(format!("recall@10 of the graph: {recall:.4} ({} queries)", report.recall_queries))?;
        }
        for problem in &report.problems {
            output::line(format!("problem: {problem}"))?;
        }
        let told = report.problems.len();
        if report.problem_count > told {
            output::line(format!("and {} more", report.problem_count - told))?;
        }
        output::line(if report.is_ok() { "all good" } else { "the index is damaged" })?;
    }
    if !report.is_ok() {
        anyhow::bail!(
            "{}: {} found; restore it from a copy, or index the catalogue into a new folder",
            args.index.index.display(),
            count(report.problem_count as u64, "problem", "problems")
        );
    }
    Ok(Done::Fully)
}
