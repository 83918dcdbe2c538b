use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use half::f16;
use xunpin_core::NearestError;

use super::bytes::Bytes;
use super::layout::{self, HEADER, checks_offset, vectors_file_len, vectors_header};
use crate::record::SegmentRecord;

/// The vectors of a segment, mapped. Each has a checksum, which is compared when the vector is first read.
pub(crate) struct VectorFile {
    bytes: Bytes,
    path: PathBuf,
    rows: usize,
    dimension: usize,
    checks: usize,
    /// A bit for each vector whose checksum was found right.
    checked: Vec<AtomicU64>,
}

impl VectorFile {
    /// `bytes` as the file that `record` tells of, or why they are not. With `whole`, all vectors are checked.
    pub(super) fn new(
        path: &Path,
        bytes: Bytes,
        record: &SegmentRecord,
        dimension: usize,
        whole: bool,
    ) -> Result<Self, String> {
        let expected = vectors_file_len(record, dimension);
        let held = bytes.as_bytes();
        if held.len() != expected {
            return Err(format!("its vectors have {} bytes, not {expected}", held.len()));
        }
        if held[..HEADER] != vectors_header(record, dimension) {
            return Err("the header of its vectors does not match its record".into());
        }
        let checks = checks_offset(record, dimension);
        if layout::checksum(&held[checks..]) != record.vectors_crc {
            return Err("the checksums of its vectors fail their own".into());
        }
        let rows = record.rows as usize;
        let checked = (0..rows.div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let file = Self { bytes, path: path.into(), rows, dimension, checks, checked };
        match whole.then(|| file.first_damaged()).flatten() {
            Some(row) => Err(format!("its vector {row} fails its checksum")),
            None => Ok(file),
        }
    }

    /// The first vector that fails its checksum, after reading all of them.
    pub(super) fn first_damaged(&self) -> Option<usize> {
        use rayon::prelude::*;
        (0..self.rows).into_par_iter().with_min_len(1_024).find_first(|row| !self.is_right(*row))
    }

    fn raw(&self, row: usize) -> &[u8] {
        &self.bytes.as_bytes()[HEADER + row * self.dimension * 2..][..self.dimension * 2]
    }

    fn is_right(&self, row: usize) -> bool {
        self.bytes.words(self.checks + row * 4, 1) == [crc32fast::hash(self.raw(row))]
    }

    /// Values of a vector.
    pub(super) fn dimension(&self) -> usize {
        self.dimension
    }

    /// Bytes of the file.
    pub(super) fn size(&self) -> usize {
        self.bytes.as_bytes().len()
    }

    pub(super) fn is_mapped(&self) -> bool {
        self.bytes.is_mapped()
    }

    /// The vector of a row, unchecked: for fetching it ahead.
    #[inline(always)]
    pub(crate) fn peek(&self, row: usize) -> &[f16] {
        self.bytes.halves(HEADER + row * self.dimension * 2, self.dimension)
    }

    /// The vector of a row, which there must be.
    #[inline(always)]
    pub(crate) fn row(&self, row: usize) -> Result<&[f16], NearestError> {
        let (word, bit) = (&self.checked[row / 64], 1u64 << (row % 64));
        if word.load(Ordering::Relaxed) & bit == 0 {
            if !self.is_right(row) {
                return Err(NearestError::Damaged { path: self.path.clone(), row });
            }
            word.fetch_or(bit, Ordering::Relaxed);
        }
        Ok(self.peek(row))
    }
}

/// Writes a vectors' file; `vectors` is called once and gives each vector, as stored, to what it is given. The checksum of the
/// checksums.
pub(super) fn write(
    out: &mut dyn Write,
    record: &SegmentRecord,
    dimension: usize,
    vectors: impl FnOnce(&mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()>,
) -> io::Result<u32> {
    out.write_all(&vectors_header(record, dimension))?;
    let mut checks = Vec::with_capacity(record.rows as usize * 4);
    vectors(&mut |row| {
        checks.extend(crc32fast::hash(row).to_le_bytes());
        out.write_all(row)
    })?;
    layout::pad(out, HEADER + record.rows as usize * dimension * 2, checks_offset(record, dimension))?;
    out.write_all(&checks)?;
    Ok(layout::checksum(&checks))
}
