use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use crate::lines::open;
use crate::{CollectionError, Qrels, Queries, ReadError};

const DEFAULT_SPLIT: &str = "test";

/// Where the documents of a [`Collection`] are. They are counted, not loaded: reading them is the indexer's work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corpus {
    /// The file: JSON Lines, an object with `_id`, `text` and mostly `title` a line.
    pub path: PathBuf,
    /// Number of lines that are not blank.
    pub documents: usize,
}

/// A test collection in the folder form of BEIR (Thakur et al., "BEIR: a heterogeneous benchmark for zero-shot
/// evaluation of information retrieval models", NeurIPS 2021 Datasets and Benchmarks):
///
/// | file | holds |
/// |---|---|
/// | `corpus.jsonl` | documents: `_id`, `title`, `text`, more fields |
/// | `queries.jsonl` | queries of all splits: `_id`, `text` |
/// | `qrels/SPLIT.tsv` | `query-id`, `corpus-id`, `score`, with that header; splits are mostly `test`, `dev`, `train` |
#[derive(Clone, Debug)]
pub struct Collection {
    /// The folder's name.
    pub name: String,
    /// Where the documents are.
    pub corpus: Corpus,
    /// The split that was chosen.
    pub split: String,
    /// All splits there are, sorted.
    pub splits: Vec<String>,
    /// The queries that the split judges, in the file's order.
    pub queries: Queries,
    /// How many queries there are over all splits.
    pub queries_in_file: usize,
    /// The split's judgements.
    pub qrels: Qrels,
}

impl Collection {
    /// Opens the folder with the split `test`, or with the only one there is.
    pub fn open(folder: &Path) -> Result<Self, CollectionError> {
        let splits = find_splits(folder)?;
        let split = match splits.as_slice() {
            [only] => only.clone(),
            _ if splits.iter().any(|split| split == DEFAULT_SPLIT) => DEFAULT_SPLIT.to_owned(),
            _ => return Err(CollectionError::ChooseSplit { folder: folder.to_owned(), splits }),
        };
        Self::load(folder, split, splits)
    }

    /// Opens the folder with the split `split`.
    pub fn open_split(folder: &Path, split: &str) -> Result<Self, CollectionError> {
        let splits = find_splits(folder)?;
        if !splits.iter().any(|known| known == split) {
            let (folder, split) = (folder.to_owned(), split.to_owned());
            return Err(CollectionError::UnknownSplit { folder, split, splits });
        }
        Self::load(folder, split.to_owned(), splits)
    }

    fn load(folder: &Path, split: String, splits: Vec<String>) -> Result<Self, CollectionError> {
        let queries_path = part(folder, "queries.jsonl")?;
        let corpus_path = part(folder, "corpus.jsonl")?;
        let qrels_path = folder.join("qrels").join(format!("{split}.tsv"));
        let qrels = Qrels::read(&qrels_path)?;
        let mut queries = Queries::read(&queries_path)?;
        let queries_in_file = queries.len();
        queries.keep(&qrels.queries().collect());
        if queries.is_empty() {
            return Err(CollectionError::NoCommonQuery { qrels: qrels_path, queries: queries_path });
        }
        let documents = count_lines(&corpus_path)?;
        let corpus = Corpus { path: corpus_path, documents };
        Ok(Self { name: name_of(folder), corpus, split, splits, queries, queries_in_file, qrels })
    }
}

/// The folder's own name, also where the path is `.` or ends in `..`.
fn name_of(folder: &Path) -> String {
    let absolute = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    absolute.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned()
}

fn part(folder: &Path, part: &'static str) -> Result<PathBuf, CollectionError> {
    let path = folder.join(part);
    if path.exists() { Ok(path) } else { Err(CollectionError::Missing { folder: folder.to_owned(), part }) }
}

fn find_splits(folder: &Path) -> Result<Vec<String>, CollectionError> {
    let path = part(folder, "qrels")?;
    let unreadable = |source| ReadError::Io { path: path.clone(), source };
    let mut splits = Vec::new();
    for entry in path.read_dir().map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.extension().is_some_and(|extension| extension == "tsv")
            && let Some(name) = file.file_stem().and_then(|stem| stem.to_str())
        {
            splits.push(name.to_owned());
        }
    }
    if splits.is_empty() {
        return Err(CollectionError::Missing { folder: folder.to_owned(), part: "qrels/*.tsv" });
    }
    splits.sort_unstable();
    Ok(splits)
}

/// Lines that are not blank; at least one.
fn count_lines(path: &Path) -> Result<usize, ReadError> {
    let io = |source| ReadError::Io { path: path.to_owned(), source };
    let mut reader = BufReader::with_capacity(1 << 18, open(path)?.into_inner());
    let (mut lines, mut blank) = (0, true);
    loop {
        let buffer = reader.fill_buf().map_err(io)?;
        if buffer.is_empty() {
            break;
        }
        for &byte in buffer {
            if byte == b'\n' {
                lines += usize::from(!blank);
                blank = true;
            } else {
                blank &= byte.is_ascii_whitespace();
            }
        }
        let read = buffer.len();
        reader.consume(read);
    }
    match lines + usize::from(!blank) {
        0 => Err(ReadError::Empty { path: path.to_owned(), form: r#"{"_id": "ID", "text": "TEXT"}"# }),
        lines => Ok(lines),
    }
}
