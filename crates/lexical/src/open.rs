use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use tantivy::{Index, TantivyError};

use crate::LexicalError;
use crate::commit::hash;
use crate::dictionary::{self, Dictionary, Words};
use crate::error::io_kind;
use crate::index::Shared;
use crate::schema::schema;
use crate::verify::{bytes, damaged_files};
use crate::view::{View, ViewError};

/// Checksums of all files are checked at the opening up to this size (some 30 ms), always by `verify`.
const CHECKED_BYTES: u64 = 64 << 20;

/// Why a folder could not be opened.
pub(crate) enum OpenError {
    /// There is nothing.
    Missing,
    /// What is there is not as it was written; it must be built again.
    Damaged(String),
    /// The system refused; what is there may well be whole.
    Failed(LexicalError),
}

/// Opens the index in `path` and checks it. `words` saves making the analyser again, where the caller knows
/// the dictionary.
pub(crate) fn open(
    path: &Path,
    read_only: bool,
    words: Option<Arc<Words>>,
) -> Result<Arc<Shared>, OpenError> {
    // tantivy panics on some damaged files that pass for whole ones.
    catch_unwind(AssertUnwindSafe(|| open_unguarded(path, read_only, words)))
        .unwrap_or_else(|_| Err(OpenError::Damaged("opening its files broke off".into())))
}

fn open_unguarded(path: &Path, read_only: bool, words: Option<Arc<Words>>) -> Result<Arc<Shared>, OpenError> {
    let mut entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Err(OpenError::Missing),
        Err(e) if e.kind() == ErrorKind::NotADirectory => {
            return Err(OpenError::Damaged("it is no folder".into()));
        }
        Err(e) => return Err(OpenError::Failed(LexicalError::io("read", path, e))),
    };
    if entries.next().is_none() {
        return Err(OpenError::Missing);
    }

    let text = read_dictionary(path)?;
    let dictionary = Dictionary::parse(&text)
        .ok_or_else(|| OpenError::Damaged(format!("{} is not in its form", dictionary::FILE)))?;
    let (expected, fields) = schema();
    let engine = |e: TantivyError| classify(path, e);
    let index = Index::open_in_dir(path).map_err(engine)?;
    if index.schema() != expected {
        return Err(OpenError::Damaged("its fields are not those of this program".into()));
    }
    if bytes(&index).map_err(engine)? <= CHECKED_BYTES
        && let Some(file) = damaged_files(&index).map_err(engine)?.first()
    {
        return Err(OpenError::Damaged(format!("its file {} fails its checksum", file.display())));
    }
    let view = View::load(&index, &fields).map_err(|e| match e {
        ViewError::Damaged(reason) => OpenError::Damaged(reason),
        ViewError::Engine(e) => classify(path, e),
    })?;
    if view.commit.dictionary != hash(text.as_bytes()) {
        return Err(OpenError::Damaged(format!("{} is not the one it was built with", dictionary::FILE)));
    }
    if view.commit.products != view.ids.len() || !view.duplicates.is_empty() {
        return Err(OpenError::Damaged(format!(
            "it holds {} products, its commit says {}",
            view.ids.len(),
            view.commit.products
        )));
    }
    let words = words.unwrap_or_else(|| Arc::new(Words::new(dictionary, &text)));
    Ok(Arc::new(Shared::new(Some(path.into()), read_only, words, index, fields, view)))
}

fn read_dictionary(path: &Path) -> Result<String, OpenError> {
    let file = path.join(dictionary::FILE);
    std::fs::read_to_string(&file).map_err(|e| match e.kind() {
        ErrorKind::NotFound => OpenError::Damaged(format!("{} is missing", dictionary::FILE)),
        ErrorKind::InvalidData => OpenError::Damaged(format!("{} is no text", dictionary::FILE)),
        _ => OpenError::Failed(LexicalError::io("read", &file, e)),
    })
}

/// Tells a system that refuses from files that are not whole.
fn classify(path: &Path, error: TantivyError) -> OpenError {
    let refused = |kind: ErrorKind| {
        !matches!(kind, ErrorKind::NotFound | ErrorKind::InvalidData | ErrorKind::InvalidInput)
            && !matches!(kind, ErrorKind::UnexpectedEof | ErrorKind::Other)
    };
    if io_kind(&error).is_some_and(refused) {
        OpenError::Failed(LexicalError::engine("be opened", path, error))
    } else {
        OpenError::Damaged(error.to_string())
    }
}
