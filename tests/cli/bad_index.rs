//! Folders that are no index, newer indexes, and indexes that another process writes to.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Shop, fixture};

#[test]
fn no_index_there() {
    let shop = Shop::new();
    for command in [vec!["search", "面霜"], vec!["stats"], vec!["verify"], vec!["delete", "1"]] {
        shop.run(&command).expect(3).tells(&[shop.index_path().to_str().unwrap(), "xunpin index"]);
    }
    assert!(!shop.index_path().exists());
}

#[test]
fn a_folder_with_other_files_is_left_alone() {
    let shop = Shop::new();
    fs::create_dir(shop.index_path()).unwrap();
    fs::write(shop.index_path().join("thesis.doc"), "years of work").unwrap();
    let file = shop.write("shop.jsonl", "{\"id\":\"1\",\"title\":\"甲\"}\n");
    shop.index(&[&file]).expect(3).tells(&["thesis.doc"]);
    shop.run(&["search", "面霜"]).expect(3).tells(&["thesis.doc"]);
    assert_eq!(fs::read_dir(shop.index_path()).unwrap().count(), 1);
}

#[test]
fn an_index_of_a_newer_format() {
    let shop = Shop::with(&[("1", "甲")]);
    let path = shop.index_path().join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    manifest["format_version"] = 999.into();
    fs::write(&path, manifest.to_string()).unwrap();
    shop.run(&["search", "甲"]).expect(3).tells(&["format 999", "newer"]);
}

#[test]
fn a_second_writer_is_told_who_writes() {
    let shop = Shop::with(&[("1", "甲")]);
    // A writer that waits for its catalogue on standard input.
    let mut first = shop
        .command(&["index", "-", "--input-format", "jsonl"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = first.stdin.take().unwrap();
    // The encoding is told from the first mebibyte; after it the index is opened.
    input.write_all(&b"\n".repeat(2 << 20)).unwrap();
    let file = shop.write("second.jsonl", "{\"id\":\"2\",\"title\":\"乙\"}\n");
    let pid = first.id().to_string();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let ran = shop.index(&[&file]);
        if ran.stderr.contains(&pid) {
            ran.expect(3).tells(&["writ"]);
            break;
        }
        ran.expect(0);
        assert!(std::time::Instant::now() < deadline, "the first writer never opened the index");
    }
    // Readers are not kept out.
    assert_eq!(shop.search("甲", &[])[0], "1");
    input.write_all("{\"id\":\"3\",\"title\":\"丙\"}\n".as_bytes()).unwrap();
    drop(input);
    assert!(first.wait().unwrap().success());
    assert!(shop.search("丙", &[]).contains(&"3".to_owned()));
}

#[test]
fn another_model_is_refused() {
    let shop = Shop::with(&[("1", "甲")]);
    let other = shop.copy_of_the_model();
    let weights = other.join("model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    fs::write(&weights, bytes).unwrap();
    let file = shop.write("second.jsonl", "{\"id\":\"2\",\"title\":\"乙\"}\n");
    let ran = shop.run(&["index", file.to_str().unwrap(), "--model", other.to_str().unwrap()]);
    ran.expect(2).tells(&["another model", "weights", fixture("tiny-gemma3").to_str().unwrap()]);
    assert_eq!(shop.products(), 1);
}

#[test]
fn a_damaged_graph_file_is_told_and_made_again() {
    let shop = Shop::new();
    let lines: String = (0..1_200).map(|n| format!("{{\"id\":\"{n}\",\"title\":\"商品{n}号\"}}\n")).collect();
    shop.index(&[&shop.write("shop.jsonl", lines)]).expect(0);
    let before = shop.search("商品7号", &["--strategy", "graph"]);
    let segment = shop.index_path().join("graph/segment-00000000.xpg");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[200] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    // A reader answers from memory and says so; the next writer mends the file.
    shop.run(&["search", "商品7号", "--strategy", "graph"]).expect(0).tells(&["note:", "segment 0"]);
    assert_eq!(shop.search("商品7号", &["--strategy", "graph"]), before);
    shop.run(&["delete", "1199"]).expect(0).tells(&["note:"]);
    assert!(!shop.run(&["search", "商品7号"]).expect(0).stderr.contains("note:"));
    shop.run(&["verify"]).expect(0);
}
