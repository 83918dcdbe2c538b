//! Each kind of bad input costs itself and nothing else, and says where and what it is.

use crate::common::{Outcome, gb18030, gz, read, read_with, zst};
use xunpin_ingest::{Catalogue, Input, Mapping, ReadError, ReadOptions};

const GOOD: &str = "{\"id\":\"good\",\"title\":\"面霜\"}\n";

/// Reads a bad line between good ones and gives its fault.
fn fault(line: impl AsRef<[u8]>) -> String {
    let text = [b"{\"id\":\"first\",\"title\":\"a\"}\n", line.as_ref(), b"\n", GOOD.as_bytes()].concat();
    let outcome = read("a.jsonl", text);
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(outcome.ids(), ["first", "good"]);
    assert_eq!(outcome.records[1].line, 3);
    assert_eq!(outcome.rejects.len(), 1);
    outcome.faults().remove(0)
}

#[test]
fn json_lines() {
    for (line, expected) in [
        ("{\"id\":\"x\",\"title\":", "2: -: not valid JSON"),
        ("[1,2]", "2: -: the line is an array"),
        ("\"text\"", "2: -: the line is a text"),
        ("{\"title\":\"t\"}", "2: id: missing or empty"),
        ("{\"id\":\" \",\"title\":\"t\"}", "2: id: missing or empty"),
        ("{\"id\":\"x\"}", "2: title: missing or empty"),
        ("{\"id\":\"x\",\"title\":\" \\u3000\\n\"}", "2: title: missing or empty"),
        ("{\"id\":\"x\",\"title\":\"\\u0000\"}", "2: title: missing or empty"),
        ("{\"id\":\"x\",\"title\":[\"t\"]}", "2: title: an array is not text"),
        ("{\"id\":{\"a\":1},\"title\":\"t\"}", "2: id: an object is not an id"),
        ("{\"id\":\"x\",\"title\":\"t\",\"price\":\"abc\"}", "2: price: \"abc\" is not a price"),
        ("{\"id\":\"x\",\"title\":\"t\",\"price\":true}", "2: price: true is not a price"),
        ("{\"id\":\"x\",\"title\":\"t\",\"price\":-1}", "2: price: -1 is not a price"),
        ("{\"id\":\"x\",\"title\":\"t\",\"price\":\"NaN\"}", "2: price: \"NaN\" is not a price"),
        ("{\"id\":\"x\",\"title\":\"t\",\"price\":NaN}", "2: price: NaN is not a JSON value"),
        ("{\"id\":\"x\",\"title\":\"t\",\"price\":Infinity}", "2: price: Infinity is not a JSON value"),
        ("{\"id\":\"x\",\"title\":\"t\",\"price\":1e999}", "2: -: not valid JSON: number out of range"),
        ("{\"id\":\"x\",\"title\":\"t\",\"stock\":1.5}", "2: stock: 1.5 is not a number of pieces"),
        ("{\"id\":\"x\",\"title\":\"t\",\"tags\":{\"a\":1}}", "2: tags: an object is not text"),
        (
            "{\"id\":\"x\",\"title\":\"t\",\"attributes\":{\"材质\":{}}}",
            "2: attributes.材质: an object is not",
        ),
        ("{\"id\":\"a\\u0007b\",\"title\":\"t\"}", "2: id: holds the control character U+0007"),
        ("{\"id\":\"first\",\"title\":\"t\"}", "2: id: \"first\" came before, at a.jsonl:1"),
    ] {
        let fault = fault(line);
        assert!(fault.starts_with(expected), "{line}\n{fault}\n{expected}");
    }
    assert!(
        fault(format!("{{\"id\":\"{}\",\"title\":\"t\"}}", "x".repeat(600)))
            .starts_with("2: id: 600 bytes long")
    );
    assert!(fault(format!("{}1{}", "[".repeat(500), "]".repeat(500))).starts_with("2: -: not valid JSON"));
}

#[test]
fn a_reject_carries_the_line_and_the_id() {
    let line = "{\"id\":\"x\",\"title\":\"t\",\"price\":\"abc\"}";
    let reject = read("a.jsonl", format!("{line}\r\n")).rejects.remove(0);
    assert_eq!((reject.raw.as_str(), reject.raw_exact), (line, true));
    assert_eq!(reject.id.as_deref(), Some("x"));
    assert!(reject.to_string().starts_with("a.jsonl:1: field `price`: "));
    let reject = read("a.csv", "id,title,price\nx,\"t\n2\",abc\n").rejects.remove(0);
    assert_eq!((reject.line, reject.raw.as_str()), (2, "x,\"t\n2\",abc"));
}

