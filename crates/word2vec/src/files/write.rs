use std::path::Path;

use xunpin_core::durable::write_file;

use crate::{WordVectors, WriteError};

impl WordVectors {
    /// Writes word2vec's text form with a header line; numbers are as short as they can be and still read back to the
    /// same bits. The file appears whole or not at all.
    pub fn write_text(&self, path: impl AsRef<Path>) -> Result<(), WriteError> {
        self.check_words()?;
        write_file(path.as_ref(), |out| {
            writeln!(out, "{} {}", self.len(), self.dimension())?;
            for (row, word) in self.words().iter().enumerate() {
                out.write_all(word.as_bytes())?;
                for value in self.row(row) {
                    write!(out, " {value}")?;
                }
                out.write_all(b"\n")?;
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Writes word2vec's binary form. The file appears whole or not at all.
    pub fn write_binary(&self, path: impl AsRef<Path>) -> Result<(), WriteError> {
        self.check_words()?;
        write_file(path.as_ref(), |out| {
            writeln!(out, "{} {}", self.len(), self.dimension())?;
            for (row, word) in self.words().iter().enumerate() {
                out.write_all(word.as_bytes())?;
                out.write_all(b" ")?;
                for value in self.row(row) {
                    out.write_all(&value.to_le_bytes())?;
                }
                out.write_all(b"\n")?;
            }
            Ok(())
        })?;
        Ok(())
    }

    fn check_words(&self) -> Result<(), WriteError> {
        match self.words().iter().find(|w| w.is_empty() || w.contains(|c: char| c.is_ascii_whitespace())) {
            Some(word) => Err(WriteError::Whitespace { word: word.clone() }),
            None => Ok(()),
        }
    }
}
