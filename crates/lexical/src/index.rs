use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tantivy::Index;
use xunpin_analysis::Analyzer;
use xunpin_core::{DocId, Product, durable};

use crate::commit::{Commit, hash};
use crate::dictionary::{self, Dictionary, Words};
use crate::open::{OpenError, open};
use crate::reader::LexicalReader;
use crate::schema::{Fields, schema};
use crate::search::Scratch;
use crate::verify::{LexicalProblem, bytes, compare, damaged_files};
use crate::view::{View, ViewError};
use crate::writer::LexicalWriter;
use crate::{LexicalError, folder};

/// Products that a rebuild analyses at a time.
const CHUNK: usize = 2_048;

/// A full-text index: the folder `lexical/` beside a store, or one in memory. Cheap to clone.
#[derive(Clone)]
pub struct LexicalIndex {
    shared: Arc<Shared>,
}

/// What was found where an index is expected.
pub enum Opened {
    /// A whole index, at the store's generation [`LexicalIndex::generation`].
    Fresh(LexicalIndex),
    /// Nothing; build it.
    Missing,
    /// Something that can't be trusted: build it again.
    Damaged {
        /// What is wrong with it.
        reason: String,
    },
}

/// What index, readers and writer have in common.
pub(crate) struct Shared {
    /// None in memory.
    pub(crate) path: Option<PathBuf>,
    pub(crate) read_only: bool,
    pub(crate) words: Arc<Words>,
    pub(crate) index: Index,
    pub(crate) fields: Fields,
    pub(crate) view: RwLock<Arc<View>>,
    /// Memory of searches that are over, for those to come.
    pub(crate) scratch: Mutex<Vec<Scratch>>,
}

impl Shared {
    pub(crate) fn new(
        path: Option<PathBuf>,
        read_only: bool,
        words: Arc<Words>,
        index: Index,
        fields: Fields,
        view: View,
    ) -> Self {
        let view = RwLock::new(Arc::new(view));
        Self { path, read_only, words, index, fields, view, scratch: Mutex::default() }
    }

    /// What the index is called in errors.
    pub(crate) fn name(&self) -> PathBuf {
        self.path.clone().unwrap_or_else(|| "memory".into())
    }

    pub(crate) fn view(&self) -> Arc<View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows the last commit to readers made from now on.
    pub(crate) fn reload(&self) -> Result<(), LexicalError> {
        let view = View::load(&self.index, &self.fields).map_err(|e| match e {
            ViewError::Damaged(reason) => LexicalError::Damaged { path: self.name(), reason },
            ViewError::Engine(e) => LexicalError::engine("be read", &self.name(), e),
        })?;
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
        Ok(())
    }
}

impl LexicalIndex {
    /// Opens the index in the folder `path` for reading and writing, and removes what an interrupted rebuild left beside
    /// it. The caller sees to it that there is one writing process at a time. Fails only where the system refuses; an
    /// index that is not whole is [`Opened::Damaged`].
    pub fn open(path: &Path) -> Result<Opened, LexicalError> {
        folder::remove_leftovers(path)?;
        Self::opened(path, false, None)
    }

    /// Opens the index for reading, beside a process that may be writing it. Nothing is changed on the disk.
    pub fn open_read_only(path: &Path) -> Result<Opened, LexicalError> {
        match Self::opened(path, true, None)? {
            fresh @ Opened::Fresh(_) => Ok(fresh),
            // A rebuild by another process may just have put a new folder in place.
            _ => {
                std::thread::sleep(Duration::from_millis(20));
                Self::opened(path, true, None)
            }
        }
    }

    fn opened(path: &Path, read_only: bool, words: Option<Arc<Words>>) -> Result<Opened, LexicalError> {
        match open(path, read_only, words) {
            Ok(shared) => Ok(Opened::Fresh(Self { shared })),
            Err(OpenError::Missing) => Ok(Opened::Missing),
            Err(OpenError::Damaged(reason)) => Ok(Opened::Damaged { reason }),
            Err(OpenError::Failed(error)) => Err(error),
        }
    }

    /// Makes an empty index at generation 0 in the folder `path`, in place of what is there.
    pub fn create(path: &Path, dictionary: Dictionary) -> Result<Self, LexicalError> {
        Self::rebuild(path, dictionary, std::iter::empty::<Result<_, LexicalError>>(), 0)
    }

    /// Builds an index of `products` with a new dictionary beside `path` and then puts it in the place of what is there,
    /// at once and durably. If it fails or the process ends before that, what is there stays as it is. Readers of the
    /// old index go on reading it.
    pub fn rebuild<E: Into<Box<dyn Error + Send + Sync>>>(
        path: &Path,
        dictionary: Dictionary,
        products: impl IntoIterator<Item = Result<(DocId, Product), E>>,
        generation: u64,
    ) -> Result<Self, LexicalError> {
        folder::remove_leftovers(path)?;
        let building = folder::building(path);
        fs::create_dir_all(&building).map_err(|e| LexicalError::io("make the folder", &building, e))?;
        let text = dictionary.to_text();
        durable::write_file(&building.join(dictionary::FILE), |out| out.write_all(text.as_bytes()))?;
        let (schema, fields) = schema();
        let index = Index::create_in_dir(&building, schema)
            .map_err(|e| LexicalError::engine("be created", &building, e))?;
        let new = Self::empty(index, fields, dictionary, Some(building));
        let built = new.fill(products, generation);
        if built.is_err() {
            // The error that matters is the first one.
            let _ = folder::remove_leftovers(path);
        }
        built?;
        let words = Arc::clone(&new.shared.words);
        drop(new);
        folder::put_in_place(path)?;
        let reason = match Self::opened(path, false, Some(words))? {
            Opened::Fresh(index) => return Ok(index),
            Opened::Missing => "it was removed while it was being built".into(),
            Opened::Damaged { reason } => reason,
        };
        Err(LexicalError::Damaged { path: path.into(), reason })
    }

