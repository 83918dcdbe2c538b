//! Precisions: of an index, of queries to it, and of prepared models.

use serde_json::json;
use xunpin::encoder::{Precision, prepared_path};

use crate::support::Shop;

/// An index made in f32 whose manifest says int8: to the program an int8 index of the same model.
fn int8_index() -> Shop {
    let shop = Shop::new();
    let file = shop
        .write("shop.jsonl", "{\"id\":\"1\",\"title\":\"保湿面霜\"}\n{\"id\":\"2\",\"title\":\"雨鞋\"}\n");
    shop.index_with(&[&file], &["--precision", "f32"]).expect(0);
    let manifest = shop.index_path().join("manifest.json");
    let mut text: serde_json::Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
    assert_eq!(text["fingerprint"]["precision"], "f32");
    text["fingerprint"]["precision"] = "int8".into();
    // The checksum is of the manifest as it was; without one it is taken as it is.
    text.as_object_mut().unwrap().remove("checksum").unwrap();
    std::fs::write(&manifest, text.to_string()).unwrap();
    shop
}

#[test]
fn another_precision_is_refused_unless_it_is_a_stated_choice() {
    let shop = int8_index();
    let ways_out = [
        "int8 vectors",
        "--precision int8",
        "xunpin rebuild --into NEW --precision f32",
        "--allow-precision-mismatch",
    ];
    shop.run(&["search", "面霜", "--precision", "f32"]).expect(2).tells(&ways_out);
    let allowed = ["--precision", "f32", "--allow-precision-mismatch"];
    assert_eq!(shop.search("面霜", &allowed).len(), 2);
    shop.run(&[&["bench", "cold", "--query", "面霜", "--runs", "1"], &allowed[..]].concat()).expect(0);
    // Products can't be put in that way, so the commands that do have no such choice.
    let file = shop.write("more.jsonl", "{\"id\":\"3\",\"title\":\"精华\"}\n");
    let file = file.to_str().unwrap();
    shop.run(&["index", file, "--precision", "f32"]).expect(2).tells(&ways_out);
    shop.run(&[&["index", file], &allowed[..]].concat()).expect(2).tells(&["--allow-precision-mismatch"]);
    assert_eq!(shop.products(), 2);
    shop.run(&["search", "面霜", "--precision", "fp16"]).expect(2).tells(&["fp16", "int8"]);
    shop.run(&["search", "面霜", "--allow-precision-mismatch"]).expect(2).tells(&["--precision"]);
    // Words alone need no model.
    assert_eq!(shop.search("面霜", &["--mode", "lexical", "--precision", "f32"]), ["1"]);
}

#[test]
fn vectors_are_embedded_in_a_precision() {
    let shop = Shop::new();
    let model = shop.copy_of_the_model();
    let texts = shop.write("texts.jsonl", "{\"id\":1,\"text\":\"面霜\"}\n");
    let args = ["embed", texts.to_str().unwrap(), "--model", model.to_str().unwrap(), "--precision", "f32"];
    let row = shop.run(&args).expect(0).json();
    assert_eq!(row["id"], json!(1));
}

#[test]
fn a_device_that_is_not_there_is_told() {
    let shop = Shop::new();
    let model = shop.copy_of_the_model();
    let texts = shop.write("texts.jsonl", "{\"id\":1,\"text\":\"面霜\"}\n");
    let embed = |device: &str, precision: &str| {
        let (texts, model) = (texts.to_str().unwrap(), model.to_str().unwrap());
        shop.run(&["embed", texts, "--model", model, "--device", device, "--precision", precision])
    };
    embed("cpu", "f32").expect(0);
    embed("gpu", "f32").expect(2).tells(&["`gpu`", "cuda:N"]);
    embed("cuda:1", "int8").expect(2).tells(&["cuda:1", "--precision bf16"]);
    // Built without CUDA, or on a machine without so many GPUs.
    let (code, way_out) = if cfg!(feature = "cuda") { (3, "nvidia-smi") } else { (2, "--features cuda") };
    embed("cuda:4096", "bf16").expect(code).tells(&["cuda:4096", way_out, "--device cpu"]);
    let shop = int8_index();
    shop.run(&["search", "面霜", "--device", "cuda"]).expect(2).tells(&["--precision bf16"]);
    // Words alone need no model.
    assert_eq!(shop.search("面霜", &["--mode", "lexical", "--device", "cuda"]), ["1"]);
}

#[test]
fn models_are_listed_with_what_is_prepared() {
    let shop = Shop::new();
    let home = shop.path("home/models/own");
    crate::support::copy_folder(&crate::support::fixture("tiny-gemma3"), &home);
    let own = |shop: &Shop| {
        let listed = shop.run(&["model", "list", "--format", "json"]).expect(0).json();
        let models = listed["models"].as_array().unwrap().clone();
        models.into_iter().find(|model| model["name"] == "own").unwrap()
    };
    assert_eq!(own(&shop)["prepared"], json!([]));
    std::fs::create_dir(home.join("xunpin")).unwrap();
    let path = prepared_path(&home, Precision::Int8);
    std::fs::write(&path, "not a prepared model").unwrap();
    assert_eq!(own(&shop)["prepared"], json!([{"precision": "int8", "bytes": 20}]));
    shop.run(&["model", "list"]).expect(0).tells(&["prepared", "int8"]);
    // Verifying looks at prepared files too, and says how to get a good one.
    let folder = home.to_str().unwrap();
    shop.run(&["model", "verify", folder]).expect(3).tells(&[
        "model.safetensors: ok",
        path.file_name().unwrap().to_str().unwrap(),
        "model prepare",
        "damaged",
    ]);
    std::fs::remove_dir_all(home.join("xunpin")).unwrap();
    let verified = shop.run(&["model", "verify", folder, "--format", "json"]).expect(0).json();
    assert_eq!((&verified["ok"], &verified["prepared"]), (&json!(true), &json!([])));
    shop.run(&["model", "prepare", folder, "--precision", "f32"]).expect(2).tells(&["nothing to prepare"]);
    shop.run(&["model", "prepare", "no-such-model"]).expect(2).tells(&["no-such-model"]);
}
