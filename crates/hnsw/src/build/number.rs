use super::draft::Draft;
use crate::graph::{Graph, NONE, link_count};

/// The finished graph. A node's number is its place in `sequence`, which has the nodes of higher layers first.
pub(super) fn finish(draft: &Draft, sequence: &[u32]) -> Graph {
    let order = sequence.to_vec();
    let mut number = vec![NONE; order.len()];
    for (node, at) in (0u32..).zip(&order) {
        number[*at as usize] = node;
    }
    let layers = order.first().map_or(0, |entry| draft.level(*entry) + 1);
    let layer_nodes: Vec<u32> =
        (0..layers).map(|layer| order.partition_point(|node| draft.level(*node) >= layer) as u32).collect();
    let (degree0, degree) = (draft.slots(0), draft.slots(1));
    let mut links = Vec::with_capacity(link_count(degree0, degree, &layer_nodes).unwrap_or(0));
    for (layer, nodes) in layer_nodes.iter().enumerate() {
        for node in &order[..*nodes as usize] {
            let row = draft.row(layer, *node);
            links.extend(row.iter().map(|link| number[*link as usize]));
            links.resize(links.len() + draft.slots(layer) - row.len(), NONE);
        }
    }
    Graph { degree0, degree, layer_nodes, links, order }
}
