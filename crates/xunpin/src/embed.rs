//! From products to a batch of the index: what has to be embedded, what only written, what left alone.

use xunpin_core::{Encoder, Product, Role};
use xunpin_index::{Batch, Index};
use xunpin_ingest::{Template, content_hash};

use crate::EngineError;

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
    pub(crate) product: Product,
    pub(crate) need: Need,
    text: String,
    hash: u128,
}

/// Renders `products`, whose ids differ from each other, and compares them with the index.
pub(crate) fn draft(
    index: &Index,
    encoder: &dyn Encoder,
    template: &Template,
    products: Vec<Product>,
) -> Result<Vec<Draft>, EngineError> {
    let ids: Vec<&str> = products.iter().map(|p| p.id.as_str()).collect();
    let entries = index.lookup(&ids)?;
    let mut drafts = Vec::with_capacity(products.len());
    // Drafts with unchanged text, and where their stored products are.
    let mut known = Vec::new();
    for (product, entry) in products.into_iter().zip(entries) {
        let text = template.render(&product, encoder)?;
        let hash = content_hash(&text);
        let need = match entry {
            Some(entry) if entry.content_hash == hash => {
                known.push((drafts.len(), entry.doc));
                Need::Write
            }
            _ => Need::Embedding,
        };
        drafts.push(Draft { product, need, text, hash });
    }
    let docs: Vec<_> = known.iter().map(|&(_, doc)| doc).collect();
    for (&(at, _), stored) in known.iter().zip(index.products(&docs)?) {
        if stored.as_ref() == Some(&drafts[at].product) {
            drafts[at].need = Need::Nothing;
        }
    }
    Ok(drafts)
}

/// Embeds what needs it and puts every draft that has a need into `batch`. The drafts are consumed in order.
pub(crate) fn fill(
    encoder: &dyn Encoder,
    drafts: &mut Vec<Draft>,
    batch: &mut Batch,
) -> Result<(), EngineError> {
    let texts: Vec<&str> =
        drafts.iter().filter(|d| d.need == Need::Embedding).map(|d| d.text.as_str()).collect();
    let vectors = encoder.encode(&texts, Role::Document)?;
    let mut rows = vectors.iter();
    for draft in drafts.drain(..) {
        match draft.need {
            Need::Nothing => {}
            Need::Write => drop(batch.upsert(draft.product, draft.hash, None)),
            Need::Embedding => drop(batch.upsert(draft.product, draft.hash, rows.next())),
        }
    }
    Ok(())
}
