//! What of a product is written into which field.

use tantivy::TantivyDocument;
use tantivy::schema::{FAST, Field, INDEXED, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use xunpin_analysis::{Analyzer, TermKind, document_codes, normalize};
use xunpin_core::{AttributeValue, DocId, Product};

/// The scored fields, in the order that arrays over fields have everywhere.
pub(crate) const TEXT_FIELDS: [&str; 7] =
    ["title", "brand", "category", "attribute_names", "attributes", "description", "tags"];

/// The schema's fields.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields {
    /// The store's DocId.
    pub(crate) doc: Field,
    /// The scored fields.
    pub(crate) text: [Field; 7],
    /// Ids and model numbers, each with its prefix.
    pub(crate) code: Field,
    /// Names of the brand, as [`brand_key`]s.
    pub(crate) brand_exact: Field,
}

/// Name of the field that holds the DocId.
pub(crate) const DOC: &str = "doc";

/// The schema, always the same.
pub(crate) fn schema() -> (Schema, Fields) {
    // Terms hold no white space, so a text of terms between spaces is cut into just these.
    let words = indexing("whitespace", IndexRecordOption::WithFreqs, true);
    let names = indexing("raw", IndexRecordOption::Basic, false);
    let mut builder = Schema::builder();
    let doc = builder.add_u64_field(DOC, INDEXED | FAST);
    let text = TEXT_FIELDS.map(|name| builder.add_text_field(name, words.clone()));
    let code = builder.add_text_field("code", names.clone());
    let brand_exact = builder.add_text_field("brand_exact", names);
    (builder.build(), Fields { doc, text, code, brand_exact })
}

fn indexing(tokenizer: &str, option: IndexRecordOption, lengths: bool) -> TextOptions {
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(tokenizer)
        .set_index_option(option)
        .set_fieldnorms(lengths);
    TextOptions::default().set_indexing_options(indexing)
}

/// The document of a product.
pub(crate) fn document(
    analyzer: &Analyzer,
    fields: &Fields,
    doc: DocId,
    product: &Product,
) -> TantivyDocument {
    let mut out = TantivyDocument::default();
    out.add_u64(fields.doc, u64::from(doc.0));
    for (field, text) in fields.text.into_iter().zip(texts(analyzer, product)) {
        let mut terms = String::with_capacity(2 * text.len());
        for term in analyzer.terms(&text) {
            terms.push_str(&term.text);
            terms.push(' ');
        }
        if !terms.is_empty() {
            out.add_text(field, terms);
        }
    }
    out.add_text(fields.code, id_key(&product.id));
    let mut codes = document_codes(&product.title);
    for value in text_values(product) {
        codes.extend(document_codes(value));
    }
    codes.sort();
    codes.dedup();
    for code in codes {
        out.add_text(fields.code, model_key(&code));
    }
    let mut brands: Vec<String> =
        product.brand.iter().flat_map(|b| brand_names(b)).map(|b| brand_key(&b)).collect();
    brands.sort();
    brands.dedup();
    for brand in brands.into_iter().filter(|b| !b.is_empty()) {
        out.add_text(fields.brand_exact, brand);
    }
    out
}

/// The product's texts by field, in the order of [`TEXT_FIELDS`]. Line breaks keep values apart.
fn texts(analyzer: &Analyzer, product: &Product) -> [String; 7] {
    let (mut names, mut values) = (Vec::new(), Vec::new());
    for (name, held) in &product.attributes {
        // `含酒精: false` says that there is no alcohol; its name must not be found.
        if held.iter().any(|v| !matches!(v, AttributeValue::Bool(false))) {
            names.push(name.clone());
        }
        for value in held {
            match value {
                AttributeValue::Text(text) => values.push(text.clone()),
                AttributeValue::Number(_) => values.push(with_unit(analyzer, name, &value.to_string())),
                AttributeValue::Bool(true) => values.push(name.clone()),
                AttributeValue::Bool(false) => {}
            }
        }
    }
    [
        product.title.clone(),
        product.brand.clone().unwrap_or_default(),
        product.category.join("\n"),
        names.join("\n"),
        values.join("\n"),
        product.description.clone().unwrap_or_default(),
        product.tags.join("\n"),
    ]
}

/// `30` of the attribute `净含量ml` is `30ml`: that is what queries hold.
fn with_unit(analyzer: &Analyzer, name: &str, number: &str) -> String {
    let name = normalize(name);
    let name = name.trim_end_matches(|c: char| !c.is_alphanumeric());
    let unit = &name[name.trim_end_matches(|c: char| c.is_ascii_alphabetic()).len()..];
    let size = format!("{number}{unit}");
    let is_size = matches!(&analyzer.terms(&size)[..], [whole, ..] if whole.kind == TermKind::Number);
    if is_size { size } else { number.to_owned() }
}

fn text_values(product: &Product) -> impl Iterator<Item = &str> {
    product.attributes.values().flatten().filter_map(|value| match value {
        AttributeValue::Text(text) => Some(text.as_str()),
        _ => None,
    })
}

/// The names a shop writes a brand by: the whole, and what slashes, bars and brackets set apart (`CHANDO/自然堂`,
/// `Winona（薇诺娜）`).
pub(crate) fn brand_names(brand: &str) -> Vec<String> {
    let mut names = vec![brand.to_owned()];
    let parts = brand.split(['/', '／', '|', '｜', '(', ')', '（', '）', '、']);
    names.extend(parts.map(str::trim).filter(|p| !p.is_empty() && *p != brand).map(str::to_owned));
    names
}

/// The form brands are compared in: letters, digits and Hanzi alone, so that `SK-II` and `sk ii` are one.
pub(crate) fn brand_key(name: &str) -> String {
    normalize(name).chars().filter(|c| c.is_alphanumeric()).collect()
}

/// The term of an id in the field `code`.
pub(crate) fn id_key(id: &str) -> String {
    format!("id:{}", normalize(id))
}

/// The term of a model number in the field `code`.
pub(crate) fn model_key(code: &str) -> String {
    format!("model:{code}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_brands() {
        assert_eq!(brand_names("CHANDO/自然堂"), ["CHANDO/自然堂", "CHANDO", "自然堂"]);
        assert_eq!(brand_names("薇诺娜"), ["薇诺娜"]);
        assert_eq!(brand_names("Winona（薇诺娜）")[1..], ["Winona", "薇诺娜"]);
        assert_eq!(brand_key("ＳＫ－ＩＩ"), brand_key("sk ii"));
    }

    #[test]
    fn attribute_values_say_what_the_product_has() {
        let mut product = Product::new("p", "t");
        let mut add = |name: &str, value| product.attributes.insert(name.into(), vec![value]);
        add("净含量ml", AttributeValue::Number(30.0));
        add("容量(L)", AttributeValue::Number(1.5));
        add("SPF", AttributeValue::Number(50.0));
        add("含酒精", AttributeValue::Bool(false));
        add("防水", AttributeValue::Bool(true));
        let texts = texts(&Analyzer::default(), &product);
        assert_eq!(texts[3].lines().collect::<Vec<_>>(), ["SPF", "净含量ml", "容量(L)", "防水"]);
        assert_eq!(texts[4].lines().collect::<Vec<_>>(), ["50", "30ml", "1.5l", "防水"]);
    }
}
