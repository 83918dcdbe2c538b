//! Static word vectors: the baseline that shows what a language model is worth.
//!
//! * [`Corpus`] holds sentences; [`Trainer`] learns [`WordVectors`] from them: skip-gram or CBOW with negative sampling
//!   ([`TrainOptions`]). The same seed gives the same bits, on any number of threads.
//! * [`WordVectors`] are looked up, compared ([`similar`](WordVectors::similar), [`analogy`](WordVectors::analogy)),
//!   read from `vectors.txt` and `.bin` files as published ([`read`](WordVectors::read)) and written to such files.
//! * [`SentenceEncoder`] puts the words of a text together ([`Pooling`]); [`save`](SentenceEncoder::save) and
//!   [`load`](SentenceEncoder::load) keep it in one file.
//!
//! Text comes cut into words; how it is cut is the caller's business, and must be the same in training and in use.
//! Words beside their parts (抗皱面霜, 抗皱, 面霜) serve search better than words alone.
//!
//! ```
//! use std::ops::ControlFlow;
//! use xunpin_word2vec::{Corpus, Pooling, SentenceEncoder, TrainOptions, Trainer};
//!
//! let mut corpus = Corpus::new();
//! for _ in 0..100 {
//!     for title in ["抗皱 紧致 面霜", "抗皱 紧致 精华", "控油 清爽 洗面奶", "控油 清爽 爽肤水"] {
//!         corpus.push(title.split(' '));
//!     }
//! }
//! let options = TrainOptions { dimension: 16, subsample: 0.0, ..TrainOptions::default() };
//! let vectors = Trainer::new(options)?.threads(2).train(&corpus, |_| ControlFlow::Continue(()))?;
//! assert_eq!(vectors.similar("面霜", 1)?[0].word, "精华");
//!
//! let encoder = SentenceEncoder::new(vectors, Pooling::default())?;
//! let cosine = |a: &[&str], b: &[&str]| -> Option<f32> {
//!     Some(encoder.embed(a)?.iter().zip(encoder.embed(b)?).map(|(a, b)| a * b).sum())
//! };
//! assert!(cosine(&["抗皱"], &["紧致", "面霜"]) > cosine(&["抗皱"], &["清爽", "洗面奶"]));
//! assert_eq!(cosine(&["手机"], &["面霜"]), None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod corpus;
mod encoder;
mod error;
mod files;
mod similar;
mod store;
mod train;
mod vectors;

pub use corpus::Corpus;
pub use encoder::{Pooling, SentenceEncoder};
pub use error::{LookupError, PartsError, PoolingError, ReadError, StoreError, TrainError, WriteError};
pub use files::{ReadReport, VectorFormat};
pub use similar::SimilarWord;
pub use train::{Architecture, Progress, TrainOptions, Trainer};
pub use vectors::WordVectors;
