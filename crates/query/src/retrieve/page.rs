//! From the match set to the products of a page.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use xunpin_core::{DocId, DocSet, Product};

use super::{Entry, ProductSource};
use crate::{Hit, Place, RulePlace, SearchRequest, Sides, collapse, place, sort_by_column};

/// The hits of a page, and how many results there are in all.
pub(super) struct Page {
    pub(super) hits: Vec<Hit>,
    pub(super) total: usize,
}

/// A result before its product is read.
struct Row {
    entry: Entry,
    rule: Option<RulePlace>,
    variants: usize,
}

/// Products already read.
type Known = HashMap<DocId, Option<Product>>;

impl Row {
    /// Whether nothing but the id says which of the two comes first.
    fn ties_with(&self, other: &Self) -> bool {
        let pinned = self.rule == Some(RulePlace::Pinned);
        let place = |row: &Self| (row.entry.key, row.entry.tier(), row.rule);
        !pinned && place(self) == place(other)
    }
}

pub(super) fn page<S: ProductSource>(
    source: &S,
    request: &SearchRequest,
    entries: Vec<Entry>,
    allowed: Option<&DocSet>,
) -> Result<Page, S::Error> {
    let mut known = Known::new();
    let mut rows = arrange(source, request, entries, allowed)?;
    // Where the order is used again (groups, another sort key), all equals are put in order, else those that the page
    // shows.
    let window = if request.group().is_some() || !request.sort().is_empty() {
        0..rows.len()
    } else {
        request.offset()..request.offset() + request.results()
    };
    settle_ties(source, &mut rows, window, &mut known)?;
    if let Some(field) = request.group() {
        let column = source.column(field)?;
        rows = collapse(rows, &column, |row: &Row| row.entry.doc)
            .into_iter()
            .map(|kept| Row { variants: kept.variants, ..kept.item })
            .collect();
    }
    for key in request.sort().iter().rev() {
        let column = source.column(key.field())?;
        sort_by_column(&mut rows, key, &column, |row: &Row| row.entry.doc);
    }
    let hits = read(source, request, rows.get(request.offset()..).unwrap_or_default(), &mut known)?;
    Ok(Page { hits, total: rows.len() })
}

/// Puts pinned products first and buried ones last.
fn arrange<S: ProductSource>(
    source: &S,
    request: &SearchRequest,
    entries: Vec<Entry>,
    allowed: Option<&DocSet>,
) -> Result<Vec<Row>, S::Error> {
    let placement = request.placement();
    let plain = |entry| Row { entry, rule: None, variants: 0 };
    if placement.is_empty() || !request.sort().is_empty() {
        return Ok(entries.into_iter().map(plain).collect());
    }
    let pins = source.find(&placement.pins)?;
    let mut once = DocSet::new();
    let passes = |doc: &DocId| allowed.is_none_or(|set| set.contains(*doc)) && once.insert(*doc);
    let pins: Vec<DocId> = pins.into_iter().flatten().filter(passes).collect();
    let buried: DocSet = source.find(&placement.buried)?.into_iter().flatten().collect();
    let placed = place(entries, |entry: &Entry| entry.doc, &pins, &buried);
    let row = |placed: crate::Placed<Entry>| Row {
        entry: placed.item.unwrap_or(Entry {
            doc: placed.doc,
            score: 0.0,
            key: [0.0; 2],
            sides: Sides::default(),
            exact: None,
        }),
        rule: match placed.place {
            Place::Pinned => Some(RulePlace::Pinned),
            Place::Buried => Some(RulePlace::Buried),
            Place::Ranked => None,
        },
        variants: 0,
    };
    Ok(placed.into_iter().map(row).collect())
}

/// Orders runs of equal rows that reach into `window` by the shop's ids: internal numbers depend on the order of
/// arrival.
fn settle_ties<S: ProductSource>(
    source: &S,
    rows: &mut [Row],
    window: Range<usize>,
    known: &mut Known,
) -> Result<(), S::Error> {
    let mut runs = Vec::new();
    let mut start = 0;
    while start < rows.len().min(window.end) {
        let tied = rows[start + 1..].iter().take_while(|row| row.ties_with(&rows[start])).count();
        let end = start + 1 + tied;
        if tied > 0 && end > window.start {
            runs.push(start..end);
        }
        start = end;
    }
    let docs: Vec<DocId> = runs.iter().cloned().flatten().map(|at| rows[at].entry.doc).collect();
    fetch(source, docs, known)?;
    let id = |row: &Row| known.get(&row.entry.doc).and_then(|p| p.as_ref()).map(|p| p.id.as_str());
    for run in runs {
        rows[run].sort_by(|a, b| id(a).cmp(&id(b)));
    }
    Ok(())
}

/// Reads the products that are not known yet.
fn fetch<S: ProductSource>(source: &S, mut docs: Vec<DocId>, known: &mut Known) -> Result<(), S::Error> {
    docs.retain(|doc| !known.contains_key(doc));
    if !docs.is_empty() {
        let products = source.products(&docs)?;
        known.extend(docs.into_iter().zip(products));
    }
    Ok(())
}

/// Products read at a time in place of those that were left out.
const READ: usize = 64;

/// Reads the page's products, from the first of `rows` on. A product that is gone, or no longer passes the filter,
/// counts for nothing.
fn read<S: ProductSource>(
    source: &S,
    request: &SearchRequest,
    mut rows: &[Row],
    known: &mut Known,
) -> Result<Vec<Hit>, S::Error> {
    let mut hits = Vec::with_capacity(request.results().min(rows.len()));
    let mut seen = HashSet::new();
    let mut length = request.results();
    while !rows.is_empty() {
        let (chunk, rest) = rows.split_at(length.min(rows.len()));
        (rows, length) = (rest, READ);
        fetch(source, chunk.iter().map(|row| row.entry.doc).collect(), known)?;
        for row in chunk {
            let Some(product) = known.remove(&row.entry.doc).flatten() else { continue };
            let passes = request.filter().is_none_or(|filter| filter.matches(&product));
            // A product that was replaced meanwhile may have been found under both of its numbers.
            if !passes || !seen.insert(product.id.clone()) {
                continue;
            }
            hits.push(Hit {
                id: product.id.clone(),
                score: row.entry.score,
                sides: row.entry.sides,
                exact: row.entry.exact,
                rule: row.rule,
                variants: row.variants,
                product,
            });
            if hits.len() == request.results() {
                return Ok(hits);
            }
        }
    }
    Ok(hits)
}
