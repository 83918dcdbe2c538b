//! Scores against a plain re-implementation of BM25F that reads every product for every term, and the same scores
//! whatever the way the index came to hold the products.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::*;
use proptest::prelude::*;
use tantivy::fieldnorm::FieldNormReader;
use xunpin_analysis::{Analyzer, TermKind};
use xunpin_core::{AttributeValue, DocId, Product};
use xunpin_lexical::{LexicalIndex, LexicalMatches, LexicalOptions};

/// The texts of a product by field, as the crate's documentation says.
fn texts(product: &Product) -> [String; 7] {
    let value = |v: &AttributeValue| v.to_string();
    [
        product.title.clone(),
        product.brand.clone().unwrap_or_default(),
        product.category.join("\n"),
        product.attributes.keys().cloned().collect::<Vec<_>>().join("\n"),
        product.attributes.values().flatten().map(value).collect::<Vec<_>>().join("\n"),
        product.description.clone().unwrap_or_default(),
        product.tags.join("\n"),
    ]
}

fn expected(
    analyzer: &Analyzer,
    products: &BTreeMap<DocId, Product>,
    query: &str,
    options: &LexicalOptions,
) -> BTreeMap<DocId, (f64, f64)> {
    let w = options.weights;
    let weights =
        [w.title, w.brand, w.category, w.attribute_names, w.attributes, w.description, w.tags].map(f64::from);
    let (k1, b) = (f64::from(options.k1), f64::from(options.b));
    let fields: BTreeMap<DocId, [Vec<String>; 7]> = products
        .iter()
        .map(|(doc, p)| {
            (*doc, texts(p).map(|text| analyzer.terms(&text).into_iter().map(|t| t.text).collect()))
        })
        .collect();
    // tantivy keeps lengths in a byte.
    let length = |terms: &[String]| {
        f64::from(FieldNormReader::id_to_fieldnorm(FieldNormReader::fieldnorm_to_id(terms.len() as u32)))
    };
    let means: [f64; 7] = std::array::from_fn(|f| {
        let lengths: Vec<f64> = fields.values().map(|v| length(&v[f])).filter(|l| *l > 0.0).collect();
        lengths.iter().sum::<f64>() / lengths.len().max(1) as f64
    });
    let frequency = |doc: &DocId, term: &str| -> f64 {
        (0..7)
            .filter(|f| weights[*f] > 0.0)
            .map(|f| {
                let terms = &fields[doc][f];
                let count = terms.iter().filter(|t| *t == term).count() as f64;
                weights[f] * count / (1.0 - b + b * length(terms) / means[f])
            })
            .filter(|x| *x > 0.0)
            .sum()
    };
    let n = products.len() as f64;
    let holders = |term: &str| products.keys().filter(|d| frequency(d, term) > 0.0).count() as f64;
    let idf = |term: &str| (1.0 + (n - holders(term) + 0.5) / (holders(term) + 0.5)).ln();

    let terms = analyzer.query_terms(query);
    let wholes: BTreeSet<&str> = terms
        .iter()
        .filter(|t| !matches!(t.kind, TermKind::SubWord | TermKind::Part))
        .map(|t| t.text.as_str())
        .collect();
    let mut seen = BTreeSet::new();
    let mut out: BTreeMap<DocId, (f64, f64)> = BTreeMap::new();
    let mut mass_sum = 0.0;
    for place in terms.chunk_by(|a, b| a.position == b.position) {
        // A term belongs to the place where it is the whole, else to the first one.
        let own: Vec<_> = place
            .iter()
            .enumerate()
            .filter(|(at, t)| (*at == 0 || !wholes.contains(t.text.as_str())) && seen.insert(t.text.clone()))
            .map(|(_, t)| t)
            .collect();
        if own.first().map(|t| &t.text) != Some(&place[0].text) {
            assert!(own.is_empty(), "the same word has the same parts");
            continue;
        }
        let known: Vec<_> = own
            .iter()
            .filter(|t| holders(&t.text) > 0.0 || matches!(t.kind, TermKind::Code | TermKind::Number))
            .collect();
        let known_idf: f64 = known.iter().map(|t| idf(&t.text)).sum();
        let mass = own
            .iter()
            .filter(|t| holders(&t.text) > 0.0)
            .map(|t| idf(&t.text))
            .fold(None, |best: Option<f64>, x| Some(best.map_or(x, |b| b.max(x))))
            .unwrap_or_else(|| idf(&own[0].text));
        mass_sum += mass;
        for doc in products.keys() {
            let mut held = 0.0;
            for (at, term) in own.iter().enumerate() {
                let f = frequency(doc, &term.text);
                if f > 0.0 {
                    let count = terms.iter().filter(|t| t.text == term.text).count().min(3) as f64;
                    let part = matches!(term.kind, TermKind::SubWord | TermKind::Part);
                    let part = if part { f64::from(options.part) } else { 1.0 };
                    out.entry(*doc).or_default().0 += part * count * idf(&term.text) * f / (k1 + f);
                    held += if at == 0 { f64::INFINITY } else { idf(&term.text) };
                }
            }
            if held > 0.0 {
                out.entry(*doc).or_default().1 += mass * (held / known_idf).min(1.0);
            }
        }
    }
    for (_, coverage) in out.values_mut() {
        *coverage /= mass_sum;
    }
    out
}

