//! From products to a commit of the index: what has to be embedded, what only written, what left alone.

use std::sync::PoisonError;

use xunpin_core::{Encoder, Product, Role};
use xunpin_index::{Applied, Batch};
use xunpin_ingest::content_hash;

use crate::{Engine, EngineError};

/// What a product asks of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// The index holds exactly this product.
    Nothing,
    /// Its text is as before: its record is written, its vector kept.
    Write,
    /// It is new or its text has changed.
    Embedding,
}

/// A product on its way into the index.
pub(crate) struct Draft {
    pub(crate) need: Need,
    product: Product,
    text: String,
    hash: u128,
    vector: Option<Vec<f32>>,
}

impl Draft {
    /// Keeps a vector that was made elsewhere from the same text, as the hash tells. True if it was taken.
    pub(crate) fn reuse(&mut self, content_hash: u128, vector: impl FnOnce() -> Option<Vec<f32>>) -> bool {
        if self.need == Need::Embedding && self.hash == content_hash {
            self.vector = vector();
        }
        self.vector.is_some()
    }
}

impl Engine {
    /// Renders `products`, whose ids differ from each other, and compares them with the index.
    pub(crate) fn draft(&self, products: Vec<Product>) -> Result<Vec<Draft>, EngineError> {
        let encoder = self.document_encoder()?;
        let ids: Vec<&str> = products.iter().map(|p| p.id.as_str()).collect();
        let entries = self.index.lookup(&ids)?;
        let mut drafts = Vec::with_capacity(products.len());
        // Drafts with unchanged text, and where their stored products are.
        let mut known = Vec::new();
        for (product, entry) in products.into_iter().zip(entries) {
            let text = self.settings.template.render(&product, encoder.as_ref())?;
            let hash = content_hash(&text);
            let need = match entry {
                Some(entry) if entry.content_hash == hash => {
                    known.push((drafts.len(), entry.doc));
                    Need::Write
                }
                _ => Need::Embedding,
            };
            drafts.push(Draft { need, product, text, hash, vector: None });
        }
        let docs: Vec<_> = known.iter().map(|&(_, doc)| doc).collect();
        for (&(at, _), stored) in known.iter().zip(self.index.products(&docs)?) {
            if stored.as_ref() == Some(&drafts[at].product) {
                drafts[at].need = Need::Nothing;
            }
        }
        Ok(drafts)
    }

    /// Embeds the drafts that need it and commits all of them with whatever `batch` already holds. Other writers wait for
    /// the commit alone, not for the embedding.
    pub(crate) fn commit(&self, mut drafts: Vec<Draft>, mut batch: Batch) -> Result<Applied, EngineError> {
        let encoder = self.document_encoder()?.as_ref();
        embed(encoder, &mut drafts)?;
        let _one_writes = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        // Another writer may have changed or deleted, since it was drafted, a product whose vector was to be kept.
        let kept: Vec<usize> = (0..drafts.len()).filter(|&at| drafts[at].need == Need::Write).collect();
        let ids: Vec<&str> = kept.iter().map(|&at| drafts[at].product.id.as_str()).collect();
        for (at, entry) in kept.into_iter().zip(self.index.lookup(&ids)?) {
            if entry.is_none_or(|entry| entry.content_hash != drafts[at].hash) {
                drafts[at].need = Need::Embedding;
            }
        }
        embed(encoder, &mut drafts)?;
        let statics = self.statics.model(&self.index)?;
        for draft in drafts.into_iter().filter(|d| d.need != Need::Nothing) {
            let id = draft.product.id.clone();
            let vector = statics.as_ref().map(|model| model.embed(&self.static_text(&draft.product)));
            batch.upsert(draft.product, draft.hash, draft.vector.as_deref());
            if let Some(vector) = vector {
                batch.set_static(id, vector.as_deref());
            }
        }
        if batch.is_empty() {
            let mut nothing = Applied::default();
            nothing.generation = self.index.generation();
            return Ok(nothing);
        }
        Ok(self.index.apply(batch)?)
    }
}

/// Gives a vector to every draft that needs one and has none.
fn embed(encoder: &dyn Encoder, drafts: &mut [Draft]) -> Result<(), EngineError> {
    let mut waiting: Vec<&mut Draft> =
        drafts.iter_mut().filter(|d| d.need == Need::Embedding && d.vector.is_none()).collect();
    let texts: Vec<&str> = waiting.iter().map(|d| d.text.as_str()).collect();
    if texts.is_empty() {
        return Ok(());
    }
    let vectors = encoder.encode(&texts, Role::Document)?;
    for (draft, vector) in waiting.iter_mut().zip(vectors.iter()) {
        draft.vector = Some(vector.to_vec());
    }
    Ok(())
}
