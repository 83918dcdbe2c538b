use std::collections::BTreeSet;

use crate::normalize::normalize;
use crate::run::{Run, kind_of};
use crate::scan::scan;
use crate::stop_words::is_stop_word;
use crate::term::TermKind;
use crate::units::is_rating;

/// The model numbers a product's text is found by, without hyphens, each once, in order: whole (`wh1000xm5`), the
/// pieces of one that are model numbers themselves (`1000xm5`), and letters joined with the number after them
/// (`WH 1000XM5`, `RTX 4090`).
pub fn document_codes(text: &str) -> Vec<String> {
    let text = normalize(text);
    let (mut codes, mut seen) = (Vec::new(), BTreeSet::new());
    let mut add = |code: String| {
        if seen.insert(code.clone()) {
            codes.push(code);
        }
    };
    for place in places(&text) {
        place.names.into_iter().for_each(&mut add);
        for piece in place.run.pieces.iter().filter(|piece| kind_of(piece) == TermKind::Code) {
            add((*piece).to_owned());
        }
    }
    codes
}

/// The model numbers that a query may mean: for each place in it the candidates, the most exact first. The first one
/// that the catalogue knows is meant; those after it are only parts of it. Pieces are no candidates: `WF-1000XM5` does
/// not mean the `WH-1000XM5`.
pub fn query_codes(text: &str) -> Vec<Vec<String>> {
    places(&normalize(text)).into_iter().map(|p| p.names).filter(|names| !names.is_empty()).collect()
}

/// A run and the model numbers it is, perhaps none.
struct Place<'a> {
    run: Run<'a>,
    names: Vec<String>,
}

fn places(text: &str) -> Vec<Place<'_>> {
    let mut places: Vec<Place<'_>> = Vec::new();
    let mut last_end = None;
    for stretch in scan(text) {
        let Some(run) = stretch.run else { continue };
        let mut names = Vec::new();
        let spaced = last_end.is_some_and(|end| &text[end..stretch.start] == " ");
        if spaced && let Some(before) = places.last() {
            names.extend(joined(&before.run, &run));
        }
        if run.kind() == TermKind::Code {
            names.push(run.joined());
        }
        places.push(Place { run, names });
        last_end = Some(stretch.end);
    }
    places
}

/// `wh` and `1000xm5`, `rtx` and `4090` as one; nothing for words, years and ratings, which numbers often follow.
fn joined(letters: &Run<'_>, number: &Run<'_>) -> Option<String> {
    let letters = letters.plain()?;
    let number = number.joined();
    let short = |most: usize| letters.len() <= most && letters.bytes().all(|b| b.is_ascii_alphabetic());
    let year = number.len() == 4 && (number.starts_with("19") || number.starts_with("20"));
    let follows = match kind_of(&number) {
        TermKind::Code => number.starts_with(|c: char| c.is_ascii_digit()) && short(4),
        _ => {
            (3..=5).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit()) && !year && short(3)
        }
    };
    let name = format!("{letters}{number}");
    let meant = follows && !is_stop_word(letters) && !is_rating(letters) && kind_of(&name) == TermKind::Code;
    meant.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_product() {
        for (text, expected) in [
            ("Sony/索尼 WH-1000XM5 头戴式耳机", &["wh1000xm5", "1000xm5"][..]),
            ("索尼WH 1000XM5", &["wh1000xm5", "1000xm5"]),
            ("GA-2100-1A1", &["ga21001a1"]),
            ("RTX 4090 显卡 24GB", &["rtx4090"]),
            ("防晒 SPF50+ PA+++ 50ml 0.1% 2024新款 usb 300 new 2024", &[]),
            ("D850 d850s D850S", &["d850", "d850s"]),
        ] {
            assert_eq!(document_codes(text), expected, "{text}");
        }
    }

    #[test]
    fn of_a_query() {
        assert_eq!(query_codes("wh1000xm5"), [["wh1000xm5"]]);
        assert_eq!(query_codes("WH-1000XM5和D850哪个好"), [["wh1000xm5"], ["d850"]]);
        assert_eq!(query_codes("WH 1000XM5"), [["wh1000xm5", "1000xm5"]]);
        assert!(query_codes("敏感肌 50ml 精华").is_empty());
    }
}
