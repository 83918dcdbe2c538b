use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use hnsw_rs::anndists::dist::distances::Distance;
use hnsw_rs::hnsw::Hnsw;
use rayon::prelude::*;
use xxhash_rust::xxh3::Xxh3;

use crate::IndexOptions;
use crate::distance::distance;
use crate::segment::{Adjacency, NONE, UpperLayer};

/// [`distance`] as hnsw_rs wants it.
struct Angular;

impl Distance<f32> for Angular {
    fn eval(&self, a: &[f32], b: &[f32]) -> f32 {
        distance(a, b)
    }
}

/// Most layers hnsw_rs knows.
const LAYERS: usize = 16;
/// So many first nodes are inserted one after the other. Two first insertions at a time would leave one of them
/// without links, and small graphs come out the same each time.
const SERIAL: usize = 1_000;
/// Fewer than these are not worth starting threads for.
const PARALLEL: usize = 64;

/// A graph that takes vectors. Searching it is possible at any time; exporting only while nothing is inserted, which
/// the caller sees to (iterating hnsw_rs's points holds a lock that insertion needs).
///
/// Of equal vectors, only the first becomes a node; the others are its twins. Catalogues hold the same text many
/// times, and as nodes such vectors fill each other's rows, which cuts them and their surroundings off, and every
/// candidate list that comes near.
pub(crate) struct GraphBuilder {
    hnsw: Hnsw<'static, f32, Angular>,
    m: usize,
    twins: RwLock<Twins>,
}

/// Which vectors are equal.
#[derive(Default)]
struct Twins {
    /// The first number of each vector, by the vector's hash.
    first: HashMap<u128, u32>,
    /// The later numbers of vectors that have several, rising.
    later: HashMap<u32, Vec<u32>>,
    /// All numbers.
    rows: usize,
}

impl Twins {
    /// Takes a vector in; true if it is the first of its kind.
    fn add(&mut self, id: u32, vector: &[f32]) -> bool {
        let mut hasher = Xxh3::new();
        vector.iter().for_each(|v| hasher.update(&v.to_bits().to_le_bytes()));
        self.rows += 1;
        let first = *self.first.entry(hasher.digest128()).or_insert(id);
        if first != id {
            self.later.entry(first).or_default().push(id);
        }
        first == id
    }
}

impl GraphBuilder {
    /// An empty graph; `expected` is a hint.
    pub(crate) fn new(options: &IndexOptions, expected: usize) -> Self {
        let hnsw = Hnsw::new(options.m, expected.max(1), LAYERS, options.ef_construction, Angular);
        Self { hnsw, m: options.m, twins: RwLock::default() }
    }

    /// The graph of vectors that lie one after the other, in the order of `ids`.
    pub(crate) fn build(options: &IndexOptions, ids: &[u32], vectors: &[f32]) -> Self {
        let graph = Self::new(options, ids.len());
        let rows: Vec<_> = ids.iter().copied().zip(vectors.chunks_exact(options.dimension)).collect();
        graph.insert(&rows);
        graph
    }

    /// How many vectors it holds.
    pub(crate) fn len(&self) -> usize {
        self.twins().rows
    }

    fn twins(&self) -> RwLockReadGuard<'_, Twins> {
        self.twins.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Inserts vectors under numbers that are higher than those it holds.
    pub(crate) fn insert(&self, rows: &[(u32, &[f32])]) {
        let fresh: Vec<_> = {
            let mut twins = self.twins.write().unwrap_or_else(PoisonError::into_inner);
            rows.iter().copied().filter(|(id, vector)| twins.add(*id, vector)).collect()
        };
        let one_by_one = SERIAL.saturating_sub(self.hnsw.get_nb_point()).min(fresh.len());
        let (first, rest) = fresh.split_at(one_by_one);
        let insert = |(id, vector): &(u32, &[f32])| self.hnsw.insert((vector, *id as usize));
        first.iter().for_each(insert);
        if rest.len() < PARALLEL {
            return rest.iter().for_each(insert);
        }
        // A pool of its own: in the common one, searches would queue behind minutes of insertion.
        match rayon::ThreadPoolBuilder::new().build() {
            Ok(pool) => pool.install(|| rest.par_iter().for_each(insert)),
            Err(_) => rest.iter().for_each(insert),
        }
    }

