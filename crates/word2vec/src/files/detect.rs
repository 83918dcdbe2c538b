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

/// Tells the form from the first bytes: `ahead` is the whole file or its beginning. After a header, lines that are all
/// rows of numbers make a text; else floats in the places that a binary file keeps for them make one. That a length fits
/// the records proves nothing: a text's may, and a file cut short is to be told so.
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
    Ok(if !is_rows(rest, header.dimension) && has_floats(rest, header.dimension) {
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

/// Whether the whole lines, of which there is at least one, are rows of a text: a word and `dimension` numbers.
fn is_rows(rest: &[u8], dimension: usize) -> bool {
    let Some(end) = rest.iter().rposition(|&b| b == b'\n') else { return false };
    let is_number = |part: &[u8]| std::str::from_utf8(part).is_ok_and(|p| p.parse::<f32>().is_ok());
    let is_row = |line: &[u8]| {
        let mut parts = line.rsplit(|b| b" \t".contains(b)).filter(|part| !part.is_empty());
        (0..dimension).all(|_| parts.next().is_some_and(is_number))
    };
    let lines = rest[..end].split(|&b| b == b'\n').map(<[u8]>::trim_ascii_end);
    let mut lines = lines.filter(|line| !line.is_empty());
    lines.next().is_some_and(is_row) && lines.all(is_row) && is_text(&rest[end..])
}

/// Whether floats stand where records of that dimension have them: floats show, sooner or later, a control character
/// or a sequence that is not UTF-8, and the numbers of a text, though some are damaged, never.
fn has_floats(mut rest: &[u8], dimension: usize) -> bool {
    while let Some(blank) = rest.iter().position(|&b| b == b' ') {
        let values = &rest[blank + 1..];
        let (values, next) = values.split_at(values.len().min(4 * dimension));
        if !is_text(values) {
            return true;
        }
        rest = next;
    }
    false
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
    fn floats_may_hold_the_bytes_of_a_text() {
        let binary = |rows: &[(&str, &[[u8; 4]])]| {
            let mut bytes = format!("{} {}\n", rows.len(), rows[0].1.len()).into_bytes();
            for (word, values) in rows {
                bytes.extend([word.as_bytes(), b" ", &values.concat(), b"\n"].concat());
            }
            of(&bytes).unwrap()
        };
        let held = [62_357_123_000.0f32, 4.93139e-30, 0.0].map(f32::to_le_bytes);
        assert!(held.concat().contains(&b'\n'));
        let is_binary = |content| matches!(content, Content::Binary { .. });
        assert!(is_binary(binary(&[("面", &held)])));
        // A first line, or a first record, that looks like a text's.
        assert!(is_binary(binary(&[("a", &[*b"5\n 1"]), ("b", &[[0, 0, 0, 63]])])));
        assert!(is_binary(binary(&[("a", &[*b"5.25"]), ("b", &[[0, 0, 0, 63]])])));
        // A text as long as the records would be.
        let header = Header { words: 1, dimension: 2 };
        assert_eq!(of(b"1 2\na 0.5 -1.5\n").unwrap(), Content::Text { header: Some(header) });
        assert_eq!(of(b"1 2\na 0.5 -1,5\n").unwrap(), Content::Text { header: Some(header) });
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
