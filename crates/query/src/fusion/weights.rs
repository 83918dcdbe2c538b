use serde::{Deserialize, Serialize};

use super::{LexicalWeight, QueryFeatures};

/// How both sides are joined. The defaults were chosen for EmbeddingGemma on three collections of unlike goods and
/// are broad optima; `xunpin tune` learns others from judged queries and stores them with the index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Weights {
    /// Cosine that is worth one unit of evidence.
    pub cosine_scale: f32,
    /// Weight of BM25F for a short query and a product that holds all of it; see [`LexicalWeight`].
    pub lexical_short: f32,
    /// Weight of BM25F for a long query.
    pub lexical_long: f32,
    /// Words count from this best coverage on,
    pub coverage_from: f32,
    /// and fully from this one.
    pub coverage_to: f32,
    /// A query with more different words than this begins to count as long,
    pub terms_from: f32,
    /// and does wholly with this many.
    pub terms_to: f32,
    /// Share of the best products' mean in the query's vector, 0 to below 1.
    pub feedback: f32,
    /// How many best products speak.
    pub feedback_products: usize,
    /// Share of the neighbours in a smoothed score, 0 to below 1.
    pub smoothing: f32,
    /// Neighbours of a product.
    pub smoothing_neighbors: usize,
    /// How many of the best are ordered anew by feedback and smoothing.
    pub head: usize,
    /// Evidence that makes a score of one half.
    pub center: f32,
    /// A best score below this is no good match.
    pub no_match_below: f32,
    /// Products whose cosine is below this are not in the match set for their meaning,
    pub floor: f32,
    /// nor those whose cosine is further than this below the best one's.
    pub floor_below_best: f32,
    /// Products that hold less than this share of what the best one holds of the query's idf mass are not in the match
    /// set for their words.
    pub coverage_floor: f32,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            cosine_scale: 0.055,
            lexical_short: 0.3,
            lexical_long: 1.1,
            coverage_from: 0.2,
            coverage_to: 0.5,
            terms_from: 12.0,
            terms_to: 30.0,
            feedback: 0.3,
            feedback_products: 10,
            smoothing: 0.3,
            smoothing_neighbors: 20,
            head: 100,
            center: 7.0,
            no_match_below: 0.3,
            floor: 0.2,
            floor_below_best: 0.25,
            coverage_floor: 0.6,
        }
    }
}

/// A weight that can't be used. Whoever set it can mend it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("the fusion weight `{name}` is {got}; it can be {least} to {most}")]
pub struct WeightsError {
    /// The field's name.
    pub name: &'static str,
    /// Its value.
    pub got: f32,
    /// The least it can be.
    pub least: f32,
    /// The most it can be.
    pub most: f32,
}

impl Weights {
    /// Fails where a weight is outside the range in which the formulas mean something.
    pub fn check(&self) -> Result<(), WeightsError> {
        let limits = [
            ("cosine_scale", self.cosine_scale, 1e-3, 10.0),
            ("lexical_short", self.lexical_short, 0.0, 100.0),
            ("lexical_long", self.lexical_long, 0.0, 100.0),
            ("coverage_from", self.coverage_from, 0.0, 1.0),
            ("coverage_to", self.coverage_to, 0.0, 1.0),
            ("terms_from", self.terms_from, 0.0, 1e4),
            ("terms_to", self.terms_to, 0.0, 1e4),
            ("feedback", self.feedback, 0.0, 0.95),
            ("feedback_products", self.feedback_products as f32, 1.0, 1e3),
            ("smoothing", self.smoothing, 0.0, 0.95),
            ("smoothing_neighbors", self.smoothing_neighbors as f32, 1.0, 1e3),
            ("head", self.head as f32, 0.0, 1e3),
            ("center", self.center, -1e3, 1e3),
            ("no_match_below", self.no_match_below, 0.0, 1.0),
            ("floor", self.floor, -1.0, 1.0),
            ("floor_below_best", self.floor_below_best, 0.0, 2.0),
            ("coverage_floor", self.coverage_floor, 0.0, 1.0),
        ];
        for (name, got, least, most) in limits {
            // Also refuses NaN.
            if !(least..=most).contains(&got) {
                return Err(WeightsError { name, got, least, most });
            }
        }
        Ok(())
    }

    /// What the words of a query weigh.
    pub fn lexical_weight(&self, query: &QueryFeatures) -> LexicalWeight {
        let held =
            if query.names { 1.0 } else { ramp(query.best_coverage, self.coverage_from, self.coverage_to) };
        let long = ramp(query.terms as f32, self.terms_from, self.terms_to);
        LexicalWeight { whole: self.lexical_short * held, any: self.lexical_long * long }
    }

    /// The score of a product with that evidence, 0 to 1: the logistic function of its distance from
    /// [`center`](Self::center). It means the same whatever the query.
    pub fn score(&self, evidence: f32) -> f32 {
        1.0 / (1.0 + (self.center - evidence).exp())
    }
}

