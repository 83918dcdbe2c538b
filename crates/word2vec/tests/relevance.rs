//! The default options on real titles, queries and judgements, where they lie beside the repository.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use xunpin_analysis::Analyzer;
use xunpin_word2vec::{Corpus, Pooling, SentenceEncoder, TrainOptions, Trainer};

fn data() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    folder.join("beauty/products.csv").exists().then_some(folder)
}

/// `(id, title)`: the first two columns; titles of this file hold no quotes.
fn products(folder: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(folder.join("beauty/products.csv")).unwrap();
    let rows = text.trim_start_matches('\u{feff}').lines().skip(1);
    rows.map(|line| {
        let mut cells = line.split(',');
        (cells.next().unwrap().to_owned(), cells.next().unwrap().to_owned())
    })
    .collect()
}

fn grades(folder: &Path) -> BTreeMap<String, BTreeMap<String, i32>> {
    let mut grades: BTreeMap<String, BTreeMap<String, i32>> = BTreeMap::new();
    for line in fs::read_to_string(folder.join("beauty/qrels.txt")).unwrap().lines() {
        let cells: Vec<&str> = line.split_whitespace().collect();
        grades.entry(cells[0].into()).or_default().insert(cells[2].into(), cells[3].parse().unwrap());
    }
    grades
}

/// nDCG@10 with gain `2^grade - 1`.
fn ndcg(ranking: &[&str], grades: &BTreeMap<String, i32>) -> f64 {
    let gain = |grade: i32| 2f64.powi(grade.max(0)) - 1.0;
    let discounted = |gains: &[f64]| -> f64 {
        gains.iter().take(10).enumerate().map(|(rank, gain)| gain / (rank as f64 + 2.0).log2()).sum()
    };
    let found: Vec<f64> = ranking.iter().map(|id| grades.get(*id).map_or(0.0, |&g| gain(g))).collect();
    let mut best: Vec<f64> = grades.values().map(|&g| gain(g)).collect();
    best.sort_by(|a, b| b.total_cmp(a));
    discounted(&found) / discounted(&best)
}

#[test]
#[ignore = "trains for a minute on real data; needs ../shared"]
fn default_options_make_an_honest_baseline() {
    let Some(folder) = data() else {
        println!("skipped: there is no ../shared/data/beauty");
        return;
    };
    let analyzer = Analyzer::new([]);
    let terms = |text: &str| -> Vec<String> { analyzer.terms(text).into_iter().map(|t| t.text).collect() };
    let products: Vec<(String, Vec<String>)> =
        products(&folder).into_iter().map(|(id, title)| (id, terms(&title))).collect();
    let mut corpus = Corpus::new();
    products.iter().for_each(|(_, title)| corpus.push(title));
    let queries = fs::read_to_string(folder.join("queries/taobao-queries.txt")).unwrap();
    queries.lines().for_each(|query| corpus.push(terms(query)));

    let trainer = Trainer::new(TrainOptions::default()).unwrap();
    let vectors = trainer.train(&corpus, |_| ControlFlow::Continue(())).unwrap();
    for word in ["抗皱", "面霜"] {
        println!("{word}: {:?}", vectors.similar(word, 8).unwrap());
    }
    let encoder = SentenceEncoder::new(vectors, Pooling::default()).unwrap();
    let documents: Vec<(&str, Vec<f32>)> =
        products.iter().filter_map(|(id, title)| Some((id.as_str(), encoder.embed(title)?))).collect();

    let grades = grades(&folder);
    let mut figures = Vec::new();
    for line in fs::read_to_string(folder.join("beauty/queries.tsv")).unwrap().lines() {
        let (id, text) = line.split_once('\t').unwrap();
        let Some(grades) = grades.get(id).filter(|g| g.values().any(|&g| g > 0)) else { continue };
        let words: Vec<String> = analyzer.query_terms(text).into_iter().map(|t| t.text).collect();
        let query = encoder.embed(&words).expect("every query has a known word");
        let score = |document: &[f32]| document.iter().zip(&query).map(|(a, b)| a * b).sum::<f32>();
        let mut ranking: Vec<(f32, &str)> = documents.iter().map(|(id, d)| (score(d), *id)).collect();
        ranking.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
        let ranking: Vec<&str> = ranking.iter().take(10).map(|r| r.1).collect();
        figures.push(ndcg(&ranking, grades));
    }
    let mean = figures.iter().sum::<f64>() / figures.len() as f64;
    println!("nDCG@10 {mean:.4} over {} queries", figures.len());
    assert_eq!(figures.len(), 40);
    assert!(mean >= 0.56, "{mean}");
}
