//! Reads a shop's catalogue into [`Product`](xunpin_core::Product)s and renders each as the text that is embedded.
//!
//! * [`Catalogue`] goes through files, globs or standard input (JSONL, CSV, TSV, Parquet; plain, gzip or
//!   Zstandard; UTF-8, GB18030 or UTF-16) and gives an [`Entry`] a product: a [`Record`], or a [`Reject`] that says what
//!   is wrong with which field of which line. Only a [`ReadError`] ends it early.
//! * [`Mapping`] says which column is which field; the usual Chinese and English headers need none.
//! * [`RejectsWriter`] keeps rejected lines in a file; [`SeenIds`] knows which ids came before.
//! * [`Template`] renders a product; [`content_hash`] names the result.
//!
//! Memory is bounded by the longest line allowed ([`ReadOptions::max_line_bytes`]) and 24 bytes an id; Parquet
//! adds a page of each column.
//!
//! ```
//! use std::io::Cursor;
//! use xunpin_ingest::{Catalogue, Entry, Mapping, ReadOptions, Template};
//!
//! let csv = "商品编号,商品名称,售价,材质\nA1,阔腿牛仔裤,¥199.00,牛仔布\nA2,,59,棉\n";
//! let mut mapping = Mapping::default();
//! mapping.apply(&["attr.材质=材质"])?;
//! let catalogue = Catalogue::from_reader("shop.csv", Cursor::new(csv), &mapping, ReadOptions::default())?;
//! let mut rejects = Vec::new();
//! for entry in catalogue {
//!     match entry? {
//!         Entry::Record(record) => {
//!             assert_eq!(record.product.price, Some(199.0));
//!             assert_eq!(Template::default().compose(&record.product), "阔腿牛仔裤 材质:牛仔布");
//!         }
//!         Entry::Reject(reject) => rejects.push(reject.to_string()),
//!     }
//! }
//! assert_eq!(rejects, ["shop.csv:3: field `title`: missing or empty; every product needs one"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod assemble;
mod catalogue;
mod delimited;
mod encoding;
mod error;
mod format;
mod headers;
mod input;
mod jsonl;
mod lines;
mod mapping;
mod parquet_pages;
mod parquet_rows;
mod parquet_schema;
mod parquet_thrift;
mod parquet_values;
mod plan;
mod price;
mod record;
mod records;
mod rejects;
mod seen;
mod stream;
mod template;
mod text;
mod values;

pub use catalogue::{Catalogue, FileInfo, Progress, ReadOptions};
pub use encoding::TextEncoding;
pub use error::{MappingError, ReadError, RejectsError};
pub use format::{Compression, Format, UnknownName};
pub use headers::ProductField;
pub use input::Input;
pub use mapping::Mapping;
pub use plan::{ColumnUse, Target};
pub use record::{Entry, Record, Reject};
pub use rejects::RejectsWriter;
pub use seen::{FirstSeen, SeenIds};
pub use template::{Part, Template, content_hash};
