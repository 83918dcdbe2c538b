use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::limits::{
    MAX_ATTRIBUTE_VALUES, MAX_ATTRIBUTES, MAX_CATEGORY_STEPS, MAX_FIELDS, MAX_ID_BYTES, MAX_NESTING, MAX_TAGS,
};

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

/// Names that [`Product::extra`] can't have.
const OWN_FIELDS: [&str; 11] = [
    "id",
    "title",
    "brand",
    "category",
    "price",
    "currency",
    "attributes",
    "description",
    "tags",
    "stock",
    "updated_at",
];

impl Product {
    /// A product with an id, a title and nothing else.
    pub fn new(id: impl Into<String>, title: impl Into<String>) -> Self {
        Self { id: id.into(), title: title.into(), ..Self::default() }
    }

    /// Checks what the index relies on: an id of 1 to 512 bytes without control characters, a title that is not
    /// blank, a price that is finite and not negative, attribute numbers that are finite, and no more of anything than
    /// [`limits`](crate::limits) says; and further fields that have names of their own.
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
        self.check_counts()?;
        self.check_names()?;
        for (name, values) in &self.attributes {
            if values.len() > MAX_ATTRIBUTE_VALUES {
                return Err(too_many(&format!("attributes.{name}"), "values", MAX_ATTRIBUTE_VALUES));
            }
            if values.iter().any(|v| matches!(v, AttributeValue::Number(n) if !n.is_finite())) {
                return Err(invalid(
                    &format!("attributes.{name}"),
                    "holds a number that is not finite".into(),
                ));
            }
        }
        Ok(())
    }

    /// A further field by the name of one of ours would stand twice in the stored product, which then can't be read.
    fn check_names(&self) -> Result<(), ProductError> {
        match self.extra.keys().find(|name| OWN_FIELDS.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(ProductError::Invalid {
                field: name.clone(),
                problem: "is a field of its own and can't be among the further ones".into(),
            }),
        }
    }

    fn check_counts(&self) -> Result<(), ProductError> {
        let counts = [
            ("category", "steps", self.category.len(), MAX_CATEGORY_STEPS),
            ("tags", "tags", self.tags.len(), MAX_TAGS),
            ("attributes", "attributes", self.attributes.len(), MAX_ATTRIBUTES),
            ("extra", "further fields", self.extra.len(), MAX_FIELDS),
        ];
        if let Some((field, what, _, most)) = counts.into_iter().find(|(_, _, count, most)| count > most) {
            return Err(too_many(field, what, most));
        }
        match self.extra.iter().find(|(_, value)| is_deeper(value, MAX_NESTING)) {
            None => Ok(()),
            Some((name, _)) => Err(ProductError::Invalid {
                field: name.clone(),
                problem: format!("arrays and objects are nested more than {MAX_NESTING} deep"),
            }),
        }
    }
}

fn too_many(field: &str, what: &str, most: usize) -> ProductError {
    ProductError::Invalid {
        field: field.into(),
        problem: format!("more than {most} {what}; at most that many are kept"),
    }
}

/// Whether `value` has more than `levels` arrays and objects within one another. Looks no deeper than that.
fn is_deeper(value: &Value, levels: usize) -> bool {
    let Some(left) = levels.checked_sub(1) else { return value.is_array() || value.is_object() };
    match value {
        Value::Array(values) => values.iter().any(|value| is_deeper(value, left)),
        Value::Object(fields) => fields.values().any(|value| is_deeper(value, left)),
        _ => false,
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

    #[test]
    fn further_fields_have_names_of_their_own() {
        let mut product: Product = serde_json::from_str(
            r#"{"id":"1","title":"t","brand":"b","category":["c"],"price":1,"currency":"CNY","attributes":{"a":["b"]},
                "description":"d","tags":["t"],"stock":1,"updated_at":"u","shop":1}"#,
        )
        .unwrap();
        assert_eq!(product.validate(), Ok(()));
        let Value::Object(all) = serde_json::to_value(&product).unwrap() else { panic!("an object") };
        assert_eq!(all.keys().filter(|name| *name != "shop").collect::<Vec<_>>(), OWN_FIELDS);
        for name in OWN_FIELDS {
            product.extra = Map::from_iter([(name.to_owned(), Value::Null)]);
            let told = product.validate().unwrap_err().to_string();
            assert!(told.starts_with(&format!("field `{name}`: is a field of its own")), "{told}");
        }
    }

    #[test]
    fn validate_counts() {
        let refused = |change: &dyn Fn(&mut Product, usize), most: usize| {
            let mut product = Product::new("1", "t");
            change(&mut product, most);
            assert_eq!(product.validate(), Ok(()), "{most}");
            let mut product = Product::new("1", "t");
            change(&mut product, most + 1);
            product.validate().unwrap_err().to_string()
        };
        let texts = |n: usize| (0..n).map(|n| n.to_string()).collect::<Vec<_>>();
        let values = |n: usize| (0..n).map(|n| AttributeValue::Number(n as f64)).collect::<Vec<_>>();
        let nested = |n: usize| (1..n).fold(Value::Array(Vec::new()), |inner, _| Value::Array(vec![inner]));
        for (told, expected) in [
            (
                refused(&|p, n| p.category = texts(n), MAX_CATEGORY_STEPS),
                "field `category`: more than 32 steps",
            ),
            (refused(&|p, n| p.tags = texts(n), MAX_TAGS), "field `tags`: more than 1000 tags"),
            (
                refused(
                    &|p, n| p.attributes = texts(n).into_iter().map(|name| (name, Vec::new())).collect(),
                    MAX_ATTRIBUTES,
                ),
                "field `attributes`: more than 1000 attributes",
            ),
            (
                refused(&|p, n| drop(p.attributes.insert("色".into(), values(n))), MAX_ATTRIBUTE_VALUES),
                "field `attributes.色`: more than 1000 values",
            ),
            (
                refused(
                    &|p, n| p.extra = texts(n).into_iter().map(|name| (name, Value::Null)).collect(),
                    MAX_FIELDS,
                ),
                "field `extra`: more than 4096 further fields",
            ),
            (
                refused(&|p, n| drop(p.extra.insert("x".into(), nested(n))), MAX_NESTING),
                "field `x`: arrays and objects are nested more than 64 deep",
            ),
        ] {
            assert!(told.starts_with(expected), "{told}");
        }
    }
}
