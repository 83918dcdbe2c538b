//! Fields in memory, by product: what filters, facets, sort orders and groups are answered from without reading
//! products.
//!
//! ```text
//! products ──scan──► Columns { Field -> Column }  ──commit──► Columns (shares what did not change)
//!                              │
//!                     dictionary: each distinct value once ◄── codes, in chunks of 4,096 products
//! ```
//!
//! A [`Column`] never changes; a commit makes the next one. Titles, descriptions and ids have no column: nearly every
//! value differs, so it would be a second copy of the catalogue. Neither does any field with more than 256 MiB of
//! different text. [`filter_docs`] reads the products that are still in question for those.

mod column;
mod dictionary;
mod error;
mod evaluate;
mod field_catalogue;
mod popularity;

use std::collections::HashMap;
use std::sync::Arc;

use xunpin_core::{CompareOp, DocId, Field, Filter, Literal, Product};

use crate::{format_filter, parse_filter};
use column::ColumnBuilder;
pub(crate) use dictionary::Entry;

pub use column::Column;
pub use error::{FieldError, ValueKind};
pub use evaluate::filter_docs;
pub use field_catalogue::{FieldCatalogue, FieldKinds, MAX_FIELD_NAMES, check_filter};
pub use popularity::Popularity;

/// Most bytes of different text that a column may hold.
const MAX_TEXT_BYTES: usize = 256 << 20;

/// Columns by field, of one state of the catalogue.
///
/// ```
/// use std::convert::Infallible;
/// use xunpin_core::{DocId, DocSet, Product};
/// use xunpin_query::{Columns, FacetRequest, SortKey, facet, filter_docs, parse_filter, sort_by_column};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let catalogue: Vec<Product> = [("雅漾", 98.0), ("薇姿", 239.0), ("雅漾", 168.0)]
///     .into_iter()
///     .map(|(brand, price)| Product {
///         brand: Some(brand.into()),
///         price: Some(price),
///         ..Product::new(price.to_string(), "保湿面霜")
///     })
///     .collect();
/// let docs = || (0..).map(DocId).zip(&catalogue);
///
/// let (filter, brands, sort) =
///     (parse_filter("price < 200")?, FacetRequest::parse("brand")?, SortKey::parse("price:desc")?);
/// let mut fields: Vec<_> = filter.fields().into_iter().cloned().collect();
/// fields.extend([brands.field().clone(), sort.field().clone()]);
/// let columns = Columns::build(&fields, |visit| {
///     docs().for_each(|(doc, product)| visit(doc, product));
///     Ok::<_, Infallible>(())
/// })?;
///
/// // Nothing is read: every field of the filter has a column.
/// let all: DocSet = docs().map(|(doc, _)| doc).collect();
/// let found = filter_docs(&filter, &columns, &all, |_, _| Ok::<_, Infallible>(()))?;
/// let facet = facet(&brands, columns.require(brands.field())?, &found);
/// assert_eq!((facet.values[0].value.clone(), facet.values[0].count), ("雅漾".into(), 2));
///
/// let mut ranked: Vec<DocId> = found.iter().collect();
/// sort_by_column(&mut ranked, &sort, columns.require(sort.field())?, |doc| *doc);
/// assert_eq!(ranked, [DocId(2), DocId(0)]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Columns {
    /// `None` where there is too much text.
    by_field: HashMap<Field, Option<Arc<Column>>>,
    max_text_bytes: usize,
}

impl Default for Columns {
    fn default() -> Self {
        Self { by_field: HashMap::new(), max_text_bytes: MAX_TEXT_BYTES }
    }
}

impl Columns {
    /// Makes the columns of `fields` in one pass. `scan` calls its argument with each product once, in any order.
    /// Fields that have no column are passed over. Fails only as `scan` does.
    pub fn build<E>(
        fields: &[Field],
        scan: impl FnOnce(&mut dyn FnMut(DocId, &Product)) -> Result<(), E>,
    ) -> Result<Self, E> {
        Self::build_within(MAX_TEXT_BYTES, fields, scan)
    }

    fn build_within<E>(
        max_text_bytes: usize,
        fields: &[Field],
        scan: impl FnOnce(&mut dyn FnMut(DocId, &Product)) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut columns = Self { by_field: HashMap::new(), max_text_bytes };
        let mut builders: Vec<_> = columns.missing(fields).into_iter().map(ColumnBuilder::new).collect();
        let too_large = |builder: &ColumnBuilder| builder.text_bytes() > max_text_bytes;
        let mut given_up = Vec::new();
        scan(&mut |doc, product| {
            builders.iter_mut().for_each(|builder| builder.push(doc, product));
            while let Some(at) = builders.iter().position(too_large) {
                given_up.push(builders.remove(at).field().clone());
            }
        })?;
        columns.by_field.extend(given_up.into_iter().map(|field| (field, None)));
        for column in builders.into_iter().map(ColumnBuilder::finish) {
            columns.by_field.insert(column.field().clone(), Some(Arc::new(column)));
        }
        Ok(columns)
    }

