use std::time::Instant;
use xunpin_core::{Encoder, Role};
use xunpin_encoder::*;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let text = std::fs::read_to_string(&a[2]).unwrap();
    let n: usize = a[3].parse().unwrap();
    let lines: Vec<&str> = text.lines().take(n).collect();
    let mut all = Vec::new();
    for p in a[1].split(',') {
        let t = Instant::now();
        let e = LlmEncoder::open(a[4].as_ref(), EncoderOptions { precision: p.parse().unwrap(), ..Default::default() }).unwrap();
        let load = t.elapsed();
        let t = Instant::now();
        let q0 = e.encode(&["敏感肌抗老"], Role::Query).unwrap(); let _ = q0;
        let first = t.elapsed();
        e.encode(&lines[..64.min(lines.len())], Role::Document).unwrap();
        let t = Instant::now();
        let mut v = Vec::new();
        for c in lines.chunks(128) { let m = e.encode(c, Role::Document).unwrap(); for r in 0..c.len() { v.push(m.row(r).to_vec()); } }
        let s = t.elapsed().as_secs_f64();
        let mut ts = Vec::new();
        for _ in 0..10 { for q in ["敏感肌抗老", "油皮控油祛痘洗面奶", "熬夜黑眼圈眼霜", "送给五十岁妈妈的抗皱套装"] { let t = Instant::now(); e.encode(&[q], Role::Query).unwrap(); ts.push(t.elapsed().as_secs_f64() * 1e3); } }
        ts.sort_by(f64::total_cmp);
        println!("{p}: load {load:?} first {first:?} {:.1} docs/s, query p50 {:.2} ms min {:.2}", lines.len() as f64 / s, ts[20], ts[0]);
        all.push(v);
    }
    for v in &all[1..] {
        let c: Vec<f64> = v.iter().zip(&all[0]).map(|(a, b)| a.iter().zip(b).map(|(a, b)| *a as f64 * *b as f64).sum()).collect();
        println!("cos mean {:.5} least {:.5}", c.iter().sum::<f64>() / c.len() as f64, c.iter().cloned().fold(1.0, f64::min));
    }
}
