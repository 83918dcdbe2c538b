//! An index in one file and back, by the program.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::json;

use crate::support::{Ran, Shop, fixture};

fn snapshot(shop: &Shop, name: &str, flags: &[&str]) -> Ran {
    shop.run(&[&["snapshot", shop.path(name).to_str().unwrap()], flags].concat())
}

fn restore(shop: &Shop, name: &str, target: &str, flags: &[&str]) -> Ran {
    let (archive, target) = (shop.path(name), shop.path(target));
    let args = ["restore", archive.to_str().unwrap(), "--index", target.to_str().unwrap()];
    shop.run(&[&args[..], flags].concat())
}

/// Names in the shop's folder that have to do with snapshots.
fn left(shop: &Shop) -> Vec<String> {
    let names = fs::read_dir(shop.path("")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let inside =
        fs::read_dir(shop.index_path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    names.chain(inside).filter(|name| name.ends_with(".tmp")).collect()
}

/// Fixtures' catalogue, word vectors, a changed and a deleted product.
fn shop() -> Shop {
    let shop = Shop::new();
    shop.index(&[&fixture("catalogue/products.jsonl")]).expect(0);
    shop.run(&["word2vec", "train", "--dim", "8", "--epochs", "2"]).expect(0);
    let file = shop.write("more.jsonl", "{\"id\":\"s005\",\"title\":\"蓝铜胜肽安瓶 改款\"}\n");
    shop.index(&[&file]).expect(0);
    shop.run(&["delete", "s006"]).expect(0);
    shop
}

#[test]
fn a_restored_index_answers_as_the_old_one() {
    let shop = shop();
    let taken = snapshot(&shop, "shop.xpa", &["--format", "json"]).expect(0).json();
    assert_eq!((&taken["schema"], &taken["products"]), (&json!("xunpin.snapshot.v1"), &json!(579)));
    assert_eq!((&taken["method"], &taken["generation"]), (&json!("checkpoint"), &shop.stats()["generation"]));
    assert_eq!(taken["archive_bytes"], fs::metadata(shop.path("shop.xpa")).unwrap().len());

    let made = restore(&shop, "shop.xpa", "new", &["--format", "json"]).expect(0);
    assert!(made.stderr.is_empty(), "{}", made.stderr);
    let made = made.json();
    assert_eq!((&made["schema"], &made["products"]), (&json!("xunpin.restore.v1"), &json!(579)));
    assert_eq!((&made["verified"], &made["generation"]), (&json!(true), &taken["generation"]));
    assert_eq!(made["created_by"], env!("CARGO_PKG_VERSION"));

    let new = shop.path("new");
    let new = new.to_str().unwrap();
    // The full-text index is there already: nothing is left to mend.
    let checked = shop.run(&["verify", "--index", new]).expect(0);
    let checked = checked.tells(&["579 products checked", "579 static vectors", "full-text index: 579"]);
    assert!(checked.stderr.is_empty(), "{}", checked.stderr);
    for mode in ["hybrid", "semantic", "lexical", "word2vec"] {
        let flags = ["--mode", mode, "--filter", "price <= 300", "--facet", "brand"];
        let old = shop.answer("敏感肌面霜", &flags);
        let made = shop.answer("敏感肌面霜", &[&flags[..], &["--index", new]].concat());
        assert_eq!((&old["hits"], &old["facets"]), (&made["hits"], &made["facets"]), "{mode}");
        assert!(!old["hits"].as_array().unwrap().is_empty(), "{mode}");
    }
    // The same catalogue again finds all but what was changed, and the life goes on.
    let catalogue = fixture("catalogue/products.jsonl");
    let again = ["index", catalogue.to_str().unwrap(), "--index", new, "--format", "json"];
    let report = shop.run(&again).expect(0).json();
    assert_eq!((&report["embedded"], &report["unchanged"]), (&json!(2), &json!(578)));
    shop.run(&["verify", "--index", new]).expect(0).tells(&["580 products checked"]);
    assert_eq!(shop.products(), 579, "the old one stays as it is");
    // A snapshot of the restored one, restored where the first one was, without the check.
    snapshot(&shop, "again.xpa", &["--index", new]).expect(0).tells(&[
        "580 products",
        "again.xpa",
        "generation",
    ]);
    fs::remove_dir_all(shop.index_path()).unwrap();
    restore(&shop, "again.xpa", "index", &["--no-verify"]).expect(0).tells(&["580 products", "again.xpa"]);
    assert_eq!(shop.products(), 580);
    assert_eq!(left(&shop), [""; 0]);
}

#[test]
fn nothing_is_overwritten_unasked() {
    let shop = Shop::with(&[("1", "温和A醇精华")]);
    shop.write("shop.xpa", "mine");
    snapshot(&shop, "shop.xpa", &[]).expect(2).tells(&["shop.xpa", "--force"]);
    assert_eq!(fs::read(shop.path("shop.xpa")).unwrap(), b"mine");
    restore(&shop, "shop.xpa", "new", &[]).expect(3).tells(&["shop.xpa", "no snapshot"]);
    snapshot(&shop, "shop.xpa", &["--force"]).expect(0).tells(&["1 product"]);
    restore(&shop, "shop.xpa", "index", &[]).expect(2).tells(&["index", "empty"]);
    fs::create_dir(shop.path("photos")).unwrap();
    shop.write("photos/cat.jpg", "cat");
    restore(&shop, "shop.xpa", "photos", &[]).expect(2).tells(&["cat.jpg"]);
    restore(&shop, "nowhere.xpa", "new", &[]).expect(3).tells(&["nowhere.xpa"]);
    fs::create_dir(shop.path("new")).unwrap();
    restore(&shop, "shop.xpa", "new", &[]).expect(0);
    shop.run(&["snapshot", "x.xpa", "--index", "nowhere"]).expect(3).tells(&["nowhere"]);
    assert_eq!(fs::read_dir(shop.path("photos")).unwrap().count(), 1);
    assert_eq!(left(&shop), [""; 0]);
}

#[test]
fn a_corrupt_archive_is_refused_and_leaves_nothing() {
    let shop = Shop::with(&[("1", "温和A醇精华"), ("2", "儿童雨鞋")]);
    snapshot(&shop, "shop.xpa", &[]).expect(0);
    let whole = fs::read(shop.path("shop.xpa")).unwrap();
    // In a table of the store, so that only its checksum tells.
    let mut flipped = whole.clone();
    let at = whole.windows(12).position(|window| window == "儿童雨鞋".as_bytes()).unwrap();
    flipped[at] ^= 1;
    shop.write("flipped.xpa", &flipped);
    restore(&shop, "flipped.xpa", "new", &[]).expect(3).tells(&["flipped.xpa", "db/", "SHA-256", "byte "]);
    shop.write("cut.xpa", &whole[..whole.len() / 2]);
    restore(&shop, "cut.xpa", "new", &[]).expect(3).tells(&["cut.xpa", "ends too early"]);
    shop.write("longer.xpa", [&whole[..], b"x"].concat());
    restore(&shop, "longer.xpa", "new", &["--no-verify"]).expect(3).tells(&["longer.xpa", "more follows"]);
    shop.write("empty.xpa", "");
    restore(&shop, "empty.xpa", "new", &[]).expect(3).tells(&["empty.xpa", "it is empty"]);
    assert!(!shop.path("new").exists());
    assert_eq!(left(&shop), [""; 0]);
}

#[test]
fn a_snapshot_is_taken_while_another_process_writes() {
    let shop = Shop::with(&[("1", "甲"), ("2", "乙")]);
    // A writer that waits for its catalogue on standard input.
    let mut writer = shop
        .command(&["index", "-", "--input-format", "jsonl"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = writer.stdin.take().unwrap();
    // The encoding is told from the first mebibyte; after it the index is opened.
    input.write_all(&b"\n".repeat(2 << 20)).unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let taken = loop {
        let taken = snapshot(&shop, "shop.xpa", &["--format", "json", "--force"]).expect(0).json();
        if taken["method"] == "rows" {
            break taken;
        }
        assert!(std::time::Instant::now() < deadline, "the writer never opened the index");
    };
    assert_eq!(taken["products"], 2);
    input.write_all("{\"id\":\"3\",\"title\":\"丙\"}\n".as_bytes()).unwrap();
    drop(input);
    assert!(writer.wait().unwrap().success());
    assert_eq!(shop.products(), 3);
    restore(&shop, "shop.xpa", "new", &[]).expect(0).tells(&["2 products", "verified"]);
    let new: PathBuf = shop.path("new");
    shop.run(&["verify", "--index", new.to_str().unwrap()]).expect(0).tells(&["2 products checked"]);
    assert_eq!(left(&shop), [""; 0]);
}
