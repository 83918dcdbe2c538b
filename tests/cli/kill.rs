//! A run killed at any moment loses at most the batch in flight, and the same command again ends where an
//! uninterrupted run does: same ids, same vectors, bit for bit.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use xunpin::Engine;

use crate::support::{Shop, fixture};

/// Kills that must have hit a running program.
const KILLS: usize = 10;

/// The catalogue of a run.
fn catalogue() -> PathBuf {
    std::env::var_os("KILL_CATALOGUE").map_or_else(|| fixture("catalogue/products.jsonl"), PathBuf::from)
}

/// An index run with the tiny model, in batches of two: many commits to be killed between and within. KILL_MODEL (a
/// folder) and KILL_CATALOGUE (a file) in the environment try the same with the real ones, in batches of the usual size.
fn start(shop: &Shop) -> Child {
    let (catalogue, real) = (catalogue(), std::env::var_os("KILL_MODEL").map(PathBuf::from));
    let batch = if real.is_some() { "128" } else { "2" };
    let model = real.unwrap_or_else(|| fixture("tiny-gemma3"));
    let args = ["index", catalogue.to_str().unwrap(), "--model", model.to_str().unwrap(), "--batch", batch];
    shop.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Every id with the bits of its vector, and what a search finds.
fn content(index: &Path) -> (Vec<(String, Vec<u32>)>, Vec<String>) {
    let engine = Engine::builder(index).open_read_only().unwrap();
    let index = engine.index();
    let vectors = index
        .ids()
        .map(|row| {
            let (id, entry) = row.unwrap();
            let vector = index.vector(entry.doc).unwrap();
            (id, vector.iter().map(|v| v.to_bits()).collect())
        })
        .collect();
    let hits = engine.search(&xunpin::SearchRequest::new("敏感肌抗老").unwrap()).unwrap().hits;
    (vectors, hits.into_iter().map(|h| h.id).collect())
}

#[test]
fn ten_kills_change_nothing() {
    let whole = Shop::new();
    let started = std::time::Instant::now();
    assert!(start(&whole).wait().unwrap().success());
    let mut longest = started.elapsed();

    let mut shop = Shop::new();
    let mut kills = 0;
    // A fixed sequence of moments: xorshift from a fixed seed.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    while kills < KILLS {
        let mut run = start(&shop);
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        std::thread::sleep(longest.mul_f64((state >> 11) as f64 / (1u64 << 53) as f64 / 8.0));
        if run.try_wait().unwrap().is_some() {
            // All of it was done before the kill: begin anew and be quicker.
            shop = Shop::new();
            kills = 0;
            longest = (longest / 2).max(Duration::from_millis(4));
            continue;
        }
        run.kill().unwrap();
        run.wait().unwrap();
        kills += 1;
        if shop.index_path().join("manifest.json").exists() {
            shop.run(&["verify"]).expect(0);
        }
    }
    assert!(start(&shop).wait().unwrap().success());
    shop.run(&["verify"]).expect(0);
    assert_eq!(shop.products(), whole.products());
    assert_eq!(content(&shop.index_path()), content(&whole.index_path()));
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_commits_what_it_has_and_says_so() {
    let shop = Shop::new();
    let catalogue = fixture("catalogue/products.jsonl");
    let model = fixture("tiny-gemma3");
    let args = ["index", catalogue.to_str().unwrap(), "--model", model.to_str().unwrap(), "--batch", "1"];
    let run = shop.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !shop.index_path().join("manifest.json").exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let kill = format!("kill -INT {}", run.id());
    assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let ran = crate::support::Ran::from(run.wait_with_output().unwrap());
    // The signal may have come after the last commit.
    if ran.stdout.contains("interrupted") {
        ran.expect(1).tells(&["the same command again"]);
        let left = 580 - shop.products();
        let report = shop.index_with(&[&catalogue], &["--format", "json"]).expect(0).json();
        assert_eq!(report["embedded"], left);
    } else {
        ran.expect(0);
    }
    shop.run(&["verify"]).expect(0).tells(&["580 products"]);
}
