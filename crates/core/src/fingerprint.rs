use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What made an index's vectors. Two encoders with equal fingerprints give interchangeable vectors; an index
/// refuses any other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// Name shown to people, such as `embeddinggemma-300m`. Not compared: a folder may be renamed.
    pub model: String,
    /// Architecture, such as `gemma3-bidirectional`.
    pub architecture: String,
    /// Hash of the weights, hex. How it is computed is the encoder's business; equal weights give equal hashes.
    pub weights: String,
    /// Hash of the tokenizer, hex.
    pub tokenizer: String,
    /// The text put before each input, by role (`query`, `document`).
    pub prompts: BTreeMap<String, String>,
    /// How token states become one vector, such as `mean`.
    pub pooling: String,
    /// Length of the vectors.
    pub dimension: usize,
    /// Number format of the weights in use, such as `f32`.
    pub precision: String,
    /// How weights were rounded to that format, where that can be done in several ways, such as `groups of 128`; else empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rounding: String,
    /// Longest input in tokens; longer ones are cut.
    pub max_tokens: usize,
}

impl Fingerprint {
    /// What differs, one phrase a field (`weights: 12ab is not 34cd`); empty if the vectors are interchangeable.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |name: &str, ours: String, theirs: String| {
            if ours != theirs {
                found.push(format!("{name}: {ours} is not {theirs}"));
            }
        };
        compare("architecture", self.architecture.clone(), other.architecture.clone());
        compare("weights", self.weights.clone(), other.weights.clone());
        compare("tokenizer", self.tokenizer.clone(), other.tokenizer.clone());
        compare("prompts", format!("{:?}", self.prompts), format!("{:?}", other.prompts));
        compare("pooling", self.pooling.clone(), other.pooling.clone());
        compare("dimension", self.dimension.to_string(), other.dimension.to_string());
        compare("precision", self.precision.clone(), other.precision.clone());
        compare("rounding", self.rounding.clone(), other.rounding.clone());
        compare("max_tokens", self.max_tokens.to_string(), other.max_tokens.to_string());
        found
    }

    /// True if the two are one model run in two precisions, or rounded in two ways: the vectors are close, and still not
    /// interchangeable.
    pub fn differs_in_precision_alone(&self, other: &Self) -> bool {
        let alike =
            Self { precision: other.precision.clone(), rounding: other.rounding.clone(), ..self.clone() };
        !self.differences(other).is_empty() && alike.differences(other).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_precision_is_told_from_a_model() {
        let print = |weights: &str, precision: &str| Fingerprint {
            model: "m".into(),
            architecture: "a".into(),
            weights: weights.into(),
            tokenizer: "t".into(),
            prompts: BTreeMap::new(),
            pooling: "mean".into(),
            dimension: 8,
            precision: precision.into(),
            rounding: String::new(),
            max_tokens: 16,
        };
        let f32 = print("1", "f32");
        assert!(f32.differs_in_precision_alone(&print("1", "int8")));
        assert!(!f32.differs_in_precision_alone(&print("2", "int8")));
        assert!(!f32.differs_in_precision_alone(&f32.clone()));
        assert_eq!(f32.differences(&print("1", "int8")), ["precision: f32 is not int8"]);
        let int8 = print("1", "int8");
        let groups = Fingerprint { rounding: "groups of 128".into(), ..int8.clone() };
        assert!(groups.differs_in_precision_alone(&int8) && groups.differs_in_precision_alone(&f32));
        assert_eq!(int8.differences(&groups), ["rounding:  is not groups of 128"]);
        assert_eq!(
            serde_json::from_value::<Fingerprint>(serde_json::to_value(&int8).unwrap()).unwrap(),
            int8
        );
    }
}
