//! How often each value of a field occurs among the products that were found.

mod ranges;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use xunpin_core::{CompareOp, DocId, DocSet, Field, FieldValue, Filter, Literal};

use crate::columns::{Column, Entry, FieldCatalogue, FieldError, compare, read_field, write_field};
use ranges::number_facet;

/// Values that a facet lists unless the request says otherwise.
pub const DEFAULT_FACET_VALUES: usize = 10;
/// Most values that a facet lists.
pub const MAX_FACET_VALUES: usize = 1_000;

/// Which field's values are counted, and how many are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacetRequest {
    field: Field,
    limit: usize,
}

impl FacetRequest {
    /// The [`DEFAULT_FACET_VALUES`] most frequent values of `field`. Fails for a title, an id and a description,
    /// which differ from product to product.
    pub fn new(field: Field) -> Result<Self, FieldError> {
        match field {
            Field::Id | Field::Title | Field::Description => Err(FieldError::NotCountable { field }),
            field => Ok(Self { field, limit: DEFAULT_FACET_VALUES }),
        }
    }

    /// The same with `limit` values listed, 1 to [`MAX_FACET_VALUES`].
    pub fn with_limit(self, limit: usize) -> Result<Self, FieldError> {
        if !(1..=MAX_FACET_VALUES).contains(&limit) {
            return Err(FieldError::Values { field: self.field, got: limit, limit: MAX_FACET_VALUES });
        }
        Ok(Self { limit, ..self })
    }

    /// Reads `brand` or `brand:20`: a field as the filter grammar names it, and how many values are listed.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        let text = text.trim();
        let (name, limit) = match text.rsplit_once(':').map(|(name, digits)| (name.trim(), digits.trim())) {
            Some((name, digits)) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                // Only digits: what does not fit is too large.
                (name, Some(digits.parse().unwrap_or(usize::MAX)))
            }
            _ => (text, None),
        };
        if name.is_empty() {
            return Err(FieldError::NoName);
        }
        let request = Self::new(read_field(name))?;
        limit.map_or(Ok(request.clone()), |limit| request.with_limit(limit))
    }

    /// The field.
    pub fn field(&self) -> &Field {
        &self.field
    }

    /// How many values are listed.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Fails if no product has the field.
    pub fn check(&self, catalogue: &FieldCatalogue) -> Result<(), FieldError> {
        catalogue.check(&self.field)
    }
}

/// The values of a field among the products that were found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facet {
    /// The field as the filter grammar names it.
    pub field: String,
    /// The most frequent values, those of equal count in the order of values: true and false, numbers, texts.
    pub values: Vec<FacetValue>,
    /// What is not listed.
    pub other: FacetRest,
    /// Products that have no value.
    pub missing: usize,
    /// Smallest, largest and ranges, where at least half of the products that have a value have a number; never for
    /// the standard text fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<NumberFacet>,
}

/// A value and in how many of the products it occurs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FacetValue {
    /// The value. Texts that differ in case or white space at the ends are one, in the spelling that occurs most.
    pub value: Literal,
    /// Products that the filter `field = value` lets through.
    pub count: usize,
}

impl FacetValue {
    /// The filter that lets through exactly the products that were counted.
    pub fn filter(&self, field: &Field) -> Filter {
        compare(field, CompareOp::Equal, self.value.clone())
    }
}

/// Values that a facet does not list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FacetRest {
    /// How many there are.
    pub values: usize,
    /// Products that have one of them.
    pub products: usize,
}

/// The numbers of a field among the products that were found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NumberFacet {
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// At most eight ranges with round bounds and about as many products each, rising; fewer where there are few
    /// different numbers, and none where there is one.
    pub ranges: Vec<NumberRange>,
}

/// The numbers from `from` up to but not including `to`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NumberRange {
    /// Lower bound; absent in the first range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<f64>,
    /// Upper bound; absent in the last range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<f64>,
    /// Products that the filter `field >= from and field < to` lets through.
    pub count: usize,
}

