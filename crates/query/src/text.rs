use crate::QueryError;

/// Longest query in characters, after white space is put in order. Ten times what shoppers write; beyond it the
/// text is no query, and encoding it would hold up the others.
pub const MAX_QUERY_CHARS: usize = 2_000;

/// The query as it is encoded and shown: white space at the ends is cut, white space within becomes one space,
/// control characters and invisible marks are dropped. Everything else, emoji included, stays as it is.
///
/// Fails with [`QueryError::Empty`] if nothing is left and with [`QueryError::TooLong`] above
/// [`MAX_QUERY_CHARS`] characters.
pub fn normalize_query(text: &str) -> Result<String, QueryError> {
    let mut query = String::with_capacity(text.len().min(4 * MAX_QUERY_CHARS));
    let (mut length, mut gap, mut visible) = (0, false, false);
    for c in text.chars() {
        if c.is_whitespace() {
            gap = length > 0;
        } else if !(c.is_control() || is_invisible(c)) {
            if std::mem::take(&mut gap) {
                length += 1;
                query.push(' ');
            }
            length += 1;
            visible |= !is_joiner(c);
            // The rest is only counted: the error tells the whole length.
            if length <= MAX_QUERY_CHARS {
                query.push(c);
            }
        }
    }
    if !visible {
        return Err(QueryError::Empty);
    }
    if length > MAX_QUERY_CHARS {
        return Err(QueryError::TooLong { length, limit: MAX_QUERY_CHARS });
    }
    Ok(query)
}

/// Marks that copied text carries and nobody sees: soft hyphen, zero-width space, direction marks, word joiner,
/// byte order mark.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Marks that shape their neighbours (emoji sequences need them) and show nothing alone.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_control_characters() {
        for (text, expected) in [
            ("敏感肌抗老", "敏感肌抗老"),
            ("  敏感肌\t\n 抗老\u{3000}", "敏感肌 抗老"),
            ("a\u{0}\u{7}b\u{1b}[0m", "ab[0m"),
            ("\u{feff}面霜\u{200b}", "面霜"),
            ("👩‍🔬 精华 ❤️", "👩‍🔬 精华 ❤️"),
        ] {
            assert_eq!(normalize_query(text).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn nothing_to_search_for() {
        for text in ["", " \t\r\n\u{3000}", "\u{0}\u{7f}\u{200b}", "\u{200d}\u{fe0f}"] {
            assert_eq!(normalize_query(text), Err(QueryError::Empty), "{text:?}");
        }
    }

    #[test]
    fn the_limit_counts_characters_after_tidying() {
        let limit = "水".repeat(MAX_QUERY_CHARS);
        assert_eq!(normalize_query(&format!("{}{limit}", " ".repeat(10_000))).as_deref(), Ok(limit.as_str()));
        assert_eq!(
            normalize_query(&"水".repeat(10_000)),
            Err(QueryError::TooLong { length: 10_000, limit: MAX_QUERY_CHARS })
        );
        assert!(normalize_query(&format!("{limit} x")).is_err(), "the space counts as well");
    }
}
