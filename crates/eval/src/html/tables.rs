use super::markup::{Html, element};
use super::words;
use crate::{ComparisonReport, Metric, QueryChange, QueryScores, SystemSummary};

/// A cell of a table's body.
enum Cell {
    Text(Html),
    Number(String),
    /// The best number of its column.
    Best(String),
}

impl Cell {
    fn number(value: Option<String>) -> Self {
        Self::Number(value.unwrap_or_else(|| "\u{2013}".to_owned()))
    }

    fn into_html(self) -> Html {
        match self {
            Self::Text(text) => element("td", &[], text),
            Self::Number(number) => element("td", &[("class", "number")], number),
            Self::Best(number) => element("td", &[("class", "number")], element("strong", &[], number)),
        }
    }
}

/// A table that can be scrolled sideways on a narrow screen, by keyboard too. The first cell of a row is its header.
fn table(caption: &str, columns: &[String], rows: impl IntoIterator<Item = (Html, Vec<Cell>)>) -> Html {
    let head: Html = columns.iter().map(|name| element("th", &[("scope", "col")], name.as_str())).collect();
    let row = |(header, cells): (Html, Vec<Cell>)| {
        let cells: Html = cells.into_iter().map(Cell::into_html).collect();
        element("tr", &[], [element("th", &[("scope", "row")], header), cells])
    };
    let body: Html = rows.into_iter().map(row).collect();
    let table = element(
        "table",
        &[],
        [
            element("caption", &[], caption),
            element("thead", &[], element("tr", &[], head)),
            element("tbody", &[], body),
        ],
    );
    element(
        "div",
        &[("class", "scroll"), ("role", "region"), ("aria-label", caption), ("tabindex", "0")],
        table,
    )
}

/// A query's words, in their own language and direction.
pub(super) fn query_text(text: Option<&str>) -> Html {
    let text = text.unwrap_or_default();
    match words::language(text) {
        Some(language) => element("span", &[("lang", language), ("dir", "auto")], text),
        None => element("span", &[("dir", "auto")], text),
    }
}

fn strings<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

/// Metrics, judged share and latency by system.
pub(super) fn systems(report: &ComparisonReport) -> Html {
    let metrics = report.metrics();
    let mut columns = strings(["system"]);
    columns.extend(metrics.iter().map(|&metric| words::name(metric)));
    columns.extend(strings(["judged@10", "p50, ms", "p95, ms"]));
    let best = |metric: &Metric| {
        report.systems.iter().filter_map(|system| system.means.get(metric)).copied().fold(0.0, f64::max)
    };
    let row = |system: &SystemSummary| {
        let mean = |metric: &Metric| match system.means.get(metric) {
            Some(&value) if value > 0.0 && value >= best(metric) => Cell::Best(words::score(value)),
            value => Cell::number(value.copied().map(words::score)),
        };
        let mut cells: Vec<Cell> = metrics.iter().map(mean).collect();
        cells.push(Cell::number(system.judged_at_10.map(words::score)));
        cells.push(Cell::number(system.latency.map(|latency| words::milliseconds(latency.p50_ms))));
        cells.push(Cell::number(system.latency.map(|latency| words::milliseconds(latency.p95_ms))));
        (system.name.as_str().into(), cells)
    };
    table("Means over the queries; the best of each column is bold", &columns, report.systems.iter().map(row))
}

/// Differences from the best single system.
pub(super) fn significance(report: &ComparisonReport) -> Html {
    let caption =
        format!("{} of each system less that of {}", words::name(report.metric), report.best_single);
    let columns =
        strings(["system", "difference", "95% interval", "p", "p (Holm)", "better", "equal", "worse"]);
    let rows = report.systems.iter().filter_map(|system| {
        let against = system.against_best.as_ref()?;
        let found = &against.comparison;
        let cells = [
            words::signed(found.mean_difference),
            words::interval(found.interval),
            words::p_value(found.p_value),
            words::p_value(against.p_holm),
            found.wins.to_string(),
            found.ties.to_string(),
            found.losses.to_string(),
        ];
        Some((system.name.as_str().into(), cells.map(Cell::Number).into()))
    });
    table(&caption, &columns, rows)
}

/// Gains or losses.
pub(super) fn changes(report: &ComparisonReport, caption: &str, changes: &[QueryChange]) -> Html {
    if changes.is_empty() {
        return element("p", &[], format!("{caption}: none."));
    }
    let columns = strings(["query", "words", &report.subject, &report.best_single, "difference"]);
    let row = |change: &QueryChange| {
        let numbers = [
            words::score(change.subject),
            words::score(change.best_single),
            words::signed(change.difference),
        ];
        let mut cells = vec![Cell::Text(query_text(change.text.as_deref()))];
        cells.extend(numbers.map(Cell::Number));
        (change.query.as_str().into(), cells)
    };
    table(caption, &columns, changes.iter().map(row))
}

/// Every query by every system.
pub(super) fn all_queries(report: &ComparisonReport) -> Html {
    let mut columns = strings(["query", "words", "relevant"]);
    columns.extend(report.systems.iter().map(|system| system.name.clone()));
    let row = |query: &QueryScores| {
        let mut cells =
            vec![Cell::Text(query_text(query.text.as_deref())), Cell::Number(query.relevant.to_string())];
        cells.extend(report.systems.iter().map(|system| {
            let value = query.scores.get(&system.name).and_then(|scores| scores.get(&report.metric));
            Cell::number(value.copied().map(words::score))
        }));
        (query.query.as_str().into(), cells)
    };
    table(
        &format!("{} of every query by every system", words::name(report.metric)),
        &columns,
        report.per_query.iter().map(row),
    )
}
