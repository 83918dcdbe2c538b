use std::sync::Arc;

use xunpin_core::{DocId, DocSet};

use crate::IndexOptions;
use crate::builder::GraphBuilder;
use crate::scan::row;

/// Blocks smaller than this are joined with the next batch, so that many small batches don't make many blocks.
const BLOCK_ROWS: usize = 1_024;

/// Most vectors a live graph makes room for before it has them.
const EXPECTED: usize = 1 << 16;

/// Vectors of rising DocIds, one after the other. Never changed once others can see it.
#[derive(Default)]
pub(crate) struct Block {
    pub(crate) ids: Vec<u32>,
    pub(crate) vectors: Vec<f32>,
}

/// A graph of the newest vectors, which takes more while it is searched. Because of that a reader may find numbers
/// in it that are newer than its view, and must leave them out.
pub(crate) struct LiveGraph {
    pub(crate) graph: GraphBuilder,
    /// It holds every vector of the tail from this DocId on.
    pub(crate) first: u32,
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

    /// The graph, if it holds the whole tail.
    pub(crate) fn complete_graph(&self) -> Option<&LiveGraph> {
        self.graph().filter(|live| live.graph.len() == self.rows)
    }

    /// The tail with `block` after it. With `options.live_graph_at` vectors from `graph_from` on, those are put into
    /// a graph; one that exists takes the block's.
    pub(crate) fn with(&self, block: Block, graph_from: u32, options: &IndexOptions) -> Self {
        let mut tail = self.clone();
        if block.ids.is_empty() {
            return tail;
        }
        tail.rows += block.ids.len();
        match &tail.graph {
            Some(live) => live.graph.insert(&rows(&block, options.dimension).collect::<Vec<_>>()),
            None => {
                let parts = tail.blocks.iter().map(Arc::as_ref).chain([&block]);
                let new: Vec<_> = parts
                    .flat_map(|b| rows(b, options.dimension))
                    .filter(|(id, _)| *id >= graph_from)
                    .collect();
                if new.len() >= options.live_graph_at {
                    let graph = GraphBuilder::new(options, options.freeze_at.min(EXPECTED));
                    graph.insert(&new);
                    tail.graph = Some(Arc::new(LiveGraph { graph, first: graph_from }));
                }
            }
        }
        tail.push(block);
        tail
    }

    /// A tail without a graph, of what was stored.
    pub(crate) fn from_blocks(blocks: impl IntoIterator<Item = Block>) -> Self {
        let mut tail = Self::default();
        for block in blocks.into_iter().filter(|b| !b.ids.is_empty()) {
            tail.rows += block.ids.len();
            tail.push(block);
        }
        tail
    }

    fn push(&mut self, mut block: Block) {
        if let Some(last) = self.blocks.last()
            && last.ids.len() + block.ids.len() <= BLOCK_ROWS
        {
            block.ids.splice(..0, last.ids.iter().copied());
            block.vectors.splice(..0, last.vectors.iter().copied());
            self.blocks.pop();
        }
        self.blocks.push(Arc::new(block));
    }

    /// How many of its vectors are deleted.
    pub(crate) fn dead_rows(&self, dead: &DocSet) -> usize {
        self.ids().filter(|id| dead.contains(DocId(*id))).count()
    }

    /// All its DocIds, rising.
    pub(crate) fn ids(&self) -> impl Iterator<Item = u32> + '_ {
        self.blocks.iter().flat_map(|b| b.ids.iter().copied())
    }

    /// Its vectors as one block, without those that `skip` names.
    pub(crate) fn collect(&self, dimension: usize, skip: &DocSet) -> Block {
        let mut all = Block::default();
        for block in &self.blocks {
            for (id, vector) in rows(block, dimension).filter(|(id, _)| !skip.contains(DocId(*id))) {
                all.ids.push(id);
                all.vectors.extend_from_slice(vector);
            }
        }
        all
    }

    /// The vector of `id`.
    pub(crate) fn vector(&self, id: u32, dimension: usize) -> Option<&[f32]> {
        let block = self.blocks.partition_point(|b| b.ids.first().is_some_and(|first| *first <= id));
        let block = self.blocks.get(block.checked_sub(1)?)?;
        row((&block.ids, &block.vectors), dimension, id)
    }
}

fn rows(block: &Block, dimension: usize) -> impl Iterator<Item = (u32, &[f32])> {
    block.ids.iter().copied().zip(block.vectors.chunks_exact(dimension))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(ids: std::ops::Range<u32>) -> Block {
        Block { vectors: ids.clone().flat_map(|i| [i as f32, 0.5]).collect(), ids: ids.collect() }
    }

    #[test]
    fn small_blocks_are_joined_and_old_clones_keep_theirs() {
        let options = IndexOptions::new(2);
        let one = Tail::default().with(block(0..10), 0, &options);
        let two = one.with(block(15..20), 0, &options).with(block(100..2_000), 0, &options);
        assert_eq!((one.blocks().len(), one.rows()), (1, 10));
        assert_eq!((two.blocks().len(), two.rows()), (2, 1_915));
        assert_eq!(two.vector(17, 2), Some(&[17.0, 0.5][..]));
        assert_eq!(two.vector(1_999, 2), Some(&[1_999.0, 0.5][..]));
        assert_eq!((two.vector(12, 2), two.vector(5_000, 2), one.vector(17, 2)), (None, None, None));
        assert!(two.ids().is_sorted());
    }
}
