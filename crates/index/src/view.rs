use std::ops::Range;
use std::sync::Arc;

use xunpin_core::{DocId, DocSet, NearestError, NearestNeighbors, Neighbor};

use crate::distance::dot;
use crate::scan::{Part, row, scan};
use crate::segment::Segment;
use crate::tail::{LiveGraph, Tail};
use crate::top::{Top, finish};

/// What a reader sees: the index after one batch. Nothing in it changes, but for the live graph, whose newer numbers
/// are left out.
#[derive(Clone)]
pub(crate) struct View {
    pub(crate) dimension: usize,
    pub(crate) generation: u64,
    pub(crate) products: usize,
    pub(crate) static_version: u64,
    /// DocIds from here on are newer than the view.
    pub(crate) next_doc: u32,
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) tail: Tail,
    /// Deleted, but still nodes or rows of a part.
    pub(crate) dead: Arc<DocSet>,
}

/// The exact scan: the similarity of the query to every vector. Slow in large indexes, never wrong. It sees the index
/// as it was when it was made.
#[derive(Clone)]
pub struct ExactScan {
    view: Arc<View>,
}

/// The graph: a walk through each frozen segment and the live graph, and a scan of the part of the tail that has no
/// graph. In an index without any graph it scans, as [`ExactScan`] does. It sees the index as it was when it was made.
#[derive(Clone)]
pub struct GraphSearch {
    view: Arc<View>,
    ef: Option<usize>,
}

/// Candidates a walk keeps unless told otherwise; chosen so that 98 of 100 of the true first ten are found.
const DEFAULT_EF: usize = 128;

impl View {
    fn accepts(&self, id: u32, allowed: Option<&DocSet>) -> bool {
        let id = DocId(id);
        !self.dead.contains(id) && allowed.is_none_or(|set| set.contains(id))
    }

    fn scan(&self, parts: &[Part<'_>], query: &[f32], k: usize, allowed: Option<&DocSet>) -> (Top, usize) {
        scan(parts, query, k, |doc| self.accepts(doc.0, allowed))
    }

    fn tail_parts(&self, range: Range<u32>) -> Vec<Part<'_>> {
        let blocks = self.tail.blocks().iter().map(|b| {
            let start = b.ids.partition_point(|id| *id < range.start);
            let end = b.ids.partition_point(|id| *id < range.end);
            (&b.ids[start..end], &b.vectors[start * self.dimension..end * self.dimension])
        });
        blocks.filter(|(ids, _)| !ids.is_empty()).collect()
    }

    fn scan_all(&self, query: &[f32], k: usize, allowed: Option<&DocSet>) -> (Top, usize) {
        let mut parts: Vec<_> = self.segments.iter().map(|s| (s.ids(), s.vectors())).collect();
        parts.extend(self.tail_parts(0..u32::MAX));
        self.scan(&parts, query, k, allowed)
    }

    fn walk(&self, query: &[f32], k: usize, ef: usize, allowed: Option<&DocSet>) -> (Top, usize) {
        let (mut top, mut scanned) = (Top::new(k), 0);
        let mut take = |(part, n): (Top, usize)| {
            top.merge(part);
            scanned += n;
        };
        for segment in &self.segments {
            take(segment.search(query, k, ef, &|id| self.accepts(id, allowed)));
        }
        // hnsw_rs stops early when a filter refuses what it meets, so a filtered search scans the tail instead.
        match self.tail.graph().filter(|_| allowed.is_none()) {
            Some(live) => {
                take(self.scan(&self.tail_parts(0..live.first), query, k, None));
                take(self.walk_live(query, k, ef, live));
            }
            None => take(self.scan(&self.tail_parts(0..u32::MAX), query, k, allowed)),
        }
        (top, scanned)
    }

