use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

use crate::Compression;

/// How much of a file is looked at to tell its encoding and format.
const HEAD_BYTES: u64 = 1 << 20;

/// An input, unpacked, with its beginning looked at.
pub(crate) struct Stream {
    pub(crate) compression: Compression,
    pub(crate) head: Vec<u8>,
    rest: Box<dyn Read + Send>,
}

impl Stream {
    /// Opens `source`, whose first bytes tell how it is packed; `name` tells it for one that is empty.
    pub(crate) fn open(source: impl Read + Send + 'static, name: &Path) -> io::Result<Self> {
        let mut source = source;
        let mut magic = Vec::new();
        source.by_ref().take(4).read_to_end(&mut magic)?;
        let mut compression = Compression::from_magic(&magic);
        if magic.is_empty() {
            compression = Compression::from_name(name);
        }
        let whole = Cursor::new(magic).chain(source);
        let unpacked: Box<dyn Read + Send> = match compression {
            Compression::None => Box::new(whole),
            Compression::Gzip => Box::new(MultiGzDecoder::new(io::BufReader::with_capacity(64 << 10, whole))),
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(whole)?),
        };
        Ok(Self::peek(unpacked, compression))
    }

    /// Looks at the beginning of unpacked content. What came before an error is still good; the error comes after it.
    pub(crate) fn peek(mut unpacked: Box<dyn Read + Send>, compression: Compression) -> Self {
        let mut head = Vec::new();
        let rest: Box<dyn Read + Send> = match unpacked.by_ref().take(HEAD_BYTES).read_to_end(&mut head) {
            Ok(_) => unpacked,
            Err(e) => Box::new(Failed(Some(e))),
        };
        Self { compression, head, rest }
    }

    /// The whole content but for its first `skip` bytes.
    pub(crate) fn into_reader(mut self, skip: usize) -> Box<dyn Read + Send> {
        self.head.drain(..skip.min(self.head.len()));
        Box::new(Cursor::new(self.head).chain(self.rest))
    }
}

/// Gives one error, then the end.
struct Failed(Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// A reader that counts the bytes it gives.
pub(crate) struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R> Counted<R> {
    pub(crate) fn new(inner: R, count: Arc<AtomicU64>) -> Self {
        Self { inner, count }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.count.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// True if the file at `path` begins as Parquet files do. Pipes are not looked into: what is read of them is gone.
pub(crate) fn is_parquet(path: &Path) -> io::Result<bool> {
    if !std::fs::metadata(path)?.is_file() {
        return Ok(false);
    }
    let mut magic = Vec::new();
    File::open(path)?.take(4).read_to_end(&mut magic)?;
    Ok(magic == crate::format::PARQUET_MAGIC)
}
