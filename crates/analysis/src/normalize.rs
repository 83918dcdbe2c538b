use std::sync::OnceLock;

use ferrous_opencc::OpenCC;
use ferrous_opencc::config::BuiltinConfig;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

/// Conversions are repeated until nothing changes: a phrase that one pass makes may itself be convertible. Twice is
/// enough for all dictionary entries; the bound only keeps the loop finite.
const MOST_CONVERSIONS: usize = 4;

/// Text in the one form that everything is compared in: Unicode NFKC (full width becomes half, `㎖` becomes `ml`),
/// traditional characters made simplified, lower case, dashes and apostrophes of all kinds as `-` and `'`, any white
/// space as one space and none at the ends, control and invisible characters dropped.
///
/// Applying it again changes nothing.
pub fn normalize(text: &str) -> String {
    let folded = compose(text.chars().filter_map(fold_mark).nfkc().flat_map(char::to_lowercase));
    let simplified = if folded.chars().any(is_hanzi) { simplify(folded) } else { folded };
    collapse(&simplified)
}

/// True for Chinese characters (the unified ideographs and their extensions), which are cut by dictionary.
pub fn is_hanzi(c: char) -> bool {
    matches!(c,
        '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2fa1f}')
}

/// What a character becomes before NFKC; `None` drops it.
fn fold_mark(c: char) -> Option<char> {
    match c {
        _ if c.is_whitespace() => Some(' '),
        _ if c.is_control() || is_invisible(c) => None,
        // NFKC would make letters of these, stuck to the word before.
        '™' | '®' | '©' | '℠' => Some(' '),
        '‐'..='―' | '−' => Some('-'),
        '‘' | '’' | '´' | '`' => Some('\''),
        _ => Some(c),
    }
}

/// Marks that copied text carries and nobody sees, and those that only shape their neighbours.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}

/// Lower case may undo NFKC for a few letters with marks; then it is applied again.
fn compose(chars: impl Iterator<Item = char>) -> String {
    let text: String = chars.collect();
    match is_nfkc_quick(text.chars()) {
        IsNormalized::Yes => text,
        _ => text.nfkc().collect(),
    }
}

/// Traditional to simplified, by OpenCC's dictionaries. They are built into the program and loaded once a process.
fn simplify(text: String) -> String {
    static CONVERTER: OnceLock<Option<OpenCC>> = OnceLock::new();
    // Data built into the program either always loads or never; without it the text stays as it is.
    let converter = CONVERTER.get_or_init(|| OpenCC::from_config(BuiltinConfig::T2s).ok());
    let Some(converter) = converter else { return text };
    let mut text = text;
    for _ in 0..MOST_CONVERSIONS {
        let converted = converter.convert(&text);
        if converted == text {
            break;
        }
        text = converted;
    }
    text
}

fn collapse(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_form() {
        for (text, expected) in [
            ("ＳＫ－ＩＩ　神仙水", "sk-ii 神仙水"),
            ("護膚 補水面膜", "护肤 补水面膜"),
            ("乾坤 餅乾", "乾坤 饼干"),
            ("  a\t\nB\u{3000}c ", "a b c"),
            ("零\u{200b}宽\u{feff}\u{0}", "零宽"),
            ("50㎖ ①", "50ml 1"),
            ("Nike™ Air®", "nike air"),
            ("L’Oréal", "l'oréal"),
            ("WH–1000XM5", "wh-1000xm5"),
            ("SPF５０＋ ＰＡ＋＋＋ 0.1％", "spf50+ pa+++ 0.1%"),
            ("", ""),
        ] {
            assert_eq!(normalize(text), expected, "{text:?}");
        }
    }

    #[test]
    fn simplified_text_stays_simplified() {
        for text in ["覆盖面部瑕疵", "著名品牌", "乾隆御用", "干皮面霜后续", "么么哒"]
        {
            assert_eq!(normalize(text), text);
        }
    }

    proptest! {
        #[test]
        fn a_second_time_changes_nothing(text in "\\PC*|[\\s\\S]*|[一-龥]{0,20}|[\u{ac00}-\u{d7ff}\u{300}-\u{36f}A-Zİ]*") {
            let once = normalize(&text);
            prop_assert_eq!(normalize(&once), once);
        }
    }
}
