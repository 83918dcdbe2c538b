use serde::{Deserialize, Serialize};

use crate::IndexError;

/// How an index is built and searched; kept in its manifest. Sizes are numbers of vectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// Share of the true ten nearest that a walk should find, 0.5 to 0.999; how wide walks are follows from it, segment by segment.
    #[serde(default = "defaults::recall")]
    pub recall: f64,
    /// Up to this many candidates, a search compares them all by their vectors; beyond, by their codes or in the graph.
    #[serde(default = "defaults::exact_below")]
    pub exact_below: usize,
    /// So many vectors of the live part are frozen at a time, beside searches and writing.
    #[serde(default = "defaults::freeze_at")]
    pub freeze_at: usize,
    /// [`Index::freeze`](crate::Index::freeze) leaves a smaller live part as it is.
    #[serde(default = "defaults::freeze_min")]
    pub freeze_min: usize,
    /// Vectors that the live part may hold before what comes also goes into a live graph: where freezing does not keep up.
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
    pub(super) fn recall() -> f64 {
        0.99
    }
    pub(super) fn exact_below() -> usize {
        2_000
    }
    pub(super) fn freeze_at() -> usize {
        10_000
    }
    pub(super) fn freeze_min() -> usize {
        1_000
    }
    pub(super) fn live_graph_at() -> usize {
        20_000
    }
}

impl IndexOptions {
    /// The usual options for vectors of `dimension` values.
    pub fn new(dimension: usize) -> Self {
        Self {
            dimension,
            m: defaults::m(),
            ef_construction: defaults::ef_construction(),
            recall: defaults::recall(),
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
            // hnsw_rs, which builds live graphs, ends the process above 256 and keeps the number in a byte.
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
        if !(0.5..=0.999).contains(&self.recall) {
            let problem = format!("{} is out of range; 0.5 to 0.999 is possible", self.recall);
            return Err(IndexError::Options { option: "recall", problem });
        }
        Ok(())
    }
}
