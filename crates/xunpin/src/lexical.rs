//! The full-text index beside the store: opened on first use, caught up after commits, built again where it must be.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};

use xunpin_core::{DocId, Product, TextMatches};
use xunpin_index::{Index, IndexError};
use xunpin_lexical::{Dictionary, LexicalError, LexicalIndex, LexicalOptions, LexicalReader, Opened};

use crate::EngineError;

/// Products read at a time.
const READ: usize = 1_024;
/// Commits that the full-text index may lag behind while a catalogue goes in.
const LAG: u64 = 32;

/// What had to be done about the full-text index at an opening or after a commit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LexicalNote {
    /// A process ended between a commit of the store and that of the full-text index.
    #[error("the full-text index was {commits} commits behind the store and has been brought up to date")]
    CaughtUp {
        /// Commits that were missing.
        commits: u64,
    },
    /// It was missing, damaged, or of another version.
    #[error("the full-text index was built again from the store: {reason}")]
    BuiltAgain {
        /// Why.
        reason: String,
    },
    /// Another process is writing, or the disk can't be written to: words of the newest products are not found yet.
    #[error(
        "the full-text index is {commits} commits behind the store; the newest products are found by their meaning only. \
         Whoever writes to the index next brings it up to date"
    )]
    Behind {
        /// Commits that are missing.
        commits: u64,
    },
    /// Neither usable nor mendable on the disk; it was built in memory.
    #[error("the full-text index is held in memory for now, for the one on the disk can't be used: {reason}")]
    InMemory {
        /// Why.
        reason: String,
    },
    /// A commit of the store could not be followed. It stands, and the next commit or opening tries again.
    #[error("the full-text index could not follow the store: {reason}")]
    NotFollowed {
        /// Why.
        reason: String,
    },
}

/// The full-text index of an engine.
pub(crate) struct Lexical {
    path: PathBuf,
    open: RwLock<Option<LexicalIndex>>,
    /// Held while it is opened, caught up or built.
    mending: Mutex<()>,
    notes: Mutex<Vec<LexicalNote>>,
}

impl Lexical {
    pub(crate) fn new(index: &Path) -> Self {
        Self {
            path: index.join("lexical"),
            open: RwLock::new(None),
            mending: Mutex::new(()),
            notes: Mutex::default(),
        }
    }

    pub(crate) fn notes(&self) -> Vec<LexicalNote> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The words of products as of now, or of the last commit that could be followed.
    pub(crate) fn reader(&self, index: &Index) -> Result<LexicalReader, EngineError> {
        Ok(self.handle(index)?.reader())
    }

    fn handle(&self, index: &Index) -> Result<LexicalIndex, EngineError> {
        if let Some(open) = self.opened() {
            return Ok(open);
        }
        let _one_mends = self.mending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = self.opened() {
            return Ok(open);
        }
        let open = self.open(index)?;
        self.keep(open.clone());
        Ok(open)
    }

    /// Brings the full-text index up to the store's last commit; unless `now`, only if it is far behind. The store's
    /// commits stand whatever happens here, so a failure is noted and tried again next time.
    pub(crate) fn follow(&self, index: &Index, now: bool) {
        if index.is_read_only() {
            return;
        }
        let _one_mends = self.mending.lock().unwrap_or_else(PoisonError::into_inner);
        let followed = match self.opened() {
            Some(open) if !now && index.generation() < open.generation() + LAG => Ok(()),
            Some(open) => {
                catch_up(&self.path, &open, index).map(|next| next.into_iter().for_each(|n| self.keep(n)))
            }
            None => self.open(index).map(|open| self.keep(open)),
        };
        if let Err(error) = followed {
            self.note(LexicalNote::NotFollowed { reason: reasons(&error) });
        }
    }