#[test]
fn bytes_that_are_no_text() {
    let mut line = b"{\"id\":\"x\",\"title\":\"a\xff\xfeb\"}".to_vec();
    assert_eq!(fault(&line), "2: -: byte 21 (0xFF) is not UTF-8 text");
    line.push(b'\n');
    let reject = read("a.jsonl", line).rejects.remove(0);
    assert!(!reject.raw_exact && reject.raw.contains("a\u{fffd}\u{fffd}b"));

    let csv =
        [gb18030("编号,标题\n1,面霜\n2,"), b"\xff\xff\n".to_vec(), gb18030("3,精华\n4,乳液\n")].concat();
    let outcome = read("a.csv", csv);
    assert_eq!(outcome.ids(), ["1", "3", "4"]);
    assert_eq!(outcome.rejects[0].id.as_deref(), Some("2"));
    assert_eq!(outcome.faults(), ["3: 标题: holds bytes that are not GB18030 text"]);
}

#[test]
fn a_few_damaged_lines_leave_utf8_as_it_is() {
    let mut bytes = Vec::new();
    for n in 0..100 {
        if n % 10 == 9 {
            bytes.extend(
                [b"{\"id\":\"".as_slice(), &gb18030("旧"), b"\",\"title\":\"", &gb18030("面霜"), b"\"}\n"]
                    .concat(),
            );
        } else {
            bytes.extend(format!("{{\"id\":\"{n}\",\"title\":\"精华\"}}\n").into_bytes());
        }
    }
    let outcome = read("a.jsonl", bytes);
    assert_eq!((outcome.records.len(), outcome.rejects.len()), (90, 10));
    assert_eq!(outcome.rejects[0].line, 10);
}

#[test]
fn long_lines_are_passed_over_unread() {
    let long = format!("{{\"id\":\"x\",\"title\":\"{}\"}}", "长".repeat(3_500_000));
    let expected = format!("2: -: the line is {} bytes long; at most 1048576 are read", long.len());
    assert!(fault(&long).starts_with(&expected));
    let reject = read("a.jsonl", format!("{GOOD}{long}")).rejects.remove(0);
    assert!(!reject.raw_exact && reject.raw.len() <= 64 << 10 && reject.raw.starts_with("{\"id\":\"x\""));

    let csv = format!("id,title\n1,{}\n2,b\n3,\"{}\n\"\n4,d\n", "a".repeat(2_000_000), "c".repeat(2_000_000));
    let outcome = read("a.csv", csv);
    assert_eq!(outcome.ids(), ["2", "4"]);
    assert_eq!(outcome.rejects.iter().map(|r| r.line).collect::<Vec<_>>(), [2, 4, 5]);
    let options = ReadOptions { max_line_bytes: 20 << 20, ..ReadOptions::default() };
    assert_eq!(read_with("a.jsonl", long, &Mapping::default(), options).ids(), ["x"]);
}

#[test]
fn control_characters_become_spaces_and_emoji_stay() {
    let outcome = read(
        "a.jsonl",
        "{\"id\":\"1\",\"title\":\"a\\u0000b\\u001b[31m😀\",\"description\":\"x\\ty\\nz\\r\",\"note\":\"\\u0007n\"}\n",
    );
    let product = outcome.products()[0];
    assert_eq!(product.title, "a b [31m😀");
    assert_eq!(product.description.as_deref(), Some("x\ty\nz"));
    assert_eq!(product.extra["note"], " n");
    assert_eq!(read("a.csv", b"id,title\n1,a\0b\n".to_vec()).products()[0].title, "a b");
}

#[test]
fn csv_rows_of_other_lengths() {
    let outcome = read("a.csv", "id,title,shop\n1,a,s\n2,b\n3,c,s,x\n4,d,s,,\n\n,,\n5,e,s\n");
    assert_eq!(outcome.ids(), ["1", "4", "5"]);
    assert_eq!(outcome.records[2].line, 8);
    let faults = outcome.faults();
    assert!(faults[0].starts_with("3: -: 3 fields are expected as in the header, got 2"), "{faults:?}");
    assert!(faults[1].starts_with("4: -: 3 fields are expected as in the header, got 4"), "{faults:?}");
    assert_eq!(faults.len(), 2);
}

#[test]
fn an_open_quote_does_not_swallow_the_file() {
    let rows: String = (0..3000).map(|n| format!("{n},title {n},s\n")).collect();
    let check = |text: String, bad: u64, expected: &str| {
        let outcome = read("a.csv", format!("id,title,shop\n{text}"));
        assert_eq!(outcome.records.len(), 3000, "{expected}");
        assert_eq!(outcome.rejects.len(), 1, "{:?}", outcome.faults());
        assert_eq!(outcome.rejects[0].line, bad);
        assert!(outcome.rejects[0].problem.contains(expected), "{}", outcome.rejects[0].problem);
    };
    check(format!("x,\"open,s\n{rows}"), 2, "within 1000 lines");
    check(format!("{rows}x,\"open,s\n"), 3002, "before the end of the file");
    // Closed by a later quote: the record then has too few fields, or too many.
    check(
        format!("x,\"open,s\n{}", rows.replace("17,title 17,s", "17,title 17,\"s\"")),
        2,
        "does not properly close",
    );
    check(format!("x,\"open,s\n{}", rows.replace("17,title 17,s", "17,\"title 17\",s")), 2, "18 lines on");
}

