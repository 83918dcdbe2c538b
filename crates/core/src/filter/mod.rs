//! Which products count, and by what: fields and their values in [`field`], comparisons and their junctions here.

mod field;

use serde::{Deserialize, Serialize};

use crate::Product;
pub use field::{Field, FieldValue, fold_text};

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
    /// `contains`: the value is a text and holds the literal.
    Contains,
}

impl CompareOp {
    /// Whether a product's value satisfies the comparison with `wanted`. Numbers compare with numbers and with text
    /// that reads as one, yes and no likewise; text compares with text, folded by [`fold_text`]. Other kinds never do.
    pub fn holds(self, held: FieldValue<'_>, wanted: &Literal) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let order = match (held, wanted) {
            (FieldValue::Text(held), Literal::Text(wanted)) if self == Self::Contains => {
                return fold_text(held).contains(&*fold_text(wanted));
            }
            (FieldValue::Text(held), Literal::Text(wanted)) => Some(fold_text(held).cmp(&fold_text(wanted))),
            (held, Literal::Number(wanted)) => held.number().and_then(|held| held.partial_cmp(wanted)),
            (held, Literal::Bool(wanted)) => held.boolean().map(|held| held.cmp(wanted)),
            (FieldValue::Number(_) | FieldValue::Bool(_), Literal::Text(_)) => None,
        };
        match self {
            Self::Equal => order == Some(Equal),
            Self::Less => order == Some(Less),
            Self::LessOrEqual => matches!(order, Some(Less | Equal)),
            Self::Greater => order == Some(Greater),
            Self::GreaterOrEqual => matches!(order, Some(Greater | Equal)),
            Self::Contains => false,
        }
    }
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
            Self::Compare { field, op, value } => any(field, product, |held| op.holds(held, value)),
            Self::Exists(field) => any(field, product, |_| true),
        }
    }

    /// The fields that it looks at, each once, in the order of their first mention.
    pub fn fields(&self) -> Vec<&Field> {
        let mut found = Vec::new();
        self.collect_fields(&mut found);
        found
    }

    fn collect_fields<'a>(&'a self, found: &mut Vec<&'a Field>) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.collect_fields(found)),
            Self::Not(part) => part.collect_fields(found),
            Self::Compare { field, .. } | Self::Exists(field) => {
                if !found.contains(&field) {
                    found.push(field);
                }
            }
        }
    }
}

/// Whether `test` holds for one of the product's values of the field.
fn any(field: &Field, product: &Product, mut test: impl FnMut(FieldValue<'_>) -> bool) -> bool {
    let mut found = false;
    field.values(product, &mut |value| found = found || test(value));
    found
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

    #[test]
    fn fields_once_in_order() {
        let price = || Filter::Compare { field: Field::Price, op: CompareOp::Less, value: 3.0.into() };
        let filter = Filter::And(vec![
            Filter::Not(Box::new(Filter::equals("肤质", "干皮"))),
            price(),
            Filter::Or(vec![price(), Filter::Exists(Field::Stock)]),
        ]);
        assert_eq!(filter.fields(), [&Field::Named("肤质".into()), &Field::Price, &Field::Stock]);
    }
}
