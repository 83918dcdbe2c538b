//! Bad lines are told with file, line and field, kept in the rejects file, and nothing else is lost.

use serde_json::Value;

use crate::support::Shop;

/// Indexes good lines around a bad one; the bad one must be told with its line and `words`, the others kept.
#[track_caller]
fn one_bad_line(bad: &[u8], words: &[&str]) -> (Shop, Vec<Value>) {
    let shop = Shop::new();
    let mut catalogue = br#"{"id":"a","title":"first"}"#.to_vec();
    catalogue.push(b'\n');
    catalogue.extend(bad);
    catalogue.extend(b"\n{\"id\":\"z\",\"title\":\"last\"}\n");
    let file = shop.write("shop.jsonl", catalogue);
    let rejects = shop.path("bad.jsonl");
    let ran = shop.index_with(&[&file], &["--rejects", rejects.to_str().unwrap()]).expect(1);
    ran.tells(&["shop.jsonl:2"]).tells(words);
    assert_eq!(shop.products(), 2);
    let kept =
        std::fs::read_to_string(rejects).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    (shop, kept)
}

#[test]
fn broken_json() {
    let (_, kept) = one_bad_line(br#"{"id":"b","title""#, &["JSON"]);
    assert_eq!(kept[0]["raw"], r#"{"id":"b","title""#);
    assert_eq!(kept[0]["line"], 2);
}

#[test]
fn no_id() {
    one_bad_line(r#"{"title":"no id"}"#.as_bytes(), &["`id`", "missing"]);
}

#[test]
fn duplicate_id() {
    one_bad_line(br#"{"id":"a","title":"again"}"#, &["`id`", "came before", "shop.jsonl:1"]);
}

#[test]
fn wrong_type() {
    one_bad_line(br#"{"id":"b","title":["a","list"]}"#, &["`title`"]);
    one_bad_line(br#"{"id":"b","title":"t","price":"cheap"}"#, &["`price`", "cheap"]);
}

#[test]
fn invalid_utf8() {
    one_bad_line(b"{\"id\":\"b\",\"title\":\"\xff\xfe\"}", &["UTF-8"]);
}

#[test]
fn ten_megabytes_of_text() {
    let long = format!(r#"{{"id":"b","title":"{}"}}"#, "长".repeat(10_000_000 / 3));
    one_bad_line(long.as_bytes(), &["bytes"]);
}

#[test]
fn impossible_prices() {
    for price in ["NaN", r#""NaN""#, "-1", r#""-9.90""#, "1e999"] {
        let line = format!(r#"{{"id":"b","title":"t","price":{price}}}"#);
        one_bad_line(line.as_bytes(), &[]);
    }
    one_bad_line(br#"{"id":"b","title":"t","price":-1}"#, &["`price`", "-1"]);
}

#[test]
fn control_characters_in_an_id() {
    one_bad_line(br#"{"id":"b\u0007","title":"t"}"#, &["`id`", "U+0007"]);
}

#[test]
fn control_characters_and_emoji_in_text_are_no_fault() {
    let shop = Shop::new();
    let file = shop.write(
        "shop.jsonl",
        "{\"id\":\"1\",\"title\":\"泡泡😀机\\u0007器\"}\n{\"id\":\"2\",\"title\":\"😀\"}\n",
    );
    shop.index(&[&file]).expect(0);
    assert_eq!(shop.search("😀", &[]).len(), 2);
}

#[test]
fn a_price_alone_costs_no_embedding_and_a_bad_line_keeps_its_product() {
    let shop = Shop::with(&[("1", "甲"), ("2", "乙"), ("3", "丙")]);
    let file = shop.write(
        "second.jsonl",
        "{\"id\":\"1\",\"title\":\"甲\",\"price\":5}\n{\"id\":\"2\",\"title\":\"\"}\n{\"id\":\"3\",\"title\":\"丙\"}\n",
    );
    let report = shop.index_with(&[&file], &["--format", "json", "--sync"]).expect(1).json();
    assert_eq!(report["embedded"], 0);
    assert_eq!(report["updated"], 1);
    assert_eq!(report["unchanged"], 1);
    assert_eq!(report["rejected"], 1);
    assert_eq!(report["sync"]["deleted"], 0, "a rejected line is out of date, not gone");
    assert_eq!(shop.products(), 3);
}

#[test]
fn columns_that_are_not_recognised_are_listed() {
    let shop = Shop::new();
    let file = shop.write("shop.csv", "nr,what\n1,x\n");
    shop.index(&[&file]).expect(2).tells(&["shop.csv", "--map", "nr", "what"]);
    shop.index_with(&[&file], &["--map", "id=nr", "--map", "title=what"]).expect(0);
    shop.index_with(&[&file], &["--map", "id=nr", "--map", "title=nothing"])
        .expect(2)
        .tells(&["nothing", "what"]);
    shop.index_with(&[&file], &["--map", "nonsense"]).expect(2).tells(&["nonsense"]);
}

#[test]
fn missing_files() {
    let shop = Shop::new();
    shop.index(&[&shop.path("nowhere.jsonl")]).expect(3).tells(&["nowhere.jsonl", "no such file"]);
    shop.index(&[&shop.path("*.nothing")]).expect(3).tells(&["*.nothing", "no file matches"]);
}

#[test]
fn sync_refuses_to_delete_much_unless_forced() {
    let shop = Shop::with(&[("1", "甲"), ("2", "乙"), ("3", "丙"), ("4", "丁")]);
    let file = shop.write("second.jsonl", "{\"id\":\"1\",\"title\":\"甲\"}\n");
    shop.index_with(&[&file], &["--sync"]).expect(1).tells(&["3 of 4", "--force"]);
    assert_eq!(shop.products(), 4);
    shop.index_with(&[&file], &["--sync", "--force"]).expect(0);
    assert_eq!(shop.products(), 1);
    assert_eq!(shop.search("甲", &[]), ["1"]);
}

#[test]
fn dry_run_shows_columns_and_texts_and_writes_nothing() {
    let shop = Shop::new();
    let file = shop.write("shop.csv", "商品编号,商品名称,售价,shop\n1,温和精华,239,甲\n");
    shop.index_with(&[&file], &["--dry-run"]).expect(0).tells(&[
        "商品名称",
        "title",
        "售价",
        "price",
        "温和精华",
    ]);
    assert!(!shop.index_path().exists());
}

#[test]
fn what_comes_before_the_damage_of_a_file_is_kept() {
    let shop = Shop::new();
    let lines: String = (0..300).map(|n| format!("{{\"id\":\"{n}\",\"title\":\"商品{n}\"}}\n")).collect();
    let path = shop.path("shop.jsonl.gz");
    let mut gzip = std::process::Command::new("gzip")
        .stdin(std::process::Stdio::piped())
        .stdout(std::fs::File::create(&path).unwrap())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut gzip.stdin.take().unwrap(), lines.as_bytes()).unwrap();
    assert!(gzip.wait().unwrap().success());
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() * 2 / 3]).unwrap();
    shop.index(&[&path]).expect(3).tells(&["shop.jsonl.gz", "incomplete"]);
    let kept = shop.products();
    assert!((100..300).contains(&kept), "{kept}");
    std::fs::write(&path, &whole).unwrap();
    let report = shop.index_with(&[&path], &["--format", "json"]).expect(0).json();
    assert_eq!((&report["embedded"], &report["resumed_after"]), (&(300 - kept).into(), &kept.into()));
}