#[test]
fn quoted_fields_of_many_lines_are_fine() {
    let text = "行\n".repeat(900);
    let outcome =
        read("a.csv", format!("id,title,desc\n1,a,\"{text}\"\n2,b,\"c \"\"q\"\" , d\"\n3,5\" phone,x\n"));
    assert_eq!(outcome.ids(), ["1", "2", "3"]);
    assert_eq!(outcome.products()[0].description.as_deref(), Some(text.trim()));
    assert_eq!(outcome.products()[1].description.as_deref(), Some("c \"q\" , d"));
    assert_eq!(outcome.products()[2].title, "5\" phone");
    assert_eq!(outcome.records[1].line, 903);
}

#[test]
fn packed_files_that_end_too_soon() {
    let text: String =
        (0..50_000).map(|n| format!("{{\"id\":\"{n}\",\"title\":\"面霜 {}\"}}\n", n * 7919)).collect();
    for packed in [gz(text.as_bytes()), zst(text.as_bytes())] {
        let outcome = read("a.jsonl", &packed[..packed.len() * 2 / 3]);
        let Some(ReadError::Truncated { records, .. }) = &outcome.error else {
            panic!("{:?}", outcome.error)
        };
        assert!(*records > 10_000 && *records == outcome.records.len() as u64, "{records}");
        assert!(outcome.rejects.is_empty(), "half a line is no line");
        assert!(matches!(
            read("a.jsonl", &packed[..20]).error,
            Some(ReadError::Truncated { records: 0, .. })
        ));
    }
    assert!(matches!(read("a.jsonl.gz", "").error, Some(ReadError::Truncated { records: 0, .. })));
    let mut damaged = gz(text.as_bytes());
    let middle = damaged.len() / 2;
    damaged[middle..middle + 64].fill(0);
    assert!(matches!(
        read("a.csv", damaged).error,
        Some(ReadError::Damaged { .. } | ReadError::MissingColumn { .. })
    ));
}

#[test]
fn columns_that_are_not_there() {
    let error = read("a.csv", "code,title\n1,a\n").error.unwrap();
    let message = error.to_string();
    assert!(matches!(error, ReadError::MissingColumn { .. }));
    assert!(message.contains("code, title") && message.contains("--map id=COLUMN"), "{message}");

    let mut mapping = Mapping::default();
    mapping.apply(&["title=名", "id=code"]).unwrap();
    let outcome = read_with("a.csv", "code,title\n1,a\n", &mapping, ReadOptions::default());
    let message = outcome.error.unwrap().to_string();
    assert!(
        message.contains("`title` is mapped to column `名`") && message.contains("code, title"),
        "{message}"
    );
    // In JSONL each line has columns of its own.
    let outcome = read_with(
        "a.jsonl",
        "{\"code\":1,\"title\":\"a\"}\n{\"code\":2,\"名\":\"b\"}\n",
        &mapping,
        ReadOptions::default(),
    );
    assert_eq!(outcome.ids(), ["2"]);
    assert!(outcome.faults()[0].contains("if one of code, title is it, say so with `--map title=NAME`"));

    let error = read("a.csv", b"id,\xff\xff\n1,a\n".to_vec()).error.unwrap();
    assert!(matches!(error, ReadError::Header { line: 1, .. }), "{error}");
    assert!(matches!(read("a.csv", "id,\"title\n1,a\n").error, Some(ReadError::Header { .. })));
}

#[test]
fn ids_repeat_across_files() {
    use xunpin_ingest::{Catalogue, Input};
    let dir = tempfile::tempdir().unwrap();
    let paths = ["a.csv", "b.csv"].map(|name| dir.path().join(name));
    std::fs::write(&paths[0], "id,title\n1,a\n").unwrap();
    std::fs::write(&paths[1], "id,title\n2,b\n1,c\n2,d\n").unwrap();
    let inputs = paths.clone().map(Input::File);
    let outcome =
        crate::common::Outcome::of(Catalogue::open(&inputs, &Mapping::default(), ReadOptions::default()));
    assert_eq!(outcome.ids(), ["1", "2"]);
    let problems: Vec<_> = outcome.rejects.iter().map(|r| (r.line, r.problem.clone())).collect();
    assert_eq!(problems[0].0, 3);
    assert!(problems[0].1.contains(&format!("{}:2", paths[0].display())), "{problems:?}");
    assert!(problems[1].1.contains(&format!("{}:2", paths[1].display())), "{problems:?}");
    assert_eq!(outcome.rejects[0].raw, "1,c");
}

