use xunpin_core::{DocId, DocSet, NearestError, Neighbor};
use xunpin_hnsw::{Coder, Filter};
use xunpin_kernels::Isa;
use xunpin_kernels::product::{dot_f16, prefetch};

use super::{NONE, Segment, width};
use crate::scan::{Part, Vectors, scan};
use crate::top::Top;

/// A query, as vectors and as codes want it.
pub(crate) struct Query<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) code: Vec<i8>,
}

impl<'a> Query<'a> {
    pub(crate) fn new(coder: &Coder, values: &'a [f32]) -> Self {
        let mut code = vec![0; coder.stride()];
        coder.encode(values, &mut code);
        Self { values, code }
    }
}

/// Which DocIds may be found.
#[derive(Clone, Copy)]
pub(crate) struct Accept<'a> {
    pub(crate) allowed: Option<&'a DocSet>,
    pub(crate) dead: &'a DocSet,
}

impl Accept<'_> {
    #[inline(always)]
    pub(crate) fn takes(&self, id: u32) -> bool {
        let id = DocId(id);
        !self.dead.contains(id) && self.allowed.is_none_or(|set| set.contains(id))
    }
}

/// Where fewer than two in five are accepted, the walk looks over the others instead of going through them.
const OVER_BELOW: (usize, usize) = (2, 5);
/// So many times the candidates of a walk are compared by a scan in the time that it takes, through and over refused ones.
const THROUGH_COST: usize = 16;
const OVER_COST: usize = 64;
/// How much wider a walk over refused ones must be than one through all: at 100,000 vectors of which a tenth was accepted, 1.9
/// times as wide reached the same recall.
const OVER_WIDER: usize = 2;
/// Vectors fetched ahead while rescoring.
const AHEAD: usize = 2;

impl Segment {
    /// About the best `k` accepted vectors, and how many codes or vectors were looked at. `ef`, if not given, is what reaches
    /// the recall that the index wants. Nothing but the arguments decides the result.
    pub(crate) fn search(
        &self,
        query: &Query<'_>,
        k: usize,
        ef: Option<usize>,
        accept: Accept<'_>,
    ) -> Result<(Top, usize), NearestError> {
        let range = self.record.first_doc..self.record.end_doc;
        let rows = self.record.rows as usize;
        let dead = accept.dead.count_in(range.clone());
        let candidates = accept.allowed.map_or(rows - dead.min(rows), |set| set.count_in(range));
        if candidates == 0 || k == 0 {
            return Ok((Top::new(k), 0));
        }
        let over = candidates * OVER_BELOW.1 < rows * OVER_BELOW.0;
        let (wider, cost) = if over { (OVER_WIDER, OVER_COST) } else { (1, THROUGH_COST) };
        let ef = ef.unwrap_or_else(|| wider * self.width(k)).max(k);
        if candidates <= cost * ef {
            return self.scan(query.values, k, accept);
        }
        let (ids, firsts) = (self.ids(), self.firsts());
        // Asked for thousands of times a search, and most segments have neither gaps nor twins.
        let alone = self.record.nodes() == rows;
        let gapless =
            ids.last().zip(ids.first()).is_some_and(|(last, first)| (last - first) as usize + 1 == rows);
        let first_id = ids.first().copied().unwrap_or(0);
        let row_accepted = |row: u32| accept.takes(if gapless { first_id + row } else { ids[row as usize] });
        let node_accepted = |node: u32| {
            if alone {
                row_accepted(firsts[node as usize])
            } else {
                self.rows_of(node).any(|row| row_accepted(row as u32))
            }
        };
        let filter = if accept.allowed.is_none() && dead == 0 {
            Filter::None
        } else if over {
            Filter::Over(&node_accepted)
        } else {
            Filter::Through(&node_accepted)
        };
        let found = self.graph().walk(&query.code, ef, filter);
        let kept = rescored(k, ef);
        let best: Vec<usize> = found
            .nodes
            .iter()
            .take(kept)
            .flat_map(|(node, _)| self.rows_of(*node))
            .filter(|row| accept.takes(self.ids()[*row]))
            .collect();
        let mut top = Top::new(k);
        self.compare(query, &best, &mut top)?;
        if !top.is_full() && top.len() < candidates.min(k) {
            // The filter cut the graph apart.
            return self.scan(query.values, k, accept);
        }
        Ok((top, found.scanned))
    }

    /// Candidates that a walk for `k` results keeps to reach the recall that the index wants.
    pub(crate) fn width(&self, k: usize) -> usize {
        width::of(&self.record.widths, k)
    }

    /// The best `k` of all accepted vectors.
    pub(crate) fn scan(
        &self,
        query: &[f32],
        k: usize,
        accept: Accept<'_>,
    ) -> Result<(Top, usize), NearestError> {
        let whole = Part { ids: self.ids(), vectors: Vectors::File(&self.vectors, 0) };
        scan(&[whole], query, k, |doc| accept.takes(doc.0))
    }

    fn compare(&self, query: &Query<'_>, rows: &[usize], top: &mut Top) -> Result<(), NearestError> {
        let isa = Isa::detect();
        let ids = self.ids();
        for row in rows.iter().take(AHEAD) {
            prefetch(self.vectors.peek(*row));
        }
        for (at, &row) in rows.iter().enumerate() {
            if let Some(ahead) = rows.get(at + AHEAD) {
                prefetch(self.vectors.peek(*ahead));
            }
            let score = dot_f16(isa, query.values, self.vectors.row(row)?);
            top.offer(Neighbor { id: DocId(ids[row]), score });
        }
        Ok(())
    }

    /// The rows of a node: its first and the twins of that.
    fn rows_of(&self, node: u32) -> impl Iterator<Item = usize> + '_ {
        let next = |row: &u32| Some(self.twins()[*row as usize]).filter(|twin| *twin != NONE);
        std::iter::successors(Some(self.firsts()[node as usize]), next).map(|row| row as usize)
    }
}

/// How many of the candidates of a walk are compared by their vectors. Codes are off by about .0005, so that the true first `k` lie
/// a little beyond the first `k` by code.
pub(crate) fn rescored(k: usize, ef: usize) -> usize {
    (k + k / 2 + 16).max(ef / 2).min(ef)
}
