use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AttributeValue, Product};

/// What a filter, a facet or a sort order looks at.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// The shop's id.
    Id,
    /// The title.
    Title,
    /// The brand.
    Brand,
    /// Any step of the category path, or the whole path written `护肤/精华`, or a prefix of it.
    Category,
    /// The price.
    Price,
    /// The currency code.
    Currency,
    /// Any tag.
    Tags,
    /// Pieces available.
    Stock,
    /// The description.
    Description,
    /// The shop's own time of change.
    UpdatedAt,
    /// The attribute of that name, or else the unknown field of that name.
    Named(String),
}

impl Field {
    /// The field a person means by `name`: a standard one by its English or Chinese name, any other by its own.
    pub fn from_name(name: &str) -> Self {
        match name.to_lowercase().as_str() {
            "id" | "编号" => Self::Id,
            "title" | "标题" => Self::Title,
            "brand" | "品牌" => Self::Brand,
            "category" | "类目" | "分类" => Self::Category,
            "price" | "价格" => Self::Price,
            "currency" | "币种" => Self::Currency,
            "tags" | "标签" => Self::Tags,
            "stock" | "库存" => Self::Stock,
            "description" | "描述" => Self::Description,
            "updated_at" | "更新时间" => Self::UpdatedAt,
            _ => Self::Named(name.to_owned()),
        }
    }

    /// True if the field only ever holds numbers.
    pub fn is_numeric(&self) -> bool {
        matches!(self, Self::Price | Self::Stock)
    }

    /// True if the field only ever holds text.
    pub fn is_text(&self) -> bool {
        !self.is_numeric() && !matches!(self, Self::Named(_))
    }

    /// Calls `visit` with each of the product's values of this field, in the product's order; not at all where it
    /// has none. Of a category path these are its steps, then its beginnings of two steps and more, the steps joined
    /// by `/`. An attribute hides an unknown field of its name, even if it has no values.
    pub fn values(&self, product: &Product, visit: &mut dyn FnMut(FieldValue<'_>)) {
        let text = |value: &Option<String>, visit: &mut dyn FnMut(FieldValue<'_>)| {
            if let Some(value) = value {
                visit(FieldValue::Text(value));
            }
        };
        match self {
            Self::Id => visit(FieldValue::Text(&product.id)),
            Self::Title => visit(FieldValue::Text(&product.title)),
            Self::Brand => text(&product.brand, visit),
            Self::Currency => text(&product.currency, visit),
            Self::Description => text(&product.description, visit),
            Self::UpdatedAt => text(&product.updated_at, visit),
            Self::Tags => product.tags.iter().for_each(|tag| visit(FieldValue::Text(tag))),
            Self::Category => visit_path(&product.category, visit),
            Self::Price => product.price.into_iter().for_each(|v| visit(FieldValue::Number(v))),
            Self::Stock => product.stock.into_iter().for_each(|v| visit(FieldValue::Number(v as f64))),
            Self::Named(name) => match (product.attributes.get(name), product.extra.get(name)) {
                (Some(values), _) => values.iter().for_each(|v| visit(v.into())),
                (None, Some(value)) => visit_json(value, visit),
                (None, None) => {}
            },
        }
    }
}

fn visit_path(steps: &[String], visit: &mut dyn FnMut(FieldValue<'_>)) {
    steps.iter().for_each(|step| visit(FieldValue::Text(step)));
    let mut path = String::new();
    for (at, step) in steps.iter().enumerate() {
        if at > 0 {
            path.push('/');
        }
        path.push_str(step);
        if at > 0 {
            visit(FieldValue::Text(&path));
        }
    }
}

fn visit_json(value: &Value, visit: &mut dyn FnMut(FieldValue<'_>)) {
    match value {
        Value::String(v) => visit(FieldValue::Text(v)),
        Value::Bool(v) => visit(FieldValue::Bool(*v)),
        Value::Number(v) => v.as_f64().into_iter().for_each(|v| visit(FieldValue::Number(v))),
        Value::Array(values) => values.iter().for_each(|v| visit_json(v, visit)),
        Value::Null | Value::Object(_) => {}
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Id => "id",
            Self::Title => "title",
            Self::Brand => "brand",
            Self::Category => "category",
            Self::Price => "price",
            Self::Currency => "currency",
            Self::Tags => "tags",
            Self::Stock => "stock",
            Self::Description => "description",
            Self::UpdatedAt => "updated_at",
            Self::Named(name) => name,
        })
    }
}

/// A value that a product holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FieldValue<'a> {
    /// A text, as the shop wrote it.
    Text(&'a str),
    /// A number.
    Number(f64),
    /// Yes or no.
    Bool(bool),
}

impl FieldValue<'_> {
    /// The number that the value is or reads as: columns of a CSV file are text even where they hold numbers. Words
    /// such as `inf` and `nan` are no numbers.
    pub fn number(self) -> Option<f64> {
        match self {
            Self::Number(value) => Some(value),
            Self::Text(text) => text.trim().parse().ok().filter(|value: &f64| value.is_finite()),
            Self::Bool(_) => None,
        }
    }