    /// Numbers of about the `ef` nearest distinct vectors, in no order that the caller can rely on.
    pub(crate) fn search(&self, query: &[f32], ef: usize) -> Vec<u32> {
        let mut found: Vec<u32> =
            self.hnsw.search(query, ef, ef).iter().map(|n| n.get_origin_id() as u32).collect();
        let twins = self.twins();
        for at in 0..found.len() {
            found.extend(twins.later.get(&found[at]).into_iter().flatten());
        }
        found
    }

    /// The graph as arrays. `ids` are the numbers it holds, rising.
    pub(crate) fn export(&self, ids: &[u32]) -> Adjacency {
        let base = ids.first().copied().unwrap_or(0);
        let mut node_of = vec![NONE; ids.last().map_or(0, |last| (last - base) as usize + 1)];
        for (node, id) in (0u32..).zip(ids) {
            node_of[(id - base) as usize] = node;
        }
        let node = |id: usize| node_of.get(id.wrapping_sub(base as usize)).copied().unwrap_or(NONE);

        let points = self.hnsw.get_point_indexation();
        let layers = usize::from(points.get_max_level_observed()) + 1;
        let mut lists: Vec<Vec<Vec<u32>>> = vec![Vec::new(); ids.len()];
        let mut level = vec![0usize; ids.len()];
        let mut entry = NONE;
        for top in 0..layers {
            // Layer by layer: the iterator over all points takes its lock twice.
            for point in points.get_layer_iterator(top) {
                let at = node(point.get_origin_id());
                let Some(list) = lists.get_mut(at as usize) else { continue };
                level[at as usize] = top;
                *list = point
                    .get_neighborhood_id()
                    .into_iter()
                    .take(layers)
                    .map(|row| distinct(row.iter().map(|n| node(n.get_origin_id())), at))
                    .collect();
                if top + 1 == layers {
                    entry = entry.min(at);
                }
            }
        }
        let (degree0, degree) = (2 * self.m, self.m);
        let mut layer0 = vec![NONE; ids.len() * degree0];
        for (list, row) in lists.iter().zip(layer0.chunks_exact_mut(degree0)) {
            fill(row, list.first().map_or(&[], Vec::as_slice));
        }
        let upper = (1..layers).map(|layer| upper_layer(layer, &lists, &level, degree)).collect();
        let mut twins = vec![NONE; ids.len()];
        for (first, later) in &self.twins().later {
            let mut at = node(*first as usize);
            for twin in later.iter().map(|id| node(*id as usize)) {
                if let Some(next) = twins.get_mut(at as usize) {
                    *next = twin;
                    at = twin;
                }
            }
        }
        let mut graph = Adjacency { ids: ids.to_vec(), entry, degree0, degree, twins, layer0, upper };
        connect(&mut graph);
        graph
    }
}

fn distinct(row: impl Iterator<Item = u32>, of: u32) -> Vec<u32> {
    let mut kept = Vec::new();
    for node in row {
        if node != NONE && node != of && !kept.contains(&node) {
            kept.push(node);
        }
    }
    kept
}

fn fill(row: &mut [u32], list: &[u32]) {
    for (slot, node) in row.iter_mut().zip(list) {
        *slot = *node;
    }
}

/// The nodes of a layer and whatever they link to there: hnsw_rs links across levels when a new top layer begins.
/// Lists that it keeps for layers above a node's own, and that nothing leads to, are left out.
fn upper_layer(layer: usize, lists: &[Vec<Vec<u32>>], level: &[usize], degree: usize) -> UpperLayer {
    let row = |node: u32| lists[node as usize].get(layer).map_or(&[][..], Vec::as_slice);
    let mut nodes: Vec<u32> =
        (0u32..).zip(level).filter(|(_, l)| **l >= layer).map(|(node, _)| node).collect();
    let mut member = vec![false; level.len()];
    nodes.iter().for_each(|n| member[*n as usize] = true);
    let mut at = 0;
    while at < nodes.len() {
        for &next in row(nodes[at]) {
            if !std::mem::replace(&mut member[next as usize], true) {
                nodes.push(next);
            }
        }
        at += 1;
    }
    nodes.sort_unstable();
    let mut rows = vec![NONE; nodes.len() * degree];
    for (node, slots) in nodes.iter().zip(rows.chunks_exact_mut(degree)) {
        fill(slots, row(*node));
    }
    UpperLayer { nodes, rows }
}