    fn opened(&self) -> Option<LexicalIndex> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, open: LexicalIndex) {
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = Some(open);
    }

    fn note(&self, note: LexicalNote) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.last() != Some(&note) {
            notes.push(note);
        }
    }

    fn open(&self, index: &Index) -> Result<LexicalIndex, EngineError> {
        if !index.is_read_only() {
            return self.mend(index);
        }
        let found = LexicalIndex::open_read_only(&self.path)?;
        if let Opened::Fresh(open) = &found
            && (open.generation() >= index.generation() || nothing_changed(open, index)?)
        {
            return Ok(open.clone());
        }
        // Nobody else may be writing meanwhile; a folder that can't be written to is left as it is.
        if let Ok(Some(_lock)) = xunpin_index::try_writer_lock(index.path())
            && let Ok(open) = self.mend(index)
        {
            return Ok(open);
        }
        match found {
            Opened::Fresh(open) => {
                self.note(LexicalNote::Behind { commits: index.generation() - open.generation() });
                Ok(open)
            }
            Opened::Damaged { reason } => self.in_memory(index, reason),
            _ => self.in_memory(index, "there is none".into()),
        }
    }

    /// Opens it to write and brings it to the store's state. The caller has the right to write.
    fn mend(&self, index: &Index) -> Result<LexicalIndex, EngineError> {
        let reason = match LexicalIndex::open(&self.path)? {
            Opened::Fresh(open) => {
                let behind = index.generation().checked_sub(open.generation());
                match behind {
                    Some(0) => return Ok(open),
                    Some(commits) => {
                        let lacking = !nothing_changed(&open, index)?;
                        let next = catch_up(&self.path, &open, index)?;
                        if lacking {
                            self.note(LexicalNote::CaughtUp { commits });
                        }
                        return Ok(next.unwrap_or(open));
                    }
                    None => {
                        format!("it is at commit {}, the store at {}", open.generation(), index.generation())
                    }
                }
            }
            Opened::Damaged { reason } => reason,
            _ => "there was none".to_owned(),
        };
        let open = rebuild(&self.path, index)?;
        if !index.is_empty() {
            self.note(LexicalNote::BuiltAgain { reason });
        }
        Ok(open)
    }

    fn in_memory(&self, index: &Index, reason: String) -> Result<LexicalIndex, EngineError> {
        let generation = index.generation();
        let open = LexicalIndex::in_memory(dictionary(index)?)?;
        let mut writer = open.writer()?;
        let docs = live(index)?;
        for docs in docs.chunks(READ) {
            let products: Vec<(DocId, Product)> =
                docs.iter().zip(index.products(docs)?).filter_map(|(doc, p)| Some((*doc, p?))).collect();
            writer.upsert_all(&products)?;
        }
        writer.commit(generation)?;
        drop(writer);
        self.note(LexicalNote::InMemory { reason });
        Ok(open)
    }
}

/// Whether the commits that it lacks changed no product: they stored settings, say.
fn nothing_changed(open: &LexicalIndex, index: &Index) -> Result<bool, EngineError> {
    let changes = index.changes_since(open.generation())?;
    Ok(changes.is_some_and(|changes| changes.written.is_empty() && changes.removed.is_empty()))
}

/// Takes the store's changes in. `Some` where it had to be built anew: the changes are no longer known, or the catalogue
/// has twice the products that the dictionary was taken from.
fn catch_up(path: &Path, open: &LexicalIndex, index: &Index) -> Result<Option<LexicalIndex>, EngineError> {
    if index.generation() == open.generation() {
        return Ok(None);
    }
    let changes = match index.changes_since(open.generation())? {
        Some(changes) if index.len() <= 2 * open.dictionary_products() => changes,
        _ => return rebuild(path, index).map(Some),
    };
    let mut writer = open.writer()?;
    for doc in &changes.removed {
        writer.delete(*doc)?;
    }
    for docs in changes.written.chunks(READ) {
        let products: Vec<(DocId, Product)> =
            docs.iter().zip(index.products(docs)?).filter_map(|(doc, p)| Some((*doc, p?))).collect();
        writer.upsert_all(&products)?;
    }
    writer.commit(changes.generation)?;
    Ok(None)
}

fn rebuild(path: &Path, index: &Index) -> Result<LexicalIndex, EngineError> {
    // Read before the products: what is written meanwhile is taken in once more by the next catching up.
    let generation = index.generation();
    let dictionary = dictionary(index)?;
    let docs = live(index)?;
    let products = docs.chunks(READ).flat_map(|docs| match index.products(docs) {
        Ok(products) => {
            docs.iter().zip(products).filter_map(|(doc, p)| Some(Ok((*doc, p?)))).collect::<Vec<_>>()
        }
        Err(error) => vec![Err(error)],
    });
    Ok(LexicalIndex::rebuild(path, dictionary, products, generation)?)
}

fn dictionary(index: &Index) -> Result<Dictionary, EngineError> {
    let docs = live(index)?;
    let mut failed: Option<IndexError> = None;
    let products = docs.chunks(READ).map_while(|docs| match index.products(docs) {
        Ok(products) => Some(products),
        Err(error) => {
            failed = Some(error);
            None
        }
    });
    let dictionary = Dictionary::of(products.flatten().flatten());
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(dictionary),
    }
}

/// The numbers of all products, rising.
fn live(index: &Index) -> Result<Vec<DocId>, IndexError> {
    let mut docs = index.ids().map(|row| Ok(row?.1.doc)).collect::<Result<Vec<DocId>, IndexError>>()?;
    docs.sort_unstable();
    Ok(docs)
}

/// An error with its causes in one line.
fn reasons(error: &EngineError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// What `reader` says of a query.
pub(crate) fn text_matches(reader: &LexicalReader, query: &str) -> Result<TextMatches, LexicalError> {
    let found = reader.search(query, &LexicalOptions::default())?;
    let names = reader.has_brand(query)? || !xunpin_analysis::query_codes(query).is_empty();
    let terms = found.terms.iter().filter(|term| !term.part).count();
    Ok(TextMatches { terms, names, matches: found.matches })
}
