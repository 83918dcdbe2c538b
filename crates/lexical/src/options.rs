use serde::{Deserialize, Serialize};

/// How much a word counts in each field; 0 leaves the field out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FieldWeights {
    /// The title.
    pub title: f32,
    /// The brand.
    pub brand: f32,
    /// The steps of the category.
    pub category: f32,
    /// Names of attributes.
    pub attribute_names: f32,
    /// Values of attributes, and the names of those that are true.
    pub attributes: f32,
    /// The description.
    pub description: f32,
    /// The tags.
    pub tags: f32,
}

impl Default for FieldWeights {
    fn default() -> Self {
        Self {
            title: 1.0,
            brand: 1.0,
            category: 0.8,
            attribute_names: 0.2,
            attributes: 0.8,
            description: 0.35,
            tags: 0.6,
        }
    }
}

impl FieldWeights {
    /// In the order of [`crate::schema::TEXT_FIELDS`]. What is no weight counts as 0.
    pub(crate) fn in_order(&self) -> [f32; 7] {
        [
            self.title,
            self.brand,
            self.category,
            self.attribute_names,
            self.attributes,
            self.description,
            self.tags,
        ]
        .map(|w| if w.is_finite() { w.max(0.0) } else { 0.0 })
    }
}

/// How a search scores.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LexicalOptions {
    /// Weights of the fields.
    pub weights: FieldWeights,
    /// How slowly repetitions of a word stop counting; BM25's k1, at least 0.
    pub k1: f32,
    /// How much long fields are discounted, 0 to 1; BM25's b, the same for all fields.
    pub b: f32,
    /// Weight of words inside words and of parts of model numbers, beside 1 for whole ones.
    pub part: f32,
}

impl Default for LexicalOptions {
    fn default() -> Self {
        Self { weights: FieldWeights::default(), k1: 1.2, b: 0.75, part: 1.0 }
    }
}
