//! Numbers, names and sentences of the page.

use crate::{AgainstBest, ComparisonReport, Interval, Metric};

/// A p value below it is called significant.
const LEVEL: f64 = 0.05;

/// A metric as papers write it.
pub(super) fn name(metric: Metric) -> String {
    match metric {
        Metric::Ndcg(depth) => format!("nDCG@{depth}"),
        Metric::ReciprocalRank(depth) => format!("MRR@{depth}"),
        Metric::Recall(depth) => format!("recall@{depth}"),
    }
}

/// What a metric measures.
pub(super) fn definition(metric: Metric, reciprocal_rank_grade: i32) -> String {
    match metric {
        Metric::Ndcg(depth) => format!(
            "Discounted gain of the first {depth} results, each counting (2^grade - 1) / log2(rank + 1), divided by \
             that of the best possible ranking of the judged products. 1 is a perfect ranking."
        ),
        Metric::ReciprocalRank(depth) => format!(
            "1 / rank of the first result of grade {reciprocal_rank_grade} or more; 0 if there is none among the \
             first {depth}."
        ),
        Metric::Recall(depth) => {
            format!(
                "Share of the relevant products (grade 1 or more) that is among the first {depth} results."
            )
        }
    }
}

/// A score or share.
pub(super) fn score(value: f64) -> String {
    format!("{value:.4}")
}

/// A difference, with its sign and a true minus.
pub(super) fn signed(value: f64) -> String {
    let digits = format!("{:.4}", value.abs());
    let zero = digits.bytes().all(|b| matches!(b, b'0' | b'.'));
    let sign = match value {
        _ if zero => "",
        value if value < 0.0 => "\u{2212}",
        _ => "+",
    };
    format!("{sign}{digits}")
}

pub(super) fn interval(interval: Interval) -> String {
    format!("{} to {}", signed(interval.low), signed(interval.high))
}

pub(super) fn p_value(p: f64) -> String {
    if p < 0.0001 { "< 0.0001".to_owned() } else { format!("{p:.4}") }
}

/// Milliseconds, to three digits or so.
pub(super) fn milliseconds(value: f64) -> String {
    match value {
        v if v < 10.0 => format!("{v:.2}"),
        v if v < 100.0 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

/// `1 query`, `2 queries`.
pub(super) fn queries(count: usize) -> String {
    if count == 1 { "1 query".to_owned() } else { format!("{} queries", thousands(count)) }
}

/// A count with its thousands apart: `100,000`.
pub(super) fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The language of a text by its script, where that tells; fonts draw Chinese characters by it.
pub(super) fn language(text: &str) -> Option<&'static str> {
    let has = |ranges: &[std::ops::RangeInclusive<char>]| {
        text.chars().any(|c| ranges.iter().any(|range| range.contains(&c)))
    };
    if has(&['\u{3040}'..='\u{30ff}']) {
        Some("ja")
    } else if has(&['\u{ac00}'..='\u{d7af}']) {
        Some("ko")
    } else if has(&['\u{3400}'..='\u{9fff}', '\u{f900}'..='\u{faff}', '\u{20000}'..='\u{3ffff}']) {
        Some("zh")
    } else {
        None
    }
}

/// The result in a few sentences.
pub(super) fn summary(report: &ComparisonReport) -> String {
    let (subject, best, metric) = (&report.subject, &report.best_single, name(report.metric));
    let mean = |name: &str| {
        report.system(name).and_then(|s| s.means.get(&report.metric)).map_or_else(String::new, |m| score(*m))
    };
    let against = report.system(subject).and_then(|system| system.against_best.as_ref());
    let Some(AgainstBest { comparison, p_holm }) = against else {
        return format!("{subject} is the best single system, with {metric} {}.", mean(subject));
    };
    let verdict = if *p_holm >= LEVEL {
        "Chance alone could explain the difference"
    } else if comparison.mean_difference > 0.0 {
        "The gain is significant"
    } else {
        "The loss is significant"
    };
    format!(
        "{subject} reaches {metric} {}, the best single system, {best}, {}. The difference is {} (95% interval {}): \
         better on {}, equal on {}, worse on {}. {verdict} at the level {LEVEL} (p after Holm's correction {}).",
        mean(subject),
        mean(best),
        signed(comparison.mean_difference),
        interval(comparison.interval),
        queries(comparison.wins),
        comparison.ties,
        comparison.losses,
        p_value(*p_holm),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_shown() {
        assert_eq!(signed(0.01234), "+0.0123");
        assert_eq!(signed(-0.5), "\u{2212}0.5000");
        assert_eq!(signed(-0.00001), "0.0000");
        assert_eq!((p_value(0.00001), p_value(0.0123)), ("< 0.0001".into(), "0.0123".into()));
        assert_eq!([0.123, 12.34, 1234.5].map(milliseconds), ["0.12", "12.3", "1234"]);
        assert_eq!([7, 999, 1_000, 100_000].map(thousands), ["7", "999", "1,000", "100,000"]);
        assert_eq!((queries(1), queries(0)), ("1 query".into(), "0 queries".into()));
    }

    #[test]
    fn languages_by_script() {
        assert_eq!(
            ["敏感肌 cream", "スキンケア用品", "크림", "cream"].map(language),
            [Some("zh"), Some("ja"), Some("ko"), None]
        );
    }
}
