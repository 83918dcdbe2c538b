//! Helpers of the integration tests.

use std::io::{Cursor, Write};
use std::path::PathBuf;

use xunpin_core::Product;
use xunpin_ingest::{Catalogue, Entry, Mapping, ReadError, ReadOptions, Record, Reject};

/// What a catalogue gave.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) records: Vec<Record>,
    pub(crate) rejects: Vec<Reject>,
    pub(crate) error: Option<ReadError>,
}

impl Outcome {
    pub(crate) fn of(catalogue: Result<Catalogue, ReadError>) -> Self {
        let mut outcome = Self::default();
        match catalogue {
            Ok(catalogue) => {
                for entry in catalogue {
                    match entry {
                        Ok(Entry::Record(record)) => outcome.records.push(record),
                        Ok(Entry::Reject(reject)) => outcome.rejects.push(reject),
                        Err(e) => outcome.error = Some(e),
                    }
                }
            }
            Err(e) => outcome.error = Some(e),
        }
        outcome
    }

    pub(crate) fn products(&self) -> Vec<&Product> {
        self.records.iter().map(|record| &record.product).collect()
    }

    pub(crate) fn ids(&self) -> Vec<&str> {
        self.records.iter().map(|record| record.product.id.as_str()).collect()
    }

    /// Rejects as `line: field: problem`.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.rejects
            .iter()
            .map(|r| format!("{}: {}: {}", r.line, r.field.as_deref().unwrap_or("-"), r.problem))
            .collect()
    }
}

pub(crate) fn read(name: &str, bytes: impl Into<Vec<u8>>) -> Outcome {
    read_with(name, bytes, &Mapping::default(), ReadOptions::default())
}

pub(crate) fn read_with(
    name: &str,
    bytes: impl Into<Vec<u8>>,
    mapping: &Mapping,
    options: ReadOptions,
) -> Outcome {
    Outcome::of(Catalogue::from_reader(name, Cursor::new(bytes.into()), mapping, options))
}

pub(crate) fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

pub(crate) fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

pub(crate) fn gb18030(text: &str) -> Vec<u8> {
    encoding_rs::GB18030.encode(text).0.into_owned()
}

/// A file of the shared data; prints and gives `None` where that is absent.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(path);
    if !path.exists() {
        let _ = writeln!(std::io::stderr(), "skipped: {} is absent", path.display());
        return None;
    }
    Some(path)
}
