use crate::record::SegmentRecord;

/// A slot that holds no neighbour.
pub(crate) const NONE: u32 = u32::MAX;

/// A graph as arrays. A node is an index into `ids`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Adjacency {
    /// DocIds of the nodes, rising.
    pub(crate) ids: Vec<u32>,
    /// Where the walk starts.
    pub(crate) entry: u32,
    /// Slots of a row in layer 0.
    pub(crate) degree0: usize,
    /// Slots of a row in the layers above.
    pub(crate) degree: usize,
    /// The next node with the same vector, higher than this one, or [`NONE`]. Such a twin is in no row and has none.
    pub(crate) twins: Vec<u32>,
    /// A row of `degree0` slots a node; used ones first, the rest [`NONE`].
    pub(crate) layer0: Vec<u32>,
    /// The layers above, the lowest first.
    pub(crate) upper: Vec<UpperLayer>,
}

/// A layer that holds some of the nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UpperLayer {
    /// Its nodes, rising.
    pub(crate) nodes: Vec<u32>,
    /// A row of `degree` slots for each.
    pub(crate) rows: Vec<u32>,
}

impl Adjacency {
    /// The bytes that RocksDB and the file hold; the layout is at the top of the parent module.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let counts: Vec<u32> = self.upper.iter().map(|layer| layer.nodes.len() as u32).collect();
        let mut bytes = Vec::with_capacity((self.ids.len() + self.layer0.len()) * 4);
        let mut append = |words: &[u32]| bytes.extend(words.iter().flat_map(|w| w.to_le_bytes()));
        append(&self.ids);
        append(&self.twins);
        append(&self.layer0);
        append(&counts);
        for layer in &self.upper {
            append(&layer.nodes);
            append(&layer.rows);
        }
        bytes
    }
}

/// The DocIds at the front of encoded adjacency.
pub(crate) fn encoded_ids(adjacency: &[u8], nodes: usize) -> Vec<u32> {
    adjacency.as_chunks::<4>().0.iter().take(nodes).map(|word| u32::from_le_bytes(*word)).collect()
}

/// Where each upper layer's nodes and rows start, in words, each nodes list ending where its rows begin; `None`
/// where the layers do not fill the adjacency exactly.
pub(super) fn upper_layers(words: &[u32], record: &SegmentRecord) -> Option<Vec<(usize, usize)>> {
    let above = (record.layers as usize).checked_sub(1)?;
    let counts_at = (record.nodes as usize).checked_mul(2 + record.degree0 as usize)?;
    let counts = words.get(counts_at..counts_at.checked_add(above)?)?;
    let mut at = counts_at + above;
    let layers = counts
        .iter()
        .map(|count| {
            let layer = (at, at + *count as usize);
            at = layer.1 + *count as usize * record.degree as usize;
            layer
        })
        .collect();
    (at as u64 * 4 == record.graph_len).then_some(layers)
}
