//! Nearest neighbours in flat arrays, for whoever stores them: nothing here reads or writes files.
//!
//! * [`Coder`] turns vectors of unit length into codes of 8 bits; [`CodeBuffer`] holds codes, [`Codes`] reads them, also mapped.
//! * [`build`] makes a [`Graph`] of codes (HNSW: Malkov and Yashunin 2016), on all processors and always the same.
//! * [`GraphRef`] is a graph in memory or mapped, ready for [`GraphRef::walk`].
//!
//! A walk orders by codes, so its caller keeps more candidates than it wants and orders those by the vectors themselves.
//!
//! ```
//! use std::sync::atomic::AtomicBool;
//! use xunpin_hnsw::{BuildOptions, CodeBuffer, Coder, Filter, GraphRef, build};
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
//! // Walks want the codes in the order of the nodes.
//! let mut ordered = CodeBuffer::new(&coder);
//! for &at in &graph.order {
//!     ordered.push_code(codes.codes().row(at));
//! }
//! let walkable = GraphRef::new(32, 16, &graph.layer_nodes, &graph.links, ordered.codes()).expect("just built");
//! let mut query = vec![0; coder.stride()];
//! coder.encode(&[0.6, 0.8], &mut query);
//! let found = walkable.walk(&query, 2, Filter::None);
//! let nearest = graph.order[found.nodes[0].0 as usize];
//! assert_eq!(vectors[nearest as usize], [0.8, 0.6]);
//! # Ok::<(), xunpin_hnsw::BuildError>(())
//! ```

#![deny(unsafe_code)]

mod buffer;
mod build;
mod code;
mod graph;
mod walk;

pub use buffer::{CodeBuffer, Codes};
pub use build::{BuildError, BuildOptions, build};
pub use code::{Coder, LINE};
pub use graph::{Graph, GraphRef, MAX_LAYERS, MAX_NODES, NONE, link_count};
pub use walk::{Filter, Found};
