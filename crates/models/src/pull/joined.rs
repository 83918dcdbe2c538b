//! Several files read as one.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

/// The concatenation of some files, none of it held in memory.
#[derive(Debug)]
pub(super) struct Joined {
    files: Vec<File>,
    /// Where each file begins, and at the end where the last one ends.
    starts: Vec<u64>,
    at: u64,
}

impl Joined {
    /// Opens the files in their order. The error comes with the path it is about.
    pub(super) fn open(paths: &[PathBuf]) -> Result<Self, (PathBuf, io::Error)> {
        let mut files = Vec::with_capacity(paths.len());
        let mut end = 0;
        let mut starts = vec![end];
        for path in paths {
            let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
            let (size, file) = opened.map_err(|error| (path.clone(), error))?;
            files.push(file);
            end += size;
            starts.push(end);
        }
        Ok(Self { files, starts, at: 0 })
    }

    fn end(&self) -> u64 {
        self.starts.last().copied().unwrap_or(0)
    }
}

impl Read for Joined {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.end() || buffer.is_empty() {
            return Ok(0);
        }
        // `at` is below the last start, so the start that follows `at` exists and is not the first. Empty
        // files share their start with the next one and are never chosen.
        let index = self.starts.partition_point(|start| *start <= self.at) - 1;
        let left = self.starts[index + 1] - self.at;
        let file = &mut self.files[index];
        file.seek(SeekFrom::Start(self.at - self.starts[index]))?;
        let read = file.take(left).read(buffer)?;
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a joined file became shorter"));
        }
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Joined {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(offset) => self.end().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at =
            at.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "seek before the beginning"))?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn reads_like_one_buffer(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..6),
            steps in prop::collection::vec((-5i64..130, 0u8..3, 0usize..40), 1..20),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let paths: Vec<_> = (0..parts.len()).map(|n| folder.path().join(n.to_string())).collect();
            for (path, part) in paths.iter().zip(&parts) {
                std::fs::write(path, part).unwrap();
            }
            let mut joined = Joined::open(&paths).unwrap();
            let mut whole = Cursor::new(parts.concat());
            for (offset, from, length) in steps {
                let to = match from {
                    0 => SeekFrom::Start(offset.unsigned_abs()),
                    1 => SeekFrom::Current(offset),
                    _ => SeekFrom::End(offset),
                };
                prop_assert_eq!(joined.seek(to).ok(), whole.seek(to).ok());
                let (mut a, mut b) = (Vec::new(), Vec::new());
                joined.by_ref().take(length as u64).read_to_end(&mut a).unwrap();
                whole.by_ref().take(length as u64).read_to_end(&mut b).unwrap();
                prop_assert_eq!(a, b);
                prop_assert_eq!(joined.stream_position().unwrap(), whole.stream_position().unwrap());
            }
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let (path, error) = Joined::open(&[PathBuf::from("nowhere")]).unwrap_err();
        assert_eq!(path, PathBuf::from("nowhere"));
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