impl NumberRange {
    /// The filter that lets through exactly the products that were counted.
    pub fn filter(&self, field: &Field) -> Filter {
        let from = self.from.map(|from| compare(field, CompareOp::GreaterOrEqual, from));
        let to = self.to.map(|to| compare(field, CompareOp::Less, to));
        Filter::And(from.into_iter().chain(to).collect())
    }
}

/// Counts the values of `column`, which is that of the request's field, among the products `docs`. A product counts
/// once for each of its values. Of a category path, its beginnings are the values: `护肤`, `护肤/精华` and so on.
pub fn facet(request: &FacetRequest, column: &Column, docs: &DocSet) -> Facet {
    let mut count = Count::new(column);
    docs.iter().for_each(|doc| count.add(doc));

    let mut listed: Vec<usize> = (0..count.groups.len()).filter(|at| count.groups[*at].listable).collect();
    listed.sort_unstable_by(|a, b| {
        let (a, b) = (&count.groups[*a], &count.groups[*b]);
        b.count.cmp(&a.count).then_with(|| a.key.cmp(&b.key))
    });
    let rest = listed.split_off(request.limit.min(listed.len()));
    Facet {
        field: write_field(&request.field),
        values: listed.iter().map(|at| count.value(*at)).collect(),
        other: FacetRest { values: rest.len(), products: count.products_with(docs, &rest) },
        missing: count.missing,
        numbers: number_facet(column, docs, docs.len() - count.missing),
    }
}

/// What makes values one value: exactly what a filter on one of them does not tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ValueKey<'a> {
    Bool(bool),
    /// The bits of a number, turned so that they sort like it.
    Number(i64),
    /// A folded text.
    Text(&'a str),
}

impl<'a> ValueKey<'a> {
    /// `None` for NaN, which equals nothing. Where a column holds numbers, texts that read as numbers are those
    /// numbers, and likewise with true and false: filters on a number find both. Elsewhere they stay as written.
    pub(crate) fn new(column: &Column, entry: &'a Entry) -> Option<Self> {
        let value = entry.folded();
        if let Some(held) = value.boolean().filter(|_| column.has_bools()) {
            return Some(Self::Bool(held));
        }
        if let Some(number) = value.number().filter(|_| column.has_numbers()) {
            let bits = (number + 0.0).to_bits() as i64;
            return (!number.is_nan()).then_some(Self::Number(bits ^ ((bits >> 63) & i64::MAX)));
        }
        match value {
            FieldValue::Text(text) => Some(Self::Text(text)),
            FieldValue::Number(_) | FieldValue::Bool(_) => None,
        }
    }
}

/// The products that share a value.
struct Group<'a> {
    key: ValueKey<'a>,
    count: usize,
    /// The product that was counted last.
    last: DocId,
    /// Its value is listed: not so the steps within a category path.
    listable: bool,
    /// The different ways in which the value is written and how often each is.
    spellings: Vec<(u32, usize)>,
}

/// A count that is going on.
struct Count<'a> {
    column: &'a Column,
    groups: Vec<Group<'a>>,
    by_key: HashMap<ValueKey<'a>, usize>,
    /// By code: the group and the place among its spellings.
    by_code: Vec<Option<(u32, u32)>>,
    missing: usize,
}

impl<'a> Count<'a> {
    fn new(column: &'a Column) -> Self {
        let by_code = vec![None; column.dictionary().len()];
        Self { column, groups: Vec::new(), by_key: HashMap::new(), by_code, missing: 0 }
    }

    /// Counts a product, products in rising order.
    fn add(&mut self, doc: DocId) {
        let codes = self.column.codes(doc);
        self.missing += usize::from(codes.is_empty());
        for code in codes {
            let Some((group, spelling)) = self.place(*code) else { continue };
            let group = &mut self.groups[group as usize];
            if group.count == 0 || group.last != doc {
                group.count += 1;
                group.last = doc;
            }
            group.spellings[spelling as usize].1 += 1;
        }
    }

