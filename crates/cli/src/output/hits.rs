//! The answer to a search, for people.

use xunpin::{
    AttributeValue, ExactKind, Facet, Field, Hit, Literal, Mode, Product, RulePlace, SearchRequest,
    SearchResponse, Strategy,
};

use super::{count, line, table, thousands};

/// Columns of a title, an id and a value of a further field in the table.
const TITLE_COLUMNS: usize = 64;
const ID_COLUMNS: usize = 24;
const VALUE_COLUMNS: usize = 20;

/// Prints hits, facets, total and times. `empty`: the index holds nothing at all.
pub(crate) fn print(answer: &SearchResponse, request: &SearchRequest, empty: bool) -> anyhow::Result<()> {
    if !answer.unknown_words.is_empty() {
        line(format!("The word vectors do not know: {}", answer.unknown_words.join(", ")))?;
    }
    if answer.hits.is_empty() {
        line(nothing(answer, empty))?;
    } else {
        if answer.no_good_match {
            line("No good match: the products below are the nearest there are, not what was asked for")?;
        }
        print_hits(answer, request)?;
    }
    for facet in &answer.facets {
        line(facet_line(facet))?;
    }
    if !answer.hits.is_empty() {
        line(total(answer, request))?;
    }
    line(times(answer))
}

/// Why there is no hit.
fn nothing(answer: &SearchResponse, empty: bool) -> String {
    if empty {
        return "No product: the index is empty".to_owned();
    }
    if answer.total > 0 {
        return format!("No product from {} on: {} found", answer.offset + 1, thousands(answer.total as u64));
    }
    match (answer.mode, &answer.filter) {
        (Mode::Word2Vec, _) if !answer.unknown_words.is_empty() => {
            "No product: not one word of the query has a vector".to_owned()
        }
        (Mode::Lexical, None) => "No product holds enough of the query's words".to_owned(),
        (Mode::Lexical, Some(filter)) => {
            format!("No product that holds enough of the query's words matches the filter {filter}")
        }
        (_, Some(filter)) => format!("No product matches the filter {filter}"),
        (_, None) => "No product matches".to_owned(),
    }
}

fn print_hits(answer: &SearchResponse, request: &SearchRequest) -> anyhow::Result<()> {
    // What decided the order is shown, where the table has no column of it anyway.
    let mut fields: Vec<&Field> = Vec::new();
    let asked = request.sort().iter().map(|key| key.field());
    for field in asked.chain(request.group()).chain(request.popularity().map(|(field, _)| field)) {
        if !matches!(field, Field::Id | Field::Title | Field::Price) && !fields.contains(&field) {
            fields.push(field);
        }
    }
    let marked = answer.hits.iter().any(|hit| !marks(hit).is_empty());
    let names: Vec<String> = fields.iter().map(|field| field.to_string()).collect();
    let mut header = vec!["#", "score", "id", "price"];
    header.extend(names.iter().map(String::as_str));
    header.push("title");
    if marked {
        header.push("");
    }
    let rows = answer.hits.iter().enumerate().map(|(at, hit)| {
        let product = &hit.product;
        let mut row = vec![
            (answer.offset + at + 1).to_string(),
            format!("{:.3}", hit.score),
            table::cut(&hit.id, ID_COLUMNS),
            product.price.map_or_else(String::new, |p| format!("{p:.2}")),
        ];
        row.extend(fields.iter().map(|field| table::cut(&value(product, field), VALUE_COLUMNS)));
        row.push(table::cut(&product.title, TITLE_COLUMNS));
        if marked {
            row.push(marks(hit));
        }
        row
    });
    line(table::render(&header, &[0, 1, 3], rows.collect()))
}

/// Why a hit stands where it does, and what it stands for.
fn marks(hit: &Hit) -> String {
    let exact = hit.exact.map(|kind| match kind {
        ExactKind::Id => "exact id".to_owned(),
        ExactKind::ModelNumber => "exact model".to_owned(),
        ExactKind::Brand => "exact brand".to_owned(),
    });
    let rule = hit.rule.map(|place| match place {
        RulePlace::Pinned => "pinned".to_owned(),
        RulePlace::Buried => "buried".to_owned(),
    });
    let variants =
        (hit.variants > 0).then(|| format!("+{}", count(hit.variants as u64, "variant", "variants")));
    exact.into_iter().chain(rule).chain(variants).collect::<Vec<_>>().join(", ")
}