    /// Those of `fields` that can have a column and are not here yet, each once.
    pub fn missing<'a>(&self, fields: impl IntoIterator<Item = &'a Field>) -> Vec<Field> {
        let mut missing: Vec<Field> = Vec::new();
        for field in fields {
            let wanted = can_have_column(field) && !self.by_field.contains_key(field);
            if wanted && !missing.contains(field) {
                missing.push(field.clone());
            }
        }
        missing
    }

    /// These columns and those of `other`, which are of the same state of the catalogue.
    pub fn merged(&self, other: &Self) -> Self {
        let mut merged = self.clone();
        merged.by_field.extend(other.by_field.iter().map(|(field, column)| (field.clone(), column.clone())));
        merged
    }

    /// The columns after a commit: each product of `changed` has the values of its new form, or none if that is
    /// `None`. Costs a copy of the chunks of 4,096 products in which there are changes.
    pub fn with_changes(&self, changed: &[(DocId, Option<&Product>)]) -> Self {
        let next = |column: &Arc<Column>| {
            let next = column.with_changes(changed);
            (next.dictionary().text_bytes() <= self.max_text_bytes).then(|| Arc::new(next))
        };
        let by_field =
            self.by_field.iter().map(|(field, c)| (field.clone(), c.as_ref().and_then(next))).collect();
        Self { by_field, max_text_bytes: self.max_text_bytes }
    }

    /// The fields that were built, those that cannot be held included, in the order of their names.
    pub fn fields(&self) -> Vec<Field> {
        let mut fields: Vec<Field> = self.by_field.keys().cloned().collect();
        fields.sort_by_key(write_field);
        fields
    }

    /// The field's column; `None` if it was not built or cannot be held.
    pub fn column(&self, field: &Field) -> Option<&Arc<Column>> {
        self.by_field.get(field)?.as_ref()
    }

    /// The column of a field that was built, or why there is none.
    pub fn require(&self, field: &Field) -> Result<&Arc<Column>, FieldError> {
        self.column(field).ok_or_else(|| FieldError::NotHeld { field: field.clone() })
    }
}

/// Whether a field can have a column at all.
fn can_have_column(field: &Field) -> bool {
    !matches!(field, Field::Id | Field::Title | Field::Description)
}

/// The field that a name means in the filter grammar: backticks may stand round it, `attributes.NAME` is an attribute.
pub(crate) fn read_field(name: &str) -> Field {
    match parse_filter(&format!("exists {name}")) {
        Ok(Filter::Exists(field)) => field,
        _ => Field::from_name(name),
    }
}

/// The field's name in the filter grammar.
pub(crate) fn write_field(field: &Field) -> String {
    let written = format_filter(&Filter::Exists(field.clone()));
    written.strip_prefix("exists ").unwrap_or(&written).to_owned()
}

/// `field op value`.
pub(crate) fn compare(field: &Field, op: CompareOp, value: impl Into<Literal>) -> Filter {
    Filter::Compare { field: field.clone(), op, value: value.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tagged(tag: &str) -> Product {
        Product { tags: vec![tag.into()], brand: Some("b".into()), ..Product::new("p", "t") }
    }

    fn scan(visit: &mut dyn FnMut(DocId, &Product)) -> Result<(), std::convert::Infallible> {
        visit(DocId(0), &tagged("short"));
        visit(DocId(1), &tagged(&"long".repeat(5)));
        Ok(())
    }

    #[test]
    fn a_field_with_too_much_text_has_no_column() {
        let fields = [Field::Tags, Field::Brand, Field::Brand, Field::Title];
        let columns = Columns::build_within(20, &fields, scan).unwrap();
        assert!(columns.column(&Field::Tags).is_none());
        assert!(columns.missing(&fields).is_empty());
        assert_eq!(columns.require(&Field::Tags).unwrap_err(), FieldError::NotHeld { field: Field::Tags });
        assert_eq!(columns.require(&Field::Brand).unwrap().products(), 2);

        let columns = Columns::build_within(25, &fields, scan).unwrap();
        assert!(columns.column(&Field::Tags).is_some());
        let grown = columns.with_changes(&[(DocId(2), Some(&tagged("longer")))]);
        assert!(grown.column(&Field::Tags).is_none() && grown.column(&Field::Brand).is_some());
    }

    #[test]
    fn columns_are_added_as_they_are_needed() {
        let first = Columns::build(&[Field::Tags], scan).unwrap();
        assert_eq!(first.missing(&[Field::Id, Field::Price, Field::Tags, Field::Price]), [Field::Price]);
        let both = first.merged(&Columns::build(&[Field::Price], scan).unwrap());
        assert!(both.column(&Field::Tags).is_some() && both.column(&Field::Price).is_some());
    }

    #[test]
    fn names_of_fields() {
        for (name, field) in [
            ("价格", Field::Price),
            ("Ｐｒｉｃｅ", Field::Price),
            ("attributes.price", Field::Named("price".into())),
            ("`适用 人群`", Field::Named("适用 人群".into())),
            ("适用 人群", Field::Named("适用 人群".into())),
            ("and", Field::Named("and".into())),
        ] {
            assert_eq!(read_field(name), field, "{name}");
            assert_eq!(read_field(&write_field(&field)), field, "{name}");
        }
    }
}
