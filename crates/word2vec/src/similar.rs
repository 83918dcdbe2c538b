use std::cmp::Ordering;

use crate::{LookupError, WordVectors};

/// A word and how near it is.
#[derive(Clone, Debug, PartialEq)]
pub struct SimilarWord {
    /// The word.
    pub word: String,
    /// Cosine, -1 to 1.
    pub cosine: f32,
}

impl WordVectors {
    /// The `k` words nearest to `word` by cosine, without itself; best first, ties by word.
    pub fn similar(&self, word: &str, k: usize) -> Result<Vec<SimilarWord>, LookupError> {
        self.analogy(&[word], &[], k)
    }

    /// The `k` words nearest to what `positive` have and `negative` have not, without the given ones; best first, ties
    /// by word. `analogy(&["女鞋", "男装"], &["女装"], 1)` asks for the word that is to 男装 as 女鞋 is to 女装. By
    /// 3CosAdd (Levy and Goldberg, 2014): cosine to the sum of unit vectors, those of `negative` with a minus.
    pub fn analogy(
        &self,
        positive: &[&str],
        negative: &[&str],
        k: usize,
    ) -> Result<Vec<SimilarWord>, LookupError> {
        let mut target = vec![0.0; self.dimension()];
        let mut given = Vec::new();
        let mut unknown: Vec<String> = Vec::new();
        for (words, sign) in [(positive, 1.0), (negative, -1.0)] {
            for &word in words {
                match self.row_of(word) {
                    Some(row) => {
                        given.push(row);
                        add_unit(self.row(row), sign, &mut target);
                    }
                    None if unknown.iter().any(|u| u == word) => {}
                    None => unknown.push(word.to_owned()),
                }
            }
        }
        if !unknown.is_empty() {
            return Err(LookupError::Unknown { words: unknown });
        }
        let length = norm(&target);
        // Cancelled terms leave rounding errors of about 1e-16 behind.
        if length < 1e-6 {
            return Err(LookupError::NoDirection);
        }
        target.iter_mut().for_each(|v| *v /= length);
        Ok(self.nearest(&target, &given, k))
    }

    fn nearest(&self, target: &[f64], without: &[usize], k: usize) -> Vec<SimilarWord> {
        let mut found: Vec<(usize, f32)> = Vec::with_capacity(self.len());
        for row in (0..self.len()).filter(|row| !without.contains(row)) {
            let values = self.row(row);
            let (mut product, mut square) = (0.0, 0.0);
            for (&value, target) in values.iter().zip(target) {
                let value = f64::from(value);
                product += value * target;
                square += value * value;
            }
            // Words with a zero vector are near nothing.
            if square > 0.0 {
                found.push((row, (product / square.sqrt()) as f32));
            }
        }
        let order = |a: &(usize, f32), b: &(usize, f32)| -> Ordering {
            b.1.total_cmp(&a.1).then_with(|| self.words()[a.0].cmp(&self.words()[b.0]))
        };
        if k < found.len() {
            found.select_nth_unstable_by(k, order);
            found.truncate(k);
        }
        found.sort_unstable_by(order);
        found
            .into_iter()
            .map(|(row, cosine)| SimilarWord { word: self.words()[row].clone(), cosine })
            .collect()
    }
}

fn add_unit(row: &[f32], sign: f64, target: &mut [f64]) {
    let length = row.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
    if length > 0.0 {
        for (target, &value) in target.iter_mut().zip(row) {
            *target += sign * f64::from(value) / length;
        }
    }
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors(rows: &[(&str, [f32; 2])]) -> WordVectors {
        let words = rows.iter().map(|(w, _)| (*w).to_owned()).collect();
        WordVectors::new(words, vec![], rows.iter().flat_map(|(_, v)| *v).collect(), 2).unwrap()
    }

    fn names(found: Vec<SimilarWord>) -> Vec<String> {
        found.into_iter().map(|s| s.word).collect()
    }

    #[test]
    fn similar_words_by_cosine_ties_by_word() {
        let v = vectors(&[
            ("q", [2.0, 0.0]),
            ("d", [0.0, 1.0]),
            ("b", [5.0, 5.0]),
            ("a", [1.0, 1.0]),
            ("opposite", [-1.0, 0.0]),
            ("zero", [0.0, 0.0]),
        ]);
        let found = v.similar("q", 10).unwrap();
        assert!((found[0].cosine - 0.5f32.sqrt()).abs() < 1e-6 && (found[3].cosine + 1.0).abs() < 1e-6);
        assert_eq!(names(found), ["a", "b", "d", "opposite"]);
        assert_eq!(names(v.similar("q", 1).unwrap()), ["a"]);
        assert_eq!(v.similar("q", 0).unwrap(), []);
    }

    #[test]
    fn analogy_leaves_its_words_out() {
        let v = vectors(&[
            ("man", [1.0, 0.0]),
            ("woman", [1.0, 1.0]),
            ("king", [3.0, 0.2]),
            ("queen", [3.0, 2.9]),
            ("apple", [-1.0, 0.1]),
        ]);
        assert_eq!(names(v.analogy(&["king", "woman"], &["man"], 1).unwrap()), ["queen"]);
    }

    #[test]
    fn unknown_words_are_named_once_and_in_order() {
        let v = vectors(&[("a", [1.0, 0.0]), ("zero", [0.0, 0.0])]);
        let unknown = LookupError::Unknown { words: vec!["y".into(), "x".into()] };
        assert_eq!(v.analogy(&["y", "a"], &["x", "y"], 3), Err(unknown));
        assert_eq!(v.analogy(&["a"], &["a"], 3), Err(LookupError::NoDirection));
        assert_eq!(v.analogy(&[], &[], 3), Err(LookupError::NoDirection));
        assert_eq!(v.similar("zero", 3), Err(LookupError::NoDirection));
    }
}
