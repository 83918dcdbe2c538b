//! The same products out of every format, packing and encoding.

use crate::common::{Outcome, gb18030, gz, read, read_with, shared, zst};
use xunpin_core::Product;
use xunpin_ingest::{Catalogue, Compression, Format, Input, Mapping, ReadError, ReadOptions, TextEncoding};

fn products() -> Vec<Product> {
    [
        r#"{"id":"1","title":"温和A醇精华 30ml","brand":"Lumira","category":["护肤","精华"],"price":239.5,"currency":"CNY",
            "attributes":{"肤质":["敏感肌","干皮"],"酒精":[false]},"tags":["抗老","保湿"],"stock":12,
            "updated_at":"2016/11/12","shop":"自然堂"}"#,
        r#"{"id":"2","title":"😀 \"大\" 面膜, 5片","description":"第一行\n第二行"}"#,
        r#"{"id":"3","title":"裤"}"#,
    ]
    .map(|json| serde_json::from_str(json).unwrap())
    .to_vec()
}

fn jsonl() -> String {
    products().iter().map(|p| serde_json::to_string(p).unwrap() + "\n").collect()
}

fn delimited(delimiter: &str) -> String {
    let quote = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let rows = [
        vec![
            "id",
            "title",
            "品牌",
            "类目",
            "价格",
            "币种",
            "属性",
            "标签",
            "库存",
            "更新时间",
            "描述",
            "shop",
        ],
        vec![
            "1",
            "温和A醇精华 30ml",
            "Lumira",
            "护肤/精华",
            "239.5",
            "CNY",
            "肤质:敏感肌,干皮;酒精:false",
            "抗老，保湿",
            "12",
            "2016/11/12",
            "",
            "自然堂",
        ],
        vec!["2", "😀 \"大\" 面膜, 5片", "", "", "", "", "", "", "", "", "第一行\n第二行", ""],
        vec!["3", "裤", "", "", "", "", "", "", "", "", "", ""],
    ];
    rows.iter().map(|row| row.iter().map(|c| quote(c)).collect::<Vec<_>>().join(delimiter) + "\r\n").collect()
}

fn assert_read(outcome: &Outcome) {
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(outcome.faults(), Vec::<String>::new());
    assert_eq!(outcome.products(), products().iter().collect::<Vec<_>>());
}

#[test]
fn every_text_format_packing_and_encoding() {
    let utf16 = |text: &str, big: bool| -> Vec<u8> {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
    };
    for (name, text) in [("a.jsonl", jsonl()), ("a.csv", delimited(",")), ("a.tsv", delimited("\t"))] {
        let encodings = [
            ("utf-8", text.clone().into_bytes()),
            ("utf-8 with mark", format!("\u{feff}{text}").into_bytes()),
            ("gb18030", gb18030(&text)),
            ("utf-16le", utf16(&text, false)),
            ("utf-16be", utf16(&text, true)),
        ];
        for (encoding, bytes) in encodings {
            println!("{name} {encoding}");
            assert_read(&read(name, bytes.clone()));
            // The extension is a hint only, for packing as well as for format.
            assert_read(&read("stdin", gz(&bytes)));
            assert_read(&read(name, zst(&bytes)));
        }
    }
}

#[test]
fn lines_are_physical_and_records_may_span_them() {
    let outcome = read("a.csv", delimited(","));
    assert_eq!(outcome.records.iter().map(|r| r.line).collect::<Vec<_>>(), [2, 3, 5]);
    let outcome = read("a.jsonl", format!("\n{}", jsonl().replace("}\n", "}\r\n  \r\n")));
    assert_eq!(outcome.records.iter().map(|r| r.line).collect::<Vec<_>>(), [2, 4, 6]);
}

#[test]
fn other_delimiters_are_told_from_the_header() {
    for text in ["id;title\n1;a\n", "id\ttitle\n1\ta\n", "\nid,title,\n1,a\n"] {
        assert_eq!(read("a.csv", text).ids(), ["1"], "{text}");
    }
    assert_eq!(read("stdin", "id;title\n1;a,b\n").products()[0].title, "a,b");
}

#[test]
fn options_win_over_detection() {
    let options = ReadOptions { format: Some(Format::Tsv), ..ReadOptions::default() };
    assert_eq!(
        read_with("a.csv", "id\ttitle\n1\ta,b\n", &Mapping::default(), options).products()[0].title,
        "a,b"
    );
    // Two bytes that are text in both encodings.
    let bytes = [b"{\"id\":\"1\",\"title\":\"", "é".as_bytes(), b"\"}\n"].concat();
    assert_eq!(read("a.jsonl", bytes.clone()).products()[0].title, "é");
    let options = ReadOptions { encoding: Some(TextEncoding::Gb18030), ..ReadOptions::default() };
    assert_eq!(read_with("a.jsonl", bytes, &Mapping::default(), options).products()[0].title, "茅");
}

