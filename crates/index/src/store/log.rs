//! Logs, looked at before RocksDB replays them. RocksDB takes a record that reaches beyond the end of its file for one that a
//! crash cut short, and drops it and all that follows without a word; a flipped bit in a length looks the same, also in the
//! middle of a log. Here the two are told apart.
//!
//! What is checked is the format of RocksDB's `db/log_format.h`: blocks of 32 KiB; in them records of checksum (4 bytes,
//! CRC-32C of type and payload, masked), payload length (2), type (1) and payload; no record crosses a block, so a batch
//! that does is several: first, middle, last. Where less than a header is left of a block, it is padding. The logs of
//! writes and the manifest both have this format; neither is compressed or recycled.
//!
//! Every commit is synced before the next begins. So a crash leaves one unfinished batch at most, and it is the last:
//!
//! | found | what it is |
//! |---|---|
//! | a bad record, after it what belongs to another batch | damage |
//! | a record that the file is too short for | torn; but damage if what is there fits the checksum, so that only the length is wrong |
//! | a record with a wrong checksum, in it a part of zeros where a disk sector begins | torn: the file grew, the sector was not written |
//! | any other record with a wrong checksum | damage |

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::IndexError;

const BLOCK: usize = 32 << 10;
const HEADER: usize = 7;
const SECTOR: usize = 512;

/// Record types.
const FULL: u8 = 1;
const FIRST: u8 = 2;
const MIDDLE: u8 = 3;
const LAST: u8 = 4;

/// What a log is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Whole,
    /// A crash cut the last batch short, or left holes in it.
    Torn {
        holes: bool,
    },
    /// The record at this offset was changed after it was written, or is missing.
    Damaged {
        at: usize,
    },
}

/// Why there is no record at an offset.
enum Fault {
    /// Less than a header is left of the file.
    Short,
    /// Nothing was written here.
    Empty,
    /// It reaches beyond its block, or the file.
    Long,
    /// Its checksum, over what ends there, is wrong.
    Mismatch { end: usize },
}

/// Examines the manifest and the logs in the store's folder; true if RocksDB must be told to stop at a hole. A file that a
/// writer removes meanwhile is not missed.
pub(super) fn examine_all(path: &Path) -> Result<bool, IndexError> {
    let mut files: Vec<PathBuf> = super::rocks::logs(path).into_iter().map(|name| path.join(name)).collect();
    if let Ok(current) = fs::read_to_string(path.join("CURRENT")) {
        files.push(path.join(current.trim_end()));
    }
    let mut any = false;
    for file in files {
        let bytes = match fs::read(&file) {
            Ok(bytes) => bytes,
            // Not there, or not a name: RocksDB says so, if it matters.
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::InvalidInput) => continue,
            Err(e) => return Err(IndexError::io("read", &file, e)),
        };
        match examine(&bytes) {
            Condition::Whole => {}
            Condition::Torn { holes } => any |= holes,
            Condition::Damaged { at } => {
                let problem =
                    format!("{}: the record at byte {at} was changed or is missing", file.display());
                return Err(IndexError::Damaged { path: path.parent().unwrap_or(path).into(), problem });
            }
        }
    }
    Ok(any)
}

pub(super) fn examine(log: &[u8]) -> Condition {
    let mut at = 0;
    let mut unfinished = false;
    loop {
        at += padding(at);
        if at >= log.len() {
            return if unfinished { Condition::Torn { holes: false } } else { Condition::Whole };
        }
        match record(log, at) {
            Ok((kind, end)) => {
                unfinished = match (kind, unfinished) {
                    (FIRST, false) | (MIDDLE, true) => true,
                    (FULL, false) | (LAST, true) => false,
                    // What lies between two parts of a batch, or ends one, is gone.
                    (FULL | FIRST | MIDDLE | LAST, _) => return Condition::Damaged { at },
                    (_, unfinished) => unfinished,
                };
                at = end;
            }
            Err(fault) => return judge(log, at, &fault),
        }
    }
}

/// Bytes that are left over at the end of a block.
fn padding(at: usize) -> usize {
    let left = BLOCK - at % BLOCK;
    if left < HEADER { left } else { 0 }
}

/// Type and end of the record at `at`.
fn record(log: &[u8], at: usize) -> Result<(u8, usize), Fault> {
    let Some(header) = log.get(at..at + HEADER) else { return Err(Fault::Short) };
    if header.iter().all(|byte| *byte == 0) {
        return Err(Fault::Empty);
    }
    let end = at + HEADER + usize::from(u16::from_le_bytes([header[4], header[5]]));
    if end > log.len() || end > block_end(at) {
        return Err(Fault::Long);
    }
    if matches(log, at, end) { Ok((header[6], end)) } else { Err(Fault::Mismatch { end }) }
}

fn block_end(at: usize) -> usize {
    at - at % BLOCK + BLOCK
}

/// True if the checksum at `at` is that of type and payload up to `end`.
fn matches(log: &[u8], at: usize, end: usize) -> bool {
    let stored = u32::from_le_bytes([log[at], log[at + 1], log[at + 2], log[at + 3]]);
    // RocksDB's mask, so that a checksum of data that holds checksums stays a good one.
    crc32c::crc32c(&log[at + 6..end]).rotate_right(15).wrapping_add(0xa282_ead8) == stored
}

