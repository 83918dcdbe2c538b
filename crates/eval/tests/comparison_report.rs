//! The comparison report: its figures, its JSON and its page.

#![allow(clippy::unwrap_used)] // Only functions marked as tests are exempt by default.

use std::time::Duration;

use proptest::prelude::*;
use xunpin_eval::{
    CompareError, ComparisonReport, ComparisonSetup, EvalOptions, Evaluation, Latency, Metric, Qrels,
    Queries, Run, ScoredDoc, System, evaluate,
};

const NDCG: Metric = Metric::Ndcg(10);

/// The right document of query `i` is at rank `ranks[i]`, from 1; 0 leaves the query without results.
fn evaluation(ranks: &[usize]) -> Evaluation {
    let (mut run, mut qrels) = (Run::new(), Qrels::new());
    for (at, &rank) in ranks.iter().enumerate() {
        let query = format!("q{at:02}");
        qrels.insert(&query, "right", 1);
        let docs = (1..=10).map(|n| if n == rank { "right".to_owned() } else { format!("wrong{n}") });
        let docs = docs.map(|doc| ScoredDoc::new(doc, 0.0)).take(if rank == 0 { 0 } else { 10 });
        run.set(query, docs.collect());
    }
    evaluate(&run, &qrels, &EvalOptions::default()).unwrap()
}

fn system(name: &str, ranks: &[usize]) -> System {
    let times = [3, 5, 9].map(Duration::from_millis);
    System {
        name: name.into(),
        single: name != "hybrid",
        evaluation: evaluation(ranks),
        latency: Latency::of(&times),
    }
}

fn queries(n: usize, text: impl Fn(usize) -> String) -> Queries {
    let lines: String = (0..n).map(|at| format!("q{at:02}\t{}\n", text(at))).collect();
    Queries::parse(lines.as_bytes(), "queries.tsv".as_ref()).unwrap()
}

fn three_systems() -> Vec<System> {
    vec![system("lexical", &[4, 4, 2, 0]), system("semantic", &[1, 2, 2, 3]), system("hybrid", &[1, 1, 1, 5])]
}

fn report(systems: Vec<System>) -> Result<ComparisonReport, CompareError> {
    let texts = queries(4, |at| format!("敏感肌 {at}"));
    ComparisonReport::new(ComparisonSetup::new("beauty", "hybrid"), &texts, systems)
}

#[test]
fn figures_by_hand() {
    let report = report(three_systems()).unwrap();
    assert_eq!((report.queries, report.best_single.as_str(), report.metric), (4, "semantic", NDCG));
    assert_eq!(
        report.systems.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(),
        ["lexical", "semantic", "hybrid"]
    );
    assert_eq!(report.systems[0].queries_without_results, 1);
    assert!(report.system("semantic").unwrap().against_best.is_none());

    let gain = 1.0 - 1.0 / 3f64.log2();
    let loss = 1.0 / 6f64.log2() - 0.5;
    let hybrid = report.system("hybrid").unwrap().against_best.as_ref().unwrap();
    assert_eq!((hybrid.comparison.wins, hybrid.comparison.ties, hybrid.comparison.losses), (2, 1, 1));
    assert!((hybrid.comparison.mean_difference - (2.0 * gain + loss) / 4.0).abs() < 1e-12);
    // Signs of three differences, of which two gains exceed the loss: ++- and --+, +++ and ---.
    assert_eq!(hybrid.comparison.p_value, 0.5);
    let lexical = report.system("lexical").unwrap().against_best.as_ref().unwrap();
    assert_eq!(lexical.comparison.p_value, 0.25, "three losses");
    assert_eq!((lexical.p_holm, hybrid.p_holm), (0.5, 0.5));

    let gains: Vec<&str> = report.gains.iter().map(|change| change.query.as_str()).collect();
    assert_eq!(gains, ["q01", "q02"], "equal gains by id");
    assert_eq!(report.gains[0].text.as_deref(), Some("敏感肌 1"));
    assert!((report.gains[0].difference - gain).abs() < 1e-12);
    assert_eq!(report.losses.len(), 1);
    assert_eq!((report.losses[0].query.as_str(), report.losses[0].best_single), ("q03", 0.5));
    assert_eq!(report.per_query[3].scores["hybrid"][&Metric::ReciprocalRank(10)], 0.2);
}

#[test]
fn ties_for_the_best_go_to_the_first_name_and_combinations_are_no_candidates() {
    let systems = vec![system("b", &[2, 2]), system("a", &[2, 2]), system("hybrid", &[1, 1])];
    assert_eq!(report(systems).unwrap().best_single, "a");
}