#[test]
fn files_globs_and_what_is_known_of_them() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("b.jsonl.gz"), gz(b"{\"id\":\"b\",\"title\":\"t\",\"shop\":1}\n"))
        .unwrap();
    std::fs::write(dir.path().join("a.csv"), gb18030("货号,商品名称\na,面霜\n")).unwrap();
    let glob = dir.path().join("*").to_str().unwrap().to_owned();
    let mut catalogue =
        Catalogue::open(&[Input::Glob(glob)], &Mapping::default(), ReadOptions::default()).unwrap();
    let info = catalogue.info().unwrap().clone();
    assert_eq!((info.format, info.compression), (Format::Csv, Compression::None));
    assert_eq!(info.encoding, TextEncoding::Gb18030);
    assert_eq!(info.columns[0].target.to_string(), "id");
    assert!(catalogue.next().unwrap().is_ok());
    assert!(catalogue.next().unwrap().is_ok());
    let info = catalogue.info().unwrap();
    assert_eq!((info.format, info.compression), (Format::Jsonl, Compression::Gzip));
    assert_eq!(
        info.columns.iter().map(|c| c.target.to_string()).collect::<Vec<_>>(),
        ["id", "title", "extra"]
    );
    assert!(serde_json::to_string(info).unwrap().contains("\"gzip\""));
    assert!(catalogue.next().is_none() && catalogue.info().is_none());
    let progress = catalogue.progress();
    assert_eq!(Some(progress.bytes_read), progress.bytes_total);
    assert!(
        catalogue.seen().contains("a") && catalogue.seen().contains("b") && !catalogue.seen().contains("c")
    );
}

#[test]
fn an_unknown_format_is_asked_for() {
    assert!(matches!(read("stdin", "hello\n").error, Some(ReadError::UnknownFormat { .. })));
    assert!(matches!(read("stdin", "PAR1....").error, Some(ReadError::ParquetStream { .. })));
    let error = read("a.json", "[{\"id\":1}]").error.unwrap();
    assert!(matches!(error, ReadError::JsonArray { .. }) && error.to_string().contains("jq"));
    for name in ["a.jsonl", "a.csv", "stdin"] {
        let outcome = read(name, "");
        assert!(outcome.error.is_none() && outcome.records.is_empty() && outcome.rejects.is_empty());
    }
}

#[test]
fn shared_beauty_needs_no_mapping() {
    let Some(path) = shared("beauty/products.csv") else { return };
    let input = [Input::File(path)];
    let outcome = Outcome::of(Catalogue::open(&input, &Mapping::default(), ReadOptions::default()));
    assert!(outcome.error.is_none());
    println!("{:#?}", outcome.faults());
    assert_eq!((outcome.records.len(), outcome.rejects.len()), (3474, 0));
    let first = outcome.products()[0];
    assert_eq!((first.id.as_str(), first.price), ("A18164178225", Some(139.0)));
    assert_eq!(first.updated_at.as_deref(), Some("2016/11/12"));
    assert_eq!((&first.extra["shop"], &first.extra["sale_count"]), (&"自然堂".into(), &"26662".into()));
    assert_eq!(first.extra.len(), 3);
}

#[test]
fn shared_adgen_needs_no_mapping() {
    let Some(path) = shared("adgen/products.jsonl") else { return };
    let input = [Input::File(path)];
    let outcome = Outcome::of(Catalogue::open(&input, &Mapping::default(), ReadOptions::default()));
    assert_eq!((outcome.records.len(), outcome.rejects.len()), (1000, 0));
    assert_eq!(outcome.products()[0].attributes["材质"].len(), 1);
    assert!(outcome.products().iter().all(|p| p.extra.is_empty()));
}

#[cfg(unix)]
#[test]
fn a_pipe_by_path_is_read_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pipe.csv");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let writer = std::thread::spawn({
        let path = path.clone();
        move || std::fs::write(path, "id,title\n1,a\n").unwrap()
    });
    let catalogue = Catalogue::open(&[Input::File(path)], &Mapping::default(), ReadOptions::default());
    assert_eq!(catalogue.as_ref().unwrap().progress().bytes_total, None);
    assert_eq!(Outcome::of(catalogue).ids(), ["1"]);
    writer.join().unwrap();
}

#[test]
fn catalogues_can_be_read_on_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Catalogue>();
}

#[test]
fn progress_goes_with_the_lines_not_with_the_buffers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.jsonl");
    let lines: String =
        (0..5_000).map(|n| format!("{{\"id\":\"{n:05}\",\"title\":\"一件商品\"}}\n")).collect();
    std::fs::write(&path, &lines).unwrap();
    let mut catalogue =
        Catalogue::open(&[Input::File(path)], &Mapping::default(), ReadOptions::default()).unwrap();
    assert!(lines.len() < 1 << 20, "the whole file is looked at when it is opened");
    assert_eq!(catalogue.by_ref().take(2_500).count(), 2_500);
    let half = catalogue.progress().bytes_read as f64 / lines.len() as f64;
    assert!((0.5..0.65).contains(&half), "{half}");
    assert_eq!(catalogue.by_ref().count(), 2_500);
    assert_eq!(catalogue.progress().bytes_read, lines.len() as u64);
}
