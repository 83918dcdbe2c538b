//! How a shop's text becomes words. The full-text index, Word2Vec and query understanding all cut text here, so that
//! they mean the same thing by a word.
//!
//! * [`normalize`] brings text to one form: NFKC, simplified characters, lower case, single spaces.
//! * [`Analyzer`] cuts it: [`words`](Analyzer::words) without overlap for Word2Vec, [`terms`](Analyzer::terms) with
//!   the parts of each word for the full-text index, [`query_terms`](Analyzer::query_terms) for a query. It knows
//!   jieba's dictionary and the words a catalogue adds (brands, attribute values).
//! * [`Term`] is one entry of the index; its [`TermKind`] tells whole words from their parts.
//! * [`document_codes`] and [`query_codes`] find model numbers, [`is_stop_word`] the words that ask and don't describe.
//!
//! ```
//! use xunpin_analysis::{Analyzer, TermKind, normalize, query_codes};
//!
//! assert_eq!(normalize("ＳＫ-ＩＩ  護膚精華露"), "sk-ii 护肤精华露");
//!
//! let analyzer = Analyzer::new(["露弥芙"]);
//! assert_eq!(analyzer.words("露弥芙温和A醇精华 30ml"), ["露弥芙", "温和", "a醇", "精华", "30ml"]);
//!
//! let terms = analyzer.terms("WH-1000XM5");
//! assert_eq!((terms[0].text.as_str(), terms[0].kind), ("wh1000xm5", TermKind::Code));
//! assert!(terms.iter().any(|t| t.text == "1000xm5" && t.kind == TermKind::Part));
//! assert_eq!(query_codes("索尼 WH 1000XM5"), [["wh1000xm5", "1000xm5"]]);
//! ```
//!
//! No function of this crate fails or panics, whatever the text; the cost is linear in its length.

#![forbid(unsafe_code)]

mod analyzer;
mod codes;
mod normalize;
mod run;
mod scan;
mod segment;
mod stop_words;
mod term;
mod units;

pub use analyzer::{Analyzer, MAX_WORD_CHARS};
pub use codes::{document_codes, query_codes};
pub use normalize::{is_hanzi, normalize};
pub use stop_words::is_stop_word;
pub use term::{Term, TermKind};

/// Version of the rules of this crate. Every change that gives a text other terms raises it: indexes made with another
/// version are built anew.
pub const ANALYSIS_VERSION: u32 = 1;
