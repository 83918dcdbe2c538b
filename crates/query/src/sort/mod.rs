//! The order of results by a field.

mod time;

use std::cmp::Ordering;

use xunpin_core::{DocId, Field, FieldValue};

use crate::columns::{Column, Entry, FieldCatalogue, FieldError, read_field};
use time::{milliseconds, milliseconds_of_number};

/// A field to sort by, and in which direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortKey {
    field: Field,
    descending: bool,
}

impl SortKey {
    /// By `field`, the smallest first, or the largest if `descending`. Fails for a title, an id and a description,
    /// which have no useful order.
    pub fn new(field: Field, descending: bool) -> Result<Self, FieldError> {
        match field {
            Field::Id | Field::Title | Field::Description => Err(FieldError::NotSortable { field }),
            field => Ok(Self { field, descending }),
        }
    }

    /// Reads `price`, `price:asc`, `price:desc` or `-price`: a field as the filter grammar names it, and a direction.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        let text = text.trim();
        let (name, descending) = match text.rsplit_once(':').map(|(name, way)| (name, way.trim())) {
            Some((name, way)) if way.eq_ignore_ascii_case("desc") => (name.trim(), true),
            Some((name, way)) if way.eq_ignore_ascii_case("asc") => (name.trim(), false),
            _ => text.strip_prefix('-').map_or((text, false), |name| (name.trim(), true)),
        };
        if name.is_empty() {
            return Err(FieldError::NoName);
        }
        Self::new(read_field(name), descending)
    }

    /// The field.
    pub fn field(&self) -> &Field {
        &self.field
    }

    /// Whether the largest come first.
    pub fn is_descending(&self) -> bool {
        self.descending
    }

    /// Fails if no product has the field.
    pub fn check(&self, catalogue: &FieldCatalogue) -> Result<(), FieldError> {
        catalogue.check(&self.field)
    }

    /// The product's value that decides: of several the smallest, or the largest if descending.
    fn value<'a>(&self, column: &'a Column, doc: DocId) -> Option<SortValue<'a>> {
        let values = column.entries(doc).filter_map(|entry| SortValue::new(&self.field, entry));
        if self.descending { values.max_by(SortValue::cmp) } else { values.min_by(SortValue::cmp) }
    }
}

/// A value in the order of a field. Kinds come in the order given here, from smallest to largest.
#[derive(Clone, Copy, Debug, PartialEq)]
enum SortValue<'a> {
    Bool(bool),
    Number(f64),
    /// Milliseconds since 1970.
    Time(i64),
    /// A folded text.
    Text(&'a str),
}

impl<'a> SortValue<'a> {
    /// `None` for NaN, which has no place in an order.
    fn new(field: &Field, entry: &'a Entry) -> Option<Self> {
        let value = entry.folded();
        let text = match value {
            FieldValue::Bool(value) => return Some(Self::Bool(value)),
            FieldValue::Number(number) if number.is_nan() => return None,
            FieldValue::Number(number) => return Some(Self::Number(number)),
            FieldValue::Text(text) => text,
        };
        Some(match field {
            Field::UpdatedAt => {
                let time = milliseconds(text).or_else(|| milliseconds_of_number(value.number()?));
                time.map_or(Self::Text(text), Self::Time)
            }
            Field::Named(_) => match (value.number(), milliseconds(text)) {
                // Adding zero makes minus zero zero.
                (Some(number), _) => Self::Number(number + 0.0),
                (None, Some(time)) => Self::Time(time),
                (None, None) => Self::Text(text),
            },
            _ => Self::Text(text),
        })
    }

    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Time(a), Self::Time(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Bool(_) => 0,
            Self::Number(_) => 1,
            Self::Time(_) => 2,
            Self::Text(_) => 3,
        }
    }
}

