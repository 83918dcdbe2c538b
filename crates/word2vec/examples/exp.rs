#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]
use std::ops::ControlFlow;
use xunpin_word2vec::*;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let mut corpus = Corpus::new();
    for f in ["titles", "taobao"] {
        for l in std::fs::read_to_string(format!("/tmp/w2v/terms/{f}")).unwrap().lines() {
            corpus.push(l.split_whitespace());
        }
    }
    let o = TrainOptions { seed: a[2].parse().unwrap(), ..Default::default() };
    let t = std::time::Instant::now();
    let v = Trainer::new(o).unwrap().threads(1).train(&corpus, |_| ControlFlow::Continue(())).unwrap();
    println!("{} {:.0}s", a[1], t.elapsed().as_secs_f64());
    v.write_text(&a[1]).unwrap();
    std::fs::write(format!("{}.c", a[1]), v.counts().iter().map(|c| format!("{c}\n")).collect::<String>())
        .unwrap();
}
