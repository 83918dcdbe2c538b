//! Indexes of made-up vectors: built, searched, changed, compacted, and measured. How fast they are decides nothing.

use serde_json::{Value, json};

use crate::support::{Ran, Shop, fixture, root};

/// A shop of the fixture catalogue, whose vectors are blended.
fn shop() -> Shop {
    let shop = Shop::new();
    shop.index(&[&fixture("catalogue/products.jsonl")]).expect(0);
    shop
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// The settings of a report that ask so.
fn settings<'a>(report: &'a Value, strategy: &str, kept: f64) -> Vec<&'a Value> {
    let all = report["settings"].as_array().unwrap();
    all.iter().filter(|s| s["strategy"] == strategy && s["kept"] == kept).collect()
}

/// What every report on searches must hold: each way of asking, all figures, recalls as they must be.
#[track_caller]
fn check_searches(report: &Value, widths: usize) {
    assert!(number(&report["ef"]) >= 10.0, "{report}");
    for kept in [1.0, 0.1, 0.01] {
        let walks = settings(report, "graph", kept);
        assert_eq!(walks.len(), 1 + widths, "{report}");
        assert_eq!(walks.iter().filter(|walk| walk["own"] == true).count(), 1);
        let recalls: Vec<f64> = walks.iter().map(|walk| number(&walk["recall"])).collect();
        // The index's own width was measured on other queries.
        assert!(recalls[0] >= 0.95, "{report}");
        assert!(recalls[widths] >= recalls[1] - 0.002, "wider walks find no less: {report}");
        let scans = settings(report, "exact", kept);
        assert_eq!(scans.len(), 1);
        assert!(number(&scans[0]["recall"]) >= 0.999, "{report}");
        for setting in walks.iter().chain(&scans) {
            assert!(number(&setting["qps_best"]) >= number(&setting["qps_median"]), "{setting}");
            assert!(number(&setting["p99_ms"]) >= number(&setting["p50_ms"]), "{setting}");
            assert!(number(&setting["p50_ms"]) > 0.0 && number(&setting["scanned"]) > 0.0, "{setting}");
        }
    }
    assert!(number(&report["first_answer_ms"]) >= number(&report["open_ms"]));
    if cfg!(target_os = "linux") {
        let (open, searched) = (&report["memory_opened"], &report["memory_searched"]);
        assert!(number(&open["mapped"]["graphs"]) > 0.0, "opening reads the graphs: {open}");
        let vectors = |held: &Value| number(&held["mapped"]["vectors"]);
        assert!(vectors(searched) >= vectors(open) && vectors(searched) > 0.0, "{open}, {searched}");
        assert!(number(&searched["resident"]) > number(&searched["anonymous"]), "{searched}");
    }
}

#[test]
fn an_index_of_made_up_vectors_is_built_and_searched() {
    let shop = shop();
    let out = shop.path("made");
    let out = out.to_str().unwrap();
    let args = ["bench", "build", "--vectors", "2000", "--queries", "40", "--rounds", "2", "--m", "12"];
    let args = [&args[..], &["--ef-construction", "80", "--recall", "0.98", "--ef", "16,128"]].concat();
    let report = shop.run(&[&args[..], &["--out", out, "--format", "json"]].concat()).expect(0).json();
    assert_eq!(report["schema"], "xunpin.bench.build.v1");
    assert_eq!((&report["vectors"], &report["sources"]), (&json!(2000), &json!(580)));
    assert_eq!((&report["m"], &report["recall"]), (&json!(12), &json!(0.98)));
    let build = &report["build"];
    for seconds in ["generate_s", "apply_s", "settle_s", "compact_s"] {
        assert!(number(&build[seconds]) >= 0.0, "{build}");
    }
    assert!(number(&build["graph"]["total_s"]) >= number(&build["graph"]["build_s"]), "{build}");
    let bytes = &build["bytes"];
    assert_eq!(number(&bytes["graph"]), number(&bytes["graphs"]) + number(&bytes["vectors"]), "{bytes}");
    assert!(number(&bytes["graphs"]) > 0.0 && number(&bytes["db"]) > 0.0, "{bytes}");
    let nearest = &report["nearest"];
    assert_eq!((&nearest["products"], &nearest["segments"]), (&json!(2000), &json!(1)));
    assert_eq!((&nearest["queries"], &nearest["rounds"]), (&json!(40), &json!(2)));
    check_searches(nearest, 2);
    assert_eq!(report["peers"], Value::Null);
    shop.run(&["verify", "--index", out]).expect(0).tells(&["2,000 products"]);

    // The index that stayed, measured by itself; and one that is in use as it is.
    let again =
        ["bench", "search", "--nearest", "--index", out, "--limit", "30", "--rounds", "1", "--ef", "16,128"];
    let report = shop.run(&[&again[..], &["--format", "json"]].concat()).expect(0).json();
    assert_eq!((&report["schema"], &report["queries"]), (&json!("xunpin.bench.nearest.v1"), &json!(30)));
    check_searches(&report, 2);
    let table = ["bench", "search", "--nearest", "--limit", "5", "--rounds", "1", "--ef", "16"];
    shop.run(&table).expect(0).tells(&["580 products", "recall", "ms p99", "exact", "own", "open:"]);

    // A folder that is taken, and what can't be measured.
    shop.run(&[&args[..], &["--out", out]].concat()).expect(3).tells(&[out]);
    shop.run(&["bench", "build", "--vectors", "0"]).expect(2).tells(&["at least 1"]);
    shop.run(&["bench", "build", "--vectors", "10", "--m", "1"]).expect(2).tells(&["m", "2 to 128"]);
    shop.run(&["bench", "search"]).expect(2).tells(&["--queries"]);
}

