use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{DocId, DocSet};

/// How nearest neighbours are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The index decides, by its size and the filter's.
    #[default]
    Auto,
    /// Every vector is compared: exact, and slower the larger the index.
    Exact,
    /// The graph is walked: fast, and a few of the nearest may be missed.
    Graph,
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Exact => "exact",
            Self::Graph => "graph",
        })
    }
}

/// One result of a nearest-neighbour search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbor {
    /// The stored vector's number.
    pub id: DocId,
    /// Cosine to the query, -1 to 1.
    pub score: f32,
}

impl Neighbor {
    /// Order of results: higher score first, then lower id, so that ties are stable.
    pub fn order(a: &Neighbor, b: &Neighbor) -> std::cmp::Ordering {
        b.score.total_cmp(&a.score).then(a.id.cmp(&b.id))
    }
}

/// Why a nearest-neighbour search was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NearestError {
    /// The caller's query has another length than the stored vectors: encode it with the index's model.
    #[error(
        "query vector has {got} values, the index holds vectors of {expected}; encode the query with the index's own model"
    )]
    Dimension {
        /// Length of the stored vectors.
        expected: usize,
        /// Length of the query.
        got: usize,
    },
    /// The disk changed a stored vector. Nothing is lost: what is searched is a copy of the store's.
    #[error(
        "{}: vector {row} fails its checksum; run any command that writes to the index, such as `xunpin compact`, which \
         makes the file again",
        path.display()
    )]
    Damaged {
        /// The file.
        path: std::path::PathBuf,
        /// The vector's place in it.
        row: usize,
    },
    /// The caller's query holds NaN or an infinity at `position`.
    #[error("query vector holds a value that is not finite at position {position}")]
    NotFinite {
        /// Index of the first such value.
        position: usize,
    },
}

/// The read side of a vector index. Implementations: the exact scan and the graph.
pub trait NearestNeighbors: Send + Sync {
    /// Length of every stored vector.
    fn dimension(&self) -> usize;

    /// The `k` stored vectors with the highest cosine to `query` (length [`dimension`](Self::dimension),
    /// unit norm), best first, ties by id; fewer if the index holds fewer. With `allowed`, only those ids.
    fn nearest(
        &self,
        query: &[f32],
        k: usize,
        allowed: Option<&DocSet>,
    ) -> Result<Vec<Neighbor>, NearestError>;

    /// Checks a query's length and values.
    fn check_query(&self, query: &[f32]) -> Result<(), NearestError> {
        if query.len() != self.dimension() {
            return Err(NearestError::Dimension { expected: self.dimension(), got: query.len() });
        }
        match query.iter().position(|v| !v.is_finite()) {
            Some(position) => Err(NearestError::NotFinite { position }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strategy_is_shown_as_it_is_serialised() {
        for strategy in [Strategy::Auto, Strategy::Exact, Strategy::Graph] {
            let name = serde_json::to_value(strategy).unwrap();
            assert_eq!(name, strategy.to_string());
            assert_eq!(serde_json::from_value::<Strategy>(name).unwrap(), strategy);
        }
    }
}
