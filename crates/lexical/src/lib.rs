//! Which products hold the query's words: a full-text index beside the store, made of what the store holds.
//!
//! tantivy keeps the postings, merges segments and commits durably; the scoring over its postings is our own, because
//! fusion needs of every matching product the score and the share of the query it holds, exactly.
//!
//! * [`LexicalIndex`] is the folder `lexical/` of an index, or one in memory. It is derived: where it is missing or
//!   [`Damaged`](Opened::Damaged), [`LexicalIndex::rebuild`] makes it again; where its
//!   [`generation`](LexicalIndex::generation) is behind the store's, a [`LexicalWriter`] catches it up.
//! * [`LexicalReader`] is the index as of one commit: [`search`](LexicalReader::search) scores all products that hold a
//!   term of the query, [`exact`](LexicalReader::exact) finds ids, model numbers and brands.
//! * [`Dictionary`] holds the words a catalogue adds to those the analyser knows.
//!
//! ```
//! use xunpin_core::{DocId, Product};
//! use xunpin_lexical::{Dictionary, LexicalIndex, LexicalOptions};
//!
//! # fn main() -> Result<(), xunpin_lexical::LexicalError> {
//! let products = [Product::new("p1", "温和A醇精华 30ml"), Product::new("p2", "清爽防晒乳 50ml")];
//! let index = LexicalIndex::in_memory(Dictionary::of(&products))?;
//! let mut writer = index.writer()?;
//! writer.upsert(DocId(0), &products[0])?;
//! writer.upsert(DocId(1), &products[1])?;
//! writer.commit(1)?;
//!
//! let found = index.reader().search("有没有A醇", &LexicalOptions::default())?;
//! assert_eq!(found.matches.len(), 1);
//! assert_eq!((found.matches[0].doc, found.matches[0].coverage), (DocId(0), 1.0));
//! # Ok(())
//! # }
//! ```
//!
//! The folder:
//!
//! ```text
//! lexical/
//!   dictionary.txt    `xunpin-dictionary 1 PRODUCTS`, then the added words, one a line, sorted
//!   meta.json         tantivy's list of segments; its payload is our commit record (generation, products, hashes)
//!   *                 tantivy's segments, each file with its CRC-32
//! lexical.building/   a rebuild in progress; removed at the next opening for writing
//! lexical.replaced/   what a rebuild replaced; removed at once, or at the next opening for writing
//! ```

#![forbid(unsafe_code)]

mod commit;
mod dictionary;
mod error;
mod exact;
mod folder;
mod index;
mod merge;
mod open;
mod options;
mod query;
mod reader;
mod schema;
mod search;
mod verify;
mod view;
mod writer;

pub use dictionary::Dictionary;
pub use error::LexicalError;
pub use index::{LexicalIndex, Opened};
pub use options::{FieldWeights, LexicalOptions};
pub use reader::LexicalReader;
pub use search::{LexicalMatches, QueryTerm};
pub use verify::LexicalProblem;
pub use writer::LexicalWriter;
