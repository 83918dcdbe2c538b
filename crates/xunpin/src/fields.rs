//! What filters, facets and sorting know of the products' fields, kept beside the index in memory.

use std::sync::{Arc, Mutex, PoisonError};

use xunpin_core::{DocId, DocSet, Field, Filter, Product};
use xunpin_index::{Index, IndexError};
use xunpin_query::{Column, Columns, FieldCatalogue, SearchRequest, check_filter, filter_docs};

use crate::{EngineError, products};

/// Filters whose matches are remembered.
const REMEMBERED: usize = 16;

/// The fields' values at one generation. It may know of later commits as well: taking them in again changes nothing.
#[derive(Clone)]
struct State {
    generation: u64,
    products: DocSet,
    catalogue: FieldCatalogue,
    columns: Columns,
}

/// Made on first use, field by field, and brought up to date by what commits changed.
#[derive(Default)]
pub(crate) struct Fields {
    state: Mutex<Option<Arc<State>>>,
    /// The filter used last stands last.
    matches: Mutex<Vec<(u64, Filter, Arc<DocSet>)>>,
}

impl Fields {
    /// Refuses a request that names a field which no product has, or compares one with a kind of value it never holds.
    pub(crate) fn check(&self, index: &Index, request: &SearchRequest) -> Result<(), EngineError> {
        let fields = request.column_fields();
        if request.filter().is_none() && fields.is_empty() {
            return Ok(());
        }
        let state = self.state(index, &fields)?;
        if let Some(filter) = request.filter() {
            check_filter(filter, &state.catalogue)?;
        }
        for field in &fields {
            state.catalogue.check(field)?;
            state.columns.require(field)?;
        }
        Ok(())
    }

    /// The values of a field.
    pub(crate) fn column(&self, index: &Index, field: &Field) -> Result<Arc<Column>, EngineError> {
        let state = self.state(index, std::slice::from_ref(field))?;
        Ok(state.columns.require(field)?.clone())
    }

    /// The products that `filter` lets through.
    pub(crate) fn allowed(&self, index: &Index, filter: &Filter) -> Result<Arc<DocSet>, EngineError> {
        let fields: Vec<Field> = filter.fields().into_iter().cloned().collect();
        let state = self.state(index, &fields)?;
        {
            let mut matches = self.matches.lock().unwrap_or_else(PoisonError::into_inner);
            matches.retain(|(generation, _, _)| *generation == state.generation);
            if let Some(at) = matches.iter().position(|(_, f, _)| f == filter) {
                let entry = matches.remove(at);
                let found = entry.2.clone();
                matches.push(entry);
                return Ok(found);
            }
        }
        let found = Arc::new(filter_docs(filter, &state.columns, &state.products, |docs, visit| {
            let docs: Vec<DocId> = docs.iter().collect();
            products::each(index, &docs).try_for_each(|row| row.map(|(doc, product)| visit(doc, &product)))
        })?);
        let mut matches = self.matches.lock().unwrap_or_else(PoisonError::into_inner);
        if matches.len() == REMEMBERED {
            matches.remove(0);
        }
        matches.push((state.generation, filter.clone(), found.clone()));
        Ok(found)
    }

    /// The state of now, with columns for `fields`.
    fn state(&self, index: &Index, fields: &[Field]) -> Result<Arc<State>, IndexError> {
        // Held while products are read: whoever waits needs the same.
        let mut held = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = match held.take() {
            Some(state) => match follow(index, &state)? {
                Some(next) => next,
                None => scan(index, &state.columns.fields())?,
            },
            None => scan(index, fields)?,
        };
        let missing = state.columns.missing(fields);
        if !missing.is_empty() {
            let columns = Columns::build(&missing, |visit| index.for_each_product(visit))?;
            let mut next = State::clone(&state);
            next.columns = state.columns.merged(&columns);
            state = Arc::new(next);
        }
        *held = Some(state.clone());
        Ok(state)
    }
}

/// Reads everything.
fn scan(index: &Index, fields: &[Field]) -> Result<Arc<State>, IndexError> {
    let generation = index.generation();
    let (mut products, mut catalogue) = (DocSet::new(), FieldCatalogue::new());
    let columns = Columns::build(fields, |visit| {
        index.for_each_product(|doc, product| {
            products.insert(doc);
            catalogue.add(product);
            visit(doc, product);
        })
    })?;
    Ok(Arc::new(State { generation, products, catalogue, columns }))
}

/// The state after the commits since; `None` where they are no longer known.
fn follow(index: &Index, state: &Arc<State>) -> Result<Option<Arc<State>>, IndexError> {
    if index.generation() == state.generation {
        return Ok(Some(state.clone()));
    }
    let Some(changes) = index.changes_since(state.generation)? else { return Ok(None) };
    let written = index.products(&changes.written)?;
    let mut changed: Vec<(DocId, Option<&Product>)> =
        changes.written.iter().copied().zip(written.iter().map(Option::as_ref)).collect();
    changed.extend(changes.removed.iter().map(|doc| (*doc, None)));
    let mut next = State::clone(state);
    next.generation = changes.generation;
    next.columns = state.columns.with_changes(&changed);
    for (doc, product) in changed {
        match product {
            // The former values are not at hand; a name that nothing has any more stays known until the next scan.
            Some(product) => {
                next.catalogue.add(product);
                next.products.insert(doc);
            }
            None => {
                next.products.remove(doc);
            }
        }
    }
    Ok(Some(Arc::new(next)))
}
