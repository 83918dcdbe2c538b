//! Nearest neighbours in flat arrays, for whoever stores them: nothing here reads or writes files.
//!
//! * [`Coder`] turns vectors of unit length into codes of 8 bits; [`CodeBuffer`] holds codes and their signs, [`Codes`] reads them, also
//!   mapped.
//! * [`build`] makes a [`Graph`] of codes (HNSW: Malkov and Yashunin 2016), on all processors and always the same.
//! * [`GraphRef`] is a graph in memory or mapped, ready for [`GraphRef::walk`].
//!
//! A walk orders by codes, so its caller keeps more candidates than it wants and orders those by the vectors themselves.
//!
//! ```
//! use std::sync::atomic::AtomicBool;
//! use xunpin_hnsw::{BuildOptions, CodeBuffer, Coder, Filter, GraphRef, Query, build};
//!
//! let coder = Coder::new(2);
//! let mut codes = CodeBuffer::new(&coder);
//! let vectors = [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]];
//! for vector in &vectors {
//!     codes.push(&coder, vector);
//! }
//! let options = BuildOptions { m: 16, ef_construction: 200 };
//! let graph = build(codes.codes(), &options, &AtomicBool::new(false))?;
//!
//! let (layers, links, uppers) = (&graph.layer_nodes, &graph.links, &graph.uppers);
//! let walkable = GraphRef::new(32, 16, layers, links, uppers, codes.codes()).expect("just built");
//! let found = walkable.walk(&Query::new(&coder, &[0.6, 0.8]), 2, Filter::None);
//! assert_eq!(vectors[found.nodes[0].0 as usize], [0.8, 0.6]);
//! # Ok::<(), xunpin_hnsw::BuildError>(())
//! ```

#![deny(unsafe_code)]

mod buffer;
mod build;
mod code;
mod graph;
mod query;
mod sketch;
mod walk;

pub use buffer::{CodeBuffer, Codes};
pub use build::{BuildError, BuildOptions, build};
pub use code::{Coder, LINE};
pub use graph::{Graph, GraphRef, MAX_LAYERS, MAX_NODES, NONE, link_count, upper_count};
pub use query::Query;
pub use walk::{Accepts, Filter, Found, holds};
