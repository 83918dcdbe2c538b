use std::borrow::Cow;

/// Replaces control characters by spaces, newline and tab excepted.
pub(crate) fn clean(text: &mut String) {
    if text.bytes().any(may_be_control) && text.chars().any(is_unwanted) {
        *text = text.chars().map(|c| if is_unwanted(c) { ' ' } else { c }).collect();
    }
}

/// Control characters are one byte, or 0xC2 and another.
fn may_be_control(byte: u8) -> bool {
    byte < 0x20 || byte == 0x7f || byte == 0xc2
}

fn is_unwanted(c: char) -> bool {
    c.is_control() && c != '\n' && c != '\t'
}

/// `text` with every run of whitespace and control characters made one space, none at the ends.
pub(crate) fn collapse(text: &str) -> Cow<'_, str> {
    let is_gap = |c: char| c.is_whitespace() || c.is_control();
    let trimmed = text.trim_matches(is_gap);
    let mut after_gap = false;
    let is_single = trimmed.chars().all(|c| {
        let fine = if is_gap(c) { c == ' ' && !after_gap } else { true };
        after_gap = is_gap(c);
        fine
    });
    if is_single {
        return Cow::Borrowed(trimmed);
    }
    let mut out = String::with_capacity(trimmed.len());
    for word in trimmed.split(is_gap).filter(|w| !w.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    Cow::Owned(out)
}

/// The first characters of `text`, for a message.
pub(crate) fn excerpt(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut out: String = text.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(SHOWN).is_some() {
        out.push('…');
    }
    out
}

/// Non-empty trimmed pieces of a list written with commas or semicolons, Chinese or ASCII.
pub(crate) fn split_list(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', '，', '、', ';', '；']).map(str::trim).filter(|piece| !piece.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_become_spaces() {
        let mut text = "a\0b\u{7}c\nd\te\u{85}f\u{7f}é😀".to_owned();
        clean(&mut text);
        assert_eq!(text, "a b c\nd\te f é😀");
    }

    #[test]
    fn whitespace_collapses() {
        assert_eq!(collapse(" a\u{3000}\n b\u{0}c  "), "a b c");
        assert!(matches!(collapse("a b"), Cow::Borrowed("a b")));
        assert_eq!(collapse(" \u{3000}"), "");
    }

    #[test]
    fn lists_split_on_both_kinds_of_commas() {
        assert_eq!(split_list("美白，保湿、, 抗老;；").collect::<Vec<_>>(), ["美白", "保湿", "抗老"]);
    }
}