/// Lists that would take the square of their length, or more, if they were taken whole.
#[test]
fn products_have_limits() {
    let numbers = |from: usize, to: usize| (from..to).map(|n| n.to_string()).collect::<Vec<_>>();
    let product = |rest: String| format!("{{\"id\":\"x\",\"title\":\"t\",{rest}}}");
    let many = numbers(0, 100_000);
    let fields =
        |count: usize| many[..count].iter().map(|n| format!("\"f{n}\":1")).collect::<Vec<_>>().join(",");
    for (line, expected) in [
        (product(format!("\"category\":\"{}\"", many.join("/"))), "2: category: more than 32 steps"),
        (product(format!("\"tags\":\"{}\"", many.join(","))), "2: tags: more than 1000 tags"),
        (
            product(format!("\"attributes\":{{\"a\":[{}]}}", many.join(","))),
            "2: attributes.a: more than 1000 values",
        ),
        (
            product(format!(
                "\"attributes\":\"{}\"",
                many[..2_000].iter().map(|n| format!("{n}:1;")).collect::<String>()
            )),
            "2: attributes: more than 1000 attributes",
        ),
        (product(fields(40_000)), "2: -: 40002 fields; at most 4096 are read"),
        (
            product(format!("\"x\":{}{}", "[".repeat(65), "]".repeat(65))),
            "2: x: arrays and objects are nested more than 64",
        ),
        (
            product(format!("\"x\":{}{}", "[".repeat(127), "]".repeat(127))),
            "2: -: not valid JSON: recursion limit",
        ),
    ] {
        let fault = fault(&line);
        assert!(fault.starts_with(expected), "{expected}\n{fault}");
    }
    let within = product(format!("\"x\":{}{}, {}", "[".repeat(64), "]".repeat(64), fields(4_093)));
    let outcome = read("a.jsonl", within);
    assert_eq!((outcome.ids().len(), outcome.faults()), (1, vec![]));
}

#[test]
fn tables_have_limits() {
    let header = |columns: usize| format!("id,title{}\n1,t\n", ",x".repeat(columns - 2));
    let outcome = read("a.csv", header(4_096));
    assert_eq!(outcome.error.map(|e| e.to_string()), None);
    let error = read("a.csv", header(200_000)).error.unwrap();
    assert_eq!(
        error.to_string(),
        "a.csv:1: the header cannot be read: 200000 columns; at most 4096 are read"
    );
    assert!(matches!(error, ReadError::Header { line: 1, .. }));
    // Several columns of one attribute add up.
    let values: Vec<_> = (0..60_000).map(|n| n.to_string()).collect();
    let rows: Vec<_> = values.chunks(30).map(|chunk| format!("\"{}\"", chunk.join(","))).collect();
    let text =
        format!("id,title{}\n1,t,{}\n2,t{}\n", ",attr.a".repeat(2_000), rows.join(","), ",".repeat(2_000));
    let outcome = read("a.csv", text);
    assert_eq!(outcome.ids(), ["2"]);
    assert!(
        outcome.faults()[0].starts_with("2: attributes.a: more than 1000 values"),
        "{:?}",
        outcome.faults()
    );
}

/// The library follows a schema by calling itself: without a look beforehand the process would end.
#[test]
fn parquet_schemas_have_limits() {
    let varint = |number: u32| -> Vec<u8> {
        (0..5).map(|at| (number >> (7 * at)) as u8 & 0x7f | if at < 4 { 0x80 } else { 0 }).collect()
    };
    let file = |children: &[u32]| {
        let mut footer = vec![0x15, 2, 0x19, 0xfc];
        footer.extend(varint(children.len() as u32));
        for count in children {
            footer.extend([0x35, 0, 0x18, 1, b'a', 0x15]);
            footer.extend(varint(2 * count));
            footer.push(0);
        }
        footer.extend([0x16, 0, 0x19, 0x0c, 0]);
        let length = (footer.len() as u32).to_le_bytes();
        [b"PAR1", &footer[..], &length, b"PAR1"].concat()
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let nested = [vec![1; 10_000], vec![0]].concat();
    for (children, expected) in [
        (nested, "nested more than 64 deep"),
        (vec![1; 1_000_000], "at most 16384 are read"),
        (vec![1, 1 << 29], "promises more columns"),
    ] {
        std::fs::write(&path, file(&children)).unwrap();
        let input = Input::File(path.clone());
        let outcome = Outcome::of(Catalogue::open(&[input], &Mapping::default(), ReadOptions::default()));
        let Some(ReadError::Damaged { source, .. }) = outcome.error else { panic!("{:?}", outcome.error) };
        assert!(source.to_string().contains(expected), "{source}");
    }
}
