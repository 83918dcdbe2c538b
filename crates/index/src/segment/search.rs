use std::ops::Range;

use xunpin_core::{DocId, DocSet, NearestError, Neighbor};
use xunpin_hnsw::{Accepts, Coder, Filter, Found, holds};
use xunpin_kernels::Isa;
use xunpin_kernels::product::{dot_f16, fetched};

use super::{NONE, Segment, width};
use crate::scan::{Part, Vectors, scan};
use crate::top::Top;

/// A query, as vectors and as codes want it.
pub(crate) struct Query<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) coded: xunpin_hnsw::Query,
}

impl<'a> Query<'a> {
    pub(crate) fn new(coder: &Coder, values: &'a [f32]) -> Self {
        Self { values, coded: xunpin_hnsw::Query::new(coder, values) }
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

    /// Those of a range, by their distance from its start.
    fn window(&self, range: Range<u32>) -> Vec<u64> {
        let mut words = self.dead.window_absent(range.clone());
        if let Some(allowed) = self.allowed {
            words.iter_mut().zip(allowed.window(range)).for_each(|(word, allowed)| *word &= allowed);
        }
        words
    }
}

/// Which rows may be found; all without bits.
#[derive(Clone, Copy)]
struct Accepted<'a> {
    bits: Option<&'a [u64]>,
}

impl Accepted<'_> {
    #[inline(always)]
    fn takes(&self, row: usize) -> bool {
        self.bits.is_none_or(|bits| holds(bits, row as u32))
    }
}

/// Where fewer than two in five are accepted, the walk looks over the others instead of going through them.
const OVER_BELOW: (usize, usize) = (2, 5);
/// So many times the candidates of a walk are looked at by a scan in the time that it takes, through and over refused ones.
const THROUGH_COST: usize = 64;
const OVER_COST: usize = 100;
/// How much wider a walk over refused ones must be than one through all: where a tenth was accepted, three times as wide reached the
/// same recall among 100,000 vectors, and twice as wide among a million.
const OVER_WIDER: usize = 3;
/// Where fewer than one in twenty-five are accepted, too few lie within two steps of each other, and walks of any width lose too much.
const SCAN_BELOW: (usize, usize) = (1, 25);
/// Vectors fetched ahead while rescoring.
const AHEAD: usize = 2;

impl Segment {
    /// About the best `k` accepted vectors, and how many codes were looked at. `ef`, if not given, is what reaches the recall that
    /// the index wants. Nothing but the arguments decides the result.
    pub(crate) fn search(
        &self,
        query: &Query<'_>,
        k: usize,
        ef: Option<usize>,
        accept: Accept<'_>,
    ) -> Result<(Top, usize), NearestError> {
        let rows = self.record.rows as usize;
        let range = self.record.first_doc..self.record.end_doc;
        let all = accept.allowed.is_none() && accept.dead.count_in(range) == 0;
        let bits = if all { Vec::new() } else { self.accepted(accept) };
        let candidates = if all { rows } else { bits.iter().map(|word| word.count_ones() as usize).sum() };
        if candidates == 0 || k == 0 {
            return Ok((Top::new(k), 0));
        }
        let accepted = Accepted { bits: (!all).then_some(&bits[..]) };
        let holds = |node: u32| self.rows_of(node).any(|row| accepted.takes(row));
        // Without equal codes nodes are rows.
        let accepts = match accepted.bits.filter(|_| self.record.nodes() == rows) {
            Some(bits) => Accepts::Bits(bits),
            None => Accepts::If(&holds),
        };

        let over = candidates * OVER_BELOW.1 < rows * OVER_BELOW.0;
        let (wider, cost) = if over { (OVER_WIDER, OVER_COST) } else { (1, THROUGH_COST) };
        let ef = ef.unwrap_or_else(|| wider * self.width(k)).max(k);
        if candidates <= cost * ef || candidates * SCAN_BELOW.1 < rows * SCAN_BELOW.0 {
            return self.scan_codes(query, k, accepted, accepts);
        }
        let filter = if all {
            Filter::None
        } else if over {
            Filter::Over(accepts)
        } else {
            Filter::Through(accepts)
        };
        let found = self.graph().walk(&query.coded, ef, filter);
        let top = self.rescore(query, k, by_code(k).max(ef / 2), &found, accepted)?;
        if !top.is_full() && top.len() < candidates.min(k) {
            // The filter cut the graph apart.
            return self.scan_codes(query, k, accepted, accepts);
        }
        Ok((top, found.scanned))
    }

    /// Looks at every accepted code, and at the vectors of the best.
    fn scan_codes(
        &self,
        query: &Query<'_>,
        k: usize,
        accepted: Accepted<'_>,
        accepts: Accepts<'_>,
    ) -> Result<(Top, usize), NearestError> {
        let found = self.codes().scan(&query.coded, by_code(k), accepts);
        Ok((self.rescore(query, k, usize::MAX, &found, accepted)?, found.scanned))
    }

    /// The accepted rows.
    fn accepted(&self, accept: Accept<'_>) -> Vec<u64> {
        let ids = self.ids();
        let (Some(&first), Some(&last)) = (ids.first(), ids.last()) else { return Vec::new() };
        let words = accept.window(first..last + 1);
        match &self.gaps {
            Some(gaps) => gaps.close(&words),
            None => words,
        }
    }

    /// The best `k` by their vectors, of the first `most` nodes found.
    fn rescore(
        &self,
        query: &Query<'_>,
        k: usize,
        most: usize,
        found: &Found,
        accepted: Accepted<'_>,
    ) -> Result<Top, NearestError> {
        let nodes = found.nodes.iter().take(most).map(|(node, _)| *node);
        let rows: Vec<usize> = if self.record.nodes() == self.record.rows as usize {
            nodes.map(|node| node as usize).collect()
        } else {
            nodes.flat_map(|node| self.rows_of(node)).filter(|row| accepted.takes(*row)).collect()
        };
        let mut top = Top::new(k);
        self.compare(query, &rows, &mut top)?;
        Ok(top)
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
        for row in fetched(rows, AHEAD, |row| self.vectors.peek(row)) {
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

/// How many of those that are best by their codes are compared by their vectors, for `k` results. Codes are off by about .0005, so
/// that the true first `k` lie a little beyond the first `k` by code.
pub(crate) fn by_code(k: usize) -> usize {
    k.saturating_add(k / 2).saturating_add(16)
}
