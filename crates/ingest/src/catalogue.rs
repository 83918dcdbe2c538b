use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

use crate::delimited::{self, Delimited};
use crate::input::{Place, resolve, unreadable};
use crate::jsonl::{self, Jsonl};
use crate::parquet_rows::ParquetRows;
use crate::plan::Plan;
use crate::record::{Problem, Raw, Rows, Stop};
use crate::stream::{self, Counted, Stream};
use crate::{
    ColumnUse, Compression, Entry, Format, Input, Mapping, ReadError, Record, Reject, SeenIds, TextEncoding,
    encoding,
};

/// How catalogues are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// The format of every input; without it, each file's name or else its content tells.
    pub format: Option<Format>,
    /// The encoding of every input; without it, each file's first mebibyte tells.
    pub encoding: Option<TextEncoding>,
    /// Longest line, record of several lines, or text of a Parquet row, in bytes; longer ones are rejected.
    pub max_line_bytes: usize,
    /// Most lines that one CSV record may take; a quote left open beyond that is taken for a mistake.
    pub max_record_lines: usize,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { format: None, encoding: None, max_line_bytes: 1 << 20, max_record_lines: 1000 }
    }
}

/// What is known of the file that is being read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileInfo {
    /// The file; `<stdin>` for standard input.
    #[serde(serialize_with = "crate::record::path_text::serialize")]
    pub path: Arc<Path>,
    /// Its format.
    pub format: Format,
    /// How it is packed.
    pub compression: Compression,
    /// Its encoding; UTF-8 for Parquet.
    pub encoding: TextEncoding,
    /// Its columns and where they go. In JSONL, the fields of the first hundred lines.
    pub columns: Vec<ColumnUse>,
}

/// How far the inputs are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read so far, as they lie on disk.
    pub bytes_read: u64,
    /// Bytes of all inputs; `None` where one of them is standard input or another pipe.
    pub bytes_total: Option<u64>,
}

/// Reads the products of files, globs and standard input, in that order, one at a time.
///
/// An iterator: every line that is not blank gives an [`Entry`] (a CSV record of several lines gives one). After an
/// `Err` it gives nothing more. An id that came before in the same run is rejected.
pub struct Catalogue {
    sources: Vec<Arc<Path>>,
    waiting: VecDeque<Place>,
    mapping: Arc<Mapping>,
    options: ReadOptions,
    current: Option<Open>,
    seen: SeenIds,
    /// Of the files that are finished.
    bytes_done: u64,
    bytes_total: Option<u64>,
}

struct Open {
    info: FileInfo,
    rows: Box<dyn Rows>,
    /// Entries it gave.
    records: u64,
    /// Bytes taken from the file.
    taken: Arc<AtomicU64>,
    /// Bytes that its entries so far were made of, to within a small buffer; in packed files and UTF-16, where that
    /// can't be told, the same as `taken`.
    used: Arc<AtomicU64>,
}

impl Catalogue {
    /// Looks up all inputs and opens the first, so that most mistakes show here.
    pub fn open(inputs: &[Input], mapping: &Mapping, options: ReadOptions) -> Result<Self, ReadError> {
        let places = resolve(inputs)?;
        let bytes_total = places.iter().try_fold(0, |sum, place| match place {
            Place::File { bytes, .. } => bytes.map(|bytes| sum + bytes),
            Place::Stdin => None,
        });
        let mut catalogue = Self::empty(mapping, options);
        catalogue.sources = places.iter().map(Place::path).collect();
        catalogue.waiting = places.into();
        catalogue.bytes_total = bytes_total;
        catalogue.open_next()?;
        Ok(catalogue)
    }

    /// Reads one stream under the given name, whose extension is a hint of its format. Parquet cannot be read so.
    pub fn from_reader(
        name: impl AsRef<Path>,
        reader: impl Read + Send + 'static,
        mapping: &Mapping,
        options: ReadOptions,
    ) -> Result<Self, ReadError> {
        let mut catalogue = Self::empty(mapping, options);
        catalogue.sources = vec![name.as_ref().into()];
        catalogue.current = Some(catalogue.open_stream(name.as_ref().into(), reader)?);
        Ok(catalogue)
    }

