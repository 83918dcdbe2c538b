//! Vector files of other programs: `vectors.txt` of word2vec, fastText and GloVe, and `.bin` of word2vec, plain or
//! gzip. Told apart by content:
//!
//! | form | first line | then |
//! |---|---|---|
//! | text | `words dimension` | a line a word: the word and its values, separated by blanks or tabs |
//! | headerless text (GloVe) | a word and its values | the same |
//! | binary | `words dimension` | a record a word: the word, a blank, `dimension` f32 little-endian, often a line feed |

mod binary;
mod detect;
mod gather;
mod read;
mod text;
mod write;

pub use read::{ReadReport, VectorFormat};

/// Longest vectors that are read or trained, in values.
pub(crate) const MAX_DIMENSION: usize = 8_192;