/// What a place without a record is a sign of.
fn judge(log: &[u8], at: usize, fault: &Fault) -> Condition {
    let damaged = Condition::Damaged { at };
    // The parts of a batch that begins or goes on here may follow it; after one that ends here, everything is another's.
    let ends = log.get(at + 6).is_some_and(|kind| matches!(*kind, FULL | LAST));
    if follows(log, at + 1, if ends { &[FULL, FIRST, MIDDLE, LAST] } else { &[FULL, FIRST] }) {
        return damaged;
    }
    match fault {
        Fault::Short => Condition::Torn { holes: false },
        Fault::Empty => Condition::Torn { holes: true },
        Fault::Long => {
            let end = block_end(at).min(log.len());
            let cut = log.len() < block_end(at) && !matches(log, at, end);
            if cut { Condition::Torn { holes: false } } else { damaged }
        }
        Fault::Mismatch { end } if hole(log, at, *end) => Condition::Torn { holes: true },
        Fault::Mismatch { .. } => damaged,
    }
}

/// True if a record of one of these types begins at `from` or after it, wherever its bytes lie.
fn follows(log: &[u8], from: usize, kinds: &[u8]) -> bool {
    (from..log.len().saturating_sub(HEADER))
        .any(|at| kinds.contains(&log[at + 6]) && at + HEADER <= block_end(at) && record(log, at).is_ok())
}

/// True if a sector's part of a record is all zeros.
fn hole(log: &[u8], at: usize, end: usize) -> bool {
    let sectors = (at.next_multiple_of(SECTOR)..end).step_by(SECTOR);
    sectors.map(|start| &log[start..end.min(start + SECTOR)]).any(|part| part.iter().all(|byte| *byte == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch as RocksDB would append it.
    fn append(log: &mut Vec<u8>, payload: &[u8]) {
        let mut rest = payload;
        let mut begun = false;
        loop {
            log.resize(log.len() + padding(log.len()), 0);
            let (part, after) = rest.split_at(rest.len().min(block_end(log.len()) - log.len() - HEADER));
            let kind = match (begun, after.is_empty()) {
                (false, true) => FULL,
                (false, false) => FIRST,
                (true, false) => MIDDLE,
                (true, true) => LAST,
            };
            let at = log.len();
            log.extend([0; 4]);
            log.extend((part.len() as u16).to_le_bytes());
            log.push(kind);
            log.extend(part);
            let crc = crc32c::crc32c(&log[at + 6..]).rotate_right(15).wrapping_add(0xa282_ead8);
            log[at..at + 4].copy_from_slice(&crc.to_le_bytes());
            (rest, begun) = (after, true);
            if rest.is_empty() {
                return;
            }
        }
    }

    /// A log of batches of these lengths, and where each ends.
    fn log(lengths: &[usize]) -> (Vec<u8>, Vec<usize>) {
        let mut log = Vec::new();
        let mut ends = Vec::new();
        for (number, length) in (1u8..).zip(lengths) {
            append(&mut log, &(0..*length).map(|i| number ^ (i % 251) as u8).collect::<Vec<_>>());
            ends.push(log.len());
        }
        (log, ends)
    }

    #[test]
    fn a_cut_is_torn_wherever_it_is() {
        let (log, ends) = log(&[300, 40_000, 90, 70_000, 10]);
        assert_eq!(examine(&log), Condition::Whole);
        for cut in (0..log.len()).step_by(97).chain(ends.iter().flat_map(|end| end - 9..end + 9)) {
            let cut = cut.min(log.len());
            let whole = cut == 0 || ends.contains(&cut);
            let expected = if whole { Condition::Whole } else { Condition::Torn { holes: false } };
            // A cut inside padding loses nothing.
            let found = examine(&log[..cut]);
            assert!(found == expected || found == Condition::Whole && padding(cut) > 0, "{cut}: {found:?}");
        }
    }

    #[test]
    fn a_flipped_bit_is_damage_wherever_it_is() {
        let (log, _) = log(&[300, 200, 33_000, 90, 40_000]);
        let headers = |at: &usize| at % BLOCK < 20 || *at < 1_000 || *at + 1_000 > log.len();
        for at in (0..log.len()).filter(|at| headers(at) || at % 611 == 0) {
            for bit in 0..8 {
                let mut flipped = log.clone();
                flipped[at] ^= 1 << bit;
                let found = examine(&flipped);
                assert!(matches!(found, Condition::Damaged { .. }), "byte {at}, bit {bit}: {found:?}");
            }
        }
    }

    #[test]
    fn sectors_that_were_never_written_are_torn_in_the_last_batch_and_damage_before_it() {
        let (log, ends) = log(&[3_000, 3_000, 80_000]);
        for start in (0..log.len()).step_by(SECTOR) {
            let mut holed = log.clone();
            let end = (start + SECTOR).min(log.len());
            holed[start..end].fill(0);
            let expected =
                if start < ends[1] { Condition::Damaged { at: 0 } } else { Condition::Torn { holes: true } };
            let found = examine(&holed);
            assert_eq!(
                std::mem::discriminant(&found),
                std::mem::discriminant(&expected),
                "{start}: {found:?}"
            );
        }
        let mut longer = log.clone();
        longer.resize(log.len() + 5_000, 0);
        assert_eq!(examine(&longer), Condition::Torn { holes: true });
    }
}