    /// What the value is or reads as: `true` or `false`, in any case.
    pub fn boolean(self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(value),
            Self::Text(text) if text.trim().eq_ignore_ascii_case("true") => Some(true),
            Self::Text(text) if text.trim().eq_ignore_ascii_case("false") => Some(false),
            Self::Text(_) | Self::Number(_) => None,
        }
    }
}

impl<'a> From<&'a AttributeValue> for FieldValue<'a> {
    fn from(value: &'a AttributeValue) -> Self {
        match value {
            AttributeValue::Text(v) => Self::Text(v),
            AttributeValue::Number(v) => Self::Number(*v),
            AttributeValue::Bool(v) => Self::Bool(*v),
        }
    }
}

/// The form in which texts are compared: without white space at the ends, in lower case. Folding twice changes
/// nothing more.
pub fn fold_text(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    let folded = |c: char| {
        let mut lower = c.to_lowercase();
        lower.next() == Some(c) && lower.next().is_none()
    };
    if text.chars().all(folded) { Cow::Borrowed(text) } else { Cow::Owned(text.to_lowercase()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(field: &str, product: &Product) -> Vec<String> {
        let mut seen = Vec::new();
        Field::from_name(field).values(product, &mut |value| seen.push(format!("{value:?}")));
        seen
    }

    #[test]
    fn values_in_order() {
        let product: Product = serde_json::from_str(
            r#"{"id":"1","title":"t","category":["a","b","c"],"stock":3,"attributes":{"x":["1",2,true],"y":[]},
                "y":"hidden","z":[["p"],null,{"q":1},0.5]}"#,
        )
        .unwrap();
        let text = |v: &str| format!("{:?}", FieldValue::Text(v));
        assert_eq!(values("category", &product), ["a", "b", "c", "a/b", "a/b/c"].map(text));
        assert_eq!(values("stock", &product), ["Number(3.0)"]);
        assert_eq!(values("x", &product), [text("1"), "Number(2.0)".into(), "Bool(true)".into()]);
        assert!(values("y", &product).is_empty() && values("price", &product).is_empty());
        assert_eq!(values("z", &product), [text("p"), "Number(0.5)".into()]);
    }

    #[test]
    fn what_texts_read_as() {
        for (text, number, boolean) in [
            (" 26662 ", Some(26_662.0), None),
            ("-1.5e3", Some(-1_500.0), None),
            ("inf", None, None),
            ("NaN", None, None),
            ("1e999", None, None),
            ("30ml", None, None),
            ("", None, None),
            (" True", None, Some(true)),
            ("FALSE", None, Some(false)),
        ] {
            let value = FieldValue::Text(text);
            assert_eq!((value.number(), value.boolean()), (number, boolean), "{text:?}");
        }
    }

    #[test]
    fn folding() {
        assert!(matches!(fold_text(" 温和a醇 "), Cow::Borrowed("温和a醇")));
        for text in ["LUMIVRA", "ΑΣ", "İ", "ǅ", "\u{3000}A "] {
            let once = fold_text(text).into_owned();
            assert_eq!(once, text.trim().to_lowercase());
            assert_eq!(fold_text(&once), once);
        }
    }
}
