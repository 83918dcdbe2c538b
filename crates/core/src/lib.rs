//! The contract at the bottom of Xunpin: plain data and a few small traits, and no engine; and a few small things that
//! several crates would otherwise write twice.
//!
//! * [`Product`] is what a shop sends and gets back; [`Filter`] says which products count.
//! * [`Encoder`] turns texts into unit vectors; [`Fingerprint`] names what made them, so that vectors of
//!   different origin are never mixed.
//! * [`NearestNeighbors`] is the read side of a vector index; the graph and the exact scan both implement it.
//! * [`limits`] says how much a product may hold; [`Product::validate`] checks it.
//! * [`durable`] writes files that appear whole or not at all; [`SplitMix64`] gives the same random numbers for good.
//!
//! ```
//! use xunpin_core::{AttributeValue, Filter, Product};
//!
//! let mut product = Product::new("p1", "温和A醇精华 30ml");
//! product.price = Some(239.0);
//! product.attributes.insert("肤质".into(), vec![AttributeValue::Text("敏感肌".into())]);
//! assert!(Filter::equals("肤质", "敏感肌").matches(&product));
//! ```

#![forbid(unsafe_code)]

mod doc_id;
pub mod durable;
mod encoder;
mod filter;
mod fingerprint;
pub mod limits;
mod nearest;
mod product;
mod random;
mod shortened;
mod text_match;

pub use doc_id::{DocId, DocSet};
pub use encoder::{EncodeError, Encoder, Matrix, Role};
pub use filter::{CompareOp, Field, FieldValue, Filter, Literal, fold_text};
pub use fingerprint::Fingerprint;
pub use nearest::{NearestError, NearestNeighbors, Neighbor, Strategy};
pub use product::{AttributeValue, Product, ProductError};
pub use random::SplitMix64;
pub use shortened::{Shortened, shorten};
pub use text_match::{ExactKind, ExactMatch, TextMatch, TextMatches};

/// Version of the on-disk index format this build writes. Readers refuse newer ones.
pub const FORMAT_VERSION: u32 = 1;
