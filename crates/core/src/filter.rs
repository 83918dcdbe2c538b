use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AttributeValue, Product};

/// What a filter looks at.
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

    /// Whether `test` holds for one of the product's values of this field.
    fn any(&self, product: &Product, mut test: impl FnMut(Held<'_>) -> bool) -> bool {
        let mut text = |value: Option<&String>| value.is_some_and(|v| test(Held::Text(v)));
        match self {
            Self::Id => text(Some(&product.id)),
            Self::Title => text(Some(&product.title)),
            Self::Brand => text(product.brand.as_ref()),
            Self::Currency => text(product.currency.as_ref()),
            Self::Description => text(product.description.as_ref()),
            Self::UpdatedAt => text(product.updated_at.as_ref()),
            Self::Tags => product.tags.iter().any(|tag| test(Held::Text(tag))),
            Self::Category => {
                product.category.iter().any(|step| test(Held::Text(step)))
                    || (2..=product.category.len())
                        .any(|n| test(Held::Text(&product.category[..n].join("/"))))
            }
            Self::Price => product.price.is_some_and(|v| test(Held::Number(v))),
            Self::Stock => product.stock.is_some_and(|v| test(Held::Number(v as f64))),
            Self::Named(name) => match (product.attributes.get(name), product.extra.get(name)) {
                (Some(values), _) => values.iter().any(|v| test(Held::from(v))),
                (None, Some(value)) => any_json(value, &mut test),
                (None, None) => false,
            },
        }
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
#[derive(Clone, Copy)]
enum Held<'a> {
    Text(&'a str),
    Number(f64),
    Bool(bool),
}

impl<'a> From<&'a AttributeValue> for Held<'a> {
    fn from(value: &'a AttributeValue) -> Self {
        match value {
            AttributeValue::Text(v) => Self::Text(v),
            AttributeValue::Number(v) => Self::Number(*v),
            AttributeValue::Bool(v) => Self::Bool(*v),
        }
    }
}

fn any_json(value: &Value, test: &mut impl FnMut(Held<'_>) -> bool) -> bool {
    match value {
        Value::String(v) => test(Held::Text(v)),
        Value::Bool(v) => test(Held::Bool(*v)),
        Value::Number(v) => v.as_f64().is_some_and(|v| test(Held::Number(v))),
        Value::Array(values) => values.iter().any(|v| any_json(v, test)),
        Value::Null | Value::Object(_) => false,
    }
}

/// A value written in a filter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Literal {
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text, compared without regard to case.
    Text(String),
}

impl From<&str> for Literal {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<f64> for Literal {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

/// How a field's value is compared with a [`Literal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CompareOp {
    /// `=`
    Equal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `contains`: the value, as text, holds the literal.
    Contains,
}

/// Which products count. A comparison holds if one of the field's values satisfies it, and never for an absent
/// field; `a != b` is written [`Filter::Not`] of equal, so it does hold for an absent field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// All must hold; true if there are none.
    And(Vec<Filter>),
    /// One must hold; false if there are none.
    Or(Vec<Filter>),
    /// Must not hold.
    Not(Box<Filter>),
    /// A comparison.
    Compare {
        /// The field.
        field: Field,
        /// The comparison.
        op: CompareOp,
        /// What it is compared with.
        value: Literal,
    },
    /// The field has a value.
    Exists(Field),
}

impl Filter {
    /// `name = value`, with the name read as [`Field::from_name`] does.
    pub fn equals(name: &str, value: impl Into<Literal>) -> Self {
        Self::Compare { field: Field::from_name(name), op: CompareOp::Equal, value: value.into() }
    }

    /// Whether `product` counts.
    pub fn matches(&self, product: &Product) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|f| f.matches(product)),
            Self::Or(parts) => parts.iter().any(|f| f.matches(product)),
            Self::Not(part) => !part.matches(product),
            Self::Compare { field, op, value } => field.any(product, |held| compare(held, *op, value)),
            Self::Exists(field) => field.any(product, |_| true),
        }
    }
}