    /// The group of a code and its place among the group's spellings, made if need be.
    fn place(&mut self, code: u32) -> Option<(u32, u32)> {
        if let Some(place) = self.by_code[code as usize] {
            return Some(place);
        }
        let entry = self.column.dictionary().entry(code);
        let key = ValueKey::new(self.column, entry)?;
        let group = *self.by_key.entry(key).or_insert(self.groups.len());
        if group == self.groups.len() {
            let spellings = Vec::new();
            self.groups.push(Group { key, count: 0, last: DocId(0), listable: false, spellings });
        }
        let held = &mut self.groups[group];
        held.listable |= *self.column.field() != Field::Category || entry.is_path();
        held.spellings.push((code, 0));
        let place = (group as u32, held.spellings.len() as u32 - 1);
        self.by_code[code as usize] = Some(place);
        Some(place)
    }

    fn value(&self, at: usize) -> FacetValue {
        let group = &self.groups[at];
        let value = match group.key {
            ValueKey::Bool(value) => Literal::Bool(value),
            ValueKey::Number(bits) => {
                Literal::Number(f64::from_bits((bits ^ ((bits >> 63) & i64::MAX)) as u64))
            }
            ValueKey::Text(folded) => Literal::Text(self.spelling(group).unwrap_or(folded).to_owned()),
        };
        FacetValue { value, count: group.count }
    }

    /// The spelling of a text that occurs most; of equals the first in the order of texts.
    fn spelling(&self, group: &Group<'a>) -> Option<&'a str> {
        let texts = group.spellings.iter().filter_map(|(code, count)| {
            match self.column.dictionary().entry(*code).value() {
                FieldValue::Text(text) => Some((*count, text)),
                FieldValue::Number(_) | FieldValue::Bool(_) => None,
            }
        });
        texts.max_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.cmp(a.1))).map(|(_, text)| text)
    }

    /// How many of the products have a value of one of `groups`.
    fn products_with(&self, docs: &DocSet, groups: &[usize]) -> usize {
        if groups.is_empty() {
            return 0;
        }
        let mut wanted = vec![false; self.groups.len()];
        groups.iter().for_each(|at| wanted[*at] = true);
        let has = |code: &u32| self.by_code[*code as usize].is_some_and(|(group, _)| wanted[group as usize]);
        docs.iter().filter(|doc| self.column.codes(*doc).iter().any(has)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        let parse = |text: &str| FacetRequest::parse(text).map(|r| (r.field, r.limit));
        assert_eq!(parse("brand"), Ok((Field::Brand, 10)));
        assert_eq!(parse(" 品牌 : 25"), Ok((Field::Brand, 25)));
        assert_eq!(parse("`a:b`"), Ok((Field::Named("a:b".into()), 10)));
        assert_eq!(parse("a:b"), Ok((Field::Named("a:b".into()), 10)));
        for (text, problem) in [
            ("", "no field is named"),
            (":5", "no field is named"),
            ("brand:0", "0 values of `brand` were asked for; ask for 1 to 1000"),
            ("brand:1001", "1001 values of `brand`"),
            ("brand:99999999999999999999999", "values of `brand` were asked for; ask for 1 to 1000"),
            ("标题", "`title` differs from product to product"),
        ] {
            let message = FacetRequest::parse(text).unwrap_err().to_string();
            assert!(message.contains(problem), "{text}: {message}");
        }
    }

    #[test]
    fn keys_of_numbers_sort_like_numbers() {
        let numbers = [f64::NEG_INFINITY, -3.5, -1.0, 0.0, 1e-300, 2.0, 1e300, f64::INFINITY];
        let bits = numbers.map(|number| {
            let bits = number.to_bits() as i64;
            bits ^ ((bits >> 63) & i64::MAX)
        });
        assert!(bits.is_sorted());
    }
}
