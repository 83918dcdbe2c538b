use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One value of an attribute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AttributeValue {
    /// Yes or no.
    Bool(bool),
    /// A finite number.
    Number(f64),
    /// Anything else.
    Text(String),
}

impl fmt::Display for AttributeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
        }
    }
}

/// A product as a shop sends it and gets it back. `id` and `title` are required; whatever else the shop sends
/// under names we don't know is in `extra`, unchanged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Product {
    /// The shop's own id, unique in the index.
    pub id: String,
    /// What the shop calls the product.
    pub title: String,
    /// The maker's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<String>,
    /// Category path, the widest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub category: Vec<String>,
    /// Price in `currency`; finite and not negative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<f64>,
    /// ISO 4217 code, such as `CNY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Attribute names and their one or many values. Sorted by name, so that the same product gives the same text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Vec<AttributeValue>>,
    /// Running text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Short labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Pieces available.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stock: Option<i64>,
    /// When the shop last changed the product, as the shop writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
    /// Fields the shop sent that have no place above, unchanged.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// What is wrong with a product. The caller adds file and line.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ProductError {
    /// A required field is absent or blank.
    #[error("field `{field}` is missing or empty; every product needs one")]
    Missing {
        /// `id` or `title`.
        field: &'static str,
    },
    /// A field holds something that it can't.
    #[error("field `{field}`: {problem}")]
    Invalid {
        /// Name of the field.
        field: String,
        /// What is wrong and what is expected.
        problem: String,
    },
}

/// Longest id in bytes; ids are keys of the store.
const MAX_ID_BYTES: usize = 512;

impl Product {
    /// A product with an id, a title and nothing else.
    pub fn new(id: impl Into<String>, title: impl Into<String>) -> Self {
        Self { id: id.into(), title: title.into(), ..Self::default() }
    }

    /// Checks what the index relies on: an id of 1 to 512 bytes without control characters, a title that is not
    /// blank, a price that is finite and not negative, attribute numbers that are finite.
    pub fn validate(&self) -> Result<(), ProductError> {
        let invalid = |field: &str, problem: String| ProductError::Invalid { field: field.into(), problem };
        if self.id.trim().is_empty() {
            return Err(ProductError::Missing { field: "id" });
        }
        if self.id.len() > MAX_ID_BYTES {
            return Err(invalid(
                "id",
                format!("{} bytes long; at most {MAX_ID_BYTES} are kept", self.id.len()),
            ));
        }
        if let Some(c) = self.id.chars().find(|c| c.is_control()) {
            return Err(invalid("id", format!("holds the control character U+{:04X}", c as u32)));
        }
        if self.title.trim().is_empty() {
            return Err(ProductError::Missing { field: "title" });
        }
        if let Some(price) = self.price
            && !(price.is_finite() && price >= 0.0)
        {
            return Err(invalid(
                "price",
                format!("{price} is not a price; a number of 0 or more is expected"),
            ));
        }
        for (name, values) in &self.attributes {
            if values.iter().any(|v| matches!(v, AttributeValue::Number(n) if !n.is_finite())) {
                return Err(invalid(
                    &format!("attributes.{name}"),
                    "holds a number that is not finite".into(),
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_round_trip_keeps_unknown_fields() {
        let json = r#"{"id":"1","title":"t","attributes":{"色":["红",2.0,true]},"sale_count":"7","nested":{"a":[1]}}"#;
        let product: Product = serde_json::from_str(json).unwrap();
        assert_eq!(product.extra["nested"]["a"][0], 1);
        let again: Product = serde_json::from_str(&serde_json::to_string(&product).unwrap()).unwrap();
        assert_eq!(product, again);
    }

    #[test]
    fn validate_names_the_field() {
        let mut product = Product::new("1", "t");
        assert_eq!(product.validate(), Ok(()));
        product.price = Some(f64::NAN);
        assert!(product.validate().unwrap_err().to_string().contains("price"));
        assert_eq!(Product::new(" ", "t").validate(), Err(ProductError::Missing { field: "id" }));
        assert_eq!(Product::new("1", "\u{3000}").validate(), Err(ProductError::Missing { field: "title" }));
        assert!(Product::new("a\u{7}", "t").validate().is_err());
        assert!(Product::new("x".repeat(513), "t").validate().is_err());
    }
}
