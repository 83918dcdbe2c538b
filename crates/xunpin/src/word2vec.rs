//! The static baseline: word vectors trained or imported, and a vector of its own for every product.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};
use xunpin_analysis::Analyzer;
use xunpin_core::{DocSet, NearestNeighbors, Product};
use xunpin_index::{Batch, Index, StaticVectors};
use xunpin_query::StaticNearest;
use xunpin_word2vec::{Corpus, Pooling, SentenceEncoder, Trainer, WordVectors};

use crate::{Engine, EngineError, products};

/// The name under which the model's state stands in the index.
const JOB: &str = "word2vec";
const FOLDER: &str = "word2vec";
const FILE: &str = "words.xpw";

/// What the index knows of its word vectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    /// Content hash of the file.
    model: String,
    /// Every product has been given its vector.
    complete: bool,
}

/// A model, whose texts are cut as those it was trained on.
pub(crate) struct StaticModel {
    encoder: SentenceEncoder,
}

/// The word vectors of an engine, loaded on first use.
pub(crate) struct Statics {
    path: PathBuf,
    model: Mutex<Option<Arc<StaticModel>>>,
    /// The products' vectors as of one version.
    products: Mutex<Option<(u64, Arc<StaticVectors>)>>,
}

/// What a text is cut with. Its dictionary has no words of a catalogue, so that a model fits any.
fn analyzer() -> &'static Analyzer {
    static PLAIN: OnceLock<Analyzer> = OnceLock::new();
    PLAIN.get_or_init(|| Analyzer::new([]))
}

/// The words of a product's text: long ones whole and in their parts, as in the full-text index.
fn words(text: &str) -> Vec<String> {
    analyzer().terms(text).into_iter().map(|term| term.text).collect()
}

impl StaticModel {
    /// The vector of a product's text; none if it has no known word.
    pub(crate) fn embed(&self, text: &str) -> Option<Vec<f32>> {
        self.encoder.embed(&words(text))
    }
}

impl Statics {
    pub(crate) fn new(index: &Path) -> Self {
        Self { path: index.join(FOLDER).join(FILE), model: Mutex::default(), products: Mutex::default() }
    }

    /// The model, if the index has one.
    pub(crate) fn model(&self, index: &Index) -> Result<Option<Arc<StaticModel>>, EngineError> {
        let mut held = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(model) = &*held {
            return Ok(Some(model.clone()));
        }
        let Some(record) = record(index)? else { return Ok(None) };
        if !record.complete {
            return Err(EngineError::Word2VecUnfinished { path: index.path().into() });
        }
        let encoder = SentenceEncoder::load(&self.path)?;
        if encoder.content_hash() != record.model {
            return Err(EngineError::Word2VecForeign { path: self.path.clone() });
        }
        let model = Arc::new(StaticModel { encoder });
        *held = Some(model.clone());
        Ok(Some(model))
    }

    fn products(&self, index: &Index, dimension: usize) -> Result<Arc<StaticVectors>, EngineError> {
        let mut held = self.products.lock().unwrap_or_else(PoisonError::into_inner);
        let version = index.static_version();
        if let Some((at, products)) = &*held
            && *at == version
        {
            return Ok(products.clone());
        }
        let products = Arc::new(index.static_vectors(dimension)?);
        *held = Some((version, products.clone()));
        Ok(products)
    }

    fn forget(&self) {
        *self.model.lock().unwrap_or_else(PoisonError::into_inner) = None;
        *self.products.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The products nearest to a query.
    pub(crate) fn nearest(
        &self,
        index: &Index,
        query: &str,
        depth: usize,
        allowed: Option<&DocSet>,
    ) -> Result<StaticNearest, EngineError> {
        let Some(model) = self.model(index)? else {
            return Err(EngineError::NoWord2Vec { path: index.path().into() });
        };
        let words: Vec<String> = analyzer().query_terms(query).into_iter().map(|term| term.text).collect();
        let unknown_words: Vec<String> =
            words.iter().filter(|word| model.encoder.known(&[word.as_str()]) == 0).cloned().collect();
        let neighbors = match model.encoder.embed(&words) {
            Some(vector) => self
                .products(index, model.encoder.dimension())?
                .nearest(&vector, depth, allowed)
                .map_err(xunpin_index::IndexError::from)?,
            None => Vec::new(),
        };
        Ok(StaticNearest { neighbors, unknown_words })
    }
}

fn record(index: &Index) -> Result<Option<Record>, EngineError> {
    let bytes = index.checkpoint(JOB)?;
    // A record of another version is as good as none: training writes a new one.
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// The sentences of an index to train word vectors on: the texts of its products and whatever else was added.
pub struct CatalogueCorpus {
    corpus: Corpus,
    /// Different words of the products' texts, which stand before all others.
    catalogue_words: usize,
}

impl CatalogueCorpus {
    /// Whether a product's text has the word.
    fn in_catalogue(&self, word: &str) -> bool {
        self.corpus.first_seen(word).is_some_and(|at| at < self.catalogue_words)
    }
}

impl std::ops::Deref for CatalogueCorpus {
    type Target = Corpus;

    fn deref(&self) -> &Corpus {
        &self.corpus
    }
}

/// What giving an index its word vectors did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Word2VecReport {
    /// Words with a vector.
    pub words: usize,
    /// Values of a vector.
    pub dimension: usize,
    /// Products in the index.
    pub products: usize,
    /// Products that have no known word, and so no vector.
    pub products_without: usize,
    /// Of the different words in the catalogue, how many have a vector.
    pub catalogue_words_known: usize,
    /// Different words in the catalogue.
    pub catalogue_words: usize,
}

impl Engine {
    /// The sentences that word vectors of this index are trained on: the products' texts, cut into words, and those of
    /// `texts`, one a line.
    pub fn word2vec_corpus(&self, texts: &[PathBuf]) -> Result<CatalogueCorpus, EngineError> {
        let mut corpus = Corpus::new();
        self.index.for_each_product(|_, product| corpus.push(words(&self.static_text(product))))?;
        let catalogue_words = corpus.distinct();
        for path in texts {
            let unreadable = |source| EngineError::Texts { path: path.clone(), source };
            let file = std::io::BufReader::new(std::fs::File::open(path).map_err(unreadable)?);
            for line in std::io::BufRead::lines(file) {
                corpus.push(words(&line.map_err(unreadable)?));
            }
        }
        Ok(CatalogueCorpus { corpus, catalogue_words })
    }

