use std::fmt::Write;

use super::markup::{Html, element};
use super::words;
use crate::{ComparisonReport, Metric, QueryScores};

/// A bar: label, length as a share of the figure's width, and the value as text.
struct Bar<'a> {
    label: &'a str,
    share: f64,
    value: String,
    /// Drawn in the colour of the report's subject.
    subject: bool,
}

/// One figure of bars for each metric, and one of latency where it was measured.
pub(super) fn bars(report: &ComparisonReport) -> Html {
    let of_metric = |metric: Metric| bar_figure(&words::name(metric), &metric_bars(report, metric));
    let mut figures: Vec<Html> = report.metrics().into_iter().map(of_metric).collect();
    let latency = latency_bars(report);
    if !latency.is_empty() {
        figures.push(bar_figure("p50 latency in milliseconds, less is better", &latency));
    }
    element("div", &[("class", "figures")], figures.into_iter().collect::<Html>())
}

fn metric_bars(report: &ComparisonReport, metric: Metric) -> Vec<Bar<'_>> {
    let mut bars = Vec::new();
    for system in &report.systems {
        if let Some(&mean) = system.means.get(&metric) {
            let (label, subject) = (system.name.as_str(), system.name == report.subject);
            bars.push(Bar { label, share: mean, value: words::score(mean), subject });
        }
    }
    bars
}

/// Bars relative to the slowest system.
fn latency_bars(report: &ComparisonReport) -> Vec<Bar<'_>> {
    let times = || report.systems.iter().filter_map(|system| Some((system, system.latency?.p50_ms)));
    let longest = times().map(|(_, time)| time).fold(0.0, f64::max);
    times()
        .map(|(system, time)| Bar {
            label: &system.name,
            share: if longest > 0.0 { time / longest } else { 0.0 },
            value: words::milliseconds(time),
            subject: system.name == report.subject,
        })
        .collect()
}

/// The values stand beside the bars as text, so the drawings are hidden from screen readers.
fn bar_figure(caption: &str, bars: &[Bar<'_>]) -> Html {
    let bar = |bar: &Bar<'_>| {
        let width = format!("{:.2}", bar.share.clamp(0.0, 1.0) * 100.0);
        let rectangle = element("rect", &[("width", &width), ("height", "10")], "");
        let drawing = element(
            "svg",
            &[("viewBox", "0 0 100 10"), ("preserveAspectRatio", "none"), ("aria-hidden", "true")],
            rectangle,
        );
        element(
            "li",
            &[("class", if bar.subject { "bar subject" } else { "bar" })],
            [
                element("span", &[("class", "label")], bar.label),
                drawing,
                element("span", &[("class", "value")], bar.value.as_str()),
            ],
        )
    };
    element(
        "figure",
        &[],
        [element("figcaption", &[], caption), element("ul", &[], bars.iter().map(bar).collect::<Html>())],
    )
}

/// Each query's difference between the subject and the best single system, from the largest gain to the largest loss.
pub(super) fn differences(report: &ComparisonReport) -> Html {
    let score = |query: &QueryScores, system: &str| {
        query.scores.get(system).and_then(|scores| scores.get(&report.metric)).copied().unwrap_or(0.0)
    };
    let mut differences: Vec<f64> = report
        .per_query
        .iter()
        .map(|query| score(query, &report.subject) - score(query, &report.best_single))
        .collect();
    differences.sort_unstable_by(|a, b| b.total_cmp(a));
    let limit = differences.iter().fold(0.0, |limit: f64, d| limit.max(d.abs()));
    if limit == 0.0 {
        return Html::default();
    }
    let (first, last) = (differences.first().copied(), differences.last().copied());
    let description = format!(
        "{} of {} less that of {} on each of {}, sorted. Gains stand above the line, losses below it; the largest \
         gain is {}, the largest loss {}.",
        words::name(report.metric),
        report.subject,
        report.best_single,
        words::queries(differences.len()),
        words::signed(first.unwrap_or(0.0).max(0.0)),
        words::signed(last.unwrap_or(0.0).min(0.0)),
    );
    let width = differences.len().to_string();
    let area =
        |class, sign: f64| element("path", &[("class", class), ("d", &steps(&differences, limit, sign))], "");
    let line = element("line", &[("x1", "0"), ("x2", &width), ("y1", "0"), ("y2", "0")], "");
    let drawing = element(
        "svg",
        &[
            ("viewBox", &format!("0 -100 {width} 200")),
            ("preserveAspectRatio", "none"),
            ("role", "img"),
            ("aria-label", &description),
        ],
        [area("gain", 1.0), area("loss", -1.0), line],
    );
    element(
        "figure",
        &[("class", "differences")],
        [drawing, element("figcaption", &[], description.as_str())],
    )
}

/// The outline of the differences with the sign of `sign`: one unit wide each, `limit` 100 units high.
fn steps(differences: &[f64], limit: f64, sign: f64) -> String {
    let mut path = "M0 0".to_owned();
    for (at, difference) in differences.iter().enumerate() {
        let height = if difference * sign > 0.0 { -difference / limit * 100.0 } else { 0.0 };
        // Writing to a String can't fail.
        let _ = write!(path, "V{height:.2}H{}", at + 1);
    }
    path.push_str("V0Z");
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outline_steps_over_the_other_sign() {
        assert_eq!(steps(&[0.5, 0.0, -1.0], 1.0, 1.0), "M0 0V-50.00H1V0.00H2V0.00H3V0Z");
        assert_eq!(steps(&[0.5, 0.0, -1.0], 1.0, -1.0), "M0 0V0.00H1V0.00H2V100.00H3V0Z");
    }
}
