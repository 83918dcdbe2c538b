#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use xunpin_word2vec::*;
fn lines(p: &str) -> Vec<Vec<String>> {
    std::fs::read_to_string(p)
        .unwrap()
        .lines()
        .map(|l| l.split(' ').filter(|w| !w.is_empty()).map(String::from).collect())
        .collect()
}
fn main() {
    let mut args: BTreeMap<String, String> = BTreeMap::new();
    for a in std::env::args().skip(1) {
        let (k, v) = a.split_once('=').unwrap();
        args.insert(k.into(), v.into());
    }
    let get = |k: &str| args.get(k).cloned();
    let dir = format!("/tmp/w2v/{}", get("tok").unwrap_or("analysis".into()));
    let titles = lines(&format!("{dir}/titles"));
    let extra = lines(&format!("{dir}/taobao"));
    let queries = lines(&format!("{dir}/queries"));
    let qids: Vec<String> =
        std::fs::read_to_string("/tmp/w2v/qids").unwrap().lines().map(String::from).collect();
    let ids: Vec<String> =
        std::fs::read_to_string("/tmp/w2v/ids").unwrap().lines().map(String::from).collect();
    let mut grades: BTreeMap<String, BTreeMap<String, i32>> = BTreeMap::new();
    for l in std::fs::read_to_string("/work/shared/data/beauty/qrels.txt").unwrap().lines() {
        let f: Vec<&str> = l.split_whitespace().collect();
        grades.entry(f[0].into()).or_default().insert(f[2].into(), f[3].parse().unwrap());
    }
    let mut o = TrainOptions::default();
    if let Some(v) = get("dim") {
        o.dimension = v.parse().unwrap()
    }
    if let Some(v) = get("win") {
        o.window = v.parse().unwrap()
    }
    if let Some(v) = get("neg") {
        o.negative = v.parse().unwrap()
    }
    if let Some(v) = get("ep") {
        o.epochs = Some(v.parse().unwrap())
    }
    if let Some(v) = get("sub") {
        o.subsample = v.parse().unwrap()
    }
    if let Some(v) = get("min") {
        o.min_count = v.parse().unwrap()
    }
    if let Some(v) = get("lr") {
        o.learning_rate = v.parse().unwrap()
    }
    if let Some(v) = get("seed") {
        o.seed = v.parse().unwrap()
    }
    if get("arch").as_deref() == Some("cbow") {
        o.architecture = Architecture::Cbow
    }
    let threads: usize = get("threads").map_or(2, |v| v.parse().unwrap());
    let mut corpus = Corpus::new();
    let cut = get("cut").map_or(usize::MAX, |v| v.parse().unwrap());
    for s in titles.iter().chain(&extra).take(cut) {
        corpus.push(s);
    }
    let start = std::time::Instant::now();
    let mut losses = vec![];
    let mut last = (0, 0.0, 0);
    let vectors = Trainer::new(o.clone())
        .unwrap()
        .threads(threads)
        .train(&corpus, |p| {
            if last.0 != p.epoch {
                if last.0 > 0 {
                    losses.push(last.1 / last.2 as f64);
                }
                last = (p.epoch, 0.0, 0);
            }
            last.1 += p.loss;
            last.2 += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    let t = start.elapsed().as_secs_f64();
    println!(
        "{args:?} words {} V {} {:.1}s {:.0} kw/s loss {:.3} {:.3}",
        corpus.words(),
        vectors.len(),
        t,
        corpus.words() as f64 * o.epochs.unwrap_or(0) as f64 / t / 1e3,
        losses.first().unwrap_or(&0.),
        losses.last().unwrap_or(&0.)
    );
    if get("show").is_some() {
        for w in ["抗皱", "面霜", "洗面奶", "敏感", "手机壳"] {
            if let Ok(s) = vectors.similar(w, 10) {
                println!(
                    "  {w}: {}",
                    s.iter().map(|s| format!("{} {:.2}", s.word, s.cosine)).collect::<Vec<_>>().join(", ")
                );
            }
        }
        for (p, n) in [(["女鞋", "男装"], ["女装"]), (["华为", "苹果"], ["小米"])] {
            if let Ok(s) = vectors.analogy(&p, &n, 5) {
                println!(
                    "  {p:?}-{n:?}: {}",
                    s.iter().map(|s| format!("{} {:.2}", s.word, s.cosine)).collect::<Vec<_>>().join(", ")
                );
            }
        }
    }
    if get("cut").is_some() {
        return;
    }
    let counts: BTreeMap<String, u64> =
        vectors.words().iter().map(|w| (w.clone(), corpus.count(w))).collect();
    for norm in [false, true] {
        let mut values = vectors.values().to_vec();
        if norm {
            for r in values.chunks_exact_mut(o.dimension) {
                let n = r.iter().map(|v| v * v).sum::<f32>().sqrt();
                r.iter_mut().for_each(|v| *v /= n);
            }
        }
        let v = WordVectors::new(
            vectors.words().to_vec(),
            vectors.words().iter().map(|w| counts[w]).collect(),
            values,
            o.dimension,
        )
        .unwrap();
        for (name, pooling) in
            [("mean", Pooling::Mean), ("sif3", Pooling::Sif { a: 1e-3 }), ("sif4", Pooling::Sif { a: 1e-4 })]
        {
            for pc in [false, true] {
                let mut e = SentenceEncoder::new(v.clone(), pooling).unwrap();
                if pc {
                    e.remove_common(&titles);
                }
                let docs: Vec<Option<Vec<f32>>> = titles.iter().map(|t| e.embed(t)).collect();
                let mut sum = 0.0;
                let mut n = 0.0;
                for (q, words) in qids.iter().zip(&queries) {
                    let Some(g) = grades.get(q).filter(|g| g.values().any(|&g| g > 0)) else { continue };
                    n += 1.0;
                    let Some(qv) = e.embed(words) else { continue };
                    let mut s: Vec<(f32, &str)> = docs
                        .iter()
                        .zip(&ids)
                        .filter_map(|(d, id)| {
                            Some((d.as_ref()?.iter().zip(&qv).map(|(a, b)| a * b).sum::<f32>(), id.as_str()))
                        })
                        .collect();
                    s.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
                    let gain = |g: i32| (2f64.powi(g.max(0)) - 1.0);
                    let dcg: f64 = s
                        .iter()
                        .take(10)
                        .enumerate()
                        .map(|(r, (_, id))| gain(*g.get(*id).unwrap_or(&0)) / ((r + 2) as f64).log2())
                        .sum();
                    let mut ideal: Vec<f64> = g.values().map(|&g| gain(g)).collect();
                    ideal.sort_by(|a, b| b.total_cmp(a));
                    let idcg: f64 =
                        ideal.iter().take(10).enumerate().map(|(r, g)| g / ((r + 2) as f64).log2()).sum();
                    sum += dcg / idcg;
                }
                print!(
                    "{}{name}{} {:.3} | ",
                    if norm { "N" } else { "R" },
                    if pc { "-pc" } else { "" },
                    sum / n
                );
            }
        }
    }
    println!();
}
