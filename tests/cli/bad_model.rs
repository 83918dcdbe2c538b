//! Models that are missing, damaged or of another shape.

use std::fs;

use serde_json::Value;

use crate::support::{Ran, Shop};

fn index_with_model(shop: &Shop, model: &str) -> Ran {
    let file = shop.write("shop.jsonl", "{\"id\":\"1\",\"title\":\"甲\"}\n");
    shop.run(&["index", file.to_str().unwrap(), "--model", model])
}

#[test]
fn a_new_index_needs_a_model_that_exists() {
    let shop = Shop::new();
    index_with_model(&shop, "embeddinggemma-300m")
        .expect(2)
        .tells(&["xunpin model pull embeddinggemma-300m"]);
    index_with_model(&shop, "no-such-model").expect(2).tells(&["no-such-model", "embeddinggemma-300m"]);
    assert!(!shop.index_path().exists());
}

#[test]
fn missing_files_are_named() {
    for name in ["model.safetensors", "tokenizer.json", "config.json", "1_Pooling/config.json"] {
        let shop = Shop::new();
        let model = shop.copy_of_the_model();
        fs::remove_file(model.join(name)).unwrap();
        index_with_model(&shop, model.to_str().unwrap()).expect(3).tells(&[name]);
        assert!(!shop.index_path().exists());
    }
}

#[test]
fn damaged_files_are_named() {
    for (name, keep) in [("model.safetensors", 1_000), ("tokenizer.json", 100), ("config.json", 20)] {
        let shop = Shop::new();
        let model = shop.copy_of_the_model();
        let mut bytes = fs::read(model.join(name)).unwrap();
        bytes.truncate(keep);
        fs::write(model.join(name), bytes).unwrap();
        index_with_model(&shop, model.to_str().unwrap()).expect(3).tells(&[name]);
    }
}

#[test]
fn a_wrong_dimension_is_told_with_both_numbers() {
    let shop = Shop::new();
    let model = shop.copy_of_the_model();
    let path = model.join("3_Dense/config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let right = config["out_features"].as_u64().unwrap();
    config["out_features"] = (right + 1).into();
    fs::write(&path, config.to_string()).unwrap();
    index_with_model(&shop, model.to_str().unwrap()).expect(3).tells(&[
        "3_Dense",
        &right.to_string(),
        &(right + 1).to_string(),
    ]);
}

#[test]
fn model_verify_and_list() {
    let shop = Shop::new();
    let model = shop.copy_of_the_model();
    shop.run(&["model", "verify", model.to_str().unwrap()]).expect(0).tells(&["model.safetensors: ok"]);
    let mut bytes = fs::read(model.join("model.safetensors")).unwrap();
    bytes.truncate(bytes.len() - 4);
    fs::write(model.join("model.safetensors"), bytes).unwrap();
    shop.run(&["model", "verify", model.to_str().unwrap()]).expect(3).tells(&["model.safetensors"]);
    shop.run(&["model", "list"]).expect(0).tells(&["embeddinggemma-300m", "absent", "Gemma"]);
    shop.run(&["model", "pull", "no-such-model"]).expect(2).tells(&["no-such-model", "embeddinggemma-300m"]);
}
