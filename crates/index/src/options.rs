use serde::{Deserialize, Serialize};

use crate::IndexError;

/// How an index is built and searched; kept in its manifest. Sizes are numbers of vectors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IndexOptions {
    /// Length of every vector.
    pub dimension: usize,
    /// Links of a graph node in the upper layers; twice as many in the lowest.
    #[serde(default = "defaults::m")]
    pub m: usize,
    /// Candidates looked at when a node is linked: higher builds slower and better graphs.
    #[serde(default = "defaults::ef_construction")]
    pub ef_construction: usize,
    /// Up to this many candidates, a search scans them all.
    #[serde(default = "defaults::exact_below")]
    pub exact_below: usize,
    /// The live part is frozen when it holds this many.
    #[serde(default = "defaults::freeze_at")]
    pub freeze_at: usize,
    /// [`Index::freeze`](crate::Index::freeze) leaves a smaller live part as it is.
    #[serde(default = "defaults::freeze_min")]
    pub freeze_min: usize,
    /// Vectors added since the live part began before they also go into a live graph.
    #[serde(default = "defaults::live_graph_at")]
    pub live_graph_at: usize,
}

mod defaults {
    pub(super) fn m() -> usize {
        16
    }
    pub(super) fn ef_construction() -> usize {
        200
    }
    pub(super) fn exact_below() -> usize {
        10_000
    }
    pub(super) fn freeze_at() -> usize {
        50_000
    }
    pub(super) fn freeze_min() -> usize {
        1_000
    }
    pub(super) fn live_graph_at() -> usize {
        5_000
    }
}

impl IndexOptions {
    /// The usual options for vectors of `dimension` values.
    pub fn new(dimension: usize) -> Self {
        Self {
            dimension,
            m: defaults::m(),
            ef_construction: defaults::ef_construction(),
            exact_below: defaults::exact_below(),
            freeze_at: defaults::freeze_at(),
            freeze_min: defaults::freeze_min(),
            live_graph_at: defaults::live_graph_at(),
        }
    }

    /// Checks the ranges that the graph and its file rely on.
    pub(crate) fn validate(&self) -> Result<(), IndexError> {
        let bounds = [
            ("dimension", self.dimension, 1, 65_536),
            // hnsw_rs ends the process above 256 and keeps the number in a byte.
            ("m", self.m, 2, 128),
            ("ef_construction", self.ef_construction, 1, 10_000),
            ("freeze_at", self.freeze_at, 1, 50_000_000),
            ("freeze_min", self.freeze_min, 1, self.freeze_at.max(1)),
        ];
        for (option, value, low, high) in bounds {
            if !(low..=high).contains(&value) {
                let problem = format!("{value} is out of range; {low} to {high} is possible");
                return Err(IndexError::Options { option, problem });
            }
        }
        Ok(())
    }
}