#[test]
fn at_most_ten_gains_and_ten_losses() {
    let subject: Vec<usize> = (0..30).map(|at| if at < 15 { 1 } else { 10 }).collect();
    let report = report(vec![system("a", &[5; 30]), system("hybrid", &subject)]).unwrap();
    assert_eq!((report.gains.len(), report.losses.len()), (10, 10));
    assert_eq!((report.gains[9].query.as_str(), report.losses[0].query.as_str()), ("q09", "q15"));
    assert_eq!(report.gains[0].text.as_deref(), Some("敏感肌 0"));
    assert_eq!(report.losses[0].text, None, "q15 is not among the queries given");
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let error = |systems| report(systems).unwrap_err();
    assert_eq!(error(vec![system("a", &[1])]), CompareError::UnknownSystem { name: "hybrid".into() });
    assert_eq!(error(vec![system("hybrid", &[1])]), CompareError::NoSingleSystem);
    assert_eq!(
        error(vec![system("a", &[1]), system("a", &[1]), system("hybrid", &[1])]),
        CompareError::Name { name: "a".into() }
    );
    assert_eq!(
        error(vec![system("a", &[1, 1]), system("hybrid", &[1])]),
        CompareError::OtherQueries { query: "q01".into() }
    );
    let mut fewer = system("a", &[1]);
    fewer.evaluation.means.remove(&Metric::Recall(100));
    assert_eq!(
        error(vec![fewer, system("hybrid", &[1])]),
        CompareError::NoMetric { metric: Metric::Recall(100) }
    );
}

#[test]
fn json_has_the_documented_form() {
    let json = serde_json::to_value(report(three_systems()).unwrap()).unwrap();
    assert_eq!(json["schema"], "xunpin.compare.v1");
    assert_eq!(json["best_single"], "semantic");
    assert_eq!(json["systems"][2]["name"], "hybrid");
    assert_eq!(json["systems"][2]["latency"]["p50_ms"], 5.0);
    assert_eq!(json["systems"][2]["against_best"]["p_value"], 0.5);
    assert_eq!(json["systems"][2]["against_best"]["p_holm"], 0.5);
    assert!(json["systems"][2]["against_best"]["interval"]["low"].is_number());
    assert_eq!(json["systems"][1]["against_best"], serde_json::Value::Null);
    assert_eq!(json["per_query"][0]["scores"]["lexical"]["recall@10"], 1.0);
    assert_eq!(json["gains"][0]["query"], "q01");
    assert_eq!(json["method"]["samples"], 100_000);
}

/// An element's name and attributes; `None` for a closing tag.
type Tag = (String, Vec<(String, String)>);

