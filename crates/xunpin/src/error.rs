use std::path::PathBuf;

use crate::rebuild::Unfinished;
use xunpin_core::EncodeError;
use xunpin_encoder::ModelError;
use xunpin_index::{IndexError, SnapshotError};
use xunpin_ingest::{MappingError, ReadError, RejectsError};
use xunpin_lexical::LexicalError;
use xunpin_models::ResolveError;
use xunpin_query::fusion::WeightsError;
use xunpin_query::{FieldError, FilterError, QueryError};
use xunpin_word2vec::{PoolingError, StoreError, TrainError, WriteError};

/// Why the engine could not do what was asked. Each names the file, field or id and the way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The index folder can't be opened, read or written.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The index can't be put into an archive, or got out of one.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// A restored index had no full-text index made; nothing was put in place.
    #[error("the full-text index of {} could not be made: {reason}; nothing was restored", path.display())]
    FullTextNotMade {
        /// Where the index was meant to be.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The model's files are missing or damaged.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// There is no model of that name or folder.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The model failed on a text.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The catalogue can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The caller's mapping of columns is not one.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// The rejected lines can't be kept.
    #[error(transparent)]
    Rejects(#[from] RejectsError),
    /// The caller's filter is not one.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// The caller's query is not one.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The caller's request names a field that the catalogue lacks, or uses one as it can't be used.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The full-text index can't be read or written.
    #[error(transparent)]
    Lexical(#[from] LexicalError),
    /// The caller's fusion weight can't be used.
    #[error(transparent)]
    Weight(#[from] WeightsError),
    /// The fusion weights stored with the index are damaged; set or learn others.
    #[error("{}: the stored fusion weights can't be used: {problem}; learn new ones with `xunpin tune`, or reset them with `xunpin tune --reset`", path.display())]
    Weights {
        /// The index.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The caller's judgements have nothing in common with the queries and the index.
    #[error(
        "none of {queries} queries has a relevant product in the index ({unknown_ids} judged ids are not in it); check that \
         queries, judgements and index belong together"
    )]
    NothingJudged {
        /// Queries given.
        queries: usize,
        /// Judged ids that the index does not hold.
        unknown_ids: usize,
    },
    /// The caller asked in the mode word2vec and the index has no word vectors.
    #[error("the index {} has no word vectors; make some with `xunpin word2vec train` or `xunpin word2vec import`", path.display())]
    NoWord2Vec {
        /// The index.
        path: PathBuf,
    },
    /// Giving the products their static vectors was interrupted.
    #[error("giving the products of {} their word2vec vectors was interrupted; run `xunpin word2vec train` or `import` again", path.display())]
    Word2VecUnfinished {
        /// The index.
        path: PathBuf,
    },
    /// The stored word vectors are not those that made the products' vectors.
    #[error("{}: not the word vectors that the products' vectors were made with; run `xunpin word2vec train` or `import` again", path.display())]
    Word2VecForeign {
        /// The file.
        path: PathBuf,
    },
    /// The caller's word vectors know no word of the catalogue.
    #[error(
        "none of the {words} words with a vector occurs among the {catalogue} of the catalogue; nothing would be found, so the \
         vectors were not taken"
    )]
    NoCommonWord {
        /// Words with a vector.
        words: usize,
        /// Different words in the catalogue.
        catalogue: usize,
    },
    /// Word vectors could not be trained.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Word vectors can't be put together that way.
    #[error(transparent)]
    Pooling(#[from] PoolingError),
    /// The stored word vectors can't be read.
    #[error(transparent)]
    StoredWords(#[from] StoreError),
    /// Word vectors can't be written.
    #[error(transparent)]
    WriteWords(#[from] WriteError),
    /// A file of texts can't be read, or a folder not made.
    #[error("{}: {source}", path.display())]
    Texts {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The caller opened the index with a model that did not make its vectors.
    #[error(
        "the index {} was made by another model than `{model}`: {}. Open it with `{made_by}`, or make a new index with the \
         new model: `xunpin rebuild --into NEW --model {model}`", path.display(), differences.join("; ")
    )]
    OtherModel {
        /// The index.
        path: PathBuf,
        /// The model given.
        model: String,
        /// The model that made the index.
        made_by: String,
        /// What differs, one phrase a field.
        differences: Vec<String>,
    },
    /// The caller opened the index with its own model in another precision.
    #[error(
        "the index {} holds {made_with} vectors and was opened in {given}. Open it in {made_with} (`--precision {made_with}`), or \
         make a new index in {given} (`xunpin rebuild --into NEW --precision {given}`). To encode queries in {given} all the same, \
         say so (`--allow-precision-mismatch`)", path.display()
    )]
    OtherPrecision {
        /// The index.
        path: PathBuf,
        /// The precision asked for.
        given: String,
        /// The precision of the index's vectors.
        made_with: String,
    },
    /// The caller opened the index with another precision, which is allowed for queries, and would put products in.
    #[error(
        "the index {} holds {made_with} vectors; products can't be put in with {given} ones. Open it in {made_with} to write",
        path.display()
    )]
    MixedPrecision {
        /// The index.
        path: PathBuf,
        /// The precision it was opened in.
        given: String,
        /// The precision of the index's vectors.
        made_with: String,
    },
    /// A newer version made the index in a precision that this one lacks.
    #[error(
        "the index {} was made in the precision `{precision}`, which this version doesn't know; use a newer one, or make a new \
         index with `xunpin rebuild --into NEW`", path.display()
    )]
    UnknownPrecision {
        /// The index.
        path: PathBuf,
        /// What its fingerprint says.
        precision: String,
    },
    /// The caller asked for vectors that the model does not give.
    #[error("the model `{model}` gives vectors of {most} values; ask for 1 to {most}, not {asked}")]
    Dimension {
        /// The model.
        model: String,
        /// Values asked for.
        asked: usize,
        /// Values it gives.
        most: usize,
    },
    /// The caller asked for graphs or vectors that an existing index does not have.
    #[error(
        "the index {} was made with {option} {made_with}, and can't be given {given}; leave the option out, or make a new index with \
         it", path.display()
    )]
    OtherOptions {
        /// The index.
        path: PathBuf,
        /// The option.
        option: &'static str,
        /// What was asked for.
        given: String,
        /// What the index was made with.
        made_with: String,
    },
    /// The caller would rebuild into a folder that can't take it.
    #[error("{}: {problem}; give the rebuild another folder, or remove this one first", path.display())]
    RebuildTarget {
        /// The folder.
        path: PathBuf,
        /// What it is.
        problem: String,
    },
    /// The caller would rebuild from an index that is itself unfinished.
    #[error("{}: {unfinished}", path.display())]
    UnfinishedSource {
        /// The index.
        path: PathBuf,
        /// What it lacks.
        unfinished: Unfinished,
    },
    /// The engine was opened to read and was asked to write.
    #[error("the index {} is open read-only; open it with `EngineBuilder::open` to write", path.display())]
    ReadOnly {
        /// The index.
        path: PathBuf,
    },
    /// A new index needs a model, and the caller named none.
    #[error("the index {} does not exist yet; name the model that shall make its vectors", path.display())]
    NoModel {
        /// The index.
        path: PathBuf,
    },
    /// A product given to [`upsert`](crate::Engine::upsert) can't be kept.
    #[error("product {position} (id {id:?}): {source}")]
    Product {
        /// Index of the product in the call.
        position: usize,
        /// Its id, as given.
        id: String,
        /// What is wrong with it.
        source: xunpin_core::ProductError,
    },
    /// The manifest's part that belongs to the engine is damaged.
    #[error("{}: the engine's settings in manifest.json can't be read: {source}", path.display())]
    Settings {
        /// The index.
        path: PathBuf,
        /// The JSON error.
        source: serde_json::Error,
    },
}

