use std::collections::BTreeMap;

use xunpin_core::{CompareOp, Field, Filter, Literal, Product};

use super::{FieldError, ValueKind};

/// Most names of attributes and other columns that are told apart.
pub const MAX_FIELD_NAMES: usize = 10_000;
/// Most names that an error proposes.
const MAX_NEAR: usize = 3;
/// Names of the standard fields, to be proposed for a misspelled one.
const STANDARD_NAMES: [&str; 10] =
    ["id", "title", "brand", "category", "price", "currency", "tags", "stock", "description", "updated_at"];

/// How many products have a value of each kind in a field. Text that reads as a number counts as both, as it does in
/// a filter; likewise `true` and `false`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FieldKinds {
    /// Products that have a text.
    pub text: usize,
    /// Products that have a number.
    pub number: usize,
    /// Products that have `true` or `false`.
    pub bool: usize,
}

impl FieldKinds {
    fn of(field: &Field, product: &Product) -> Self {
        let mut kinds = Self::default();
        field.values(product, &mut |value| {
            kinds.text |= usize::from(matches!(value, xunpin_core::FieldValue::Text(_)));
            kinds.number |= usize::from(value.number().is_some());
            kinds.bool |= usize::from(value.boolean().is_some());
        });
        kinds
    }

    fn combine(&mut self, other: Self, with: fn(usize, usize) -> usize) {
        self.text = with(self.text, other.text);
        self.number = with(self.number, other.number);
        self.bool = with(self.bool, other.bool);
    }

    fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// The kinds that occur.
    pub fn kinds(self) -> Vec<ValueKind> {
        [(self.text, ValueKind::Text), (self.number, ValueKind::Number), (self.bool, ValueKind::Bool)]
            .into_iter()
            .filter_map(|(products, kind)| (products > 0).then_some(kind))
            .collect()
    }

    fn has(self, kind: ValueKind) -> bool {
        match kind {
            ValueKind::Text => self.text > 0,
            ValueKind::Number => self.number > 0,
            ValueKind::Bool => self.bool > 0,
        }
    }
}

/// The attributes and other columns that products have, so that a misspelled field is told from one that happens to
/// be absent. At most [`MAX_FIELD_NAMES`] names; in a catalogue with more, unknown names can't be told and pass.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldCatalogue {
    names: BTreeMap<String, FieldKinds>,
    full: bool,
}

impl FieldCatalogue {
    /// The catalogue of no products.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a product.
    pub fn add(&mut self, product: &Product) {
        for (field, kinds) in named_fields(product) {
            if let Some(known) = self.names.get_mut(field) {
                known.combine(kinds, usize::saturating_add);
            } else if self.names.len() < MAX_FIELD_NAMES {
                self.names.insert(field.to_owned(), kinds);
            } else {
                self.full = true;
            }
        }
    }

    /// Takes a product out that was counted, in the form in which it was. A name that no product has any more is
    /// forgotten. A caller who does not know the old form may leave this out: the name then stays known.
    pub fn remove(&mut self, product: &Product) {
        for (field, kinds) in named_fields(product) {
            if let Some(known) = self.names.get_mut(field) {
                known.combine(kinds, usize::saturating_sub);
                if known.is_empty() {
                    self.names.remove(field);
                }
            }
        }
    }

    /// The names and what products have under them, in the order of names.
    pub fn names(&self) -> impl ExactSizeIterator<Item = (&str, FieldKinds)> {
        self.names.iter().map(|(name, kinds)| (name.as_str(), *kinds))
    }

    /// Fails with [`FieldError::Unknown`] if no product has the field. Standard fields are always known, and so is
    /// every field where there are no names at all or more than [`MAX_FIELD_NAMES`].
    pub fn check(&self, field: &Field) -> Result<(), FieldError> {
        match field {
            Field::Named(name) if !self.full && !self.names.is_empty() && !self.names.contains_key(name) => {
                Err(FieldError::Unknown { field: field.clone(), near: self.near(name) })
            }
            _ => Ok(()),
        }
    }