    /// An empty index at generation 0 that no file holds.
    pub fn in_memory(dictionary: Dictionary) -> Result<Self, LexicalError> {
        let (schema, fields) = schema();
        Ok(Self::empty(Index::create_in_ram(schema), fields, dictionary, None))
    }

    fn empty(index: Index, fields: Fields, dictionary: Dictionary, path: Option<PathBuf>) -> Self {
        let text = dictionary.to_text();
        let view = View {
            commit: Commit::new(0, 0, &hash(text.as_bytes())),
            ids: Vec::new(),
            segments: Vec::new(),
            mean_lengths: [1.0; 7],
            duplicates: Vec::new(),
        };
        let words = Arc::new(Words::new(dictionary, &text));
        Self { shared: Arc::new(Shared::new(path, false, words, index, fields, view)) }
    }

    /// Adds the products and commits them as one segment.
    fn fill<E: Into<Box<dyn Error + Send + Sync>>>(
        &self,
        products: impl IntoIterator<Item = Result<(DocId, Product), E>>,
        generation: u64,
    ) -> Result<(), LexicalError> {
        let mut writer = self.writer()?;
        let mut chunk = Vec::with_capacity(CHUNK);
        for product in products {
            chunk.push(product.map_err(|e| LexicalError::Source(e.into()))?);
            if chunk.len() == CHUNK {
                writer.upsert_all(&chunk)?;
                chunk.clear();
            }
        }
        writer.upsert_all(&chunk)?;
        writer.commit_as_one(generation)
    }

    /// The right to change the index; [`LexicalError::Busy`] while another writer lives.
    pub fn writer(&self) -> Result<LexicalWriter, LexicalError> {
        if self.shared.read_only {
            return Err(LexicalError::ReadOnly { path: self.shared.name() });
        }
        LexicalWriter::new(Arc::clone(&self.shared))
    }

    /// The index as of the last commit that this process has seen.
    pub fn reader(&self) -> LexicalReader {
        LexicalReader::new(Arc::clone(&self.shared), self.shared.view())
    }

    /// Looks for a commit of another process; true if there was one. [`LexicalError::Replaced`] after a rebuild.
    pub fn refresh(&self) -> Result<bool, LexicalError> {
        let before = self.shared.view();
        self.shared.reload()?;
        let after = self.shared.view();
        if after.commit.dictionary != before.commit.dictionary {
            *self.shared.view.write().unwrap_or_else(PoisonError::into_inner) = before;
            return Err(LexicalError::Replaced { path: self.shared.name() });
        }
        Ok(after.commit != before.commit)
    }

    /// The store's generation that the index is at.
    pub fn generation(&self) -> u64 {
        self.shared.view().commit.generation
    }

    /// How many products the index holds.
    pub fn products(&self) -> usize {
        self.shared.view().ids.len()
    }

    /// How many products the dictionary was taken from; once the catalogue is twice as large, a new one is worth a rebuild.
    pub fn dictionary_products(&self) -> usize {
        self.shared.words.products
    }

    /// The analyser of the index, with the dictionary's words. It is made on first use, by whoever cuts a text first.
    pub fn analyzer(&self) -> &Analyzer {
        &self.shared.words.analyzer
    }

    /// Bytes the index takes on the disk (or in memory), without what is about to be removed.
    pub fn bytes(&self) -> Result<u64, LexicalError> {
        let files = bytes(&self.shared.index)
            .map_err(|e| LexicalError::engine("be measured", &self.shared.name(), e))?;
        Ok(files + self.shared.words.bytes)
    }

    /// Checks every file's checksum, and that the products in the index are just those of `live`.
    pub fn verify(&self, live: impl IntoIterator<Item = DocId>) -> Result<Vec<LexicalProblem>, LexicalError> {
        let files = damaged_files(&self.shared.index)
            .map_err(|e| LexicalError::engine("be verified", &self.shared.name(), e))?;
        let mut problems: Vec<LexicalProblem> =
            files.into_iter().map(|file| LexicalProblem::DamagedFile { file }).collect();
        problems.extend(compare(&self.shared.view(), live));
        Ok(problems)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LexicalOptions;

    #[test]
    fn the_analyser_is_made_for_the_first_text_that_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lexical");
        let cuts = |index: &LexicalIndex| !format!("{:?}", index.shared.words.analyzer).contains("<uninit>");
        let product = Product::new("p", "温和精华");
        let products = [Ok::<_, LexicalError>((DocId(1), product.clone()))];
        let built = LexicalIndex::rebuild(&path, Dictionary::of([&product]), products, 1).unwrap();
        assert!(cuts(&built), "what was made to build it is kept");
        drop(built);

        let opened = || match LexicalIndex::open(&path).unwrap() {
            Opened::Fresh(index) => index,
            _ => panic!("not whole"),
        };
        let index = opened();
        let mut writer = index.writer().unwrap();
        writer.delete(DocId(7)).unwrap();
        writer.commit(2).unwrap();
        assert!(!cuts(&index), "a deletion cuts nothing");
        let found = index.reader().search("精华", &LexicalOptions::default()).unwrap();
        assert!(found.matches.len() == 1 && cuts(&index));
        drop(writer);

        let index = opened();
        index.writer().unwrap().upsert(DocId(2), &product).unwrap();
        assert!(cuts(&index));
    }
}