impl EngineError {
    /// True where the caller asked for something that can't be (a bad query, an unknown column), as against a
    /// failure of files, memory or hardware. The command line gives the two different exit codes.
    pub fn is_wrong_use(&self) -> bool {
        match self {
            Self::Query(_) | Self::OtherModel { .. } | Self::ReadOnly { .. } | Self::NoModel { .. } => true,
            Self::OtherPrecision { .. } | Self::MixedPrecision { .. } => true,
            Self::Model(ModelError::DeviceNotBuilt { .. } | ModelError::DevicePrecision { .. }) => true,
            Self::Snapshot(error) => error.is_wrong_use(),
            Self::RebuildTarget { .. } | Self::UnfinishedSource { .. } => true,
            Self::Dimension { .. } | Self::OtherOptions { .. } | Self::Index(IndexError::Options { .. }) => {
                true
            }
            Self::Field(_) | Self::Weight(_) | Self::NothingJudged { .. } => true,
            Self::NoWord2Vec { .. } | Self::NoCommonWord { .. } | Self::Pooling(_) => true,
            Self::Product { .. } | Self::Resolve(_) | Self::Mapping(_) | Self::Filter(_) => true,
            Self::Read(error) => matches!(
                error,
                ReadError::MissingColumn { .. }
                    | ReadError::MappedColumn { .. }
                    | ReadError::UnknownFormat { .. }
                    | ReadError::BadPattern { .. }
                    | ReadError::NoInput
            ),
            _ => false,
        }
    }
}
