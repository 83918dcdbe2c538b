//! Reading many products of the store, a chunk at a time.

use xunpin_core::{DocId, Product};
use xunpin_index::{Index, IndexError};

/// Products held at a time.
const READ: usize = 1_024;

/// The numbers of all products, rising.
pub(crate) fn live(index: &Index) -> Result<Vec<DocId>, IndexError> {
    let mut docs = index.ids().map(|row| Ok(row?.1.doc)).collect::<Result<Vec<DocId>, IndexError>>()?;
    docs.sort_unstable();
    Ok(docs)
}

/// The products of `docs` that still exist, in the order given.
pub(crate) fn chunks<'a>(
    index: &'a Index,
    docs: &'a [DocId],
) -> impl Iterator<Item = Result<Vec<(DocId, Product)>, IndexError>> + 'a {
    docs.chunks(READ).map(|docs| {
        let products = index.products(docs)?;
        Ok(docs.iter().zip(products).filter_map(|(doc, product)| Some((*doc, product?))).collect())
    })
}

/// [`chunks`] one by one.
pub(crate) fn each<'a>(
    index: &'a Index,
    docs: &'a [DocId],
) -> impl Iterator<Item = Result<(DocId, Product), IndexError>> + 'a {
    chunks(index, docs).flat_map(|chunk| match chunk {
        Ok(products) => products.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error)],
    })
}
