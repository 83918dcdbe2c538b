use xunpin_hnsw::Graph;

/// A slot, or a twin, that is none.
pub(crate) use xunpin_hnsw::NONE;

/// A segment's graph and what its nodes stand for. Rows are the segment's vectors in the order of their DocIds; vectors of equal
/// codes are one node: its *first* row, and that row's *twins*, a chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Adjacency {
    pub(crate) graph: Graph,
    /// DocIds of the rows, rising.
    pub(crate) ids: Vec<u32>,
    /// For each row the next one with the same code, or [`NONE`].
    pub(crate) twins: Vec<u32>,
    /// The first row of each node, rising.
    pub(crate) firsts: Vec<u32>,
}

impl Adjacency {
    /// The bytes that RocksDB and the file hold; the layout is at the top of the parent module.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let words = self.graph.links.len() + self.graph.uppers.len() + self.firsts.len() + 2 * self.ids.len();
        let mut bytes = Vec::with_capacity(words * 4);
        let mut append =
            |words: &mut dyn Iterator<Item = u32>| bytes.extend(words.flat_map(u32::to_le_bytes));
        append(&mut self.graph.links.iter().copied());
        append(&mut self.graph.uppers.iter().copied());
        append(&mut self.firsts.iter().copied());
        append(&mut self.ids.iter().copied());
        append(&mut self.twins.iter().copied());
        bytes
    }
}