/// Reads the tag that begins with `<` at the start of `html`; gives it, whether it closes, and its length.
fn tag(html: &str) -> (Tag, bool, usize) {
    let closes = html.starts_with("</");
    let mut rest = &html[if closes { 2 } else { 1 }..];
    let name_end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap();
    let name = rest[..name_end].to_owned();
    assert!(!name.is_empty(), "a `<` that begins no tag: {}", &html[..html.len().min(40)]);
    rest = &rest[name_end..];
    let mut attributes: Vec<(String, String)> = Vec::new();
    while let Some(after) = rest.strip_prefix(' ') {
        let (attribute, value) = after.split_once("=\"").unwrap();
        assert!(attribute.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{attribute}");
        assert!(attributes.iter().all(|(known, _)| known != attribute), "{attribute} twice");
        let (value, after) = value.split_once('"').unwrap();
        assert!(!value.contains(['<', '>']), "{value}");
        attributes.push((attribute.to_owned(), value.to_owned()));
        rest = after;
    }
    let rest = rest.strip_prefix('>').unwrap();
    ((name, attributes), closes, html.len() - rest.len())
}

/// Checks that every element is closed in order and gives all of them; text between them must hold no bare `&`.
fn parse(page: &str) -> Vec<Tag> {
    let mut html = page.trim_end().strip_prefix("<!DOCTYPE html>\n").unwrap();
    let (mut open, mut all): (Vec<String>, Vec<Tag>) = (Vec::new(), Vec::new());
    while let Some(at) = html.find('<') {
        let text = &html[..at];
        for after in text.split('&').skip(1) {
            let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
            assert!(known.iter().any(|entity| after.starts_with(entity)), "&{after}");
        }
        let ((name, attributes), closes, length) = tag(&html[at..]);
        html = &html[at + length..];
        if closes {
            assert_eq!(open.pop(), Some(name));
            continue;
        }
        if name == "style" {
            html = &html[html.find("</style>").unwrap()..];
        }
        if name != "meta" {
            open.push(name.clone());
        }
        all.push((name, attributes));
    }
    assert!(open.is_empty() && html.is_empty(), "left open: {open:?} {html}");
    all
}

#[test]
fn the_page_is_well_formed_self_contained_and_labelled() {
    let mut setup = ComparisonSetup::new("beauty", "hybrid");
    setup.notes = vec!["3,474 products, model embeddinggemma-300m".into()];
    let texts = queries(4, |at| format!("敏感肌 {at}"));
    let page = ComparisonReport::new(setup, &texts, three_systems()).unwrap().to_html();
    let tags = parse(&page);
    let count = |name: &str| tags.iter().filter(|(tag, _)| tag == name).count();
    let attribute = |tag: &Tag, name: &str| tag.1.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());

    for tag in &tags {
        assert!(
            !["script", "img", "link", "iframe", "object", "form", "a"].contains(&tag.0.as_str()),
            "{tag:?}"
        );
        for name in ["src", "href", "style", "onload", "onclick"] {
            assert_eq!(attribute(tag, name), None, "{tag:?}");
        }
        match tag.0.as_str() {
            "html" => assert_eq!(attribute(tag, "lang").as_deref(), Some("en")),
            "th" => assert!(attribute(tag, "scope").is_some()),
            "svg" => assert!(
                attribute(tag, "aria-hidden").is_some()
                    || attribute(tag, "role").as_deref() == Some("img")
                        && attribute(tag, "aria-label").is_some()
            ),
            _ => {}
        }
    }
    assert!(!page.contains("://") && !page.contains("url(") && !page.contains("@import"));
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("width=device-width"));
    assert_eq!((count("html"), count("main"), count("h1")), (1, 1, 1));
    assert_eq!((count("table"), count("caption"), count("thead")), (5, 5, 5));
    assert_eq!(count("figure"), count("figcaption"));
    assert_eq!(count("figure"), 6, "four metrics, latency, differences");
    for expected in [
        "hybrid reaches nDCG@10 0.8467, the best single system, semantic, 0.6905",
        "<span lang=\"zh\" dir=\"auto\">敏感肌 1</span>",
        "4 queries with a relevant judgement",
        "lexical found nothing for 1 query",
        "3,474 products, model embeddinggemma-300m",
    ] {
        assert!(page.contains(expected), "{expected}\n{page}");
    }
}

#[test]
fn hostile_texts_are_inert() {
    let hostile = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&lt;&\u{202e}";
    let mut setup = ComparisonSetup::new(hostile, format!("hybrid{hostile}"));
    setup.notes = vec![hostile.into()];
    let mut systems = three_systems();
    for system in &mut systems {
        system.name.push_str(hostile);
    }
    let texts = queries(4, |_| hostile.to_owned());
    let page = ComparisonReport::new(setup, &texts, systems).unwrap().to_html();
    let names: Vec<String> = parse(&page).into_iter().map(|(name, _)| name).collect();
    assert!(!names.iter().any(|name| name == "script" || name == "img"));
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && page.contains("&amp;lt;&amp;"));
}

#[test]
fn a_page_without_differences_or_latency_is_whole() {
    let mut systems = vec![system("a", &[1, 2]), system("hybrid", &[1, 2])];
    for system in &mut systems {
        system.latency = None;
    }
    let report = report(systems).unwrap();
    assert!(report.gains.is_empty() && report.losses.is_empty());
    let page = report.to_html();
    parse(&page);
    assert!(
        page.contains("Chance alone could explain the difference")
            && page.contains("Largest losses of hybrid against a: none.")
    );

    let texts = queries(2, |at| at.to_string());
    let only =
        ComparisonReport::new(ComparisonSetup::new("c", "a"), &texts, vec![system("a", &[1, 2])]).unwrap();
    parse(&only.to_html());
    assert!(only.to_html().contains("a is the best single system, with nDCG@10"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_report_is_a_well_formed_page(
        ranks in prop::collection::vec((0usize..12, 0usize..12), 1..8),
        text in "\\PC{1,20}",
        name in "\\PC{1,10}",
    ) {
        let (one, other): (Vec<usize>, Vec<usize>) = ranks.into_iter().unzip();
        prop_assume!(!text.trim().is_empty() && !text.contains('\t') && name != "a" && !name.trim().is_empty());
        let texts = queries(one.len(), |_| text.clone());
        let systems = vec![system("a", &one), system(&name, &other)];
        let report = ComparisonReport::new(ComparisonSetup::new(text.as_str(), name.as_str()), &texts, systems).unwrap();
        parse(&report.to_html());
    }
}
