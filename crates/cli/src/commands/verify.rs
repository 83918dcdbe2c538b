use serde::Serialize;

use super::builder;
use super::notes::Notes;
use crate::args::{Format, VerifyArgs};
use crate::exit::Done;
use crate::output::{self, count};

/// Problems of the full-text index told to people.
const TOLD: usize = 20;

#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    ok: bool,
    #[serde(flatten)]
    report: &'a xunpin::index::VerifyReport,
    /// Problems of the full-text index.
    full_text_problems: &'a [String],
}

pub(crate) fn run(args: &VerifyArgs) -> anyhow::Result<Done> {
    let engine = builder(&args.index).open_read_only()?;
    let mut notes = Notes::of(&engine);
    let report = engine.verify();
    let full_text = engine.verify_full_text()?;
    notes.tell(&engine);
    let ok = report.is_ok() && full_text.is_empty();
    if args.format == Format::Json {
        let schema = "xunpin.verify.v1";
        output::json(&Report { schema, ok, report: &report, full_text_problems: &full_text })?;
    } else {
        output::line(format!(
            "{}, {}, {}, {}, {} checked",
            count(report.products as u64, "product", "products"),
            count(report.vectors as u64, "vector", "vectors"),
            count(report.static_vectors as u64, "static vector", "static vectors"),
            count(report.segments as u64, "segment", "segments"),
            count(report.tombstones as u64, "tombstone", "tombstones"),
        ))?;
        let state = engine.full_text_stats()?;
        output::line(match (&state.unusable, state.behind) {
            (Some(reason), _) => format!("full-text index: {reason}"),
            (None, 0) => {
                format!("full-text index: {} checked", count(state.products, "product", "products"))
            }
            (None, behind) => format!(
                "full-text index: files checked; {} behind, which the next search or writer makes good",
                count(behind, "commit", "commits")
            ),
        })?;
        if let Some(recall) = report.recall_at_10 {
            output::line(format!("recall@10 of the graph: {recall:.4} ({} queries)", report.recall_queries))?;
        }
        for problem in &report.problems {
            output::line(format!("problem: {problem}"))?;
        }
        tell_more(report.problem_count - report.problems.len())?;
        for problem in full_text.iter().take(TOLD) {
            output::line(format!("problem: {problem}"))?;
        }
        tell_more(full_text.len().saturating_sub(TOLD))?;
        output::line(if ok { "all good" } else { "the index is damaged" })?;
    }
    let problems = |n: usize| count(n as u64, "problem", "problems");
    if !report.is_ok() {
        anyhow::bail!(
            "{}: {} found; restore a snapshot (`xunpin restore`), or index the catalogue into a new folder",
            args.index.index.display(),
            problems(report.problem_count + full_text.len())
        );
    }
    if !ok {
        anyhow::bail!(
            "{}: {} of the full-text index alone; remove the folder {} and it is built again from the store",
            args.index.index.display(),
            problems(full_text.len()),
            args.index.index.join("lexical").display()
        );
    }
    Ok(Done::Fully)
}

fn tell_more(more: usize) -> anyhow::Result<()> {
    if more > 0 {
        output::line(format!("and {more} more"))?;
    }
    Ok(())
}