/// 0 up to `from`, 1 from `to` on, a straight line between.
fn ramp(value: f32, from: f32, to: f32) -> f32 {
    if value >= to {
        1.0
    } else if value <= from {
        0.0
    } else {
        (value - from) / (to - from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights() -> Weights {
        Weights {
            lexical_short: 0.2,
            lexical_long: 0.5,
            coverage_from: 0.2,
            coverage_to: 0.5,
            terms_from: 12.0,
            terms_to: 30.0,
            ..Weights::default()
        }
    }

    fn query(terms: usize, best_coverage: f32, names: bool) -> QueryFeatures {
        QueryFeatures { terms, best_coverage, names }
    }

    #[test]
    fn how_much_words_count() {
        let weights = weights();
        for (terms, coverage, names, expected) in [
            // Short: by what the best product holds.
            (0, 0.0, false, 0.0),
            (3, 0.2, false, 0.0),
            (3, 0.35, false, 0.1),
            (3, 0.5, false, 0.2),
            (12, 1.0, false, 0.2),
            // A name counts whatever is held.
            (1, 0.0, true, 0.2),
            // Long: whatever is held.
            (21, 0.0, false, 0.25),
            (30, 0.1, false, 0.5),
            (2_000, 1.0, true, 0.5),
            // In between the larger of the two.
            (18, 1.0, false, 0.2),
            (21, 1.0, false, 0.25),
        ] {
            let weight = weights.lexical_weight(&query(terms, coverage, names)).most();
            assert!((weight - expected).abs() < 1e-6, "{terms} {coverage} {names}: {weight}");
        }
        // A slope of no length, or one that falls, is a step.
        for (from, to) in [(0.4, 0.4), (0.6, 0.4)] {
            let step = Weights { coverage_from: from, coverage_to: to, ..weights.clone() };
            let of = |coverage| step.lexical_weight(&query(3, coverage, false)).most();
            assert_eq!((of(0.39), of(0.4), of(1.0)), (0.0, 0.2, 0.2));
        }
    }

    #[test]
    fn scores_are_between_0_and_1_and_rise() {
        let weights = Weights::default();
        assert_eq!(weights.score(weights.center), 0.5);
        let evidence = [f32::NEG_INFINITY, f32::MIN, -1e3, 0.0, 6.9, 7.0, 7.1, 1e3, f32::MAX, f32::INFINITY];
        let scores = evidence.map(|evidence| weights.score(evidence));
        assert!(scores.is_sorted() && scores[0] == 0.0 && scores[9] == 1.0, "{scores:?}");
    }

    /// The weights as JSON with one of them changed.
    fn with(name: &str, value: f64) -> Result<Weights, serde_json::Error> {
        let mut json = serde_json::to_value(Weights::default())?;
        json[name] = if value.fract() == 0.0 { (value as i64).into() } else { value.into() };
        serde_json::from_value(json)
    }

    #[test]
    fn every_weight_is_checked() {
        assert_eq!(Weights::default().check(), Ok(()));
        let json = serde_json::to_value(Weights::default()).unwrap();
        for name in json.as_object().unwrap().keys() {
            // No count is negative: those fail as they are read.
            for wrong in [-1e9, 1e9] {
                if let Ok(weights) = with(name, wrong) {
                    let error = weights.check().unwrap_err();
                    assert_eq!((error.name, error.got), (name.as_str(), wrong as f32));
                    assert!(!(error.least..=error.most).contains(&error.got));
                }
            }
        }
        let wrong = Weights { smoothing: 1.0, ..Weights::default() }.check().unwrap_err();
        assert_eq!(wrong.to_string(), "the fusion weight `smoothing` is 1; it can be 0 to 0.95");
        for weights in [
            Weights { cosine_scale: f32::NAN, ..Weights::default() },
            Weights { center: f32::NAN, ..Weights::default() },
            Weights { floor: f32::INFINITY, ..Weights::default() },
            Weights { cosine_scale: 0.0, ..Weights::default() },
            Weights { feedback_products: 0, ..Weights::default() },
            Weights { smoothing_neighbors: 0, ..Weights::default() },
        ] {
            assert!(weights.check().is_err());
        }
    }

    #[test]
    fn stored_weights() {
        let json = serde_json::to_string(&Weights { head: 7, floor: -0.5, ..Weights::default() }).unwrap();
        let read: Weights = serde_json::from_str(&json).unwrap();
        assert_eq!((read.head, read.floor, read.center), (7, -0.5, Weights::default().center));
        // Weights that an older version did not have are the defaults; what nobody knows is a mistake.
        let few: Weights = serde_json::from_str(r#"{"center": 6.5}"#).unwrap();
        assert_eq!(few, Weights { center: 6.5, ..Weights::default() });
        let error = serde_json::from_str::<Weights>(r#"{"centre": 6.5}"#).unwrap_err();
        assert!(error.to_string().contains("unknown field `centre`"), "{error}");
        assert!(serde_json::from_str::<Weights>(r#"{"center": null}"#).is_err());
    }
}