fn compare(held: Held<'_>, op: CompareOp, wanted: &Literal) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    if op == CompareOp::Contains {
        return match (held, wanted) {
            (Held::Text(held), Literal::Text(wanted)) => fold(held).contains(&fold(wanted)),
            _ => false,
        };
    }
    let order = match (held, wanted) {
        (Held::Number(held), Literal::Number(wanted)) => held.partial_cmp(wanted),
        // Columns of a CSV file are text even where they hold numbers.
        (Held::Text(held), Literal::Number(wanted)) => {
            held.trim().parse::<f64>().ok().and_then(|held| held.partial_cmp(wanted))
        }
        (Held::Text(held), Literal::Text(wanted)) => Some(fold(held).cmp(&fold(wanted))),
        (Held::Bool(held), Literal::Bool(wanted)) => Some(held.cmp(wanted)),
        (Held::Text(held), Literal::Bool(wanted)) => {
            held.trim().parse::<bool>().ok().map(|held| held.cmp(wanted))
        }
        _ => None,
    };
    match op {
        CompareOp::Equal => order == Some(Equal),
        CompareOp::Less => order == Some(Less),
        CompareOp::LessOrEqual => matches!(order, Some(Less | Equal)),
        CompareOp::Greater => order == Some(Greater),
        CompareOp::GreaterOrEqual => matches!(order, Some(Greater | Equal)),
        CompareOp::Contains => false,
    }
}

fn fold(text: &str) -> String {
    text.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serum() -> Product {
        serde_json::from_str(
            r#"{"id":"1","title":"温和A醇精华","brand":"Lumivra","category":["护肤","精华","面部精华"],"price":239,
                "stock":0,"tags":["抗老"],"attributes":{"肤质":["敏感肌","干皮"],"酒精":[false],"净含量":[30]},
                "sale_count":"26662"}"#,
        )
        .unwrap()
    }

    fn holds(field: &str, op: CompareOp, value: impl Into<Literal>) -> bool {
        Filter::Compare { field: Field::from_name(field), op, value: value.into() }.matches(&serum())
    }

    #[test]
    fn comparisons_by_type() {
        use CompareOp::*;
        assert!(holds("price", LessOrEqual, 239.0) && !holds("price", Less, 239.0));
        assert!(holds("brand", Equal, "LUMIVRA"));
        assert!(holds("肤质", Equal, "干皮") && !holds("肤质", Equal, "油皮"));
        assert!(holds("净含量", Greater, 20.0));
        assert!(holds("sale_count", Greater, 20_000.0), "text columns compare as numbers with numbers");
        assert!(holds("title", Contains, "a醇"));
        assert!(!holds("price", Equal, "239"), "a number is not a text");
        assert!(
            Filter::Compare { field: Field::from_name("酒精"), op: Equal, value: Literal::Bool(false) }
                .matches(&serum())
        );
    }

    #[test]
    fn category_matches_a_step_a_prefix_and_the_path() {
        for path in ["护肤", "面部精华", "护肤/精华", "护肤/精华/面部精华"] {
            assert!(holds("category", CompareOp::Equal, path), "{path}");
        }
        assert!(!holds("category", CompareOp::Equal, "护肤/面霜"));
    }

    #[test]
    fn absent_fields_match_only_negations() {
        assert!(!holds("产地", CompareOp::Equal, "法国"));
        assert!(Filter::Not(Box::new(Filter::equals("产地", "法国"))).matches(&serum()));
        assert!(!Filter::Exists(Field::from_name("产地")).matches(&serum()));
        assert!(Filter::Exists(Field::Stock).matches(&serum()));
        assert!(Filter::And(vec![]).matches(&serum()) && !Filter::Or(vec![]).matches(&serum()));
    }
}