/// Makes every node reachable from the entry in layer 0. hnsw_rs drops the farthest link of a full row without
/// looking at what only that link leads to, which cuts off nodes, above all among many that are nearly equal.
fn connect(graph: &mut Adjacency) {
    let mut reached = vec![false; graph.ids.len()];
    if graph.entry as usize >= reached.len() {
        return;
    }
    // Twins are reached through their first.
    for twin in graph.twins.iter().filter(|twin| **twin != NONE) {
        reached[*twin as usize] = true;
    }
    spread(graph, &mut reached, graph.entry);
    for node in 0..graph.ids.len() as u32 {
        if reached[node as usize] {
            continue;
        }
        let near = reached_from(graph, &reached, node);
        let spare = near.iter().copied().find(|n| row(graph, *n).contains(&NONE));
        match spare {
            Some(parent) => {
                if let Some(slot) = row_mut(graph, parent).iter_mut().find(|slot| **slot == NONE) {
                    *slot = node;
                }
            }
            // Between a node and its farthest neighbour: the neighbour stays reachable through the newcomer.
            None => {
                let parent = near.first().copied().unwrap_or(graph.entry);
                let last = graph.degree0 - 1;
                let pushed = std::mem::replace(&mut row_mut(graph, parent)[last], node);
                let own = row_mut(graph, node);
                if !own.contains(&pushed) {
                    let slot = own.iter().position(|slot| *slot == NONE).unwrap_or(last);
                    own[slot] = pushed;
                }
            }
        }
        spread(graph, &mut reached, node);
    }
}

fn row(graph: &Adjacency, node: u32) -> &[u32] {
    &graph.layer0[node as usize * graph.degree0..][..graph.degree0]
}

fn row_mut(graph: &mut Adjacency, node: u32) -> &mut [u32] {
    &mut graph.layer0[node as usize * graph.degree0..][..graph.degree0]
}

/// Marks `from` and all that it leads to.
fn spread(graph: &Adjacency, reached: &mut [bool], from: u32) {
    reached[from as usize] = true;
    let mut open = vec![from];
    while let Some(node) = open.pop() {
        for &next in row(graph, node).iter().filter(|n| **n != NONE) {
            if !std::mem::replace(&mut reached[next as usize], true) {
                open.push(next);
            }
        }
    }
}

/// Reached nodes that `from` leads to, the nearest in links first; the entry if there are none.
fn reached_from(graph: &Adjacency, reached: &[bool], from: u32) -> Vec<u32> {
    const ENOUGH: usize = 512;
    let mut seen = vec![from];
    let mut at = 0;
    while at < seen.len() && seen.len() < ENOUGH {
        for &next in row(graph, seen[at]).iter().filter(|n| **n != NONE) {
            if !seen.contains(&next) {
                seen.push(next);
            }
        }
        at += 1;
    }
    seen.retain(|n| reached[*n as usize]);
    if seen.is_empty() {
        seen.push(graph.entry);
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Many nearly equal vectors beside others: hnsw_rs fills the rows of the former with one another.
    #[test]
    fn every_vector_can_be_reached() {
        let mut options = IndexOptions::new(8);
        options.m = 4;
        let mut seed = 1u64;
        let mut noise = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        };
        let ids: Vec<u32> = (0..900).map(|id| id * 3 + 7).collect();
        let mut vectors = Vec::new();
        for at in 0..ids.len() {
            let near = [1.0, 0.5, 0.0, 0.2, 0.0, 0.0, 0.1, 0.0];
            let wide = if at % 3 == 0 { 1.0 } else { 1e-3 };
            let vector: Vec<f32> = near.iter().map(|v| v * (1.0 - wide) + wide * noise()).collect();
            let norm = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
            vectors.extend(vector.iter().map(|v| v / norm));
        }
        // And some that are equal.
        vectors.copy_within(0..80, 1_600);
        let builder = GraphBuilder::build(&options, &ids, &vectors);
        assert_eq!(builder.len(), 900);
        let graph = builder.export(&ids);
        assert_eq!(graph.layer0.len(), 900 * 8);
        assert!(graph.layer0.iter().all(|n| *n == NONE || *n < 900));

        let twins: Vec<u32> = graph.twins.iter().copied().filter(|t| *t != NONE).collect();
        assert_eq!(twins.len(), 10);
        let mut reached = vec![false; 900];
        spread(&graph, &mut reached, graph.entry);
        let apart: Vec<u32> = (0..900).filter(|n| !reached[*n as usize] && !twins.contains(n)).collect();
        assert!(apart.is_empty(), "{apart:?}");
        assert_eq!(graph, GraphBuilder::build(&options, &ids, &vectors).export(&ids), "small graphs repeat");
    }
}
