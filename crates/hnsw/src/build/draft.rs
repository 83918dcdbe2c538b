use crate::graph::{NONE, used};

/// A link to a node, and how near that is: the inner product of the codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) node: u32,
    pub(super) score: i32,
}

impl Link {
    /// Order of links: the nearest first, then lower nodes first.
    pub(super) fn rank(&self) -> (std::cmp::Reverse<i32>, u32) {
        (std::cmp::Reverse(self.score), self.node)
    }
}

/// The rows of a graph that grows. Nodes are positions of codes.
pub(super) struct Draft {
    degree0: usize,
    degree: usize,
    levels: Vec<u8>,
    lowest: Rows,
    /// Rows of the layers above, the lowest first, of the nodes that have any.
    upper: Rows,
    /// Where a node's rows of `upper` begin; [`NONE`] for those of level 0.
    first: Vec<u32>,
}

/// Rows of equal length: used slots first, the rest [`NONE`]. Scores lie apart, since searches read none.
struct Rows {
    slots: usize,
    nodes: Vec<u32>,
    scores: Vec<i32>,
}

impl Rows {
    fn new(rows: usize, slots: usize) -> Self {
        Self { slots, nodes: vec![NONE; rows * slots], scores: vec![0; rows * slots] }
    }

    fn row(&self, at: usize) -> &[u32] {
        used(&self.nodes[at * self.slots..][..self.slots])
    }

    fn set(&mut self, at: usize, links: &[Link]) {
        let range = at * self.slots..(at + 1) * self.slots;
        let (nodes, scores) = (&mut self.nodes[range.clone()], &mut self.scores[range]);
        nodes.fill(NONE);
        for ((node, score), link) in nodes.iter_mut().zip(scores).zip(links) {
            (*node, *score) = (link.node, link.score);
        }
    }
}

impl Draft {
    pub(super) fn new(levels: &[u8], degree0: usize, degree: usize) -> Self {
        let mut rows = 0u32;
        let first = levels
            .iter()
            .map(|level| {
                let at = rows;
                rows += u32::from(*level);
                if *level == 0 { NONE } else { at }
            })
            .collect();
        Self {
            degree0,
            degree,
            levels: levels.to_vec(),
            lowest: Rows::new(levels.len(), degree0),
            upper: Rows::new(rows as usize, degree),
            first,
        }
    }

    /// Nodes.
    pub(super) fn len(&self) -> usize {
        self.levels.len()
    }

    /// The highest layer of a node.
    pub(super) fn level(&self, node: u32) -> usize {
        usize::from(self.levels[node as usize])
    }

    /// Slots of a row of `layer`.
    pub(super) fn slots(&self, layer: usize) -> usize {
        if layer == 0 { self.degree0 } else { self.degree }
    }

    fn place(&self, layer: usize, node: u32) -> (&Rows, usize) {
        match layer {
            0 => (&self.lowest, node as usize),
            _ => (&self.upper, self.first[node as usize] as usize + layer - 1),
        }
    }

    /// The neighbours of a node in a layer that holds it.
    #[inline(always)]
    pub(super) fn row(&self, layer: usize, node: u32) -> &[u32] {
        let (rows, at) = self.place(layer, node);
        rows.row(at)
    }

    /// The same with their scores.
    pub(super) fn links(&self, layer: usize, node: u32) -> impl Iterator<Item = Link> + '_ {
        let (rows, at) = self.place(layer, node);
        let scores = &rows.scores[at * rows.slots..];
        rows.row(at).iter().zip(scores).map(|(node, score)| Link { node: *node, score: *score })
    }

    /// Replaces a row; links beyond its slots are left out.
    pub(super) fn set(&mut self, layer: usize, node: u32, links: &[Link]) {
        let (_, at) = self.place(layer, node);
        let rows = if layer == 0 { &mut self.lowest } else { &mut self.upper };
        rows.set(at, links);
    }
}
