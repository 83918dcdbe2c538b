use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use crate::ReadError;

/// Longest line in bytes; a line holds two ids and a grade, or a query.
pub(crate) const MAX_LINE_BYTES: usize = 1 << 20;

/// Opens `path` for buffered reading.
pub(crate) fn open(path: &Path) -> Result<BufReader<File>, ReadError> {
    File::open(path).map(BufReader::new).map_err(|source| ReadError::Io { path: path.to_owned(), source })
}

/// Calls `each` with every line that is not blank and its number from 1, without line end and byte order mark.
/// At least one such line must exist; `form` tells the reader of the error what it looks like.
pub(crate) fn for_each_line(
    mut reader: impl BufRead,
    path: &Path,
    form: &'static str,
    mut each: impl FnMut(usize, &str) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let (mut line, mut seen, mut buffer) = (0, false, Vec::new());
    loop {
        buffer.clear();
        let read = (&mut reader)
            .take(MAX_LINE_BYTES as u64 + 1)
            .read_until(b'\n', &mut buffer)
            .map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
        if read == 0 {
            break;
        }
        line += 1;
        if read > MAX_LINE_BYTES {
            return Err(ReadError::TooLong { path: path.to_owned(), line, limit: MAX_LINE_BYTES });
        }
        let text = std::str::from_utf8(&buffer).map_err(|e| ReadError::InvalidUtf8 {
            path: path.to_owned(),
            line,
            byte: e.valid_up_to() + 1,
        })?;
        let text = if line == 1 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
        let text = text.trim_end_matches(['\n', '\r']);
        if !text.trim().is_empty() {
            seen = true;
            each(line, text)?;
        }
    }
    if seen { Ok(()) } else { Err(ReadError::Empty { path: path.to_owned(), form }) }
}

/// The white-space separated columns of `text`, which must be `N`.
pub(crate) fn columns<'a, const N: usize>(
    text: &'a str,
    path: &Path,
    line: usize,
    form: &'static str,
) -> Result<[&'a str; N], ReadError> {
    let mut found = 0;
    let mut out = [""; N];
    for column in text.split_ascii_whitespace() {
        if let Some(slot) = out.get_mut(found) {
            *slot = column;
        }
        found += 1;
    }
    if found == N {
        Ok(out)
    } else {
        Err(ReadError::Columns { path: path.to_owned(), line, expected: N, found, form })
    }
}

/// An error about one column's value, shortened to what fits a message.
pub(crate) fn bad_value(
    path: &Path,
    line: usize,
    column: &'static str,
    value: &str,
    expected: &'static str,
) -> ReadError {
    const SHOWN: usize = 60;
    let mut shown: String = value.chars().take(SHOWN).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    ReadError::Value { path: path.to_owned(), line, column, value: shown, expected }
}
