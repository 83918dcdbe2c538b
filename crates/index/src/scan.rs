use half::f16;
use rayon::prelude::*;
use xunpin_core::{DocId, NearestError, Neighbor};
use xunpin_kernels::Isa;
use xunpin_kernels::product::dot_f16;

use crate::segment::VectorFile;
use crate::top::Top;

/// Rows that one task scans, and rows from which on a scan is shared among threads.
const TASK_ROWS: usize = 8_192;
const PARALLEL_ROWS: usize = 65_536;

/// DocIds, rising, and their vectors, one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) ids: &'a [u32],
    pub(crate) vectors: Vectors<'a>,
}

/// Where vectors are.
#[derive(Clone, Copy)]
pub(crate) enum Vectors<'a> {
    Memory(&'a [f16]),
    /// From a row of a file on.
    File(&'a VectorFile, usize),
}

impl<'a> Part<'a> {
    /// The vector of the part's row `at`, of `dimension` values.
    #[inline(always)]
    pub(crate) fn row(&self, at: usize, dimension: usize) -> Result<&'a [f16], NearestError> {
        match self.vectors {
            Vectors::Memory(values) => Ok(&values[at * dimension..(at + 1) * dimension]),
            Vectors::File(file, first) => file.row(first + at),
        }
    }

    /// Rows `from` to before `to`.
    fn range(&self, from: usize, to: usize, dimension: usize) -> Self {
        let vectors = match self.vectors {
            Vectors::Memory(values) => Vectors::Memory(&values[from * dimension..to * dimension]),
            Vectors::File(file, first) => Vectors::File(file, first + from),
        };
        Self { ids: &self.ids[from..to], vectors }
    }

    fn tasks(self, dimension: usize) -> impl Iterator<Item = Self> {
        let rows = self.ids.len();
        (0..rows).step_by(TASK_ROWS).map(move |from| self.range(from, rows.min(from + TASK_ROWS), dimension))
    }
}

/// The best `k` of all rows that `accepts` lets in, and how many those were.
pub(crate) fn scan(
    parts: &[Part<'_>],
    query: &[f32],
    k: usize,
    accepts: impl Fn(DocId) -> bool + Sync,
) -> Result<(Top, usize), NearestError> {
    let dimension = query.len();
    let isa = Isa::detect();
    let tasks: Vec<Part<'_>> = parts.iter().flat_map(|part| part.tasks(dimension)).collect();
    let scan = |part: Part<'_>| {
        let (mut top, mut scanned) = (Top::new(k), 0);
        for (at, &id) in part.ids.iter().enumerate() {
            let id = DocId(id);
            if accepts(id) {
                scanned += 1;
                top.offer(Neighbor { id, score: dot_f16(isa, query, part.row(at, dimension)?) });
            }
        }
        Ok((top, scanned))
    };
    let merge = |(mut a, n): (Top, usize), (b, m): (Top, usize)| {
        a.merge(b);
        (a, n + m)
    };
    let none = || (Top::new(k), 0);
    if tasks.iter().map(|part| part.ids.len()).sum::<usize>() < PARALLEL_ROWS {
        tasks.into_iter().map(scan).try_fold(none(), |all, part| Ok(merge(all, part?)))
    } else {
        tasks.into_par_iter().map(scan).try_reduce(none, |a, b| Ok(merge(a, b)))
    }
}
