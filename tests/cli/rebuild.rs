//! A new index from the products of an old one, by the program.

use serde_json::json;

use crate::support::{Ran, Shop, fixture};

fn rebuild(shop: &Shop, name: &str, flags: &[&str]) -> Ran {
    let into = shop.path(name);
    shop.run(&[&["rebuild", "--into", into.to_str().unwrap(), "--precision", "f32"], flags].concat())
}

/// The fixtures' catalogue in f32.
fn shop() -> Shop {
    let shop = Shop::new();
    shop.index_with(&[&fixture("catalogue/products.jsonl")], &["--precision", "f32"]).expect(0);
    shop
}

#[test]
fn a_rebuilt_index_answers_as_the_old_one() {
    let shop = shop();
    shop.run(&["word2vec", "train", "--dim", "8", "--epochs", "2"]).expect(0);
    let report = rebuild(&shop, "new", &["--format", "json"]).expect(0).json();
    assert_eq!((&report["schema"], &report["precision"]), (&json!("xunpin.rebuild.v1"), &json!("f32")));
    assert_eq!(
        (&report["products"], &report["copied"], &report["embedded"]),
        (&json!(580), &json!(580), &json!(0))
    );
    assert_eq!(
        (&report["word2vec"]["outcome"], &report["weights"]["outcome"]),
        (&json!("kept"), &json!("nothing"))
    );
    let new = shop.path("new");
    let new = new.to_str().unwrap();
    shop.run(&["verify", "--index", new]).expect(0).tells(&["580 products checked", "580 static vectors"]);
    for mode in ["hybrid", "word2vec", "lexical"] {
        let flags = ["--mode", mode, "--filter", "price <= 300", "--facet", "brand"];
        let old = shop.answer("敏感肌面霜", &flags);
        let made = shop.answer("敏感肌面霜", &[&flags[..], &["--index", new]].concat());
        assert_eq!((&old["hits"], &old["facets"]), (&made["hits"], &made["facets"]), "{mode}");
    }
    // It takes products as any index does.
    let more = shop.write("more.jsonl", "{\"id\":\"z1\",\"title\":\"蓝铜胜肽安瓶\"}\n");
    shop.run(&["index", more.to_str().unwrap(), "--index", new]).expect(0).tells(&["581 products"]);
    assert_eq!(shop.products(), 580, "the old one stays as it is");
}

#[test]
fn another_model_makes_the_vectors_anew() {
    let shop = shop();
    let model = shop.copy_of_the_model();
    // The same weights under other prompts are another model.
    let config = model.join("config_sentence_transformers.json");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("title: none", "title: any")).unwrap();
    let model = model.to_str().unwrap();
    let file = shop.write("more.jsonl", "{\"id\":\"z1\",\"title\":\"安瓶\"}\n");
    shop.run(&["index", file.to_str().unwrap(), "--model", model]).expect(2).tells(&["xunpin rebuild"]);
    rebuild(&shop, "new", &["--model", model])
        .expect(0)
        .tells(&["580 products from", "580 embedded, 0 copied"]);
    let new = shop.path("new");
    shop.run(&["search", "面霜", "--index", new.to_str().unwrap()]).expect(0);
    shop.run(&["verify", "--index", new.to_str().unwrap()]).expect(0);
}

#[test]
fn what_is_in_the_way_is_refused() {
    let shop = shop();
    rebuild(&shop, "new", &[]).expect(0);
    rebuild(&shop, "new", &[]).expect(2).tells(&["already", "another folder"]);
    rebuild(&shop, "index", &[]).expect(2).tells(&["already"]);
    std::fs::create_dir(shop.path("photos")).unwrap();
    shop.write("photos/cat.jpg", "cat");
    rebuild(&shop, "photos", &[]).expect(3).tells(&["cat.jpg"]);
    rebuild(&shop, "model-less", &["--model", "no-such-model"]).expect(2).tells(&["no-such-model"]);
    assert!(!shop.path("model-less").exists());
    let nowhere = shop.path("nowhere");
    rebuild(&shop, "other", &["--index", nowhere.to_str().unwrap()]).expect(3).tells(&["nowhere"]);
    assert!(!shop.path("other").exists());
}

#[cfg(unix)]
#[test]
fn a_killed_rebuild_is_unfinished_until_it_is_run_again() {
    let shop = shop();
    let model = shop.copy_of_the_model();
    let config = model.join("config_sentence_transformers.json");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("title: none", "title: any")).unwrap();
    let (new, whole) = (shop.path("new"), shop.path("whole"));
    let args = |into: &std::path::Path| {
        [
            "rebuild",
            "--into",
            into.to_str().unwrap(),
            "--precision",
            "f32",
            "--model",
            model.to_str().unwrap(),
        ]
        .map(str::to_owned)
    };
    let mut slow: Vec<String> = args(&new).to_vec();
    slow.extend(["--batch".to_owned(), "1".to_owned()]);
    let slow: Vec<&str> = slow.iter().map(String::as_str).collect();
    let mut run = shop.command(&slow).spawn().unwrap();
    // Killed with some products in, but not all of them unless it is quicker than this looks.
    while run.try_wait().unwrap().is_none() {
        let stats = shop.run(&["stats", "--index", new.to_str().unwrap(), "--format", "json"]);
        if serde_json::from_str(&stats.stdout).is_ok_and(|stats: serde_json::Value| stats["products"] != 0) {
            break;
        }
    }
    let ended = run.try_wait().unwrap().is_some();
    run.kill().unwrap();
    run.wait().unwrap();
    if !ended {
        let told = shop.run(&["stats", "--index", new.to_str().unwrap()]).expect(0);
        assert!(told.stderr.contains("unfinished rebuild"), "{}", told.stderr);
        let again = args(&new);
        shop.run(&again.each_ref().map(String::as_str)).expect(0).tells(&["580 products"]);
    }
    let told = shop.run(&["stats", "--index", new.to_str().unwrap()]).expect(0);
    assert!(!told.stderr.contains("unfinished"), "{}", told.stderr);
    let uninterrupted = args(&whole);
    shop.run(&uninterrupted.each_ref().map(String::as_str)).expect(0);
    let answer = |index: &std::path::Path| {
        shop.answer("面霜", &["--mode", "semantic", "--index", index.to_str().unwrap()])["hits"].clone()
    };
    assert_eq!(answer(&new), answer(&whole));
}
