//! Learning the weights of words and meaning.

use serde_json::json;

use crate::support::{Shop, fixture};

fn judged(name: &str) -> String {
    fixture("catalogue").join(name).to_str().unwrap().to_owned()
}

#[test]
fn weights_are_learned_shown_and_reset() {
    let shop = Shop::new();
    shop.index(&[&fixture("catalogue/products.jsonl")]).expect(0);
    let before = shop.run(&["tune", "--show", "--format", "json"]).expect(0).json();
    assert_eq!((&before["schema"], &before["tuned"]), (&json!("xunpin.tune.v1"), &json!(false)));
    shop.run(&["tune", "--show"]).expect(0).tells(&["lexical_short", "the defaults"]);

    let (queries, qrels) = (judged("queries.tsv"), judged("qrels.txt"));
    let args = ["tune", "--queries", &queries, "--qrels", &qrels];
    let report = shop.run(&[&args[..], &["--format", "json"]].concat()).expect(0).json();
    assert_eq!((&report["queries"], &report["unknown_ids"]), (&json!(60), &json!([])));
    assert!(report["ndcg_after"].as_f64() >= report["ndcg_before"].as_f64());
    let stored = report["stored"].as_bool().unwrap();
    assert_eq!(report["weights"], report[if stored { "after" } else { "before" }]);
    assert_eq!(
        shop.run(&["tune", "--show", "--format", "json"]).expect(0).json()["weights"],
        report["weights"]
    );
    shop.run(&["stats"]).expect(0).tells(&[if stored { "tuned weights" } else { "default weights" }]);

    let reset = shop.run(&["tune", "--reset", "--format", "json"]).expect(0).json();
    assert_eq!((&reset["tuned"], &reset["weights"]), (&json!(false), &before["weights"]));
    shop.run(&args).expect(0).tells(&["before", "held out", "60 queries"]);
}

#[test]
fn ids_that_the_index_lacks_are_told() {
    let shop = Shop::with(&[("1", "保湿面霜"), ("2", "儿童雨鞋"), ("3", "无线耳机")]);
    let queries = shop.write("queries.tsv", "q1\t面霜\nq2\t雨鞋\nq3\t耳机\n");
    let qrels = shop.write("qrels.txt", "q1 0 1 3\nq2 0 2 3\nq3 0 gone 3\nq1 0 lost 0\n");
    let args = ["tune", "--queries", queries.to_str().unwrap(), "--qrels", qrels.to_str().unwrap()];
    shop.run(&args).expect(1).tells(&["not in the index (2): gone lost", "left out", "q3", "2 queries"]);
    let report = shop.run(&[&args[..], &["--format", "json"]].concat()).expect(1).json();
    assert_eq!((&report["unknown_ids"], &report["queries"]), (&json!(["gone", "lost"]), &json!(2)));
    let other = shop.write("other.txt", "q1 0 gone 3\n");
    shop.run(&["tune", "--queries", queries.to_str().unwrap(), "--qrels", other.to_str().unwrap()])
        .expect(2)
        .tells(&["1 judged ids are not in it"]);
    shop.run(&["tune"]).expect(2).tells(&["--queries", "--beir"]);
    shop.run(&["tune", "--show", "--reset"]).expect(2);
}
