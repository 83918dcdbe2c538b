use std::path::PathBuf;

use tantivy::directory::Directory;
use tantivy::directory::error::OpenReadError;
use tantivy::{HasLen, Index};
use xunpin_core::{DocId, DocSet};

use crate::view::View;

/// Something that is wrong with an index. Whatever it is, building the index again mends it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LexicalProblem {
    /// A file's bytes are not those that were written.
    #[error("the file {file} of the full-text index fails its checksum")]
    DamagedFile {
        /// Its name in the folder.
        file: PathBuf,
    },
    /// A stored product can't be found by its words.
    #[error("product number {doc} is not in the full-text index")]
    Missing {
        /// The product.
        doc: DocId,
    },
    /// The index holds a product that the store does not.
    #[error("the full-text index holds product number {doc}, which is not stored")]
    Surplus {
        /// The product.
        doc: DocId,
    },
    /// The index holds a product twice.
    #[error("the full-text index holds product number {doc} twice")]
    Duplicate {
        /// The product.
        doc: DocId,
    },
}

/// Compares what the index holds with what is stored; problems by kind, then by DocId.
pub(crate) fn compare(view: &View, live: impl IntoIterator<Item = DocId>) -> Vec<LexicalProblem> {
    let live: DocSet = live.into_iter().collect();
    let indexed: DocSet = view.ids.iter().copied().collect();
    let missing = live.iter().filter(|doc| !indexed.contains(*doc));
    let surplus = indexed.iter().filter(|doc| !live.contains(*doc));
    missing
        .map(|doc| LexicalProblem::Missing { doc })
        .chain(surplus.map(|doc| LexicalProblem::Surplus { doc }))
        .chain(view.duplicates.iter().map(|&doc| LexicalProblem::Duplicate { doc }))
        .collect()
}

/// The files of the last commit that fail their CRC-32 or have no footer to hold one, sorted. A missing file is told when
/// the segment is opened.
pub(crate) fn damaged_files(index: &Index) -> tantivy::Result<Vec<PathBuf>> {
    let mut damaged = Vec::new();
    for file in segment_files(index)? {
        match index.directory().validate_checksum(&file) {
            Ok(true) | Err(OpenReadError::FileDoesNotExist(_)) => {}
            Ok(false) | Err(_) => damaged.push(file),
        }
    }
    Ok(damaged)
}

/// Bytes of the last commit's files.
pub(crate) fn bytes(index: &Index) -> tantivy::Result<u64> {
    let mut bytes = 0;
    for file in segment_files(index)? {
        match index.directory().open_read(&file) {
            Ok(slice) => bytes += slice.len() as u64,
            Err(OpenReadError::FileDoesNotExist(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(bytes)
}

/// Files that the last commit may have, sorted; some kinds are only there when needed.
fn segment_files(index: &Index) -> tantivy::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = index.load_metas()?.list_segment_files().into_iter().collect();
    files.sort();
    Ok(files)
}
