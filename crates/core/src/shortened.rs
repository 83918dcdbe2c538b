use std::sync::Arc;

use crate::{EncodeError, Encoder, Fingerprint, Matrix, Role};

/// An encoder whose vectors are the first values of another's, brought back to unit length. Models are trained for it (Matryoshka
/// representation learning, Kusupati et al. 2022; EmbeddingGemma with 512, 256 and 128 values) or may lose much by it.
pub struct Shortened {
    encoder: Arc<dyn Encoder>,
    fingerprint: Fingerprint,
}

impl Shortened {
    /// `encoder` with vectors of `dimension` values; `None` where it has fewer, or none are wanted.
    pub fn new(encoder: Arc<dyn Encoder>, dimension: usize) -> Option<Self> {
        let whole = encoder.fingerprint();
        let fingerprint = Fingerprint { dimension, ..whole.clone() };
        (1..=whole.dimension).contains(&dimension).then_some(Self { encoder, fingerprint })
    }
}

/// The first `dimension` values of a vector, brought to unit length. `None` where there are fewer, or these have no length.
pub fn shorten(vector: &[f32], dimension: usize) -> Option<Vec<f32>> {
    let first = vector.get(..dimension)?;
    let norm = first.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>().sqrt();
    (norm.is_finite() && norm > 0.0).then(|| first.iter().map(|v| (f64::from(*v) / norm) as f32).collect())
}

impl Encoder for Shortened {
    fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    fn encode(&self, texts: &[&str], role: Role) -> Result<Matrix, EncodeError> {
        let dimension = self.fingerprint.dimension;
        let whole = self.encoder.encode(texts, role)?;
        let mut data = Vec::with_capacity(texts.len() * dimension);
        for (row, vector) in whole.iter().enumerate() {
            data.extend(shorten(vector, dimension).ok_or(EncodeError::Unusable { row })?);
        }
        Ok(Matrix::new(data, dimension))
    }

    fn count_tokens(&self, text: &str, role: Role) -> Result<usize, EncodeError> {
        self.encoder.count_tokens(text, role)
    }

    fn fit<'a>(&self, text: &'a str, max_tokens: usize) -> Result<&'a str, EncodeError> {
        self.encoder.fit(text, max_tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives the same vector for every text but the empty one.
    struct Fixed(Fingerprint);

    impl Encoder for Fixed {
        fn fingerprint(&self) -> &Fingerprint {
            &self.0
        }

        fn encode(&self, texts: &[&str], _: Role) -> Result<Matrix, EncodeError> {
            let vector = |text: &&str| if text.is_empty() { [0.0, 0.0, 1.0] } else { [0.48, -0.64, 0.6] };
            Ok(Matrix::new(texts.iter().flat_map(vector).collect(), 3))
        }

        fn count_tokens(&self, text: &str, _: Role) -> Result<usize, EncodeError> {
            Ok(text.len())
        }

        fn fit<'a>(&self, text: &'a str, _: usize) -> Result<&'a str, EncodeError> {
            Ok(text)
        }
    }

    fn shortened(dimension: usize) -> Option<Shortened> {
        Shortened::new(Arc::new(Fixed(Fingerprint { dimension: 3, ..Fingerprint::default() })), dimension)
    }

    #[test]
    fn the_first_values_stay_at_unit_length() {
        let two = shortened(2).unwrap();
        let rows = two.encode(&["a", "b"], Role::Query).unwrap();
        assert_eq!((rows.rows(), rows.columns(), two.fingerprint().dimension), (2, 2, 2));
        for row in rows.iter() {
            assert!((row[0] - 0.6).abs() < 1e-6 && (row[1] + 0.8).abs() < 1e-6, "{row:?}");
        }
        assert_eq!((two.count_tokens("abc", Role::Raw).unwrap(), two.fit("abc", 1).unwrap()), (3, "abc"));
        assert!(matches!(two.encode(&["a", ""], Role::Query), Err(EncodeError::Unusable { row: 1 })));
    }

    #[test]
    fn no_more_values_than_there_are() {
        assert!(shortened(3).is_some());
        assert!(shortened(4).is_none() && shortened(0).is_none());
    }
}
