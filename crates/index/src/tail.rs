use std::sync::Arc;

use half::f16;
use xunpin_core::{DocId, DocSet};
use xunpin_hnsw::{CodeBuffer, Coder, Codes};

use crate::IndexOptions;
use crate::live::LiveGraph;
use crate::record;
use crate::scan::{Part, Vectors};

/// Blocks smaller than this are joined with the next batch, so that many small batches don't make many blocks.
const BLOCK_ROWS: usize = 1_024;

/// Vectors of rising DocIds, one after the other, and their codes. Never changed once others can see it.
#[derive(Clone, Default)]
pub(crate) struct Block {
    pub(crate) ids: Vec<u32>,
    vectors: Vec<f16>,
    codes: CodeBuffer,
}

impl Block {
    pub(crate) fn new(coder: &Coder) -> Self {
        Self { codes: CodeBuffer::new(coder), ..Self::default() }
    }

    /// Appends a vector as it is stored; false, and nothing is appended, where it has the wrong length. `id` is higher than
    /// those before.
    pub(crate) fn push(&mut self, coder: &Coder, id: u32, stored: &[u8]) -> bool {
        let mut values = Vec::with_capacity(coder.dimension());
        if !record::decode_vector(stored, coder.dimension(), &mut values) {
            return false;
        }
        self.ids.push(id);
        self.vectors.extend(stored.as_chunks::<2>().0.iter().map(|half| f16::from_le_bytes(*half)));
        self.codes.push(coder, &values);
        true
    }

    /// Appends the rows of another block from row `from` on that `keep` lets in.
    fn take(&mut self, other: &Self, from: usize, dimension: usize, keep: impl Fn(u32) -> bool) {
        let codes = other.codes.codes();
        for (at, &id) in other.ids.iter().enumerate().skip(from).filter(|(_, id)| keep(**id)) {
            self.ids.push(id);
            self.vectors.extend_from_slice(&other.vectors[at * dimension..(at + 1) * dimension]);
            self.codes.push_code(codes.row(at as u32));
        }
    }

    /// Its ids and vectors.
    pub(crate) fn part(&self) -> Part<'_> {
        Part { ids: &self.ids, vectors: Vectors::Memory(&self.vectors) }
    }

    /// Its codes, in the order of its ids.
    pub(crate) fn codes(&self) -> Codes<'_> {
        self.codes.codes()
    }

    /// Each id with its code.
    pub(crate) fn coded(&self) -> impl Iterator<Item = (u32, &[i8])> {
        let codes = self.codes.codes();
        self.ids.iter().enumerate().map(move |(at, id)| (*id, codes.row(at as u32)))
    }
}

/// The live part: what came since the last freeze. Cloning it is cheap, and a clone stays as it is.
#[derive(Clone, Default)]
pub(crate) struct Tail {
    blocks: Vec<Arc<Block>>,
    graph: Option<Arc<LiveGraph>>,
    rows: usize,
}

impl Tail {
    pub(crate) fn blocks(&self) -> &[Arc<Block>] {
        &self.blocks
    }

    pub(crate) fn graph(&self) -> Option<&LiveGraph> {
        self.graph.as_deref()
    }

    /// Vectors it holds, deleted ones included.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The tail with `block` after it. Once it holds `options.live_graph_at` vectors, what comes goes into a graph.
    pub(crate) fn with(&self, block: Block, options: &IndexOptions) -> Self {
        let mut tail = self.clone();
        let Some(&first) = block.ids.first() else { return tail };
        tail.rows += block.ids.len();
        if tail.graph.is_none() && tail.rows > options.live_graph_at {
            tail.graph = Some(Arc::new(LiveGraph::new(options, first)));
        }
        if let Some(live) = &tail.graph {
            live.insert(&block.coded().collect::<Vec<_>>());
        }
        tail.push(block, options.dimension);
        tail
    }

    /// A tail without a graph, of what was stored.
    pub(crate) fn from_blocks(blocks: impl IntoIterator<Item = Block>, dimension: usize) -> Self {
        let mut tail = Self::default();
        for block in blocks.into_iter().filter(|b| !b.ids.is_empty()) {
            tail.rows += block.ids.len();
            tail.push(block, dimension);
        }
        tail
    }