#[test]
fn peers_that_are_not_there_are_named() {
    let shop = shop();
    let args =
        ["bench", "build", "--vectors", "200", "--queries", "5", "--rounds", "1", "--ef", "16", "--peers"];
    shop.run(&[&args[..], &["/no/such/python"]].concat()).expect(0).tells(&["no peers: "]);
    let few = [&args[..], &["/no/such/python", "--peers-up-to", "100", "--format", "json"]].concat();
    let report = shop.run(&few).expect(0).json();
    assert!(report["peers_skipped"].as_str().unwrap().contains("more than 100"), "{report}");
    assert_eq!(report["build"]["graph"], Value::Null);
}

/// In the place of a Python with the peers: checks that it is given 200 vectors of 32 values and 5 queries, has "built" in 2.5 s, and
/// answers each line with a recall from .901 (ef 10) to .999 (ef 512).
#[cfg(unix)]
const PEERS: &str = r#"#!/bin/sh
if [ "$1" = -c ]; then exit 0; fi
[ "$(wc -c < "$2")" -eq 25600 ] && [ "$(wc -c < "$3")" -eq 640 ] && [ "$4" = 32 ] || exit 9
case "$1" in *peer_ann.py) echo '{"index": "usearch"}'; exit;; esac
for efs; do :; done
echo '{"index": "hnswlib", "build_s": 2.5}'
while read -r line; do
  for ef in $(echo "$efs" | tr , ' '); do
    echo "{\"ef\": $ef, \"recall\": 0.$((900 + ef * 99 / 512)), \"qps\": $((10000 / ef)).0}"
  done
done
"#;

#[cfg(unix)]
#[test]
fn peers_are_measured_in_turns_and_compared() {
    use std::os::unix::fs::PermissionsExt;
    let shop = shop();
    let python = shop.write("python", PEERS);
    std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).unwrap();
    let args = [
        "bench",
        "build",
        "--vectors",
        "200",
        "--queries",
        "5",
        "--rounds",
        "2",
        "--ef",
        "64",
        "--format",
        "json",
    ];
    // Where the scripts are found.
    let ran = shop.command(&args).arg("--peers").arg(&python).current_dir(root()).output().unwrap();
    let report = Ran::from(ran).expect(0).json();
    let peers = &report["peers"];
    assert_eq!(peers["hnswlib"]["build_s"], 2.5);
    assert!(number(&peers["build_ratio"]) > 0.0, "{peers}");
    assert_eq!(peers["hnswlib"]["widths"].as_array().unwrap().len(), 14);
    let compared = peers["compared"].as_array().unwrap();
    let at = compared.iter().find(|c| c["recall"] == 0.95).unwrap();
    // The narrowest that reaches it is the fastest: 900 + 384 * 99 / 512 = 974. Between 256 (.949) and 384, .95 is near 256.
    assert_eq!((&at["peer_ef"], &at["peer_recall"], &at["own"]), (&json!(384), &json!(0.974), &json!(false)));
    let ratio = number(&at["ours_qps"]) / number(&at["peer_qps"]);
    assert!((number(&at["ratio"]) - ratio).abs() < 1e-3 * ratio.max(1.0), "{at}");
    assert!(number(&at["ratio_interpolated"]) < number(&at["ratio"]), "{at}");
    assert!((38.0..39.0).contains(&number(&at["peer_qps_interpolated"])), "{at}");
}

