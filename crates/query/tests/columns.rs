//! Columns against the products themselves: filters, facets, sort orders and commits, on random products.

#![allow(clippy::unwrap_used)] // Only functions marked as tests are exempt by default.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::convert::Infallible;

use proptest::prelude::*;
use serde_json::{Map, Value};
use xunpin_core::{AttributeValue, CompareOp, DocId, DocSet, Field, Filter, Literal, Product};
use xunpin_query::{
    Columns, Facet, FacetRequest, SortKey, collapse, facet, filter_docs, format_filter, parse_filter,
    sort_by_column,
};

type Catalogue = BTreeMap<DocId, Product>;

fn text() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "a",
        "A",
        " a ",
        "b",
        "a/b",
        "30",
        "30.0",
        "-0",
        "007",
        "1e3",
        "true",
        "True",
        "FALSE",
        "inf",
        "",
        "İ",
        "干皮",
        "干皮 油皮",
        "30ml",
        "2016/11/12",
    ])
    .prop_map(str::to_owned)
}

fn number() -> impl Strategy<Value = f64> {
    prop::sample::select(vec![-1.5, -0.0, 0.0, 7.0, 30.0, 1_000.0, 1e300])
}

fn attribute_value() -> impl Strategy<Value = AttributeValue> {
    prop_oneof![
        text().prop_map(AttributeValue::Text),
        number().prop_map(AttributeValue::Number),
        any::<bool>().prop_map(AttributeValue::Bool),
    ]
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        text().prop_map(Value::from),
        number().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        Just(serde_json::json!({"a": 1})),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| prop::collection::vec(inner, 0..3).prop_map(Value::from))
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["x", "肤质", "price", "适用 人群"]).prop_map(str::to_owned)
}

fn product() -> impl Strategy<Value = Product> {
    let maybe = || prop::option::of(text());
    (
        (text(), text(), maybe(), maybe(), maybe(), maybe()),
        prop::collection::vec(text(), 0..4),
        prop::collection::vec(text(), 0..3),
        (prop::option::of(number()), prop::option::of(-2..4i64)),
        prop::collection::btree_map(name(), prop::collection::vec(attribute_value(), 0..3), 0..3),
        prop::collection::vec((prop_oneof![name(), Just("extra".to_owned())], json_value()), 0..3),
    )
        .prop_map(|(texts, category, tags, (price, stock), attributes, extra)| {
            let (id, title, brand, currency, description, updated_at) = texts;
            // A field of this name would be the standard one.
            let extra: Map<String, Value> = extra.into_iter().filter(|(name, _)| name != "price").collect();
            Product {
                brand,
                category,
                price,
                currency,
                attributes,
                description,
                tags,
                stock,
                updated_at,
                extra,
                ..Product::new(id, title)
            }
        })
}

/// Products spread over several chunks of a column.
fn catalogue() -> impl Strategy<Value = Catalogue> {
    let doc = prop_oneof![0..8u32, 4_090..4_100u32, 12_300..12_304u32].prop_map(DocId);
    prop::collection::btree_map(doc, product(), 0..16)
}

fn fields() -> Vec<Field> {
    let mut fields = vec![
        Field::Id,
        Field::Title,
        Field::Brand,
        Field::Category,
        Field::Price,
        Field::Currency,
        Field::Tags,
        Field::Stock,
        Field::Description,
        Field::UpdatedAt,
    ];
    fields.extend(["x", "肤质", "price", "适用 人群", "extra", "none"].map(|name| Field::Named(name.into())));
    fields
}

fn filter() -> impl Strategy<Value = Filter> {
    use CompareOp::*;
    let field = || prop::sample::select(fields());
    let op = prop::sample::select(vec![Equal, Less, LessOrEqual, Greater, GreaterOrEqual, Contains]);
    let literal = prop_oneof![
        text().prop_map(Literal::Text),
        number().prop_map(Literal::Number),
        any::<bool>().prop_map(Literal::Bool),
    ];
    let compare = (field(), op, literal).prop_map(|(field, op, value)| Filter::Compare { field, op, value });
    let leaf = prop_oneof![4 => compare, 1 => field().prop_map(Filter::Exists)];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Filter::And),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Filter::Or),
            inner.prop_map(|part| Filter::Not(Box::new(part))),
        ]
    })
}

