//! A query, filter or flag that can't be is told at once: exit code 2, before anything is loaded.

use crate::support::Shop;

#[test]
fn empty_and_endless_queries() {
    let shop = Shop::new();
    shop.run(&["search", "  "]).expect(2).tells(&["empty"]);
    shop.run(&["search", &"长".repeat(10_000)]).expect(2).tells(&["10000 characters", "2000"]);
}

#[test]
fn numbers_out_of_range() {
    let shop = Shop::new();
    shop.run(&["search", "面霜", "-k", "0"]).expect(2).tells(&["1 to 1000"]);
    shop.run(&["search", "面霜", "--ef", "0"]).expect(2);
    shop.run(&["search", "面霜", "--mode", "telepathic"]).expect(2).tells(&["telepathic", "semantic"]);
}

#[test]
fn broken_filters_show_where() {
    let shop = Shop::new();
    shop.run(&["search", "面霜", "--filter", "price <"]).expect(2).tells(&["^"]);
    shop.run(&["search", "面霜", "--filter", "price < 便宜"]).expect(2).tells(&["price", "number"]);
    shop.run(&["search", "面霜", "--filter", "brand = \"甲"]).expect(2).tells(&["^"]);
}

#[test]
fn filters_narrow_and_no_match_is_exit_code_1() {
    let shop = Shop::new();
    let file = shop.write(
        "shop.jsonl",
        r#"{"id":"1","title":"面霜","price":100,"brand":"甲","stock":3,"attributes":{"肤质":["干皮"]},"category":["护肤","面霜"]}
{"id":"2","title":"面霜","price":300,"brand":"乙","stock":0,"attributes":{"肤质":["油皮"]},"category":["护肤","乳液"]}
"#,
    );
    shop.index(&[&file]).expect(0);
    for (filter, ids) in [
        ("price <= 100", vec!["1"]),
        ("brand in (\"甲\", \"乙\")", vec!["1", "2"]),
        ("category = \"护肤/乳液\"", vec!["2"]),
        ("肤质 = 油皮", vec!["2"]),
        ("stock > 0 and not 肤质 = 油皮", vec!["1"]),
    ] {
        assert_eq!(shop.search("面霜", &["--filter", filter]), ids, "{filter}");
    }
    shop.run(&["search", "面霜", "--filter", "price > 1000"])
        .expect(1)
        .tells(&["No product", "price > 1000"]);
}

#[test]
fn formats() {
    let shop = Shop::with(&[("1", "面霜"), ("2", "雨鞋")]);
    let lines = shop.run(&["search", "面霜", "--format", "jsonl"]).expect(0).stdout;
    assert_eq!(lines.lines().count(), 2);
    let answer = shop.run(&["search", "面霜", "--format", "json"]).expect(0).json();
    assert_eq!(answer["schema"], "xunpin.search.v1");
    for hit in answer["hits"].as_array().unwrap() {
        assert_eq!(hit["product"]["id"], hit["id"]);
        assert!((-1.0..=1.0).contains(&hit["score"].as_f64().unwrap()));
    }
    shop.run(&["search", "面霜"]).expect(0).tells(&["score", "面霜", "雨鞋"]);
}