    fn empty(mapping: &Mapping, options: ReadOptions) -> Self {
        Self {
            sources: Vec::new(),
            waiting: VecDeque::new(),
            mapping: Arc::new(mapping.clone()),
            options,
            current: None,
            seen: SeenIds::default(),
            bytes_done: 0,
            bytes_total: None,
        }
    }

    /// All inputs, in the order they are read; `<stdin>` for standard input.
    pub fn sources(&self) -> &[Arc<Path>] {
        &self.sources
    }

    /// The file that is being read; `None` at the end.
    pub fn info(&self) -> Option<&FileInfo> {
        self.current.as_ref().map(|open| &open.info)
    }

    /// How far the inputs are read.
    pub fn progress(&self) -> Progress {
        let used = self.current.as_ref().map_or(0, |open| open.used.load(Ordering::Relaxed));
        Progress { bytes_read: self.bytes_done + used, bytes_total: self.bytes_total }
    }

    /// The ids of the products given so far.
    pub fn seen(&self) -> &SeenIds {
        &self.seen
    }

    fn open_next(&mut self) -> Result<bool, ReadError> {
        self.bytes_done += self.current.as_ref().map_or(0, |open| open.taken.load(Ordering::Relaxed));
        self.current = match self.waiting.pop_front() {
            None => None,
            Some(place @ Place::Stdin) => Some(self.open_stream(place.path(), io::stdin())?),
            Some(Place::File { path, .. }) => Some(self.open_file(&path)?),
        };
        Ok(self.current.is_some())
    }

    fn open_file(&self, path: &Path) -> Result<Open, ReadError> {
        let cannot = |source| unreadable(path, source);
        let is_parquet = match self.options.format {
            Some(format) => format == Format::Parquet,
            None => {
                Format::of_plain_name(path) == Some(Format::Parquet)
                    || stream::is_parquet(path).map_err(cannot)?
            }
        };
        if is_parquet {
            return self.open_parquet(path);
        }
        self.open_stream(path.into(), File::open(path).map_err(cannot)?)
    }

    fn open_parquet(&self, path: &Path) -> Result<Open, ReadError> {
        let file = File::open(path).map_err(|source| unreadable(path, source))?;
        let path: Arc<Path> = path.into();
        let taken = Arc::default();
        let rows =
            ParquetRows::new(file, self.mapping.clone(), self.options.max_line_bytes, Arc::clone(&taken))
                .map_err(|source| ReadError::Damaged { path: path.clone(), records: 0, source })?;
        check(&path, rows.plan())?;
        let info = FileInfo {
            path,
            format: Format::Parquet,
            compression: Compression::None,
            encoding: TextEncoding::Utf8,
            columns: rows.plan().uses(),
        };
        Ok(Open { info, rows: Box::new(rows), records: 0, used: taken.clone(), taken })
    }