fn build(fields: &[Field], catalogue: &Catalogue) -> Columns {
    Columns::build(fields, |visit| {
        catalogue.iter().for_each(|(doc, product)| visit(*doc, product));
        Ok::<_, Infallible>(())
    })
    .unwrap()
}

fn docs(catalogue: &Catalogue) -> DocSet {
    catalogue.keys().copied().collect()
}

fn by_reading(filter: &Filter, catalogue: &Catalogue, universe: &DocSet) -> DocSet {
    let held = catalogue.iter().filter(|(doc, product)| universe.contains(**doc) && filter.matches(product));
    held.map(|(doc, _)| *doc).collect()
}

fn by_columns(filter: &Filter, columns: &Columns, catalogue: &Catalogue, universe: &DocSet) -> DocSet {
    filter_docs(filter, columns, universe, |wanted, visit| {
        wanted
            .iter()
            .filter_map(|doc| catalogue.get_key_value(&doc))
            .for_each(|(doc, product)| visit(*doc, product));
        Ok::<_, Infallible>(())
    })
    .unwrap()
}

fn facets(columns: &Columns, docs: &DocSet) -> Vec<Facet> {
    let countable = fields().into_iter().filter_map(|field| FacetRequest::new(field).ok());
    countable
        .map(|request| {
            let request = request.with_limit(3).unwrap();
            facet(&request, columns.column(request.field()).unwrap(), docs)
        })
        .collect()
}

/// The answers that depend on columns alone, to compare two states.
#[derive(Debug, PartialEq)]
struct Answers {
    facets: Vec<Facet>,
    orders: Vec<Vec<DocId>>,
    groups: Vec<Vec<(DocId, usize)>>,
}

