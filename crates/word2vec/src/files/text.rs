use std::io::{BufRead, Read};

use super::MAX_DIMENSION;
use super::detect::Header;
use super::gather::Gather;
use super::read::Source;
use crate::ReadError;

/// Longest line: room for the longest vector at 24 bytes a value.
const MAX_LINE: usize = 24 * MAX_DIMENSION + (1 << 16);

/// Reads the rows and gives their dimension.
pub(crate) fn read<F: FnMut(&str) -> bool>(
    source: &mut Source<'_>,
    header: Option<Header>,
    gather: &mut Gather<F>,
) -> Result<usize, ReadError> {
    let mut dimension = header.map(|h| h.dimension);
    let mut bytes = Vec::new();
    let mut values = Vec::new();
    let mut line = 0;
    while next_line(source, &mut bytes, line + 1)? {
        line += 1;
        let content = if line == 1 { bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes) } else { &bytes };
        let content = content.trim_ascii_end();
        if (line == 1 && header.is_some()) || content.is_empty() {
            continue;
        }
        let expected = match dimension {
            Some(known) => known,
            None => {
                let first = content.split(|b| blank(*b)).filter(|part| !part.is_empty()).count() - 1;
                if !(1..=MAX_DIMENSION).contains(&first) {
                    let path = source.path();
                    return Err(ReadError::Dimension {
                        path,
                        dimension: first as u64,
                        highest: MAX_DIMENSION,
                    });
                }
                *dimension.insert(first)
            }
        };
        let word = row(source, line, content, expected, gather.rows() + 1, &mut values)?;
        gather.push(word, &values);
    }
    match header {
        Some(header) if header.words != gather.rows() => {
            Err(ReadError::WordCount { path: source.path(), expected: header.words, found: gather.rows() })
        }
        _ => Ok(dimension.unwrap_or(0)),
    }
}

fn next_line(source: &mut Source<'_>, bytes: &mut Vec<u8>, line: u64) -> Result<bool, ReadError> {
    bytes.clear();
    let mut limited = source.reader.by_ref().take(MAX_LINE as u64 + 1);
    let read = limited.read_until(b'\n', bytes).map_err(|e| source.unreadable(e))?;
    if bytes.len() > MAX_LINE {
        let place = format!("line {line}");
        return Err(ReadError::TooLong { path: source.path(), place, limit: MAX_LINE });
    }
    Ok(read > 0)
}

fn blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Splits a line into its word and `expected` values. Words of published files may hold blanks, so the values are
/// counted from the end.
fn row<'a>(
    source: &Source<'_>,
    line: u64,
    content: &'a [u8],
    expected: usize,
    number: u64,
    values: &mut Vec<f32>,
) -> Result<&'a [u8], ReadError> {
    values.clear();
    let mut parts: Vec<&[u8]> = content.split(|b| blank(*b)).filter(|part| !part.is_empty()).collect();
    let starts_blank = content.first().is_some_and(|b| blank(*b));
    let ragged = |found| ReadError::Ragged { path: source.path(), line, expected, found };
    let found = parts.len() - usize::from(!starts_blank);
    if found < expected {
        return Err(ragged(found));
    }
    let numbers = parts.split_off(parts.len() - expected);
    // More values than expected, rather than a word of several parts.
    if parts.len() > 1 && parts[1..].iter().any(|part| number_of(part).is_some()) {
        return Err(ragged(found));
    }
    for (at, part) in numbers.iter().enumerate() {
        let position = at + 1;
        let value = number_of(part).ok_or_else(|| ReadError::NotANumber {
            path: source.path(),
            line,
            position,
            text: String::from_utf8_lossy(part).chars().take(40).collect(),
        })?;
        if !value.is_finite() {
            let place = format!("line {line}");
            return Err(ReadError::NotFinite { path: source.path(), word: number, place, position });
        }
        values.push(value);
    }
    let word_end =
        parts.last().map_or(0, |last| last.as_ptr_range().end as usize - content.as_ptr() as usize);
    Ok(content[..word_end].trim_ascii_start())
}

fn number_of(part: &[u8]) -> Option<f32> {
    std::str::from_utf8(part).ok()?.parse().ok()
}
