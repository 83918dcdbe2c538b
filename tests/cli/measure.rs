//! Evaluation: one mode, several side by side, TREC files and BEIR folders.

use std::path::Path;

use serde_json::json;
use xunpin::eval::Run;

use crate::support::{Shop, fixture};

/// The fixtures' catalogue under the tiny model.
fn fixtures() -> Shop {
    let shop = Shop::new();
    shop.index(&[&fixture("catalogue/products.jsonl")]).expect(0);
    shop
}

fn judged() -> [String; 4] {
    let path = |name: &str| fixture("catalogue").join(name).to_str().unwrap().to_owned();
    ["--queries".into(), path("queries.tsv"), "--qrels".into(), path("qrels.txt")]
}

fn eval<'a>(judged: &'a [String; 4], flags: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["eval"];
    args.extend(judged.iter().map(String::as_str));
    args.extend(flags);
    args
}

#[test]
fn one_mode_with_its_run_at_depth() {
    let shop = fixtures();
    let judged = judged();
    let run = shop.path("run.txt");
    let flags = ["--run-out", run.to_str().unwrap(), "--format", "json"];
    let report = shop.run(&eval(&judged, &flags)).expect(0).json();
    assert_eq!((&report["schema"], &report["mode"]), (&json!("xunpin.eval.v1"), &json!("hybrid")));
    let run = Run::read(&run).unwrap();
    assert_eq!(run.len(), 60);
    for (query, ranking) in run.iter() {
        assert_eq!(ranking.len(), 100, "{query}");
        assert!(ranking.windows(2).all(|p| p[0].score > p[1].score), "{query}: scores fall strictly");
    }
    // Reading it back, in the order of the scores, gives the figures that were printed.
    let qrels = xunpin::eval::Qrels::read(Path::new(&judged[3])).unwrap();
    let again = xunpin::eval::evaluate(&run, &qrels, &Default::default()).unwrap();
    let ndcg = again.means[&xunpin::eval::Metric::Ndcg(10)];
    assert!((report["means"]["ndcg@10"].as_f64().unwrap() - ndcg).abs() < 1e-9);
    let lexical = shop.run(&eval(&judged, &["--mode", "lexical", "--format", "json"])).expect(0).json();
    assert!(lexical.get("strategy").is_none());
    assert!(lexical["means"]["ndcg@10"].as_f64().unwrap() > 0.1, "{}", lexical["means"]);
    shop.run(&eval(&judged, &["--mode", "word2vec"])).expect(2).tells(&["word2vec train"]);
}

#[test]
fn modes_side_by_side() {
    let shop = fixtures();
    let judged = judged();
    let page = shop.path("report.html");
    let html = page.to_str().unwrap();
    let ran = shop.run(&eval(&judged, &["--compare", "--html", html])).expect(0);
    assert!(ran.stderr.contains("word2vec is left out"), "{}", ran.stderr);
    ran.tells(&[
        "catalogue: 60 queries",
        "ndcg@10",
        "recall@100",
        "p (Holm)",
        "best single",
        "p50 ms",
        "580 products",
    ]);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(
        page.contains("</html>") && !page.contains("<script") && !page.contains("src="),
        "self-contained"
    );

    let train = ["word2vec", "train", "--dim", "16", "--epochs", "3", "--format", "json"];
    assert_eq!(shop.run(&train).expect(0).json()["products"], 580);
    let report = shop.run(&eval(&judged, &["--compare", "--format", "json"])).expect(0).json();
    assert_eq!(report["schema"], "xunpin.compare.v1");
    assert_eq!((&report["collection"], &report["subject"]), (&json!("catalogue"), &json!("hybrid")));
    let names: Vec<&str> =
        report["systems"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["lexical", "word2vec", "semantic", "hybrid"]);
    assert_eq!(report["per_query"].as_array().unwrap().len(), 60);
    assert!(report["gains"].as_array().unwrap().len() <= 10);
    let two = shop.run(&eval(&judged, &["--compare", "--modes", "lexical,hybrid", "--format", "json"]));
    assert_eq!(two.expect(0).json()["best_single"], "lexical");
    shop.run(&eval(&judged, &["--compare", "--modes", "hybrid"])).expect(2).tells(&["single"]);
    shop.run(&eval(&judged, &["--compare", "--modes", "telepathic"]))
        .expect(2)
        .tells(&["telepathic", "lexical"]);
    shop.run(&eval(&judged, &["--modes", "lexical"])).expect(2).tells(&["--compare"]);
}

#[test]
fn a_beir_folder_is_indexed_and_measured() {
    let shop = Shop::new();
    std::fs::create_dir_all(shop.path("beir/qrels")).unwrap();
    let corpus = shop.write(
        "beir/corpus.jsonl",
        "{\"_id\":\"d1\",\"title\":\"保湿面霜\",\"text\":\"干皮救星\",\"metadata\":{}}\n{\"_id\":\"d2\",\"title\":\"儿童雨鞋\",\"text\":\"防滑\"}\n",
    );
    shop.write(
        "beir/queries.jsonl",
        "{\"_id\":\"q1\",\"text\":\"干皮\"}\n{\"_id\":\"q2\",\"text\":\"防滑\"}\n",
    );
    shop.write("beir/qrels/test.tsv", "query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t1\n");
    shop.index_with(&[&corpus], &["--map", "id=_id", "--map", "description=text"]).expect(0);
    let beir = shop.path("beir");
    let beir = beir.to_str().unwrap();
    let args = ["eval", "--beir", beir, "--mode", "lexical", "--format", "json"];
    assert_eq!(shop.run(&args).expect(0).json()["means"]["ndcg@10"], 1.0);
    let compare = ["eval", "--beir", beir, "--split", "test", "--compare", "--format", "json"];
    assert_eq!(shop.run(&compare).expect(0).json()["collection"], "beir");
    shop.run(&["eval", "--beir", beir, "--split", "dev"]).expect(2).tells(&["no split `dev`", "test"]);
    shop.run(&["eval", "--beir", "nowhere"]).expect(3).tells(&["nowhere"]);
    shop.run(&["eval"]).expect(2).tells(&["--queries", "--beir"]);
    shop.run(&["eval", "--queries", "q.tsv"]).expect(2).tells(&["--qrels"]);
}
