use serde::{Deserialize, Serialize};
use xunpin_ingest::Template;

/// The engine's part of an index's manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// The model that made the vectors, as named when the index was made: a known name or a folder. Where to find it
    /// again; what it must be is the fingerprint's business.
    pub(crate) model: String,
    /// How a product becomes the text that is embedded.
    pub(crate) template: Template,
}
