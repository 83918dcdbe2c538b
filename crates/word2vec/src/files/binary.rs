use std::io::{BufRead, ErrorKind, Read};

use super::detect::Header;
use super::gather::Gather;
use super::read::Source;
use crate::ReadError;

/// Longest word in bytes. Mikolov's program cuts at 100.
const MAX_WORD: usize = 4_096;

/// Reads the header line again and then the records.
pub(crate) fn read<F: FnMut(&str) -> bool>(
    source: &mut Source<'_>,
    header: Header,
    gather: &mut Gather<F>,
) -> Result<(), ReadError> {
    let mut word = Vec::new();
    let mut offset = source.reader.read_until(b'\n', &mut word).map_err(|e| source.unreadable(e))? as u64;
    let mut bytes = vec![0; 4 * header.dimension];
    let mut values = Vec::with_capacity(header.dimension);
    for number in 1..=header.words {
        let truncated = |source: &Source<'_>, offset| ReadError::Truncated {
            path: source.path(),
            expected: header.words,
            found: number - 1,
            offset,
        };
        word.clear();
        let start = offset;
        let mut limited = source.reader.by_ref().take(MAX_WORD as u64 + 2);
        offset += limited.read_until(b' ', &mut word).map_err(|e| source.unreadable(e))? as u64;
        if word.pop_if(|last| *last == b' ').is_none() {
            let place = format!("word at byte {start}");
            return Err(match word.len() > MAX_WORD {
                true => ReadError::TooLong { path: source.path(), place, limit: MAX_WORD },
                false => truncated(source, offset),
            });
        }
        if let Err(error) = source.reader.read_exact(&mut bytes) {
            return Err(match error.kind() {
                ErrorKind::UnexpectedEof => truncated(source, offset),
                _ => source.unreadable(error),
            });
        }
        values.clear();
        values.extend(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)));
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            let place = format!("byte {}", offset + 4 * at as u64);
            return Err(ReadError::NotFinite { path: source.path(), word: number, place, position: at + 1 });
        }
        offset += bytes.len() as u64;
        // The line feed after the record before.
        gather.push(word.trim_ascii_start(), &values);
    }
    let mut rest = Vec::new();
    source.reader.by_ref().take(1_024).read_to_end(&mut rest).map_err(|e| source.unreadable(e))?;
    if rest.trim_ascii().is_empty() {
        return Ok(());
    }
    Err(ReadError::WordCount {
        path: source.path(),
        expected: header.words,
        found: header.words.saturating_add(1),
    })
}