/// Puts `items` in the order of `key`, whose field is `column`'s. Items that tie keep their order, so those that come
/// by relevance and id stay so; items without a value come last in both directions. To sort by several keys, sort by
/// the last one first.
///
/// Numbers, and in attributes and other columns texts that read as numbers, are compared as numbers; dates
/// (`2016/11/12`, `2026-10-01`, `2026-10-01T08:00:00+08:00` and the like) as times; other texts without regard to
/// case, character by character. In `updated_at`, `20161112` is a date and any other number seconds or milliseconds
/// since 1970. Where a field mixes kinds, false and true are smallest, then numbers, then times, then texts.
pub fn sort_by_column<T>(items: &mut Vec<T>, key: &SortKey, column: &Column, doc: impl Fn(&T) -> DocId) {
    let mut keyed: Vec<_> = items.drain(..).map(|item| (key.value(column, doc(&item)), item)).collect();
    keyed.sort_by(|(a, _), (b, _)| match (a, b) {
        (Some(a), Some(b)) if key.descending => b.cmp(a),
        (Some(a), Some(b)) => a.cmp(b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
    items.extend(keyed.into_iter().map(|(_, item)| item));
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use serde_json::{Value, json};
    use xunpin_core::Product;

    use super::*;
    use crate::Columns;

    /// Positions of the products that hold `values` in the field `name`, sorted.
    fn sorted(sort: &str, values: Value) -> Vec<u32> {
        let key = SortKey::parse(sort).unwrap();
        let name = key.field.to_string();
        let columns = Columns::build(std::slice::from_ref(&key.field), |visit| {
            for (doc, value) in (0..).zip(values.as_array().unwrap()) {
                let product = match value {
                    Value::Null => json!({"id": "1", "title": "t"}),
                    value => json!({"id": "1", "title": "t", (name.clone()): value}),
                };
                visit(DocId(doc), &serde_json::from_value::<Product>(product).unwrap());
            }
            Ok::<_, Infallible>(())
        })
        .unwrap();
        let mut docs: Vec<u32> = (0..values.as_array().unwrap().len() as u32).collect();
        sort_by_column(&mut docs, &key, columns.column(&key.field).unwrap(), |doc| DocId(*doc));
        docs
    }

    #[test]
    fn numbers_both_ways_with_the_missing_last() {
        let prices = json!([300, null, 20, 100.5, 20]);
        assert_eq!(sorted("price", prices.clone()), [2, 4, 3, 0, 1]);
        assert_eq!(sorted("价格:desc", prices.clone()), [0, 3, 2, 4, 1]);
        assert_eq!(sorted("-price", prices), [0, 3, 2, 4, 1]);
    }

    #[test]
    fn numbers_written_as_text() {
        assert_eq!(sorted("sale_count", json!(["900", "26662", null, "1000"])), [0, 3, 1, 2]);
        assert_eq!(sorted("brand", json!(["b", "A", "361"])), [2, 1, 0]);
    }

    #[test]
    fn dates_however_they_are_written() {
        let dates = json!([
            "2016/11/12",
            "20161111",
            "2026-10-01T08:00:00+08:00",
            "2026-09-30T23:59:59Z",
            "1478908801",
            "unknown",
            null,
            "2016-1-5"
        ]);
        assert_eq!(sorted("updated_at:asc", dates.clone()), [7, 1, 0, 4, 3, 2, 5, 6]);
        assert_eq!(sorted("updated_at:desc", dates), [5, 2, 3, 4, 0, 1, 7, 6]);
        assert_eq!(sorted("上架", json!(["2016/11/12", "2016/2/3", "2015-12-31"])), [2, 1, 0]);
    }

    #[test]
    fn kinds_in_order_and_the_better_of_several() {
        let mixed = json!(["b", "2016/11/12", 7, true, "A", false, "5"]);
        assert_eq!(sorted("x", mixed), [5, 3, 6, 2, 1, 4, 0]);
        let several = json!([[5, 50], [7], [1, 6], []]);
        assert_eq!(sorted("x", several.clone()), [2, 0, 1, 3]);
        assert_eq!(sorted("-x", several), [0, 1, 2, 3]);
    }

    #[test]
    fn keys() {
        let parse = |text: &str| SortKey::parse(text).map(|key| (key.field, key.descending));
        assert_eq!(parse("updated_at:DESC"), Ok((Field::UpdatedAt, true)));
        assert_eq!(parse(" 库存 : asc "), Ok((Field::Stock, false)));
        assert_eq!(parse("attributes.price"), Ok((Field::Named("price".into()), false)));
        assert_eq!(parse("a:b"), Ok((Field::Named("a:b".into()), false)));
        assert_eq!(parse("-a:b"), Ok((Field::Named("a:b".into()), true)));
        for (text, problem) in [
            ("", "no field is named"),
            ("-", "no field is named"),
            (":desc", "no field is named"),
            ("title", "results can't be sorted by `title`"),
        ] {
            assert!(SortKey::parse(text).unwrap_err().to_string().starts_with(problem), "{text}");
        }
        let mut catalogue = FieldCatalogue::new();
        let product = json!({"id": "1", "title": "t", "sale_count": "7"});
        catalogue.add(&serde_json::from_value(product).unwrap());
        assert_eq!(SortKey::parse("-sale_count").unwrap().check(&catalogue), Ok(()));
        assert_eq!(SortKey::parse("price").unwrap().check(&catalogue), Ok(()));
        assert!(matches!(
            SortKey::parse("sales_count").unwrap().check(&catalogue),
            Err(FieldError::Unknown { near, .. }) if near == ["sale_count"]
        ));
    }
}