    fn walk_live(&self, query: &[f32], k: usize, ef: usize, live: &LiveGraph) -> (Top, usize) {
        let found = live.graph.search(query, ef);
        let mut top = Top::new(k);
        let mut kept = 0;
        for id in found.iter().copied().filter(|id| *id < self.next_doc && self.accepts(*id, None)) {
            if let Some(vector) = self.tail.vector(id, self.dimension) {
                kept += 1;
                top.offer(Neighbor { id: DocId(id), score: dot(query, vector) });
            }
        }
        if kept < k && kept < live.graph.len() {
            // Deleted or newer vectors took the places of wanted ones.
            return self.scan(&self.tail_parts(live.first..u32::MAX), query, k, None);
        }
        (top, found.len())
    }

    /// The vector of `doc`, deleted or not.
    pub(crate) fn vector(&self, doc: DocId) -> Option<&[f32]> {
        let segment = self.segments.partition_point(|s| s.record().end_doc <= doc.0);
        match self.segments.get(segment) {
            Some(segment) => row((segment.ids(), segment.vectors()), self.dimension, doc.0),
            None => self.tail.vector(doc.0, self.dimension),
        }
    }

    /// The vector of `doc`, if it is not deleted.
    pub(crate) fn live_vector(&self, doc: DocId) -> Option<&[f32]> {
        if self.dead.contains(doc) { None } else { self.vector(doc) }
    }

    /// Every stored vector that is not deleted, by DocId.
    pub(crate) fn live_ids(&self) -> impl Iterator<Item = u32> + '_ {
        let frozen = self.segments.iter().flat_map(|s| s.ids().iter().copied());
        frozen.chain(self.tail.ids()).filter(|id| !self.dead.contains(DocId(*id)))
    }

    /// True if anything in it has a graph.
    pub(crate) fn has_graph(&self) -> bool {
        !self.segments.is_empty() || self.tail.graph().is_some()
    }
}

impl ExactScan {
    pub(crate) fn new(view: Arc<View>) -> Self {
        Self { view }
    }

    /// [`nearest`](NearestNeighbors::nearest), and how many vectors were compared.
    pub fn nearest_counted(
        &self,
        query: &[f32],
        k: usize,
        allowed: Option<&DocSet>,
    ) -> Result<(Vec<Neighbor>, usize), NearestError> {
        self.check_query(query)?;
        let (top, scanned) = self.view.scan_all(query, k, allowed);
        Ok((finish(top.into_sorted()), scanned))
    }
}

impl NearestNeighbors for ExactScan {
    fn dimension(&self) -> usize {
        self.view.dimension
    }

    fn nearest(
        &self,
        query: &[f32],
        k: usize,
        allowed: Option<&DocSet>,
    ) -> Result<Vec<Neighbor>, NearestError> {
        Ok(self.nearest_counted(query, k, allowed)?.0)
    }
}

impl GraphSearch {
    pub(crate) fn new(view: Arc<View>, ef: Option<usize>) -> Self {
        Self { view, ef }
    }

    /// [`nearest`](NearestNeighbors::nearest), and how many vectors were compared (in the live graph, returned).
    pub fn nearest_counted(
        &self,
        query: &[f32],
        k: usize,
        allowed: Option<&DocSet>,
    ) -> Result<(Vec<Neighbor>, usize), NearestError> {
        self.check_query(query)?;
        // More candidates than vectors are of no use, and a huge k must not make huge heaps.
        let k = k.min(self.view.products);
        let ef = self.ef.unwrap_or_else(|| DEFAULT_EF.max(2 * k)).max(k);
        let (top, scanned) = self.view.walk(query, k, ef, allowed);
        Ok((finish(top.into_sorted()), scanned))
    }
}

impl NearestNeighbors for GraphSearch {
    fn dimension(&self) -> usize {
        self.view.dimension
    }

    fn nearest(
        &self,
        query: &[f32],
        k: usize,
        allowed: Option<&DocSet>,
    ) -> Result<Vec<Neighbor>, NearestError> {
        Ok(self.nearest_counted(query, k, allowed)?.0)
    }
}