fn answers(columns: &Columns, docs: &DocSet) -> Answers {
    let ranked: Vec<DocId> = docs.iter().collect();
    let sortable = fields().into_iter().filter_map(|field| SortKey::new(field, true).ok());
    let orders = sortable.map(|key| {
        let mut docs = ranked.clone();
        sort_by_column(&mut docs, &key, columns.column(key.field()).unwrap(), |doc| *doc);
        docs
    });
    let groups = fields().into_iter().filter_map(|field| {
        let kept = collapse(ranked.clone(), columns.column(&field)?, |doc| *doc);
        Some(kept.into_iter().map(|c| (c.item, c.variants)).collect())
    });
    Answers { facets: facets(columns, docs), orders: orders.collect(), groups: groups.collect() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_filter_lets_through_what_it_lets_through_of_each_product(
        catalogue in catalogue(),
        filters in prop::collection::vec(filter(), 1..8),
        keep in prop::collection::vec(any::<bool>(), 16),
    ) {
        let universe: DocSet =
            docs(&catalogue).iter().zip(&keep).filter(|(_, keep)| **keep).map(|(doc, _)| doc).collect();
        let all = build(&fields(), &catalogue);
        let some = build(&[Field::Brand, Field::Price, Field::Named("x".into())], &catalogue);
        for filter in filters {
            let expected = by_reading(&filter, &catalogue, &universe);
            prop_assert_eq!(&by_columns(&filter, &all, &catalogue, &universe), &expected, "{:?}", filter);
            prop_assert_eq!(&by_columns(&filter, &some, &catalogue, &universe), &expected, "{:?}", filter);
            prop_assert_eq!(&by_columns(&filter, &Columns::default(), &catalogue, &universe), &expected);
        }
    }

    #[test]
    fn a_commit_gives_what_a_scan_of_the_new_state_gives(
        before in catalogue(),
        changes in prop::collection::vec((catalogue(), prop::collection::vec(0..12_304u32, 0..4)), 1..4),
        filter in filter(),
    ) {
        let mut columns = build(&fields(), &before);
        let untouched = answers(&columns, &docs(&before));
        let first = columns.clone();
        let mut now = before.clone();
        for (upserts, deleted) in &changes {
            let mut changed: Vec<(DocId, Option<&Product>)> = deleted.iter().map(|doc| (DocId(*doc), None)).collect();
            changed.extend(upserts.iter().map(|(doc, product)| (*doc, Some(product))));
            columns = columns.with_changes(&changed);
            now.retain(|doc, _| !deleted.contains(&doc.0));
            now.extend(upserts.iter().map(|(doc, product)| (*doc, product.clone())));
        }
        let universe = docs(&now);
        prop_assert_eq!(answers(&columns, &universe), answers(&build(&fields(), &now), &universe));
        prop_assert_eq!(by_columns(&filter, &columns, &now, &universe), by_reading(&filter, &now, &universe));
        prop_assert_eq!(answers(&first, &docs(&before)), untouched);
    }

    #[test]
    fn each_count_is_that_of_the_filter(catalogue in catalogue(), matches in filter()) {
        let columns = build(&fields(), &catalogue);
        let found = by_reading(&matches, &catalogue, &docs(&catalogue));
        let count = |filter: &Filter| {
            let filter = parse_filter(&format_filter(filter)).unwrap();
            by_reading(&filter, &catalogue, &found).len()
        };
        for field in fields() {
            let Ok(request) = FacetRequest::new(field.clone()) else { continue };
            let facet = facet(&request.with_limit(1_000).unwrap(), columns.column(&field).unwrap(), &found);
            for value in &facet.values {
                prop_assert_eq!(value.count, count(&value.filter(&field)), "{} {:?}", field, value);
                prop_assert!(value.count > 0);
            }
            prop_assert!(facet.values.is_sorted_by(|a, b| a.count >= b.count));
            prop_assert_eq!(facet.missing, count(&Filter::Not(Box::new(Filter::Exists(field.clone())))));
            prop_assert_eq!(facet.other.products, 0);
            for range in facet.numbers.iter().flat_map(|numbers| &numbers.ranges) {
                prop_assert_eq!(range.count, count(&range.filter(&field)), "{} {:?}", field, range);
            }
        }
    }

    #[test]
    fn every_value_is_listed_or_in_the_rest(catalogue in catalogue()) {
        let columns = build(&fields(), &catalogue);
        let universe = docs(&catalogue);
        for field in fields() {
            let Ok(request) = FacetRequest::new(field.clone()) else { continue };
            let column = columns.column(&field).unwrap();
            let all = facet(&request.clone().with_limit(1_000).unwrap(), column, &universe);
            let one = facet(&request.with_limit(1).unwrap(), column, &universe);
            prop_assert_eq!(&one.values[..], &all.values[..all.values.len().min(1)]);
            prop_assert_eq!(one.other.values, all.values.len().saturating_sub(1));
            let rest: Vec<Filter> = all.values.iter().skip(1).map(|value| value.filter(&field)).collect();
            prop_assert_eq!(one.other.products, by_reading(&Filter::Or(rest), &catalogue, &universe).len());
        }
    }

    #[test]
    fn sorting_keeps_everything_and_ties_in_place(catalogue in catalogue(), descending in any::<bool>()) {
        let columns = build(&fields(), &catalogue);
        let ranked: Vec<(usize, DocId)> = docs(&catalogue).iter().enumerate().collect();
        for field in fields() {
            let Ok(key) = SortKey::new(field.clone(), descending) else { continue };
            let column = columns.column(&field).unwrap();
            let mut sorted = ranked.clone();
            sort_by_column(&mut sorted, &key, column, |(_, doc)| *doc);
            let mut again = sorted.clone();
            sort_by_column(&mut again, &key, column, |(_, doc)| *doc);
            prop_assert_eq!(&again, &sorted);
            let missing = sorted.iter().position(|(_, doc)| column.values(*doc).next().is_none());
            let (held, missing) = sorted.split_at(missing.unwrap_or(sorted.len()));
            prop_assert!(missing.is_sorted() && missing.iter().all(|(_, doc)| column.values(*doc).next().is_none()));
            if field == Field::Price {
                let prices: Vec<f64> = held.iter().map(|(_, doc)| catalogue[doc].price.unwrap()).collect();
                let in_order = prices.is_sorted_by(|a, b| if descending { a >= b } else { a <= b });
                prop_assert!(in_order);
            }
            sorted.sort_unstable();
            prop_assert_eq!(&sorted, &ranked);
        }
    }
}

#[test]
fn only_products_in_question_are_read() {
    let catalogue: Catalogue = (0..100)
        .map(|n| {
            let title = if n % 3 == 0 { "防晒霜" } else { "面霜" };
            let mut product = Product::new(format!("p{n}"), title);
            product.price = Some(f64::from(n));
            (DocId(n), product)
        })
        .collect();
    let columns = build(&[Field::Price], &catalogue);
    let universe = docs(&catalogue);
    for (filter, read, found) in [
        ("price < 10 and title contains 防晒", 10, 4),
        ("title contains 防晒 and price < 10", 10, 4),
        ("price < 10 or title contains 防晒", 90, 40),
        ("title contains 防晒 or price < 10", 90, 40),
        ("not (price >= 10 or title contains 防晒)", 10, 6),
        ("price < 10 and title exists", 0, 10),
        ("price > 1000 and description contains a", 0, 0),
    ] {
        let filter = parse_filter(filter).unwrap();
        let seen = Cell::new(0);
        let passed = filter_docs(&filter, &columns, &universe, |wanted, visit| {
            seen.set(wanted.len());
            wanted.iter().for_each(|doc| visit(doc, &catalogue[&doc]));
            Ok::<_, Infallible>(())
        });
        assert_eq!((seen.get(), passed.unwrap().len()), (read, found), "{}", format_filter(&filter));
    }
}

#[test]
fn facets_of_a_shop() {
    let lines = [
        r#"{"id":"1","title":"t","brand":"Lumivra","category":["护肤","精华","面部精华"],"price":239,"肤质":"干皮","x":"007"}"#,
        r#"{"id":"2","title":"t","brand":"LUMIVRA","category":["护肤","面霜"],"price":99,"x":"True"}"#,
        r#"{"id":"3","title":"t","brand":"雅漾 ","category":["男士","护肤"],"price":150,"肤质":["干皮","油皮"]}"#,
        r#"{"id":"4","title":"t","brand":"Lumivra","category":["护肤","精华"],"x":"7"}"#,
    ];
    let catalogue: Catalogue =
        (0..).map(DocId).zip(lines.map(|line| serde_json::from_str(line).unwrap())).collect();
    let columns = build(&fields(), &catalogue);
    let values = |request: &str, docs: &[u32]| {
        let request = FacetRequest::parse(request).unwrap();
        let docs = docs.iter().copied().map(DocId).collect();
        facet(&request, columns.column(request.field()).unwrap(), &docs)
    };
    let json = serde_json::to_value(values("brand:1", &[0, 1, 2, 3])).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "field": "brand",
            "values": [{"value": "Lumivra", "count": 3}],
            "other": {"values": 1, "products": 1},
            "missing": 0
        })
    );
    let listed = |facet: Facet| -> Vec<(String, usize)> {
        let text = |value| match value {
            Literal::Text(text) => text,
            other => panic!("{other:?}"),
        };
        facet.values.into_iter().map(|v| (text(v.value), v.count)).collect()
    };
    let pairs =
        |pairs: &[(&str, usize)]| pairs.iter().map(|(v, n)| ((*v).to_owned(), *n)).collect::<Vec<_>>();
    // 男士/护肤 has 护肤 as a step, and a filter on 护肤 finds it.
    assert_eq!(
        listed(values("类目", &[0, 1, 2, 3])),
        pairs(&[
            ("护肤", 4),
            ("护肤/精华", 2),
            ("护肤/精华/面部精华", 1),
            ("护肤/面霜", 1),
            ("男士", 1),
            ("男士/护肤", 1)
        ])
    );
    assert_eq!(listed(values("类目", &[2])), pairs(&[("男士", 1), ("男士/护肤", 1)]));
    assert_eq!(listed(values("brand", &[1, 2])), pairs(&[("LUMIVRA", 1), ("雅漾", 1)]));
    let skin = values("肤质", &[0, 1, 2, 3]);
    assert_eq!((skin.missing, listed(skin)), (2, pairs(&[("干皮", 2), ("油皮", 1)])));
    let written = values("x", &[0, 1, 2, 3]);
    assert_eq!(listed(written), pairs(&[("007", 1), ("7", 1), ("True", 1)]));
    let numbers = values("price", &[0, 1, 2, 3]).numbers.unwrap();
    assert_eq!((numbers.min, numbers.max), (99.0, 239.0));
    assert_eq!(numbers.ranges.iter().map(|range| range.count).sum::<usize>(), 3);
    assert_eq!(values("price", &[3]).numbers, None);
}