#[test]
fn an_index_is_changed_and_compacted_to_what_a_fresh_one_is() {
    let shop = shop();
    let args = ["bench", "churn", "--vectors", "2000", "--queries", "40", "--rounds", "1"];
    let report = shop.run(&[&args[..], &["--format", "json"]].concat()).expect(0).json();
    assert_eq!(report["schema"], "xunpin.bench.churn.v1");
    assert_eq!(report["idle"]["products"], 2000);
    assert_eq!((&report["changes"]["upserted"], &report["changes"]["deleted"]), (&json!(200), &json!(200)));
    assert_eq!((&report["additions"]["upserted"], &report["additions"]["deleted"]), (&json!(200), &json!(0)));
    for stage in ["idle", "churned", "fresh", "after"] {
        assert!(number(&report[stage]["recall"]) >= 0.95, "{stage}: {report}");
        assert!(number(&report[stage]["p99_ms"]) >= number(&report[stage]["p50_ms"]), "{stage}");
    }
    for during in ["changes", "additions"] {
        assert!(number(&report[during]["searches"]) >= 1.0 && number(&report[during]["p50_ratio"]) > 0.0);
    }
    assert_eq!(report["churned"]["products"], 2000);
    assert_eq!(report["churned"]["tombstones"], 400);
    let after = &report["after"];
    assert_eq!((&after["segments"], &after["tail"], &after["tombstones"]), (&json!(1), &json!(0), &json!(0)));
    assert_eq!(report["compacted"]["dropped"], 400);
    // Builders are deterministic: the same vectors in the same order are the same graph.
    assert_eq!(report["same_answers"], 40, "{report}");
    assert_eq!(after["recall"], report["fresh"]["recall"]);
    assert_eq!(after["ef"], report["fresh"]["ef"]);
    let graphs = |stage: &Value| number(&stage["bytes"]["graph"]);
    assert_eq!(graphs(after), graphs(&report["fresh"]));
    shop.run(&["bench", "churn", "--vectors", "300", "--queries", "5", "--rounds", "1"]).expect(0).tells(&[
        "churned",
        "fresh",
        "times idle",
        "5 of 5 answers",
    ]);
}

#[test]
fn an_index_is_compacted_and_stays_what_it_was() {
    let shop = shop();
    let deleted: Vec<String> = (0..20).map(|n| format!("new{n}")).collect();
    let lines: Vec<String> = (0..40)
        .map(|n| json!({"id": format!("new{n}"), "title": format!("保湿面霜 {n}号")}).to_string())
        .collect();
    let file = shop.write("new.jsonl", lines.join("\n"));
    shop.index(&[&file]).expect(0);
    let ids: Vec<&str> = deleted.iter().map(String::as_str).collect();
    shop.run(&[&["delete"], &ids[..]].concat()).expect(0);
    let before =
        (shop.search("保湿面霜", &["-k", "50"]), shop.search("保湿面霜", &["-k", "50", "--mode", "lexical"]));
    assert_eq!(shop.stats()["tombstones"], 20);

    let report = shop.run(&["compact", "--format", "json"]).expect(0).json();
    assert_eq!((&report["schema"], &report["products"]), (&json!("xunpin.compact.v1"), &json!(600)));
    assert_eq!((&report["segments_after"], &report["dropped"]), (&json!(1), &json!(20)));
    assert!(number(&report["bytes_after"]) > 0.0 && number(&report["seconds"]) > 0.0, "{report}");
    let stats = shop.stats();
    assert_eq!((&stats["tombstones"], &stats["tail"]["vectors"]), (&json!(0), &json!(0)));
    assert_eq!(
        (&stats["segments"][0]["vectors"], &stats["segments"][0]["deleted"]),
        (&json!(600), &json!(0))
    );
    let after =
        (shop.search("保湿面霜", &["-k", "50"]), shop.search("保湿面霜", &["-k", "50", "--mode", "lexical"]));
    assert_eq!(after, before);
    shop.run(&["verify"]).expect(0).tells(&["600 products"]);
    shop.run(&["stats"]).expect(0).tells(&["graphs", "vectors", "0 deleted", "ef "]);
    // Again, with nothing to do.
    shop.run(&["compact", "--threads", "1"])
        .expect(0)
        .tells(&["1 segment became 1", "0 deleted vectors dropped"]);
    let nowhere = shop.path("nowhere");
    shop.run(&["compact", "--index", nowhere.to_str().unwrap()]).expect(3).tells(&["nowhere"]);
}

#[test]
fn graph_options_belong_to_a_new_index() {
    let shop = Shop::new();
    let file = shop.write("one.jsonl", "{\"id\":\"1\",\"title\":\"温和A醇精华\"}\n");
    shop.index_with(&[&file], &["--m", "1"]).expect(2).tells(&["m", "2 to 128"]);
    let flags = ["--m", "24", "--ef-construction", "150", "--recall", "0.95"];
    shop.index_with(&[&file], &flags).expect(0);
    let manifest = std::fs::read_to_string(shop.index_path().join("manifest.json")).unwrap();
    let options = serde_json::from_str::<Value>(&manifest).unwrap()["options"].clone();
    assert_eq!(
        (&options["m"], &options["ef_construction"], &options["recall"]),
        (&json!(24), &json!(150), &json!(0.95))
    );
    shop.index_with(&[&file], &flags).expect(0);
    for (flag, value, made_with) in
        [("--m", "16", "24"), ("--ef-construction", "200", "150"), ("--recall", "0.99", "0.95")]
    {
        shop.index_with(&[&file], &[flag, value]).expect(2).tells(&["was made with", made_with, value]);
    }
}
