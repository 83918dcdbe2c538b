use super::kernel;

const ABSENT: u32 = u32::MAX;

/// A shard's own copy of the rows it touches, over a matrix that all shards read.
///
/// A shard learns on its copies alone; [`seal`](Self::seal) turns them into differences, which are then added to
/// the matrix shard by shard in a fixed order. So the result does not depend on which thread ran what.
pub(crate) struct Overlay {
    stride: usize,
    /// By row of the matrix: index of its copy, or [`ABSENT`].
    slot: Vec<u32>,
    rows: Vec<u32>,
    values: Vec<f32>,
}

impl Overlay {
    pub(crate) fn new(rows: usize, stride: usize) -> Self {
        Self { stride, slot: vec![ABSENT; rows], rows: Vec::new(), values: Vec::new() }
    }

    /// Index of the copy of `row`, made at the first call.
    pub(crate) fn touch(&mut self, matrix: &[f32], row: u32) -> usize {
        let at = row as usize;
        if self.slot[at] == ABSENT {
            self.slot[at] = self.rows.len() as u32;
            self.rows.push(row);
            self.values.extend_from_slice(&matrix[at * self.stride..(at + 1) * self.stride]);
        }
        self.slot[at] as usize
    }

    pub(crate) fn copy(&self, slot: usize) -> &[f32] {
        &self.values[slot * self.stride..(slot + 1) * self.stride]
    }

    pub(crate) fn copy_mut(&mut self, slot: usize) -> &mut [f32] {
        &mut self.values[slot * self.stride..(slot + 1) * self.stride]
    }

    /// Turns the copies into differences from `matrix`, which must be as it was when they were made.
    pub(crate) fn seal(&mut self, matrix: &[f32]) {
        for (copy, &row) in self.values.chunks_exact_mut(self.stride).zip(&self.rows) {
            let from = &matrix[row as usize * self.stride..][..self.stride];
            for (value, from) in copy.iter_mut().zip(from) {
                *value -= from;
            }
        }
    }

    /// Adds the differences to `matrix` and forgets them.
    pub(crate) fn apply(&mut self, matrix: &mut [f32]) {
        for (difference, &row) in self.values.chunks_exact(self.stride).zip(&self.rows) {
            kernel::add(difference, &mut matrix[row as usize * self.stride..][..self.stride]);
            self.slot[row as usize] = ABSENT;
        }
        self.rows.clear();
        self.values.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_of_two_shards_add_up() {
        let mut matrix = vec![1.0, 1.0, 2.0, 2.0];
        let (mut a, mut b) = (Overlay::new(2, 2), Overlay::new(2, 2));
        for (overlay, change) in [(&mut a, 0.5), (&mut b, 0.25)] {
            let slot = overlay.touch(&matrix, 1);
            assert_eq!(overlay.touch(&matrix, 1), slot);
            overlay.copy_mut(slot)[0] += change;
            assert_eq!(overlay.copy(slot), [2.0 + change, 2.0]);
            overlay.seal(&matrix);
        }
        a.apply(&mut matrix);
        b.apply(&mut matrix);
        assert_eq!(matrix, [1.0, 1.0, 2.75, 2.0]);
        let again = a.touch(&matrix, 1);
        assert_eq!(a.copy(again), [2.75, 2.0], "nothing is left of the first round");
    }
}
