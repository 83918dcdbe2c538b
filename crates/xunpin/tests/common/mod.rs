//! The tiny model, and models that differ from it in name alone.

use std::path::Path;
use std::sync::Arc;

use xunpin::{EncodeError, Encoder, EncoderOptions, Fingerprint, Matrix, Precision, Role, load_encoder};

/// The tiny random-weight model's folder.
pub(crate) fn model() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tiny-gemma3").to_str().unwrap().to_owned()
}

/// The tiny model under another fingerprint, and with slightly other vectors.
struct Disguised {
    encoder: Arc<dyn Encoder>,
    fingerprint: Fingerprint,
}

impl Encoder for Disguised {
    fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }
    fn encode(&self, texts: &[&str], role: Role) -> Result<Matrix, EncodeError> {
        let vectors = self.encoder.encode(texts, role)?;
        let mut data = vectors.as_slice().to_vec();
        for row in data.chunks_exact_mut(vectors.columns()) {
            row[0] += 0.05;
            let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
            row.iter_mut().for_each(|v| *v /= norm);
        }
        Ok(Matrix::new(data, vectors.columns()))
    }
    fn count_tokens(&self, text: &str, role: Role) -> Result<usize, EncodeError> {
        self.encoder.count_tokens(text, role)
    }
    fn fit<'a>(&self, text: &'a str, max_tokens: usize) -> Result<&'a str, EncodeError> {
        self.encoder.fit(text, max_tokens)
    }
}

fn disguised(change: impl FnOnce(&mut Fingerprint)) -> Arc<dyn Encoder> {
    let options = EncoderOptions { precision: Precision::F32, threads: Some(1), ..EncoderOptions::default() };
    let encoder = load_encoder(&model(), options).unwrap();
    let mut fingerprint = encoder.fingerprint().clone();
    change(&mut fingerprint);
    Arc::new(Disguised { encoder, fingerprint })
}

/// The tiny model as if it computed in int8.
pub(crate) fn as_int8() -> Arc<dyn Encoder> {
    disguised(|fingerprint| fingerprint.precision = "int8".to_owned())
}

/// The tiny model as if its weights were others, too.
pub(crate) fn as_another() -> Arc<dyn Encoder> {
    disguised(|fingerprint| {
        fingerprint.precision = "int8".to_owned();
        fingerprint.weights = "others".to_owned();
    })
}