/// What a product has in a field.
fn value(product: &Product, field: &Field) -> String {
    let name = match field {
        Field::Brand => return product.brand.clone().unwrap_or_default(),
        Field::Category => return product.category.join("/"),
        Field::Currency => return product.currency.clone().unwrap_or_default(),
        Field::Tags => return product.tags.join(", "),
        Field::Stock => return product.stock.map_or_else(String::new, |stock| stock.to_string()),
        Field::UpdatedAt => return product.updated_at.clone().unwrap_or_default(),
        Field::Named(name) => name,
        _ => return String::new(),
    };
    if let Some(values) = product.attributes.get(name) {
        return values.iter().map(AttributeValue::to_string).collect::<Vec<_>>().join(", ");
    }
    match product.extra.get(name) {
        None | Some(serde_json::Value::Null) => String::new(),
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// `brand  甲 12, 乙 8, 5 more values in 20 products; 3 products without`.
fn facet_line(facet: &Facet) -> String {
    let mut values: Vec<String> = facet
        .values
        .iter()
        .map(|v| format!("{} ({})", literal(&v.value), thousands(v.count as u64)))
        .collect();
    if facet.other.values > 0 {
        values.push(format!(
            "{} in {}",
            count(facet.other.values as u64, "more value", "more values"),
            count(facet.other.products as u64, "product", "products")
        ));
    }
    if values.is_empty() {
        values.push("no value".to_owned());
    }
    let mut text = format!("{}: {}", facet.field, values.join(", "));
    if facet.missing > 0 {
        text.push_str(&format!("; {} without", count(facet.missing as u64, "product", "products")));
    }
    if let Some(numbers) = &facet.numbers {
        let ranges = numbers.ranges.iter().map(|range| {
            let bounds = match (range.from, range.to) {
                (None, Some(to)) => format!("below {to}"),
                (Some(from), None) => format!("{from} and more"),
                (Some(from), Some(to)) => format!("{from} to below {to}"),
                (None, None) => "all".to_owned(),
            };
            format!("{bounds} ({})", thousands(range.count as u64))
        });
        text.push_str(&format!("\n  {} to {}", numbers.min, numbers.max));
        let ranges = ranges.collect::<Vec<_>>().join(", ");
        if !ranges.is_empty() {
            text.push_str(&format!(": {ranges}"));
        }
    }
    text
}

fn literal(value: &Literal) -> String {
    match value {
        Literal::Text(text) => table::cut(text, TITLE_COLUMNS),
        Literal::Number(number) => number.to_string(),
        Literal::Bool(held) => held.to_string(),
    }
}

/// `1-10 of 312 products`.
fn total(answer: &SearchResponse, request: &SearchRequest) -> String {
    let total = match request.group() {
        Some(_) => count(answer.total as u64, "group of products", "groups of products"),
        None => count(answer.total as u64, "product", "products"),
    };
    let cut = if answer.cut { "; cut: more match weakly" } else { "" };
    format!("{}-{} of {total}{cut}", answer.offset + 1, answer.offset + answer.hits.len())
}

/// Where the time went, parts that took none left out. A program that ends after one search loads the model and opens the
/// full-text index for it, which is part of the times; `bench search` tells what is left without.
fn times(answer: &SearchResponse) -> String {
    let took = &answer.took_ms;
    let nearest = match answer.strategy {
        Some(Strategy::Exact) => "nearest by exact scan",
        Some(Strategy::Graph) => "nearest by graph",
        _ => "nearest",
    };
    let parts = [
        ("encoding", took.encode),
        ("filter", took.filter),
        ("words", took.lexical),
        (nearest, took.nearest),
        ("fusion", took.fusion),
    ];
    let told = parts.iter().filter(|(_, ms)| *ms > 0.0).map(|(name, ms)| format!("{name} {ms:.1}"));
    let told = told.collect::<Vec<_>>().join(", ");
    let parts = if told.is_empty() { String::new() } else { format!(" ({told})") };
    format!("{}, {:.1} ms with loading{parts}", answer.mode, took.total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facets_in_one_line_and_ranges_below() {
        let facet: Facet = serde_json::from_str(
            r#"{"field":"price","values":[{"value":99.0,"count":12}],"other":{"values":3,"products":1},"missing":2,
                "numbers":{"min":9.5,"max":400.0,"ranges":[{"to":50.0,"count":1},{"from":50.0,"count":14}]}}"#,
        )
        .unwrap();
        assert_eq!(
            facet_line(&facet),
            "price: 99 (12), 3 more values in 1 product; 2 products without\n  9.5 to 400: below 50 (1), 50 and more (14)"
        );
        let none = r#"{"field":"x","values":[],"other":{"values":0,"products":0},"missing":1}"#;
        assert_eq!(facet_line(&serde_json::from_str(none).unwrap()), "x: no value; 1 product without");
    }

    #[test]
    fn values_of_any_field() {
        let product: Product = serde_json::from_str(
            r#"{"id":"1","title":"t","category":["a","b"],"attributes":{"x":["1",2,true]},"n":7,"s":"text"}"#,
        )
        .unwrap();
        let named = |name: &str| value(&product, &Field::Named(name.into()));
        assert_eq!(value(&product, &Field::Category), "a/b");
        assert_eq!([named("x"), named("n"), named("s"), named("z")], ["1, 2, true", "7", "text", ""]);
    }
}