    /// Fields with a name like `name`: with one or two letters changed, or one name in the other. The nearest first,
    /// then those that most products have.
    fn near(&self, name: &str) -> Vec<String> {
        let wanted: Vec<char> = name.to_lowercase().chars().collect();
        let standard = STANDARD_NAMES.iter().map(|name| (*name, usize::MAX));
        let named = self.names.iter().map(|(name, kinds)| (name.as_str(), kinds.text.max(kinds.number)));
        let mut found: Vec<_> = standard
            .chain(named)
            .filter_map(|(known, products)| Some((difference(&wanted, known)?, usize::MAX - products, known)))
            .collect();
        found.sort_unstable();
        found.into_iter().take(MAX_NEAR).map(|(_, _, known)| known.to_owned()).collect()
    }
}

/// The attributes and unknown fields in which the product has values.
fn named_fields(product: &Product) -> impl Iterator<Item = (&str, FieldKinds)> {
    let hidden = |name: &String| product.attributes.contains_key(name);
    let names = product.attributes.keys().chain(product.extra.keys().filter(move |name| !hidden(name)));
    names.filter_map(|name| {
        let kinds = FieldKinds::of(&Field::Named(name.clone()), product);
        (!kinds.is_empty()).then_some((name.as_str(), kinds))
    })
}

/// Letters to change between two names if they are few for their length: none up to three letters but one, two above.
/// A name within the other comes after those, the more letters it lacks the later.
fn difference(wanted: &[char], known: &str) -> Option<usize> {
    let known: Vec<char> = known.to_lowercase().chars().collect();
    let (short, long) = if wanted.len() < known.len() { (wanted, &*known) } else { (&*known, wanted) };
    let allowed = (short.len() / 2).min(2);
    if long.len() - short.len() <= allowed {
        let distance = edit_distance(short, long);
        if distance <= allowed {
            return Some(distance);
        }
    }
    let within = !short.is_empty() && long.windows(short.len()).any(|part| part == short);
    within.then_some(allowed + 1 + long.len() - short.len())
}

/// Insertions, deletions and replacements between two texts (Levenshtein).
fn edit_distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// Checks that a filter can mean something: that every attribute or other column that it names is one of some
/// product, and that each is compared with a kind of value that some product has in it. Both hold for negations as
/// well: `not 酒清 = true` would let everything through.
pub fn check_filter(filter: &Filter, catalogue: &FieldCatalogue) -> Result<(), FieldError> {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => {
            parts.iter().try_for_each(|part| check_filter(part, catalogue))
        }
        Filter::Not(part) => check_filter(part, catalogue),
        Filter::Exists(field) => catalogue.check(field),
        Filter::Compare { field, op, value } => {
            catalogue.check(field)?;
            check_kind(field, *op, value, catalogue)
        }
    }
}