    /// Trains word vectors and gives every product its vector. `progress` may end the training early; then nothing
    /// changes.
    pub fn word2vec_train(
        &self,
        corpus: &CatalogueCorpus,
        trainer: &Trainer,
        pooling: Pooling,
        progress: impl FnMut(&xunpin_word2vec::Progress) -> ControlFlow<()>,
    ) -> Result<Word2VecReport, EngineError> {
        self.must_write()?;
        let vectors = trainer.train(corpus, progress)?;
        self.word2vec_install(corpus, vectors, pooling)
    }

    /// Gives the index these word vectors, and every product its vector. Vectors that know no word of the catalogue are
    /// refused. Words without counts (imported files have none) are counted in the corpus.
    pub fn word2vec_install(
        &self,
        corpus: &CatalogueCorpus,
        vectors: WordVectors,
        pooling: Pooling,
    ) -> Result<Word2VecReport, EngineError> {
        self.must_write()?;
        let counted = vectors.counts().iter().any(|&count| count > 0);
        // A word that the corpus lacks still needs a count above 0 to be weighed.
        let vectors = if counted { vectors } else { vectors.with_counts(|word| corpus.count(word).max(1)) };
        let known = vectors.words().iter().filter(|word| corpus.in_catalogue(word)).count();
        if known == 0 && corpus.catalogue_words > 0 {
            return Err(EngineError::NoCommonWord {
                words: vectors.len(),
                catalogue: corpus.catalogue_words,
            });
        }
        let encoder = SentenceEncoder::new(vectors, pooling)?;
        let mut report = Word2VecReport {
            words: encoder.vectors().len(),
            dimension: encoder.dimension(),
            products: self.index.len(),
            products_without: 0,
            catalogue_words_known: known,
            catalogue_words: corpus.catalogue_words,
        };
        self.install(encoder, &mut report)?;
        Ok(report)
    }

    /// Gives this index the word vectors of `from`, unless it has them. False where there are none.
    pub(crate) fn word2vec_take(&self, from: &Engine) -> Result<bool, EngineError> {
        let Some(model) = from.statics.model(&from.index)? else { return Ok(false) };
        let taken = Record { model: model.encoder.content_hash(), complete: true };
        if record(&self.index)? != Some(taken) {
            self.install(model.encoder.clone(), &mut Word2VecReport::default())?;
        }
        Ok(true)
    }

    /// The word vectors of the index, to look into.
    pub fn word2vec(&self) -> Result<Arc<SentenceEncoderHandle>, EngineError> {
        self.statics
            .model(&self.index)?
            .map(|model| Arc::new(SentenceEncoderHandle(model)))
            .ok_or_else(|| EngineError::NoWord2Vec { path: self.index.path().into() })
    }

    /// In this order an interruption leaves an index that knows it is unfinished, never one with mixed vectors.
    fn install(&self, encoder: SentenceEncoder, report: &mut Word2VecReport) -> Result<(), EngineError> {
        let _one_writes = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = encoder.content_hash();
        self.note_model(&Record { model: hash.clone(), complete: false })?;
        self.statics.forget();
        self.index.clear_static()?;
        let folder = self.statics.path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)
            .map_err(|source| EngineError::Texts { path: folder.into(), source })?;
        encoder.save(&self.statics.path)?;
        let model = StaticModel { encoder };
        for products in products::chunks(&self.index, &products::live(&self.index)?) {
            let embed = |(doc, product)| (doc, model.embed(&self.static_text(&product)));
            let rows: Vec<_> = products?.into_iter().map(embed).collect();
            report.products_without += rows.iter().filter(|(_, vector)| vector.is_none()).count();
            self.index.put_static(&rows)?;
        }
        self.note_model(&Record { model: hash, complete: true })?;
        self.statics.forget();
        self.lexical.follow(&self.index, true);
        Ok(())
    }

    fn note_model(&self, record: &Record) -> Result<(), EngineError> {
        let mut batch = Batch::new();
        batch.checkpoint(JOB, serde_json::json!(record).to_string());
        self.index.apply(batch)?;
        Ok(())
    }

    /// The text that the static model sees of a product: the one that is embedded, uncut.
    pub(crate) fn static_text(&self, product: &Product) -> String {
        self.settings.template.compose(product)
    }
}

/// The word vectors of an index.
pub struct SentenceEncoderHandle(Arc<StaticModel>);

impl std::ops::Deref for SentenceEncoderHandle {
    type Target = SentenceEncoder;

    fn deref(&self) -> &SentenceEncoder {
        &self.0.encoder
    }
}
