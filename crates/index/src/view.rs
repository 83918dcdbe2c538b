use std::ops::Range;
use std::sync::Arc;

use half::f16;
use xunpin_core::{DocId, DocSet, NearestError, NearestNeighbors, Neighbor};
use xunpin_hnsw::{Accepts, Coder};
use xunpin_kernels::Isa;
use xunpin_kernels::product::dot_f16;

use crate::live::LiveGraph;
use crate::scan::{Part, Vectors, scan};
use crate::segment::{Accept, Query, Segment, by_code};
use crate::tail::{Block, Tail};
use crate::top::{Top, finish};

/// What a reader sees: the index after one batch. Nothing in it changes, but for the live graph, whose newer numbers
/// are left out.
#[derive(Clone)]
pub(crate) struct View {
    pub(crate) coder: Arc<Coder>,
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

/// The graph: a walk through each frozen segment and the live graph, and a scan of the codes where there is no graph or a filter
/// leaves little. It sees the index as it was when it was made.
#[derive(Clone)]
pub struct GraphSearch {
    view: Arc<View>,
    ef: Option<usize>,
}

/// Candidates that a walk of the live graph keeps at least.
const LIVE_EF: usize = 128;

impl View {
    pub(crate) fn dimension(&self) -> usize {
        self.coder.dimension()
    }

    fn accept<'a>(&'a self, allowed: Option<&'a DocSet>) -> Accept<'a> {
        Accept { allowed, dead: &self.dead }
    }

    fn scan_all(
        &self,
        query: &[f32],
        k: usize,
        allowed: Option<&DocSet>,
    ) -> Result<(Top, usize), NearestError> {
        let segments =
            self.segments.iter().map(|s| Part { ids: s.ids(), vectors: Vectors::File(s.vectors(), 0) });
        let tail = self.tail.blocks().iter().map(|block| block.part());
        let accept = self.accept(allowed);
        scan(&segments.chain(tail).collect::<Vec<_>>(), query, k, |doc| accept.takes(doc.0))
    }

    fn walk(
        &self,
        values: &[f32],
        k: usize,
        ef: Option<usize>,
        allowed: Option<&DocSet>,
    ) -> Result<(Top, usize), NearestError> {
        let query = Query::new(&self.coder, values);
        let accept = self.accept(allowed);
        let (mut top, mut scanned) = (Top::new(k), 0);
        for segment in &self.segments {
            let (part, n) = segment.search(&query, k, ef, accept)?;
            top.merge(part);
            scanned += n;
        }
        // hnsw_rs stops early when a filter refuses what it meets, so a filtered search scans the tail instead.
        let live = self.tail.graph().filter(|_| allowed.is_none());
        scanned += self.scan_tail(&query, 0..live.map_or(u32::MAX, |live| live.first), accept, &mut top);
        if let Some(live) = live {
            let ef = ef.unwrap_or_else(|| LIVE_EF.max(2 * k)).max(k);
            scanned += self.walk_live(&query, ef, live, accept, &mut top);
        }
        Ok((top, scanned))
    }

    /// Looks at the codes of a range of the tail, and at the vectors of the best. How many codes it looked at.
    fn scan_tail(&self, query: &Query<'_>, range: Range<u32>, accept: Accept<'_>, top: &mut Top) -> usize {
        let mut best = Top::new(by_code(top.limit()));
        let mut scanned = 0;
        let inside = |block: &&Arc<Block>| {
            block.ids.first().is_some_and(|first| *first < range.end)
                && block.ids.last().is_some_and(|last| *last >= range.start)
        };
        for block in self.tail.blocks().iter().filter(inside) {
            let holds = |row: u32| {
                let id = block.ids[row as usize];
                range.contains(&id) && accept.takes(id)
            };
            let found = block.codes().scan(&query.coded, best.limit(), Accepts::If(&holds));
            scanned += found.scanned;
            for (row, score) in found.nodes {
                best.offer(Neighbor { id: DocId(block.ids[row as usize]), score: score as f32 });
            }
        }
        self.rescore_tail(query, best.into_sorted().into_iter().map(|n| n.id.0), top);
        scanned
    }

    fn rescore_tail(&self, query: &Query<'_>, ids: impl Iterator<Item = u32>, top: &mut Top) {
        let isa = Isa::detect();
        for id in ids {
            if let Some(vector) = self.tail.vector(id, self.dimension()) {
                top.offer(Neighbor { id: DocId(id), score: dot_f16(isa, query.values, vector) });
            }
        }
    }

    fn walk_live(
        &self,
        query: &Query<'_>,
        ef: usize,
        live: &LiveGraph,
        accept: Accept<'_>,
        top: &mut Top,
    ) -> usize {
        let found = live.search(query.coded.code(), ef);
        let kept: Vec<u32> =
            found.iter().copied().filter(|id| *id < self.next_doc && accept.takes(*id)).collect();
        if kept.len() < top.limit() && kept.len() < live.len() {
            // Deleted or newer vectors took the places of wanted ones.
            return found.len() + self.scan_tail(query, live.first..u32::MAX, accept, top);
        }
        self.rescore_tail(query, kept.into_iter(), top);
        found.len()
    }

    /// The vector of `doc`, deleted or not. The error is a file's that the disk has changed.
    pub(crate) fn vector(&self, doc: DocId) -> Result<Option<&[f16]>, NearestError> {
        let segment = self.segments.partition_point(|s| s.record().end_doc <= doc.0);
        match self.segments.get(segment) {
            Some(segment) => segment.row_of(doc.0).map(|row| segment.vectors().row(row)).transpose(),
            None => Ok(self.tail.vector(doc.0, self.dimension())),
        }
    }

    /// True if the index holds `doc` and it is not deleted.
    pub(crate) fn lives(&self, doc: DocId) -> bool {
        let segment = self.segments.partition_point(|s| s.record().end_doc <= doc.0);
        let held = match self.segments.get(segment) {
            Some(segment) => segment.row_of(doc.0).is_some(),
            None => self.tail.vector(doc.0, self.dimension()).is_some(),
        };
        held && !self.dead.contains(doc)
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
        let (top, scanned) = self.view.scan_all(query, k, allowed)?;
        Ok((finish(top.into_sorted()), scanned))
    }
}

impl NearestNeighbors for ExactScan {
    fn dimension(&self) -> usize {
        self.view.dimension()
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
        let (top, scanned) = self.view.walk(query, k, self.ef, allowed)?;
        Ok((finish(top.into_sorted()), scanned))
    }
}

impl NearestNeighbors for GraphSearch {
    fn dimension(&self) -> usize {
        self.view.dimension()
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
