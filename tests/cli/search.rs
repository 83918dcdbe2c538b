//! What a search can be told: modes, paging, order, counts, groups, rules, popularity.

use serde_json::{Value, json};

use crate::support::{Shop, ids};

/// Thirty creams and boots: prices rising with the id, two brands, three sizes of each in a group, a sales count.
fn shop() -> Shop {
    let shop = Shop::new();
    let lines: Vec<String> = (0..30)
        .map(|n| {
            let (title, category) =
                if n % 2 == 0 { ("保湿面霜", "护肤/面霜") } else { ("儿童雨鞋", "鞋靴/雨鞋") };
            json!({
                "id": format!("p{n:02}"), "title": format!("{title} {n}号"), "price": 100 + n, "group": n / 3,
                "brand": if n % 5 == 0 { "甲牌" } else { "乙牌" }, "category": category.split('/').collect::<Vec<_>>(),
                "sale_count": (n * 7) % 30, "attributes": {"型号": [format!("XM-{}{}", n, "5A")]},
            })
            .to_string()
        })
        .collect();
    shop.index(&[&shop.write("shop.jsonl", lines.join("\n"))]).expect(0);
    shop
}

#[test]
fn hybrid_is_the_default_and_each_mode_says_its_name() {
    let shop = shop();
    assert_eq!(shop.answer("保湿面霜", &[])["mode"], "hybrid");
    for mode in ["hybrid", "semantic", "lexical"] {
        let answer = shop.answer("保湿面霜", &["--mode", mode]);
        assert_eq!((&answer["schema"], &answer["mode"]), (&json!("xunpin.search.v1"), &json!(mode)));
        assert!(answer["total"].as_u64().unwrap() > 0, "{answer}");
        shop.run(&["search", "保湿面霜", "--mode", mode, "--everything"])
            .expect(0)
            .tells(&[mode, " ms", "products"]);
    }
    let words = shop.answer("保湿面霜", &["--mode", "lexical", "-k", "30"]);
    assert_eq!(words["total"], 15);
    assert!(ids(&words).iter().all(|id| id[1..].parse::<u32>().unwrap() % 2 == 0));
    assert!(words.get("strategy").is_none() && words["hits"][0]["sides"]["lexical"].is_number());
    shop.run(&["search", "保湿面霜", "--mode", "word2vec"]).expect(2).tells(&["xunpin word2vec train"]);
}

#[test]
fn words_are_found_without_the_model() {
    let shop = Shop::new();
    let model = shop.copy_of_the_model();
    let file = shop.write("shop.jsonl", "{\"id\":\"1\",\"title\":\"保湿面霜\"}\n");
    shop.run(&["index", file.to_str().unwrap(), "--model", model.to_str().unwrap()]).expect(0);
    std::fs::remove_dir_all(&model).unwrap();
    assert_eq!(shop.search("面霜", &["--mode", "lexical"]), ["1"]);
    shop.run(&["search", "面霜"]).expect(2).tells(&[model.to_str().unwrap()]);
}

