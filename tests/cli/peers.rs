//! `tests/bench/peers.py` beside peers that are made up: what it measures, leaves out, and puts into its table.
#![cfg(unix)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::{Ran, Shop, fixture, root};

/// In the place of a Python with the peers: has llama_cpp if `$HAS_LLAMA`, and any script prints the same figures, with cosines
/// if it is given a reference of four vectors.
const PEERS: &str = r#"#!/bin/sh
if [ "$1" = -c ]; then [ -n "$HAS_LLAMA" ]; exit; fi
while [ $# -gt 1 ]; do
  if [ "$1" = --reference ] && [ "$(grep -c '"embedding":\[' "$2")" = 4 ]; then cosines=', "cos_mean": 0.9876, "cos_min": 0.9765'; fi
  shift
done
echo 'loading' && echo '{"variant": "q8_0", "docs_per_s": 0.001, "query_p50_ms": 12.5'"$cosines"'}'
"#;

fn peers(shop: &Shop, has_llama: &str, gguf: &[&Path]) -> Option<Ran> {
    let python = shop.write("python", PEERS);
    fs::set_permissions(&python, Permissions::from_mode(0o755)).unwrap();
    let texts = shop.write("texts.txt", "保湿面霜\n防晒乳\n\n雨鞋\n口红\n");
    let ran = Command::new("python3")
        .arg(root().join("tests/bench/peers.py"))
        .args([Path::new(env!("CARGO_BIN_EXE_xunpin")), &fixture("tiny-gemma3"), &python])
        .args(["--rounds", "2", "--threads", "1", "--precisions", "f32", "--texts"])
        .arg(texts)
        .arg("--gguf")
        .args(gguf)
        .env("XUNPIN_HOME", shop.path("home"))
        .env("HAS_LLAMA", has_llama)
        .output();
    match ran {
        Ok(ran) => Some(Ran::from(ran)),
        Err(error) => {
            eprintln!("skipped, no python3: {error}");
            None
        }
    }
}

/// Cells of the table's row of this name.
fn row<'a>(table: &'a str, name: &str) -> Vec<&'a str> {
    let row = table.lines().find(|line| line.starts_with(&format!("| {name} |")));
    row.unwrap_or_else(|| panic!("no {name} in:\n{table}")).split('|').map(str::trim).collect()
}

#[test]
fn llama_cpp_stands_in_the_table_with_a_ratio_and_cosines() {
    let shop = Shop::new();
    let (here, nowhere) = (shop.write("m.gguf", ""), shop.path("nowhere.gguf"));
    let Some(ran) = peers(&shop, "yes", &[&here, &nowhere]) else { return };
    let ran = ran.expect(0).tells(&["4 titles, 1 threads, 2 rounds", "nowhere.gguf"]);
    let header = row(&ran.stdout, "");
    let of = header.iter().position(|&cell| cell == "llama.cpp q8_0").unwrap();
    assert_eq!(row(&ran.stdout, "llama.cpp q8_0")[2..6], ["0.0", "12.5", "0.9876", "0.9765"]);
    let ours = row(&ran.stdout, "**xunpin f32**");
    assert!(ours[of].parse::<f64>().unwrap() > 1.0, "{ours:?}");
}

#[test]
fn peers_that_are_not_there_are_named_and_left_out() {
    let shop = Shop::new();
    let (here, nowhere) = (shop.write("m.gguf", ""), shop.path("nowhere.gguf"));
    for (has_llama, gguf, said) in
        [("", &*here, "has no llama_cpp"), ("yes", &*nowhere, "no llama.cpp: no GGUF file")]
    {
        let Some(ran) = peers(&shop, has_llama, &[gguf]) else { return };
        let ran = ran.expect(0).tells(&[said, "make peers-llama"]);
        assert_eq!(row(&ran.stdout, "**xunpin f32**")[4..6], ["1.0000", "1.0000"]);
        assert!(!ran.stdout.contains("llama.cpp"), "{}", ran.stdout);
    }
}
