//! The full-text index beside the store: opened on first use, caught up after commits, built again where it must be.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};

use xunpin_core::{DocId, TextMatches};
use xunpin_index::{Changes, Index, IndexError};
use xunpin_lexical::{Dictionary, LexicalError, LexicalIndex, LexicalOptions, LexicalReader, Opened};

use crate::{EngineError, products};

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

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
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
        let lag = if now { 1 } else { LAG };
        let followed = match self.opened() {
            Some(open) if index.generation() < open.generation() + lag => return,
            Some(open) => lacking(&open, index).and_then(|(changes, _)| self.catch_up(open, index, changes)),
            None => self.open(index),
        };
        match followed {
            Ok(open) => self.keep(open),
            Err(error) => self.note(LexicalNote::NotFollowed { reason: reasons(&error) }),
        }
    }

    /// Rids it of what is deleted, once it is at the store's last commit.
    pub(crate) fn compact(&self, index: &Index) -> Result<(), EngineError> {
        self.follow(index, true);
        let open = self.handle(index)?;
        let _one_mends = self.mending.lock().unwrap_or_else(PoisonError::into_inner);
        open.writer()?.compact()?;
        Ok(())
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
        let mut behind = 0;
        if let Opened::Fresh(open) = &found {
            (_, behind) = lacking(open, index)?;
            if behind == 0 {
                return Ok(open.clone());
            }
        }
        // Nobody else may be writing meanwhile; a folder that can't be written to is left as it is.
        if let Ok(Some(_lock)) = xunpin_index::try_writer_lock(index.path())
            && let Ok(open) = self.mend(index)
        {
            return Ok(open);
        }
        match found {
            Opened::Fresh(open) => {
                self.note(LexicalNote::Behind { commits: behind });
                Ok(open)
            }
            Opened::Damaged { reason } => self.in_memory(index, reason),
            _ => self.in_memory(index, "there is none".into()),
        }
    }

    /// Opens it to write and brings it to the store's state. The caller has the right to write.
    fn mend(&self, index: &Index) -> Result<LexicalIndex, EngineError> {
        let reason = match LexicalIndex::open(&self.path)? {
            Opened::Fresh(open) if open.generation() == index.generation() => return Ok(open),
            Opened::Fresh(open) if open.generation() < index.generation() => {
                let (changes, commits) = lacking(&open, index)?;
                let open = self.catch_up(open, index, changes)?;
                if commits > 0 {
                    self.note(LexicalNote::CaughtUp { commits });
                }
                return Ok(open);
            }
            Opened::Fresh(open) => {
                format!("it is at commit {}, the store at {}", open.generation(), index.generation())
            }
            Opened::Damaged { reason } => reason,
            _ => "there was none".to_owned(),
        };
        let open = self.rebuild(index)?;
        if !index.is_empty() {
            self.note(LexicalNote::BuiltAgain { reason });
        }
        Ok(open)
    }

    /// Takes changes in. Builds it anew where they are not known any more, or the catalogue has twice the products that the
    /// dictionary was taken from.
    fn catch_up(
        &self,
        open: LexicalIndex,
        index: &Index,
        changes: Option<Changes>,
    ) -> Result<LexicalIndex, EngineError> {
        let changes = match changes {
            Some(changes) if index.len() <= 2 * open.dictionary_products() => changes,
            _ => return self.rebuild(index),
        };
        let mut writer = open.writer()?;
        for doc in &changes.removed {
            writer.delete(*doc)?;
        }
        for products in products::chunks(index, &changes.written) {
            writer.upsert_all(&products?)?;
        }
        writer.commit(changes.generation)?;
        drop(writer);
        Ok(open)
    }

    fn rebuild(&self, index: &Index) -> Result<LexicalIndex, EngineError> {
        // Read before the products: what is written meanwhile is taken in once more by the next catching up.
        let generation = index.generation();
        let docs = products::live(index)?;
        let dictionary = dictionary(index, &docs)?;
        Ok(LexicalIndex::rebuild(&self.path, dictionary, products::each(index, &docs), generation)?)
    }

    fn in_memory(&self, index: &Index, reason: String) -> Result<LexicalIndex, EngineError> {
        let generation = index.generation();
        let docs = products::live(index)?;
        let open = LexicalIndex::in_memory(dictionary(index, &docs)?)?;
        let mut writer = open.writer()?;
        for products in products::chunks(index, &docs) {
            writer.upsert_all(&products?)?;
        }
        writer.commit(generation)?;
        drop(writer);
        self.note(LexicalNote::InMemory { reason });
        Ok(open)
    }
}

/// The changes that the full-text index lacks, if the store still knows them, and how many commits made them: those that
/// may have, where it does not.
pub(crate) fn lacking(open: &LexicalIndex, index: &Index) -> Result<(Option<Changes>, u64), EngineError> {
    let changes = index.changes_since(open.generation())?;
    let behind = index.generation().saturating_sub(open.generation());
    let commits = changes.as_ref().map_or(behind, |changes| changes.commits);
    Ok((changes, commits))
}

fn dictionary(index: &Index, docs: &[DocId]) -> Result<Dictionary, IndexError> {
    let mut failed = None;
    let products = products::each(index, docs)
        .map_while(|row| row.map(|(_, product)| product).map_err(|error| failed = Some(error)).ok());
    let dictionary = Dictionary::of(products);
    failed.map_or(Ok(dictionary), Err)
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
