use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::detect::{self, Content};
use super::gather::Gather;
use super::{binary, text};
use crate::{ReadError, WordVectors};

const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Read ahead to tell the forms apart: a header and the first row.
const AHEAD: usize = 1 << 16;

/// Form of a vector file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VectorFormat {
    /// word2vec text, with a header line.
    Text,
    /// Text without a header, as GloVe writes it.
    HeaderlessText,
    /// word2vec binary.
    Binary,
}

/// What a file held, beside the vectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadReport {
    /// The form.
    pub format: VectorFormat,
    /// True if it was packed with gzip.
    pub gzip: bool,
    /// Rows in the file.
    pub rows: u64,
    /// Rows passed over because their word came before; the first one counts.
    pub duplicates: u64,
    /// The first such word.
    pub first_duplicate: Option<String>,
    /// Rows passed over because their word is not UTF-8 (published binary files cut words at a byte limit).
    pub invalid_words: u64,
    /// Rows passed over because they have no word.
    pub empty_words: u64,
    /// Rows passed over because they were not asked for.
    pub unwanted: u64,
}

/// A file that is read once from front to back, and its name for errors.
pub(crate) struct Source<'a> {
    pub(crate) path: &'a Path,
    pub(crate) reader: Box<dyn BufRead>,
}

impl Source<'_> {
    pub(crate) fn path(&self) -> PathBuf {
        self.path.to_owned()
    }

    pub(crate) fn unreadable(&self, source: io::Error) -> ReadError {
        ReadError::Unreadable { path: self.path(), source }
    }
}

impl WordVectors {
    /// Reads a `vectors.txt` or `.bin` file, plain or gzip, told apart by content. Where a word comes twice, the first
    /// one counts.
    pub fn read(path: impl AsRef<Path>) -> Result<(Self, ReadReport), ReadError> {
        Self::read_where(path, |_| true)
    }

    /// Reads the vectors of the words that `wanted` names, so that a published file of millions of words takes only
    /// the memory of those that a catalogue uses. Errors in other rows still count. Fails if no word is wanted.
    pub fn read_where(
        path: impl AsRef<Path>,
        wanted: impl FnMut(&str) -> bool,
    ) -> Result<(Self, ReadReport), ReadError> {
        let path = path.as_ref();
        let unreadable = |source| ReadError::Unreadable { path: path.to_owned(), source };
        let mut plain = BufReader::with_capacity(1 << 18, File::open(path).map_err(unreadable)?);
        let gzip = plain.fill_buf().map_err(unreadable)?.starts_with(&GZIP);
        let mut reader: Box<dyn BufRead> = match gzip {
            true => Box::new(BufReader::with_capacity(1 << 18, MultiGzDecoder::new(plain))),
            false => Box::new(plain),
        };
        let mut ahead = Vec::new();
        reader.by_ref().take(AHEAD as u64).read_to_end(&mut ahead).map_err(unreadable)?;
        let content = detect::content(&ahead, path)?;
        let mut source = Source { path, reader: Box::new(Cursor::new(ahead).chain(reader)) };

        let mut gather = Gather::new(wanted);
        let (format, dimension) = match content {
            Content::Text { header } => {
                let dimension = text::read(&mut source, header, &mut gather)?;
                let format = if header.is_some() { VectorFormat::Text } else { VectorFormat::HeaderlessText };
                (format, dimension)
            }
            Content::Binary { header } => {
                binary::read(&mut source, header, &mut gather)?;
                (VectorFormat::Binary, header.dimension)
            }
        };
        gather.finish(path, dimension, format, gzip)
    }
}