    fn push(&mut self, block: Block, dimension: usize) {
        match self.blocks.last() {
            Some(last) if last.ids.len() + block.ids.len() <= BLOCK_ROWS => {
                let mut joined = Block::clone(last);
                joined.take(&block, 0, dimension, |_| true);
                self.blocks.pop();
                self.blocks.push(Arc::new(joined));
            }
            _ => self.blocks.push(Arc::new(block)),
        }
    }

    /// The tail from DocId `first` on, without those that `skip` names. Its graph stays if nothing of it goes.
    pub(crate) fn after(&self, first: u32, skip: &DocSet, coder: &Coder) -> Self {
        let keeps = |id: u32| id >= first && !skip.contains(DocId(id));
        let mut tail = Self::default();
        for block in &self.blocks {
            let kept = block.ids.iter().filter(|id| keeps(**id)).count();
            tail.rows += kept;
            if kept == block.ids.len() {
                tail.blocks.push(block.clone());
            } else if kept > 0 {
                let mut rest = Block::new(coder);
                rest.take(block, 0, coder.dimension(), keeps);
                tail.blocks.push(Arc::new(rest));
            }
        }
        let graph = self.graph.as_ref().filter(|live| {
            let held = self.ids().filter(|id| *id >= live.first);
            held.into_iter().all(keeps)
        });
        tail.graph = graph.cloned();
        tail
    }

    /// How many of its vectors are deleted.
    pub(crate) fn dead_rows(&self, dead: &DocSet) -> usize {
        self.ids().filter(|id| dead.contains(DocId(*id))).count()
    }

    /// All its DocIds, rising.
    pub(crate) fn ids(&self) -> impl Iterator<Item = u32> + '_ {
        self.blocks.iter().flat_map(|b| b.ids.iter().copied())
    }

    /// The vector of `id`.
    pub(crate) fn vector(&self, id: u32, dimension: usize) -> Option<&[f16]> {
        let block = self.blocks.partition_point(|b| b.ids.first().is_some_and(|first| *first <= id));
        let block = self.blocks.get(block.checked_sub(1)?)?;
        let at = block.ids.binary_search(&id).ok()?;
        block.vectors.get(at * dimension..(at + 1) * dimension)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(coder: &Coder, ids: std::ops::Range<u32>) -> Block {
        let mut block = Block::new(coder);
        for id in ids {
            assert!(block.push(coder, id, &record::encode_vector(&[id as f32 / 4_096.0, 0.5])));
        }
        assert!(!block.push(coder, 9_999, &[0; 3]));
        block
    }

    #[test]
    fn small_blocks_are_joined_and_old_clones_keep_theirs() {
        let (options, coder) = (IndexOptions::new(2), Coder::new(2));
        let one = Tail::default().with(block(&coder, 0..10), &options);
        let two = one.with(block(&coder, 15..20), &options).with(block(&coder, 100..2_000), &options);
        assert_eq!((one.blocks().len(), one.rows()), (1, 10));
        assert_eq!((two.blocks().len(), two.rows()), (2, 1_915));
        let value = |tail: &Tail, id| tail.vector(id, 2).map(|vector| (vector[0].to_f32() * 4_096.0) as u32);
        assert_eq!((value(&two, 17), value(&two, 1_999)), (Some(17), Some(1_999)));
        assert_eq!((value(&two, 12), value(&two, 5_000), value(&one, 17)), (None, None, None));
        assert!(two.ids().is_sorted());

        let dead: DocSet = [16, 150].into_iter().map(DocId).collect();
        let rest = two.after(15, &dead, &coder);
        assert_eq!((rest.rows(), rest.ids().next(), value(&rest, 16)), (1_903, Some(15), None));
        assert_eq!((value(&rest, 17), value(&rest, 151), value(&two, 16)), (Some(17), Some(151), Some(16)));
        assert!(rest.blocks().iter().all(|b| b.coded().count() == b.ids.len()));
    }

    #[test]
    fn the_graph_goes_with_what_it_holds() {
        let mut options = IndexOptions::new(2);
        options.live_graph_at = 20;
        let coder = Coder::new(2);
        let tail = Tail::default().with(block(&coder, 0..20), &options);
        assert!(tail.graph().is_none());
        let tail = tail.with(block(&coder, 20..30), &options).with(block(&coder, 30..40), &options);
        assert_eq!(tail.graph().map(|live| (live.first, live.len())), Some((20, 20)));
        assert!(tail.after(20, &DocSet::new(), &coder).graph().is_some());
        assert!(tail.after(21, &DocSet::new(), &coder).graph().is_none());
    }
}
