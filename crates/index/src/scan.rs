use rayon::prelude::*;
use xunpin_core::{DocId, Neighbor};

use crate::distance::dot;
use crate::top::Top;

/// Rows that one task scans, and rows from which on a scan is shared among threads.
const TASK_ROWS: usize = 8_192;
const PARALLEL_ROWS: usize = 65_536;

/// DocIds and their vectors, as long as the query, one after the other.
pub(crate) type Part<'a> = (&'a [u32], &'a [f32]);

/// The vector of `id`, where the part has it; its ids rise.
pub(crate) fn row<'a>((ids, vectors): Part<'a>, dimension: usize, id: u32) -> Option<&'a [f32]> {
    let at = ids.binary_search(&id).ok()?;
    vectors.get(at * dimension..(at + 1) * dimension)
}

/// The best `k` of all rows that `accepts` lets in, and how many those were.
pub(crate) fn scan(
    parts: &[Part<'_>],
    query: &[f32],
    k: usize,
    accepts: impl Fn(DocId) -> bool + Sync,
) -> (Top, usize) {
    let dimension = query.len().max(1);
    let tasks: Vec<Part<'_>> = parts
        .iter()
        .flat_map(|(ids, vectors)| ids.chunks(TASK_ROWS).zip(vectors.chunks(TASK_ROWS * dimension)))
        .collect();
    let scan = |(ids, vectors): Part<'_>| {
        let (mut top, mut scanned) = (Top::new(k), 0);
        for (&id, vector) in ids.iter().zip(vectors.chunks_exact(dimension)) {
            let id = DocId(id);
            if accepts(id) {
                scanned += 1;
                top.offer(Neighbor { id, score: dot(query, vector) });
            }
        }
        (top, scanned)
    };
    let merge = |(mut a, n): (Top, usize), (b, m): (Top, usize)| {
        a.merge(b);
        (a, n + m)
    };
    let none = || (Top::new(k), 0);
    if tasks.iter().map(|(ids, _)| ids.len()).sum::<usize>() < PARALLEL_ROWS {
        tasks.into_iter().map(scan).fold(none(), merge)
    } else {
        tasks.into_par_iter().map(scan).reduce(none, merge)
    }
}