fn search(index: &LexicalIndex, query: &str, options: &LexicalOptions) -> LexicalMatches {
    index.reader().search(query, options).unwrap()
}

fn close(a: f32, b: f64) -> bool {
    (f64::from(a) - b).abs() <= 1e-4 * (1.0 + b.abs())
}

fn any_text(most: usize) -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "精华",
        "面霜",
        "精华液",
        "洗面奶",
        "敏感肌",
        "a醇",
        "露弥芙",
        "保湿霜",
        "保湿",
        "50ml",
        "wh-1000xm5",
        "1000xm5",
        "spf50+",
        "sony",
        "玻色因",
        "的",
        "，",
        "5片",
    ]);
    prop::collection::vec(word, 0..most).prop_map(|words| words.join(" "))
}

fn any_product() -> impl Strategy<Value = Product> {
    (any_text(8), prop::option::of(any_text(2)), any_text(2), any_text(3), prop::option::of(any_text(80)))
        .prop_map(|(title, brand, value, tag, description)| {
            let mut product = Product::new("id", title);
            product.brand = brand;
            if !value.is_empty() {
                product.attributes.insert("功效".into(), vec![AttributeValue::Text(value.clone())]);
                product.category = vec!["护肤".into(), value];
            }
            product.tags = vec![tag];
            product.description = description;
            product
        })
}

#[derive(Clone, Debug)]
enum Step {
    Upsert(u32, Box<Product>),
    Delete(u32),
    Commit,
}

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..14u32, any_product()).prop_map(|(doc, p)| Step::Upsert(doc, Box::new(p))),
        2 => (0..14u32).prop_map(Step::Delete),
        2 => Just(Step::Commit),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn scores_are_bm25f_however_the_index_was_made(
        steps in any_steps(),
        query in any_text(7),
        k1 in 0.0f32..2.0,
        b in 0.0f32..=1.0,
        part in prop::sample::select(vec![1.0f32, 0.5]),
    ) {
        let options = LexicalOptions { k1, b, part, ..LexicalOptions::default() };
        let words = dictionary(&shop());
        let index = LexicalIndex::in_memory(words.clone()).unwrap();
        let mut products: BTreeMap<DocId, Product> = BTreeMap::new();
        let mut writer = index.writer().unwrap();
        for step in &steps {
            match step {
                Step::Upsert(doc, product) => {
                    writer.upsert(DocId(*doc), product).unwrap();
                    products.insert(DocId(*doc), (**product).clone());
                }
                Step::Delete(doc) => {
                    writer.delete(DocId(*doc)).unwrap();
                    products.remove(&DocId(*doc));
                }
                Step::Commit => writer.commit(1).unwrap(),
            }
        }
        writer.commit(2).unwrap();
        prop_assert_eq!(index.verify(products.keys().copied()).unwrap(), []);
        prop_assert_eq!((index.products(), index.generation()), (products.len(), 2));

        let found = search(&index, &query, &options);
        let wanted = expected(index.analyzer(), &products, &query, &options);
        prop_assert_eq!(
            found.matches.iter().map(|m| m.doc).collect::<Vec<_>>(),
            wanted.keys().copied().collect::<Vec<_>>()
        );
        for (got, (doc, (score, coverage))) in found.matches.iter().zip(&wanted) {
            prop_assert!(close(got.score, *score) && close(got.coverage, *coverage), "{doc}: {got:?} {score} {coverage}");
        }

        let again = LexicalIndex::in_memory(words).unwrap();
        let mut writer = again.writer().unwrap();
        for (doc, product) in products.iter().rev() {
            writer.upsert(*doc, product).unwrap();
        }
        writer.commit(9).unwrap();
        prop_assert_eq!(search(&again, &query, &options), found, "one segment, another order");
    }
}
