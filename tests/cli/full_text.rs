//! The full-text index follows the store, whatever happens between the two.

use std::process::Stdio;
use std::time::Duration;

use crate::support::{Shop, copy_folder, fixture};

/// Puts the full-text index of before a second ingest over the one after it: what a kill between the store's commit and
/// that of the full-text index leaves.
fn left_behind() -> Shop {
    let shop = Shop::with(&[("1", "保湿面霜"), ("2", "儿童雨鞋")]);
    let (lexical, kept) = (shop.index_path().join("lexical"), shop.path("kept"));
    copy_folder(&lexical, &kept);
    let more = "{\"id\":\"3\",\"title\":\"无线耳机\"}\n{\"id\":\"4\",\"title\":\"有线耳机\"}\n";
    shop.index(&[&shop.write("more.jsonl", more)]).expect(0);
    std::fs::remove_dir_all(&lexical).unwrap();
    copy_folder(&kept, &lexical);
    shop
}

#[test]
fn a_search_brings_it_up_to_date_and_says_so() {
    let shop = left_behind();
    assert!(shop.stats()["full_text"]["behind"].as_u64().unwrap() > 0);
    shop.run(&["stats"]).expect(0).tells(&["behind"]);
    shop.run(&["verify"]).expect(0).tells(&["behind", "all good"]);
    let ran = shop.run(&["search", "耳机", "--mode", "lexical"]).expect(0).tells(&["无线耳机", "有线耳机"]);
    assert!(
        ran.stderr.contains("note: the full-text index was") && ran.stderr.contains("behind"),
        "{}",
        ran.stderr
    );
    let again = shop.run(&["search", "耳机", "--mode", "lexical"]).expect(0);
    assert!(!again.stderr.contains("note:"), "{}", again.stderr);
    assert_eq!(shop.stats()["full_text"]["behind"], 0);
    shop.run(&["verify"]).expect(0).tells(&["full-text index: 4 products checked", "all good"]);
}

#[test]
fn so_does_the_next_writer() {
    let shop = left_behind();
    let ran = shop.run(&["delete", "1"]).expect(0);
    assert!(ran.stderr.contains("note: the full-text index was"), "{}", ran.stderr);
    assert_eq!(shop.search("耳机", &["--mode", "lexical"]).len(), 2);
    assert_eq!(shop.search("面霜", &["--mode", "lexical"]).len(), 0);
}

#[test]
fn a_missing_or_damaged_one_is_built_again() {
    let shop = Shop::with(&[("1", "保湿面霜"), ("2", "儿童雨鞋")]);
    let lexical = shop.index_path().join("lexical");
    std::fs::remove_dir_all(&lexical).unwrap();
    shop.run(&["stats"]).expect(0).tells(&["there is none yet"]);
    shop.run(&["search", "面霜", "--mode", "lexical"]).expect(0).tells(&["note:", "built again", "保湿面霜"]);
    std::fs::write(lexical.join("meta.json"), "nonsense").unwrap();
    shop.run(&["verify"]).expect(3).tells(&["problem:", "full-text", "built again"]);
    shop.run(&["search", "面霜"]).expect(0).tells(&["note:", "built again"]);
    shop.run(&["verify"]).expect(0).tells(&["all good"]);
}

#[cfg(unix)]
#[test]
fn a_kill_during_an_ingest_is_made_good() {
    let shop = Shop::new();
    let (catalogue, model) = (fixture("catalogue/products.jsonl"), fixture("tiny-gemma3"));
    let args = ["index", catalogue.to_str().unwrap(), "--model", model.to_str().unwrap(), "--batch", "2"];
    let mut run = shop.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Once some batches are in.
    while run.try_wait().unwrap().is_none() {
        if shop.index_path().join("manifest.json").exists() && shop.products() > 10 {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = run.kill();
    run.wait().unwrap();
    let stats = shop.stats();
    let behind = stats["full_text"]["behind"].as_u64().unwrap();
    let ran = shop.run(&["search", "面霜", "--mode", "lexical"]).expect(0);
    assert_eq!(ran.stderr.contains("note: the full-text index was"), behind > 0, "{behind}: {}", ran.stderr);
    let again = shop.run(&["search", "面霜", "--mode", "lexical"]).expect(0);
    assert!(!again.stderr.contains("note:"), "{}", again.stderr);
    let full_text = &shop.stats()["full_text"];
    assert_eq!((&full_text["products"], &full_text["behind"]), (&stats["products"], &0.into()));
    shop.run(&["verify"]).expect(0);
}
