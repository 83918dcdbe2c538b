use super::draft::Draft;
use crate::graph::{Graph, NONE, link_count, upper_count};

/// The finished graph; `sequence` has the nodes of higher layers first.
pub(super) fn finish(draft: &Draft, sequence: &[u32]) -> Graph {
    let layers = sequence.first().map_or(0, |entry| draft.level(*entry) + 1);
    let layer_nodes: Vec<u32> = (0..layers)
        .map(|layer| sequence.partition_point(|node| draft.level(*node) >= layer) as u32)
        .collect();
    let uppers = sequence[..upper_count(&layer_nodes)].to_vec();
    let mut places = vec![NONE; if uppers.is_empty() { 0 } else { draft.len() }];
    for (place, node) in (0u32..).zip(&uppers) {
        places[*node as usize] = place;
    }
    let (degree0, degree) = (draft.slots(0), draft.slots(1));
    let mut links = Vec::with_capacity(link_count(degree0, degree, &layer_nodes).unwrap_or(0));
    for node in 0..draft.len() as u32 {
        let row = draft.row(0, node);
        links.extend_from_slice(row);
        links.resize(links.len() + degree0 - row.len(), NONE);
    }
    for (layer, nodes) in layer_nodes.iter().enumerate().skip(1) {
        for node in &uppers[..*nodes as usize] {
            let row = draft.row(layer, *node);
            links.extend(row.iter().map(|link| places[*link as usize]));
            links.resize(links.len() + degree - row.len(), NONE);
        }
    }
    Graph { degree0, degree, layer_nodes, links, uppers }
}
