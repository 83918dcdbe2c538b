//! SHA-256 of files and of streams on their way to a file.

use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

const BUFFER: usize = 1 << 20;

/// What went through [`copy`]: its length in bytes and its SHA-256 in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Digested {
    pub(crate) size: u64,
    pub(crate) sha256: String,
}

/// Why [`copy`] stopped: reading and writing fail for different reasons, and the message must tell which.
#[derive(Debug)]
pub(crate) enum CopyError {
    Read(io::Error),
    Write(io::Error),
}

/// Copies `from` into `to` and digests it. Reads at most `limit + 1` bytes, so that a stream that is too
/// long shows as such without filling the disk. `seen` gets the bytes so far, about once a mebibyte.
pub(crate) fn copy(
    from: &mut dyn Read,
    to: &mut dyn Write,
    limit: u64,
    seen: &mut dyn FnMut(u64),
) -> Result<Digested, CopyError> {
    let mut from = from.take(limit.saturating_add(1));
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    let mut size = 0;
    let mut reported = 0;
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(CopyError::Read(error)),
        };
        hasher.update(&buffer[..read]);
        to.write_all(&buffer[..read]).map_err(CopyError::Write)?;
        size += read as u64;
        if size - reported >= BUFFER as u64 {
            reported = size;
            seen(size);
        }
    }
    seen(size);
    let sha256 = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Digested { size, sha256 })
}

/// SHA-256 of a file, in hexadecimal.
pub(crate) fn file_sha256(path: &Path, seen: &mut dyn FnMut(u64)) -> io::Result<String> {
    match copy(&mut File::open(path)?, &mut io::sink(), u64::MAX, seen) {
        Ok(digested) => Ok(digested.sha256),
        Err(CopyError::Read(error) | CopyError::Write(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_of_a_known_text() {
        let mut out = Vec::new();
        let digested = copy(&mut &b"abc"[..], &mut out, 3, &mut |_| {}).unwrap();
        assert_eq!(out, b"abc");
        assert_eq!(digested.size, 3);
        assert_eq!(digested.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_stream_that_is_too_long_is_cut_one_byte_past_the_limit() {
        let mut out = Vec::new();
        assert_eq!(copy(&mut io::repeat(7), &mut out, 10, &mut |_| {}).unwrap().size, 11);
        assert_eq!(out.len(), 11);
    }
}
