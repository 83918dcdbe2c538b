use crate::buffer::Codes;

/// A slot that holds no neighbour.
pub const NONE: u32 = u32::MAX;

/// Most nodes of a graph: a walk keeps two marks beside a node's number.
pub const MAX_NODES: usize = 1 << 30;

/// Most layers of a graph, the lowest included.
pub const MAX_LAYERS: usize = 16;

/// A graph as the builder leaves it. A node's number is the position of its code among those that the graph was built of. In the
/// layers above the lowest, nodes go by their *places* in `uppers`, the highest first, so that layer `l` holds the places
/// `0..layer_nodes[l]`; place 0 is where a walk begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// Slots of a row in layer 0.
    pub degree0: usize,
    /// Slots of a row in the layers above.
    pub degree: usize,
    /// Nodes of each layer, the lowest first; never rising, empty where the graph is.
    pub layer_nodes: Vec<u32>,
    /// The rows of layer 0, node after node, then those of the layers above, place after place. Used slots come first, the rest are
    /// [`NONE`].
    pub links: Vec<u32>,
    /// The node of each place: those of the layers above the lowest, or just the one where a walk begins.
    pub uppers: Vec<u32>,
}

/// A graph and its codes, to be walked: in memory or mapped.
#[derive(Clone, Copy, Debug)]
pub struct GraphRef<'a> {
    pub(crate) degree0: usize,
    pub(crate) degree: usize,
    pub(crate) layer_nodes: &'a [u32],
    pub(crate) links: &'a [u32],
    pub(crate) uppers: &'a [u32],
    pub(crate) codes: Codes<'a>,
}

/// Words of links that a graph of these measures has; `None` where there can be no such graph.
pub fn link_count(degree0: usize, degree: usize, layer_nodes: &[u32]) -> Option<usize> {
    let (lowest, above) = match layer_nodes.split_first() {
        Some((lowest, above)) => (*lowest as usize, above),
        None => (0, &[][..]),
    };
    if lowest > MAX_NODES || layer_nodes.len() > MAX_LAYERS || !layer_nodes.is_sorted_by(|a, b| a >= b) {
        return None;
    }
    let upper: usize = above.iter().map(|nodes| *nodes as usize).sum();
    lowest.checked_mul(degree0)?.checked_add(upper.checked_mul(degree)?)
}

/// Places: nodes that are in a layer above the lowest, or else the one where walks begin; none in an empty graph.
pub fn upper_count(layer_nodes: &[u32]) -> usize {
    layer_nodes.get(1).or(layer_nodes.first().map(|_| &1)).map_or(0, |nodes| *nodes as usize)
}

impl<'a> GraphRef<'a> {
    /// A graph out of its parts, as in [`Graph`]; `codes` has one for each node. `None` where they do not fit together or a link
    /// leads nowhere: walks rely on it.
    pub fn new(
        degree0: usize,
        degree: usize,
        layer_nodes: &'a [u32],
        links: &'a [u32],
        uppers: &'a [u32],
        codes: Codes<'a>,
    ) -> Option<Self> {
        let graph = Self { degree0, degree, layer_nodes, links, uppers, codes };
        let fits = link_count(degree0, degree, layer_nodes)? == links.len()
            && codes.len() == graph.len()
            && codes.is_whole()
            && uppers.len() == upper_count(layer_nodes)
            && uppers.iter().all(|node| (*node as usize) < graph.len())
            && layer_nodes.last() != Some(&0);
        (fits && graph.links_are_nodes()).then_some(graph)
    }

    /// The same without checking, for parts that [`new`](Self::new) has taken before: where they don't fit, walks may panic.
    pub fn checked(
        degree0: usize,
        degree: usize,
        layer_nodes: &'a [u32],
        links: &'a [u32],
        uppers: &'a [u32],
        codes: Codes<'a>,
    ) -> Self {
        Self { degree0, degree, layer_nodes, links, uppers, codes }
    }

    fn links_are_nodes(&self) -> bool {
        let mut rest = self.links;
        self.layer_nodes.iter().enumerate().all(|(layer, &nodes)| {
            let slots = if layer == 0 { self.degree0 } else { self.degree };
            let (rows, after) = rest.split_at(nodes as usize * slots);
            rest = after;
            // Without a branch a link, so that millions take milliseconds.
            !rows.iter().fold(false, |bad, link| bad | (*link >= nodes && *link != NONE))
        })
    }

    /// Nodes.
    pub fn len(&self) -> usize {
        self.layer_nodes.first().map_or(0, |nodes| *nodes as usize)
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The codes, by node.
    pub fn codes(&self) -> Codes<'a> {
        self.codes
    }

    /// The neighbours of `node` in layer 0.
    #[inline(always)]
    pub fn row0(&self, node: u32) -> &'a [u32] {
        used(self.slots0(node))
    }

    /// The same with the slots that are not used.
    #[inline(always)]
    pub(crate) fn slots0(&self, node: u32) -> &'a [u32] {
        &self.links[node as usize * self.degree0..][..self.degree0]
    }

    /// Where a walk begins.
    pub(crate) fn entry(&self) -> u32 {
        self.uppers.first().copied().unwrap_or(0)
    }

    /// The places of the neighbours of `place` in layer `layer`, 1 or above, that holds it.
    pub(crate) fn row(&self, layer: usize, place: u32) -> &'a [u32] {
        let below: usize = self.layer_nodes[1..layer].iter().map(|nodes| *nodes as usize).sum();
        let start = self.len() * self.degree0 + (below + place as usize) * self.degree;
        used(&self.links[start..start + self.degree])
    }
}

/// A row without its unused slots.
#[inline(always)]
pub(crate) fn used(row: &[u32]) -> &[u32] {
    // Most rows of a lowest layer are nearly full, so the end is looked for from behind.
    let length = row.iter().rposition(|link| *link != NONE).map_or(0, |last| last + 1);
    &row[..length]
}
