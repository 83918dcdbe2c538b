//! A [`ComparisonReport`] as one self-contained page.

mod figures;
mod markup;
mod tables;
mod words;

use markup::{Html, element, style, void};

use crate::{ComparisonReport, LeftOut, SystemSummary};

/// Forbids the page to load or run anything, should a text ever get past the escaping.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

pub(crate) fn page(report: &ComparisonReport) -> String {
    let title = format!("{} and {} on {}", report.subject, report.best_single, report.collection);
    let head = element(
        "head",
        &[],
        [
            void("meta", &[("charset", "utf-8")]),
            void("meta", &[("http-equiv", "Content-Security-Policy"), ("content", POLICY)]),
            void("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]),
            void("meta", &[("name", "color-scheme"), ("content", "light dark")]),
            element("title", &[], title.as_str()),
            style(include_str!("style.css")),
        ],
    );
    let body = element(
        "body",
        &[],
        element(
            "main",
            &[],
            [
                element("h1", &[], title.as_str()),
                element("p", &[("class", "summary")], words::summary(report)),
                section("Systems", [tables::systems(report), figures::bars(report)]),
                section(
                    &format!("Against {}, the best single system", report.best_single),
                    [tables::significance(report)],
                ),
                section("Query by query", query_by_query(report)),
                section("How it was measured", [method(report)]),
            ],
        ),
    );
    format!("<!DOCTYPE html>\n{}\n", element("html", &[("lang", "en")], [head, body]).into_string())
}

fn section<const N: usize>(heading: &str, content: [Html; N]) -> Html {
    element("section", &[], [element("h2", &[], heading), content.into()])
}

fn query_by_query(report: &ComparisonReport) -> [Html; 4] {
    let (subject, best) = (&report.subject, &report.best_single);
    [
        figures::differences(report),
        tables::changes(report, &format!("Largest gains of {subject} over {best}"), &report.gains),
        tables::changes(report, &format!("Largest losses of {subject} against {best}"), &report.losses),
        element(
            "details",
            &[],
            [
                element("summary", &[], format!("All {}", words::queries(report.queries))),
                tables::all_queries(report),
            ],
        ),
    ]
}

/// Definitions, the test, and what was left out, as a list of terms.
fn method(report: &ComparisonReport) -> Html {
    let metrics = report.metrics();
    let method = &report.method;
    let mut terms = vec![("Collection".to_owned(), collection(report))];
    terms.extend(
        metrics
            .iter()
            .map(|&metric| (words::name(metric), words::definition(metric, method.reciprocal_rank_grade))),
    );
    terms.push((
        "judged@10".to_owned(),
        format!(
            "Share of the first ten results that somebody judged: {}. Products that nobody judged count as not \
             relevant, so a system with a low share may be better than its figures say.",
            judged(report)
        ),
    ));
    terms.push((
        "p50, p95".to_owned(),
        "Milliseconds that half, or 95 of 100, of the queries stayed within, from the query's words to its results."
            .to_owned(),
    ));
    terms.push((
        "p".to_owned(),
        format!(
            "Paired two-sided randomisation test: the share of all ways to give the queries' differences a sign whose \
             mean is at least as far from 0 as the one seen. All ways are tried where at most {} queries differ, else \
             {} random ones.",
            method.exact_up_to,
            words::thousands(method.samples)
        ),
    ));
    terms.push((
        "p (Holm)".to_owned(),
        "The same, corrected for comparing several systems with one.".to_owned(),
    ));
    terms.push((
        "95% interval".to_owned(),
        format!(
            "The middle {:.0}% of the mean differences of {} bootstrap samples of the queries. Random numbers begin \
             with the fixed seed {}.",
            method.confidence * 100.0,
            words::thousands(method.resamples),
            method.seed
        ),
    ));
    terms.extend(report.notes.iter().map(|note| ("Note".to_owned(), note.clone())));
    let pair = |(term, definition): (String, String)| -> Html {
        [element("dt", &[], term), element("dd", &[], definition)].into()
    };
    element("dl", &[], terms.into_iter().map(pair).collect::<Html>())
}

/// Name, number of queries, and which queries don't count.
fn collection(report: &ComparisonReport) -> String {
    let mut text =
        format!("{}, {} with a relevant judgement.", report.collection, words::queries(report.queries));
    let LeftOut { without_qrels, without_relevant, not_asked } = &report.left_out;
    for (ids, why) in [
        (without_qrels, "asked, but nobody judged them"),
        (without_relevant, "asked, but no product was judged relevant"),
        (not_asked, "judged, but not asked"),
    ] {
        if !ids.is_empty() {
            text.push_str(&format!(" Not counted: {} ({why}).", words::queries(ids.len())));
        }
    }
    for system in report.systems.iter().filter(|system| system.queries_without_results > 0) {
        let unanswered = words::queries(system.queries_without_results);
        text.push_str(&format!(" {} found nothing for {unanswered}, counted as 0.", system.name));
    }
    text
}

fn judged(report: &ComparisonReport) -> String {
    let of = |system: &SystemSummary| {
        let share =
            system.judged_at_10.map_or_else(|| "no results".to_owned(), |j| format!("{:.0}%", j * 100.0));
        format!("{} {share}", system.name)
    };
    report.systems.iter().map(of).collect::<Vec<_>>().join(", ")
}
