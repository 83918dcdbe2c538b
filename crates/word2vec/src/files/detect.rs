use std::path::Path;

use super::MAX_DIMENSION;
use crate::ReadError;

/// The first line of word2vec's forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) words: u64,
    /// Within 1 to [`MAX_DIMENSION`].
    pub(crate) dimension: usize,
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Text { header: Option<Header> },
    Binary { header: Header },
}

/// Tells the form from the first bytes: `ahead` is the whole file or its beginning.
pub(crate) fn content(ahead: &[u8], path: &Path) -> Result<Content, ReadError> {
    let text = ahead.strip_prefix(b"\xef\xbb\xbf").unwrap_or(ahead);
    if text.trim_ascii().is_empty() {
        return Err(ReadError::Empty { path: path.to_owned() });
    }
    let end = text.iter().position(|&b| b == b'\n').unwrap_or(text.len());
    let (line, rest) = (&text[..end], &text[(end + 1).min(text.len())..]);
    let Some((words, dimension)) = header_numbers(line) else {
        // Without a header only text is possible, whose first line shows it: a word and numbers.
        return match has_numbers(line) && is_text(line) {
            true => Ok(Content::Text { header: None }),
            false => Err(ReadError::NotVectors { path: path.to_owned() }),
        };
    };
    if dimension < 1 || dimension > MAX_DIMENSION as u64 {
        return Err(ReadError::Dimension { path: path.to_owned(), dimension, highest: MAX_DIMENSION });
    }
    let header = Header { words, dimension: dimension as usize };
    Ok(if first_row_is_binary(rest, header.dimension) {
        Content::Binary { header }
    } else {
        Content::Text { header: Some(header) }
    })
}

/// Two whole numbers and nothing else.
fn header_numbers(line: &[u8]) -> Option<(u64, u64)> {
    let mut parts = std::str::from_utf8(line).ok()?.split_ascii_whitespace().map(|p| p.parse::<u64>().ok());
    let (words, dimension) = (parts.next()??, parts.next()??);
    parts.next().is_none().then_some((words, dimension))
}

/// Whether a number follows the first word, or ends the line where that word holds blanks.
fn has_numbers(line: &[u8]) -> bool {
    let line = String::from_utf8_lossy(line);
    let number = |part: Option<&str>| part.is_some_and(|p| p.parse::<f32>().is_ok());
    let mut parts = line.split_ascii_whitespace();
    parts.next().is_some() && (number(parts.next()) || number(parts.next_back()))
}

/// Whether floats rather than digits follow the first word: within the room of a binary vector, binary floats
/// practically always show a control character or a sequence that is not UTF-8, and a line of text never.
fn first_row_is_binary(rest: &[u8], dimension: usize) -> bool {
    let Some(blank) = rest.iter().position(|&b| b == b' ' || b == b'\t') else { return false };
    let values = &rest[blank + 1..];
    let room = values.len().min(4 * dimension);
    // A text row is at least as long as it has values, so a line feed before that is part of a float.
    let line = values.iter().position(|&b| b == b'\n').unwrap_or(values.len());
    let end = if line >= dimension { line.min(room) } else { room };
    !is_text(&values[..end])
}

/// UTF-8 without control characters, except that the end may cut a character.
fn is_text(bytes: &[u8]) -> bool {
    let valid = match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(e) => e.error_len().is_none(),
    };
    valid && !bytes.iter().any(|b| b.is_ascii_control() && !b"\t\r\n".contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Result<Content, ReadError> {
        content(bytes, Path::new("v"))
    }

    #[test]
    fn forms_are_told_apart() {
        let header = Header { words: 1, dimension: 2 };
        assert_eq!(of("1 2\n面霜 0.5 -1e-3\n".as_bytes()).unwrap(), Content::Text { header: Some(header) });
        assert_eq!(
            of("\u{feff}1 2\n面霜 0.5 -1e-3\n".as_bytes()).unwrap(),
            Content::Text { header: Some(header) }
        );
        assert_eq!(of("面霜 0.5 -1e-3\n".as_bytes()).unwrap(), Content::Text { header: None });
        for values in [[0.5f32, -1e-3], [0.1, 0.2], [0.0, 0.0], [1.0, 123.456]] {
            let mut bytes = "1 2\n面霜 ".as_bytes().to_vec();
            values.iter().for_each(|v| bytes.extend(v.to_le_bytes()));
            assert_eq!(of(&bytes).unwrap(), Content::Binary { header }, "{values:?}");
        }
    }

    #[test]
    fn other_files_are_refused() {
        assert!(matches!(of(b""), Err(ReadError::Empty { .. })));
        assert!(matches!(of(b" \n\n"), Err(ReadError::Empty { .. })));
        assert!(matches!(of(b"id,title\n1,a\n"), Err(ReadError::NotVectors { .. })));
        assert!(matches!(of(b"\x89PNG\r\n\x1a\n 1"), Err(ReadError::NotVectors { .. })));
        assert!(matches!(of(b"5 0\na\n"), Err(ReadError::Dimension { dimension: 0, .. })));
        assert!(matches!(of(b"5 99999999\na 1\n"), Err(ReadError::Dimension { .. })));
    }
}
