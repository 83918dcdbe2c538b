//! `words.xpw`: an encoder in one file, as an index keeps it.
//!
//! ```text
//! SentenceEncoder ── save ──► words.xpw ── load ──► SentenceEncoder
//! ```
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `XPWORDS` and a zero byte |
//! | 8 | 4 | format version, 1 |
//! | 12 | 4 | `h`, length of the header |
//! | 16 | `h` | header, JSON: `words` (`n`), `word_bytes` (`w`), `dimension` (`d`), `pooling`, `trained` (options, or null) |
//! | | 4 `n` | length of each word in bytes |
//! | | `w` | the words, UTF-8, one after another |
//! | | 8 `n` | counts |
//! | | 4 `n d` | vectors, f32, row after row |
//! | end - 4 | 4 | CRC-32 of all before |
//!
//! Numbers are little-endian. The header decides the file's length, which is checked before anything is allocated.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use xunpin_core::durable::write_file;

use crate::{Pooling, SentenceEncoder, StoreError, TrainOptions, WordVectors, WriteError};

const MAGIC: &[u8; 8] = b"XPWORDS\0";
const VERSION: u32 = 1;
/// Headers are some 400 bytes.
const MAX_HEADER: u32 = 1 << 16;

#[derive(Serialize, Deserialize)]
struct Header {
    words: u64,
    word_bytes: u64,
    dimension: u64,
    pooling: Pooling,
    trained: Option<TrainOptions>,
}

impl Header {
    /// Length of the whole file.
    fn file_bytes(&self, header_bytes: u64) -> Option<u64> {
        let floats = self.words.checked_mul(self.dimension)?;
        let arrays = self.words.checked_mul(12)?.checked_add(self.word_bytes)?;
        floats.checked_mul(4)?.checked_add(arrays)?.checked_add(16 + 4 + header_bytes)
    }
}

impl SentenceEncoder {
    /// Writes the encoder to one file, which appears whole or not at all.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), WriteError> {
        let vectors = self.vectors();
        let header = Header {
            words: vectors.len() as u64,
            word_bytes: vectors.words().iter().map(|w| w.len() as u64).sum(),
            dimension: vectors.dimension() as u64,
            pooling: self.pooling(),
            trained: vectors.train_options().cloned(),
        };
        write_file(path.as_ref(), |out| {
            let mut out = Summed { inner: out, crc: crc32fast::Hasher::new() };
            let header = serde_json::to_vec(&header)?;
            out.write_all(MAGIC)?;
            out.write_all(&VERSION.to_le_bytes())?;
            out.write_all(&length(header.len())?.to_le_bytes())?;
            out.write_all(&header)?;
            for word in vectors.words() {
                out.write_all(&length(word.len())?.to_le_bytes())?;
            }
            for word in vectors.words() {
                out.write_all(word.as_bytes())?;
            }
            for count in vectors.counts() {
                out.write_all(&count.to_le_bytes())?;
            }
            for value in vectors.values() {
                out.write_all(&value.to_le_bytes())?;
            }
            let crc = out.crc.finalize();
            out.inner.write_all(&crc.to_le_bytes())
        })?;
        Ok(())
    }

    /// Reads what [`save`](Self::save) wrote.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let damaged = |problem| StoreError::Damaged { path: path.to_owned(), problem };
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::UnexpectedEof => damaged("it ends too early"),
            _ => StoreError::Unreadable { path: path.to_owned(), source },
        };
        let file = File::open(path).map_err(failed)?;
        let file_bytes = file.metadata().map_err(failed)?.len();
        let reader = BufReader::with_capacity(1 << 18, file);
        let mut input = Summed { inner: reader, crc: crc32fast::Hasher::new() };

        let foreign = || StoreError::Foreign { path: path.to_owned() };
        let magic: [u8; 8] = array(&mut input).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => foreign(),
            _ => failed(e),
        })?;
        if magic != *MAGIC {
            return Err(foreign());
        }
        let found = u32::from_le_bytes(array(&mut input).map_err(failed)?);
        if found != VERSION {
            return Err(StoreError::Version { path: path.to_owned(), found, known: VERSION });
        }
        let header_bytes = u32::from_le_bytes(array(&mut input).map_err(failed)?);
        if header_bytes > MAX_HEADER {
            return Err(damaged("its header is too long"));
        }
        let header = bytes(&mut input, header_bytes as usize).map_err(failed)?;
        let header: Header =
            serde_json::from_slice(&header).map_err(|_| damaged("its header is not readable"))?;
        if header.file_bytes(header_bytes.into()) != Some(file_bytes) {
            return Err(damaged("its length is not what its header says"));
        }

        // All lengths are bounded by the file's, so they fit and nothing absurd is allocated.
        let (words, dimension) = (header.words as usize, header.dimension as usize);
        let lengths: Vec<u32> = numbers(&mut input, words, u32::from_le_bytes).map_err(failed)?;
        let text = bytes(&mut input, header.word_bytes as usize).map_err(failed)?;
        let counts = numbers(&mut input, words, u64::from_le_bytes).map_err(failed)?;
        let values = numbers(&mut input, words * dimension, f32::from_le_bytes).map_err(failed)?;
        let crc = input.crc.clone().finalize();
        if u32::from_le_bytes(array(&mut input).map_err(failed)?) != crc {
            return Err(damaged("its checksum is wrong"));
        }

        let words = cut(text, &lengths).ok_or_else(|| damaged("its words are not readable"))?;
        let mut vectors = WordVectors::new(words, counts, values, dimension)
            .map_err(|_| damaged("its words or vectors are not valid"))?;
        if let Some(options) = header.trained {
            vectors = vectors.trained(options);
        }
        Self::new(vectors, header.pooling).map_err(|_| damaged("its pooling does not fit its counts"))
    }
}

/// Cuts the words out of `text`; none if lengths or UTF-8 are wrong.
fn cut(text: Vec<u8>, lengths: &[u32]) -> Option<Vec<String>> {
    let text = String::from_utf8(text).ok()?;
    let mut rest = text.as_str();
    let mut words = Vec::with_capacity(lengths.len());
    for &length in lengths {
        let (word, after) = rest.split_at_checked(length as usize)?;
        words.push(word.to_owned());
        rest = after;
    }
    rest.is_empty().then_some(words)
}

fn length(bytes: usize) -> io::Result<u32> {
    u32::try_from(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a word is longer than 4 GiB"))
}

fn array<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut array = [0; N];
    input.read_exact(&mut array)?;
    Ok(array)
}

fn bytes(input: &mut impl Read, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn numbers<const N: usize, T>(
    input: &mut impl Read,
    count: usize,
    number: impl Fn([u8; N]) -> T,
) -> io::Result<Vec<T>> {
    let mut numbers = Vec::with_capacity(count);
    let mut chunk = vec![0; N * (1 << 13)];
    while numbers.len() < count {
        let part = (count - numbers.len()).min(1 << 13) * N;
        input.read_exact(&mut chunk[..part])?;
        numbers.extend(chunk[..part].as_chunks().0.iter().map(|b| number(*b)));
    }
    Ok(numbers)
}

/// Takes the checksum of what passes through.
struct Summed<T> {
    inner: T,
    crc: crc32fast::Hasher,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.crc.update(&buffer[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.crc.update(&buffer[..read]);
        Ok(read)
    }
}
