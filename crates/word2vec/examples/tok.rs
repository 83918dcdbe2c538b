#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]
use xunpin_analysis::Analyzer;
fn main() {
    let a = Analyzer::new(std::iter::empty::<&str>());
    let mode = std::env::args().nth(1).unwrap();
    for l in std::io::stdin().lines() {
        let l = l.unwrap();
        let w: Vec<String> = match mode.as_str() {
            "words" => a.words(&l),
            "terms" => a.terms(&l).into_iter().map(|t| t.text).collect(),
            _ => a.query_terms(&l).into_iter().map(|t| t.text).collect(),
        };
        println!("{}", w.join(" "));
    }
}