    fn open_stream(&self, path: Arc<Path>, source: impl Read + Send + 'static) -> Result<Open, ReadError> {
        let cannot = |source| unreadable(&path, source);
        let taken = Arc::default();
        let counted = Counted::new(source, Arc::clone(&taken));
        let mut stream = Stream::open(counted, &path).map_err(cannot)?;
        let compression = stream.compression;

        let (encoding, mark) = match self.options.encoding {
            Some(encoding) => (encoding, encoding.mark_len(&stream.head)),
            None => TextEncoding::detect(&stream.head),
        };
        let big_endian = encoding == TextEncoding::Utf16Be;
        let mut reader = stream.into_reader(mark);
        let mut inner_encoding = encoding;
        if big_endian || encoding == TextEncoding::Utf16Le {
            reader = encoding::utf8_from_utf16(reader, big_endian);
            inner_encoding = TextEncoding::Utf8;
        }
        // A second look at the beginning, now as the text that is read.
        stream = Stream::peek(reader, compression);

        let format = match self.options.format.or_else(|| Format::from_name(&path)) {
            Some(format) => format,
            None if stream.head.trim_ascii().is_empty() => Format::Jsonl,
            None => Format::from_content(&stream.head)
                .ok_or_else(|| ReadError::UnknownFormat { path: path.to_path_buf() })?,
        };
        let used = if compression == Compression::None && inner_encoding == encoding {
            Arc::default()
        } else {
            Arc::clone(&taken)
        };
        let max = self.options.max_line_bytes;
        let mut info = FileInfo { path, format, compression, encoding, columns: Vec::new() };
        let path = info.path.clone();
        let reader = |stream: Stream| -> Box<dyn Read + Send> {
            let reader = stream.into_reader(0);
            if Arc::ptr_eq(&used, &taken) { reader } else { Box::new(Counted::new(reader, used.clone())) }
        };
        let rows: Box<dyn Rows> = match format {
            Format::Parquet => return Err(ReadError::ParquetStream { path: path.to_path_buf() }),
            _ if stream.head.starts_with(crate::format::PARQUET_MAGIC) => {
                return Err(ReadError::ParquetStream { path: path.to_path_buf() });
            }
            Format::Jsonl => {
                if jsonl::is_array(&stream.head) {
                    return Err(ReadError::JsonArray { path: path.to_path_buf() });
                }
                info.columns = self.mapping.describe(&jsonl::sample_columns(&stream.head, inner_encoding));
                Box::new(Jsonl::new(reader(stream), inner_encoding, self.mapping.clone(), max))
            }
            Format::Csv | Format::Tsv => {
                let delimiter = delimited::delimiter(format, &stream.head);
                let rows = Delimited::new(
                    reader(stream),
                    delimiter,
                    inner_encoding,
                    self.mapping.clone(),
                    &self.options,
                )
                .map_err(|source| stopped(&path, 0, source.into()))?
                .map_err(|(line, problem)| ReadError::Header {
                    path: path.to_path_buf(),
                    line,
                    problem,
                })?;
                // A file without a header has no rows either, and so lacks nothing.
                if !rows.plan().columns.is_empty() {
                    check(&path, rows.plan())?;
                }
                info.columns = rows.plan().uses();
                Box::new(rows)
            }
        };
        Ok(Open { info, rows, records: 0, taken, used })
    }

    fn read(&mut self) -> Result<Option<Entry>, ReadError> {
        while let Some(open) = &mut self.current {
            let next = open.rows.next_row().map_err(|stop| stopped(&open.info.path, open.records, stop))?;
            let Some(row) = next else {
                self.open_next()?;
                continue;
            };
            open.records += 1;
            let file = &open.info.path;
            let content =
                row.content.and_then(|product| match self.seen.insert(&product.id, file, row.line) {
                    Ok(()) => Ok(product),
                    Err(first) => Err(Box::new(Problem {
                        problem: format!(
                            "\"{}\" came before, at {}:{}; only the first counts",
                            product.id,
                            first.file.display(),
                            first.line
                        ),
                        field: Some("id".into()),
                        id: Some(product.id),
                    })),
                });
            return Ok(Some(match content {
                Ok(product) => Entry::Record(Record { product, file: file.clone(), line: row.line }),
                Err(problem) => Entry::Reject(reject(file, row.line, *problem, open.rows.raw())),
            }));
        }
        Ok(None)
    }
}

impl Iterator for Catalogue {
    type Item = Result<Entry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let result = self.read();
        if result.is_err() {
            self.current = None;
            self.waiting.clear();
        }
        result.transpose()
    }
}

fn reject(file: &Arc<Path>, line: u64, problem: Problem, raw: Raw) -> Reject {
    Reject {
        file: file.clone(),
        line,
        id: problem.id,
        field: problem.field,
        problem: problem.problem,
        raw: raw.text,
        raw_exact: raw.exact,
    }
}

/// A file with named columns has those that the mapping names, and those that every product needs.
fn check(path: &Path, plan: &Plan) -> Result<(), ReadError> {
    if let Some((field, column)) = plan.missing.first() {
        return Err(ReadError::MappedColumn {
            path: path.into(),
            field: field.clone(),
            column: column.clone(),
            columns: plan.columns.clone(),
        });
    }
    match plan.lacks() {
        Some(field) => {
            Err(ReadError::MissingColumn { path: path.into(), field, columns: plan.columns.clone() })
        }
        None => Ok(()),
    }
}

fn stopped(path: &Arc<Path>, records: u64, stop: Stop) -> ReadError {
    let path = path.clone();
    match stop.downcast::<io::Error>() {
        Ok(source) if source.kind() == io::ErrorKind::UnexpectedEof => {
            ReadError::Truncated { path, records, source: *source }
        }
        Ok(source) => ReadError::Damaged { path, records, source },
        Err(source) => ReadError::Damaged { path, records, source },
    }
}
