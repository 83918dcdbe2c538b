use std::collections::BTreeMap;

use tantivy::TantivyError;
use xunpin_analysis::{is_hanzi, normalize, query_codes};
use xunpin_core::{ExactKind, ExactMatch};

use crate::schema::{Fields, brand_key, id_key, model_key};
use crate::view::View;

/// A model number of more products than this, and than [`COMMON_SHARE`], is a series or a standard.
const COMMON_PRODUCTS: usize = 20;
const COMMON_SHARE: f64 = 0.005;
/// Shortest id inside a longer query, and shortest of digits alone.
const MIN_ID_CHARS: usize = 3;
const MIN_NUMBER_CHARS: usize = 5;
/// Longest brand in words.
const BRAND_WORDS: usize = 3;

pub(crate) fn exact(view: &View, fields: &Fields, query: &str) -> Result<Vec<ExactMatch>, TantivyError> {
    let mut found: BTreeMap<u32, ExactKind> = BTreeMap::new();
    let mut add = |slots: Vec<u32>, kind: ExactKind| {
        for slot in slots {
            found.entry(slot).and_modify(|k| *k = kind.min(*k)).or_insert(kind);
        }
    };
    let whole = normalize(query);
    if whole.is_empty() {
        return Ok(Vec::new());
    }
    for id in ids(&whole) {
        add(view.with_code(fields, &id_key(id))?, ExactKind::Id);
    }
    let common = COMMON_PRODUCTS.max((view.ids.len() as f64 * COMMON_SHARE) as usize);
    for names in query_codes(&whole) {
        for name in names {
            let slots = view.with_code(fields, &model_key(&name))?;
            if slots.is_empty() {
                continue;
            }
            if slots.len() <= common {
                add(slots, ExactKind::ModelNumber);
            }
            // The names after the first known one are parts of it.
            break;
        }
    }
    add(view.with_brand(fields, &brand_key(&whole))?, ExactKind::Brand);
    Ok(found.into_iter().map(|(slot, kind)| ExactMatch { doc: view.ids[slot as usize], kind }).collect())
}

pub(crate) fn has_brand(view: &View, fields: &Fields, words: &[String]) -> Result<bool, TantivyError> {
    for start in 0..words.len() {
        for end in start + 1..=words.len().min(start + BRAND_WORDS) {
            let key = brand_key(&words[start..end].concat());
            if !key.is_empty() && !view.with_brand(fields, &key)?.is_empty() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// What may be an id in a query in normal form: the whole of it, and the words between white space or Hanzi, with and
/// without the punctuation around them.
fn ids(query: &str) -> Vec<&str> {
    let mut ids = vec![query];
    for word in query.split(|c: char| c == ' ' || is_hanzi(c)) {
        for id in [word, word.trim_matches(|c: char| !c.is_alphanumeric())] {
            let digits = id.bytes().filter(u8::is_ascii_digit).count();
            let shortest = if digits == id.len() { MIN_NUMBER_CHARS } else { MIN_ID_CHARS };
            if digits > 0 && id.chars().count() >= shortest {
                ids.push(id);
            }
        }
    }
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_an_id() {
        assert_eq!(ids("a18164178225"), ["a18164178225"]);
        let query = "请问(a18164)有货吗 s001, 12345 1234 b5 abc";
        assert_eq!(ids(query), ["(a18164)", "12345", "a18164", "s001", "s001,", query]);
        assert_eq!(ids("12"), ["12"]);
    }
}