#[test]
fn pages_fit_together() {
    let shop = shop();
    let flags = |more: &[&'static str]| [&["--everything"], more].concat();
    let whole = shop.answer("保湿面霜", &flags(&["-k", "30"]));
    assert_eq!((&whole["total"], whole["hits"].as_array().unwrap().len()), (&json!(30), 30));
    let mut pages = Vec::new();
    for page in ["1", "2", "3", "4", "5"] {
        pages.extend(ids(&shop.answer("保湿面霜", &flags(&["-k", "7", "--page", page]))));
    }
    assert_eq!(pages, ids(&whole));
    assert_eq!(shop.search("保湿面霜", &["-k", "4", "--offset", "9"]), ids(&whole)[9..13]);
    shop.run(&["search", "保湿面霜", "--everything", "-k", "7", "--page", "2"])
        .expect(0)
        .tells(&["8-14 of 30 products"]);
    shop.run(&["search", "保湿面霜", "--everything", "--offset", "30"])
        .expect(1)
        .tells(&["No product from 31 on", "30 found"]);
    shop.run(&["search", "x", "--page", "0"]).expect(2).tells(&["--page"]);
    shop.run(&["search", "x", "--page", "2", "--offset", "9"]).expect(2);
    shop.run(&["search", "x", "--offset", "99999"]).expect(2).tells(&["99999", "10000"]);
}

#[test]
fn sorted_by_fields_instead_of_relevance() {
    let shop = shop();
    let cheap = shop.search("保湿面霜", &["--sort", "price", "-k", "3"]);
    assert_eq!(cheap, ["p00", "p01", "p02"]);
    assert_eq!(shop.search("保湿面霜", &["--sort", "price:desc", "-k", "2"]), ["p29", "p28"]);
    let by_brand = shop.search("保湿面霜", &["--sort", "brand", "--sort", "price:desc", "-k", "30"]);
    assert_eq!(by_brand[0], "p29", "乙 comes before 甲");
    assert_eq!(by_brand[24..], ["p25", "p20", "p15", "p10", "p05", "p00"]);
    shop.run(&["search", "保湿面霜", "--everything", "--sort", "sale_count:desc"])
        .expect(0)
        .tells(&["sale_count"]);
    shop.run(&["search", "面霜", "--sort", "title"]).expect(2).tells(&["can't be sorted by `title`"]);
    shop.run(&["search", "面霜", "--sort", "sale_coumt"])
        .expect(2)
        .tells(&["sale_coumt", "did you mean `sale_count`"]);
}

#[test]
fn facets_count_all_products_found() {
    let shop = shop();
    let answer =
        shop.answer("保湿面霜", &["--everything", "-k", "1", "--facet", "brand:1", "--facet", "price"]);
    assert_eq!(
        answer["facets"][0],
        json!({"field": "brand", "values": [{"value": "乙牌", "count": 24}], "other": {"values": 1, "products": 6},
               "missing": 0})
    );
    assert_eq!(answer["facets"][1]["numbers"]["max"], 129.0);
    shop.run(&["search", "保湿面霜", "--everything", "--facet", "brand", "--facet", "category"])
        .expect(0)
        .tells(&["brand: 乙牌 (24), 甲牌 (6)", "护肤/面霜 (15)"]);
    shop.run(&["search", "面霜", "--facet", "id"]).expect(2).tells(&["`id`", "can't be counted"]);
    shop.run(&["search", "面霜", "--facet", "brand:0"]).expect(2).tells(&["1 to 1000"]);
}

#[test]
fn groups_show_their_best() {
    let shop = shop();
    let flags = ["--everything", "-k", "30", "--group", "group"];
    let answer = shop.answer("保湿面霜", &flags);
    assert_eq!((&answer["total"], ids(&answer).len()), (&json!(10), 10));
    let variants: u64 =
        answer["hits"].as_array().unwrap().iter().map(|h| h["variants"].as_u64().unwrap()).sum();
    assert_eq!(variants, 20);
    shop.run(&[&["search", "保湿面霜"], &flags[..]].concat())
        .expect(0)
        .tells(&["+2 variants", "of 10 groups of products"]);
    shop.run(&["search", "面霜", "--group", "title"]).expect(2).tells(&["title"]);
}

#[test]
fn rules_pin_and_bury() {
    let shop = shop();
    let first = shop.search("保湿面霜", &["-k", "1"]).remove(0);
    let rules = shop.write(
        "rules.toml",
        format!(
            "[[rule]]\nquery = \"保湿面霜\"\npin = [\"p07\", \"gone\", \"p03\"]\n\n[[rule]]\ncontains = \"面霜\"\nbury = [\"{first}\"]\n"
        ),
    );
    let rules = rules.to_str().unwrap();
    let found = shop.search("保湿面霜", &["--rules", rules, "-k", "30"]);
    assert_eq!((found[0].as_str(), found[1].as_str(), found[29].as_str()), ("p07", "p03", first.as_str()));
    assert_eq!(found.len(), 30);
    assert_eq!(shop.search("雨鞋", &["--rules", rules, "-k", "30"]), shop.search("雨鞋", &["-k", "30"]));
    shop.run(&["search", "保湿面霜", "--everything", "--rules", rules, "-k", "30"]).expect(0).tells(&[
        "pinned",
        "buried",
        "note:",
        "1 product that the index lacks: gone",
    ]);
    let bad = shop.write("bad.toml", "[[rule]]\nquery = \"x\"\npins = [\"p01\"]\n");
    shop.run(&["search", "x", "--rules", bad.to_str().unwrap()]).expect(2).tells(&["bad.toml:", "pins"]);
    shop.run(&["search", "x", "--rules", "nowhere.toml"]).expect(2).tells(&["nowhere.toml"]);
}

#[test]
fn popularity_is_mixed_in_by_weight() {
    let shop = shop();
    let best_seller = shop.search("保湿面霜", &["--popularity", "sale_count:100", "-k", "1"]).remove(0);
    let sold = |n: u64| (n * 7) % 30;
    assert_eq!(sold(best_seller[1..].parse().unwrap()), 29);
    assert_eq!(shop.search("保湿面霜", &["--popularity", "sale_count:0"]), shop.search("保湿面霜", &[]));
    shop.run(&["search", "x", "--popularity", "sale_count", "--mode", "lexical"])
        .expect(2)
        .tells(&["hybrid"]);
    shop.run(&["search", "x", "--popularity", "sale_count:-1"]).expect(2).tells(&["-1", "100"]);
}

#[test]
fn what_the_query_names_comes_first() {
    let shop = shop();
    let answer = shop.answer("p17", &["--everything"]);
    assert_eq!((&answer["hits"][0]["id"], &answer["hits"][0]["exact"]), (&json!("p17"), &json!("id")));
    shop.run(&["search", "儿童 XM-35A", "--everything"]).expect(0).tells(&["exact model"]);
    assert_eq!(shop.search("儿童 XM-35A", &["-k", "1"]), ["p03"]);
}

#[test]
fn filters_that_can_mean_nothing_are_refused() {
    let shop = shop();
    for (filter, told) in [
        ("sale_coumt > 3", ["sale_coumt", "did you mean `sale_count`"]),
        ("sale_count = \"many\"", ["sale_count", "holds only numbers"]),
        ("型号 > 3", ["型号", "holds only text"]),
        ("brand = \"甲", ["column 9", "not closed"]),
        ("price < 便宜", ["column 9", "price holds numbers"]),
    ] {
        shop.run(&["search", "面霜", "--filter", filter]).expect(2).tells(&told);
    }
    shop.run(&["search", "面霜", "--filter", "brand = \"甲"]).expect(2).tells(&["  brand = \"甲", "^"]);
}

#[test]
fn no_good_match_is_said() {
    let shop = shop();
    let none = shop.answer("ｚｑｘｊ", &["--mode", "lexical"]);
    assert_eq!((&none["no_good_match"], &none["total"]), (&Value::Bool(true), &json!(0)));
    shop.run(&["search", "zqxj", "--mode", "lexical"])
        .expect(1)
        .tells(&["No product holds enough of the query's words"]);
}
