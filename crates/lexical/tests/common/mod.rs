//! What the tests of this crate share.
#![allow(dead_code, clippy::unwrap_used, reason = "helpers of tests; each test uses a part of them")]

use xunpin_core::{AttributeValue, DocId, Product};
use xunpin_lexical::{Dictionary, LexicalIndex, LexicalOptions, LexicalReader};

/// A small shop.
pub(crate) fn shop() -> Vec<(DocId, Product)> {
    let mut products = vec![
        product("s001", "Lumivra/露弥芙 温和A醇精华 30ml", "Lumivra/露弥芙"),
        product("s002", "露弥芙 3%玻色因紧致面霜 50g", "Lumivra/露弥芙"),
        product("A18164178225", "CHANDO/自然堂 防晒霜 SPF50+ PA+++ 50毫升", "CHANDO/自然堂"),
        product("s004", "索尼WH-1000XM5 头戴式降噪耳机", "SONY/索尼"),
        product("s005", "索尼 WF-1000XM5 真无线耳机", "SONY/索尼"),
        product("s006", "SK-II 神仙水 230ml", "SK-II"),
        product("s007", "維生素C亮膚麵膜 5片裝", ""),
        product("s008", "纯棉T恤 男 0.1%氨纶", ""),
    ];
    products[0].attributes.insert("肤质".into(), vec![AttributeValue::Text("敏感肌".into())]);
    products[0].attributes.insert("含酒精".into(), vec![AttributeValue::Bool(false)]);
    products[1].attributes.insert("肤质".into(), vec![AttributeValue::Text("敏感肌".into())]);
    products[6].description = Some("睡前敷十五分钟,敏感肌先在耳后试用".into());
    products[6].tags = vec!["亮肤".into()];
    products[7].category = vec!["服饰".into(), "男装".into()];
    (10..).map(DocId).zip(products).collect()
}

pub(crate) fn product(id: &str, title: &str, brand: &str) -> Product {
    let mut product = Product::new(id, title);
    product.brand = (!brand.is_empty()).then(|| brand.to_owned());
    product
}

pub(crate) fn dictionary(products: &[(DocId, Product)]) -> Dictionary {
    Dictionary::of(products.iter().map(|(_, p)| p))
}

/// An index of `products` in memory, committed at generation 1.
pub(crate) fn in_memory(products: &[(DocId, Product)]) -> LexicalIndex {
    let index = LexicalIndex::in_memory(dictionary(products)).unwrap();
    let mut writer = index.writer().unwrap();
    writer.upsert_all(products).unwrap();
    writer.commit(1).unwrap();
    drop(writer);
    index
}

/// The products a query finds, best first, ties by number.
pub(crate) fn ranked(reader: &LexicalReader, query: &str) -> Vec<u32> {
    let mut found = reader.search(query, &LexicalOptions::default()).unwrap().matches;
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.doc.cmp(&b.doc)));
    found.iter().map(|m| m.doc.0).collect()
}
