use std::path::PathBuf;

use xunpin_core::EncodeError;
use xunpin_encoder::ModelError;
use xunpin_index::IndexError;
use xunpin_ingest::{MappingError, ReadError, RejectsError};
use xunpin_models::ResolveError;
use xunpin_query::{FilterError, QueryError};

/// Why the engine could not do what was asked. Each names the file, field or id and the way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The index folder can't be opened, read or written.
    #[error(transparent)]
    Index(#[from] IndexError),
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
    /// The caller opened the index with a model that did not make its vectors.
    #[error(
        "the index {} was made by another model than `{model}`: {}. Open it with `{made_by}`, or make a new index with the \
         new model", path.display(), differences.join("; ")
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
