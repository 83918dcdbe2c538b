//! Queries as shoppers write them, from the text to the products found.

mod common;

use common::*;
use xunpin_core::{DocId, ExactKind};
use xunpin_lexical::{LexicalMatches, LexicalOptions};

#[test]
fn each_spelling_finds_its_product() {
    let reader = in_memory(&shop()).reader();
    for (query, best) in [
        ("A醇", 10),
        ("有没有温和的Ａ醇精華", 10),
        ("露弥芙面霜", 11),
        ("玻色因", 11),
        ("spf50+防晒", 12),
        ("SPF50", 12),
        ("防晒 50ml", 12),
        ("wh1000xm5", 13),
        ("WH 1000XM5", 13),
        ("WF-1000XM5", 14),
        ("skii神仙水", 15),
        ("SK-II", 15),
        ("维C面膜", 16),
        ("维生素c", 16),
        ("面膜5片", 16),
        ("t恤", 17),
        ("0.1%", 17),
        ("男装", 17),
    ] {
        assert_eq!(ranked(&reader, query).first(), Some(&best), "{query}");
    }
    assert_eq!(ranked(&reader, "1000xm5"), [13, 14]);
    assert_eq!(ranked(&reader, "敏感肌"), [10, 11, 16], "attributes before the description");
    assert!(ranked(&reader, "含酒精").is_empty(), "the name of what is not so");
    for query in ["", "，。!", "帐篷"] {
        let found = reader.search(query, &LexicalOptions::default()).unwrap();
        assert!(found.matches.is_empty(), "{query}");
        assert_eq!(found.idf_mass > 0.0, query == "帐篷");
    }
}

/// What the search says of a product.
fn coverage(found: &LexicalMatches, doc: u32) -> Option<f32> {
    found.matches.iter().find(|m| m.doc == DocId(doc)).map(|m| m.coverage)
}

#[test]
fn coverage_is_the_share_of_the_query() {
    let reader = in_memory(&shop()).reader();
    let found = reader.search("露弥芙 A醇 帐篷", &LexicalOptions::default()).unwrap();
    let (both, one) = (coverage(&found, 10).unwrap(), coverage(&found, 11).unwrap());
    let idf = |text: &str| found.terms.iter().find(|t| t.text == text).unwrap().idf;
    assert!((both - (idf("露弥芙") + idf("a醇")) / found.idf_mass).abs() < 1e-6);
    assert!((one - idf("露弥芙") / found.idf_mass).abs() < 1e-6);
    assert!((found.idf_mass - idf("露弥芙") - idf("a醇") - idf("帐篷")).abs() < 1e-5);
    assert_eq!(coverage(&found, 13), None);

    let whole = reader.search("温和精华", &LexicalOptions::default()).unwrap();
    assert_eq!(coverage(&whole, 10), Some(1.0));
    let model = reader.search("wx1000xm5", &LexicalOptions::default()).unwrap();
    assert!(coverage(&model, 13).unwrap() < 0.8, "the parts are not the model");
}

#[test]
fn a_field_without_weight_is_left_out() {
    let reader = in_memory(&shop()).reader();
    let mut options = LexicalOptions::default();
    options.weights.attributes = 0.0;
    options.b = 1.0;
    let found: Vec<u32> =
        reader.search("敏感肌", &options).unwrap().matches.iter().map(|m| m.doc.0).collect();
    assert_eq!(found, [16]);
    for odd in [f32::NAN, f32::INFINITY, -1.0] {
        options.b = odd;
        options.k1 = odd;
        options.weights.title = odd;
        let found = reader.search("敏感肌 面膜", &options).unwrap();
        assert!(found.matches.iter().all(|m| m.score.is_finite() && m.coverage <= 1.0));
    }
}

#[test]
fn exact_names() {
    use ExactKind::*;
    let mut products = shop();
    for n in 0..30 {
        products.push((DocId(100 + n), product(&format!("{n}"), "AX3000 路由器", "")));
    }
    products.push((DocId(200), product("52 13", "编号带空格", "")));
    let reader = in_memory(&products).reader();
    let exact =
        |query: &str| reader.exact(query).unwrap().iter().map(|m| (m.doc.0, m.kind)).collect::<Vec<_>>();
    assert_eq!(exact("a18164178225"), [(12, Id)]);
    assert_eq!(exact("请问A18164178225有货吗"), [(12, Id)]);
    assert_eq!(exact("s001 s002"), [(10, Id), (11, Id)]);
    assert_eq!(exact("索尼wh1000xm5降噪"), [(13, ModelNumber)]);
    assert_eq!(exact("WH 1000XM5"), [(13, ModelNumber)]);
    assert_eq!(exact("1000xm5"), [(13, ModelNumber), (14, ModelNumber)]);
    assert_eq!(exact("wh-1000xm4"), []);
    assert_eq!(exact("索尼"), [(13, Brand), (14, Brand)]);
    assert_eq!(exact("sony"), [(13, Brand), (14, Brand)]);
    assert_eq!(exact("ＳＫ Ⅱ"), [(15, Brand)]);
    assert_eq!(exact("索尼平替"), []);
    assert_eq!(exact("ax3000"), [], "thirty products are a series");
    assert_eq!(exact("7"), [(107, Id)]);
    assert_eq!(exact("7 天无理由"), []);
    assert_eq!(exact("52 13"), [(200, Id)]);
    assert_eq!(exact(""), []);
    assert!(reader.has_brand("想买索尼的耳机").unwrap() && reader.has_brand("sk ii 神仙水").unwrap());
    assert!(!reader.has_brand("降噪耳机").unwrap() && !reader.has_brand("").unwrap());
}