fn check_kind(
    field: &Field,
    op: CompareOp,
    value: &Literal,
    catalogue: &FieldCatalogue,
) -> Result<(), FieldError> {
    let wanted = if op == CompareOp::Contains { ValueKind::Text } else { value.into() };
    let holds = match field {
        Field::Named(name) => match catalogue.names.get(name) {
            Some(kinds) => *kinds,
            None => return Ok(()),
        },
        _ if field.is_numeric() => FieldKinds { number: 1, ..FieldKinds::default() },
        // Text may read as a number or as true or false.
        _ => return Ok(()),
    };
    if holds.has(wanted) {
        return Ok(());
    }
    Err(FieldError::WrongType { field: field.clone(), wanted, holds: holds.kinds() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_filter;

    fn catalogue() -> FieldCatalogue {
        let mut catalogue = FieldCatalogue::new();
        for json in [
            r#"{"id":"1","title":"t","attributes":{"肤质":["干皮"],"酒精":[false],"净含量":[30],"empty":[]},
                "sale_count":"26662","comment_count":"7","nested":{"a":1},"empty":["hidden"]}"#,
            r#"{"id":"2","title":"t","attributes":{"肤质":["油皮"],"净含量":["30ml"]},"organic":"TRUE"}"#,
        ] {
            catalogue.add(&serde_json::from_str(json).unwrap());
        }
        catalogue
    }

    #[test]
    fn names_and_kinds() {
        let kinds = |text, number, bool| FieldKinds { text, number, bool };
        assert_eq!(
            catalogue().names().collect::<Vec<_>>(),
            [
                ("comment_count", kinds(1, 1, 0)),
                ("organic", kinds(1, 0, 1)),
                ("sale_count", kinds(1, 1, 0)),
                ("净含量", kinds(1, 1, 0)),
                ("肤质", kinds(2, 0, 0)),
                ("酒精", kinds(0, 0, 1)),
            ]
        );
    }

    #[test]
    fn filters_that_can_mean_nothing() {
        let catalogue = catalogue();
        for (filter, problem) in [
            ("肤质 = 干皮 and sale_count > 3 and 净含量 contains ml", None),
            ("price < 3 and brand = a and organic = true and 酒精 = false", None),
            ("sale_count = '26662'", None),
            ("肤质x = 1", Some("no product has a field `肤质x`; did you mean `肤质`?")),
            ("not sale_coumt > 1", Some("no product has a field `sale_coumt`; did you mean `sale_count`?")),
            (
                "count exists",
                Some("no product has a field `count`; did you mean `sale_count` or `comment_count`?"),
            ),
            ("pirce < 3", Some("no product has a field `pirce`; did you mean `price`?")),
            (
                "material = a",
                Some("no product has a field `material`; names are written as in the catalogue"),
            ),
            ("nested exists", Some("no product has a field `nested`")),
            ("empty exists", Some("no product has a field `empty`")),
            (
                "肤质 > 3",
                Some("`肤质` is compared with numbers (without quotes), but holds only text (in quotes)"),
            ),
            (
                "not 肤质 = true",
                Some("`肤质` is compared with true or false (without quotes), but holds only text"),
            ),
            ("酒精 = 无", Some("`酒精` is compared with text (in quotes), but holds only true or false")),
        ] {
            let found = check_filter(&parse_filter(filter).unwrap(), &catalogue);
            match (problem, found) {
                (None, found) => assert_eq!(found, Ok(()), "{filter}"),
                (Some(problem), found) => {
                    let message = found.expect_err(filter).to_string();
                    assert!(message.starts_with(problem), "{filter}: {message}");
                }
            }
        }
        let hand_made = Filter::Compare { field: Field::Price, op: CompareOp::Equal, value: "3".into() };
        assert!(matches!(check_filter(&hand_made, &catalogue), Err(FieldError::WrongType { .. })));
        let anything = parse_filter("whatever = 1").unwrap();
        assert_eq!(check_filter(&anything, &FieldCatalogue::new()), Ok(()));
    }

    #[test]
    fn removing_what_was_added_leaves_nothing() {
        let product: Product =
            serde_json::from_str(r#"{"id":"1","title":"t","attributes":{"a":["1",true]},"b":2}"#).unwrap();
        let mut changed = catalogue();
        changed.add(&product);
        assert_eq!(changed.names().len(), 8);
        changed.remove(&product);
        assert_eq!(changed, catalogue());
    }

    #[test]
    fn too_many_names_pass_unchecked() {
        let mut catalogue = FieldCatalogue::new();
        let mut product = Product::new("1", "t");
        product.extra.extend((0..MAX_FIELD_NAMES).map(|n| (format!("n{n}"), 1.into())));
        catalogue.add(&product);
        let unknown = Field::Named("unknown".into());
        assert!(catalogue.check(&unknown).is_err());
        let mut one_more = Product::new("2", "t");
        one_more.extra.insert("one more".into(), 1.into());
        catalogue.add(&one_more);
        assert_eq!(catalogue.names().len(), MAX_FIELD_NAMES);
        assert_eq!(catalogue.check(&unknown), Ok(()));
    }

    #[test]
    fn distances() {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        for (a, b, distance) in
            [("", "ab", 2), ("kitten", "sitting", 3), ("产地", "产量", 1), ("abc", "abc", 0)]
        {
            assert_eq!(edit_distance(&chars(a), &chars(b)), distance);
            assert_eq!(edit_distance(&chars(b), &chars(a)), distance);
        }
        assert_eq!(difference(&chars("肤质"), "产地"), None);
        assert_eq!(difference(&chars("产地"), "产量"), Some(1));
    }
}
