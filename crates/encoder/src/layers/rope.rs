use xunpin_kernels::{Isa, vector};

/// Rotary positions: each pair of values (one from either half of a head) is turned by an angle that grows with the
/// token's place. Cosines and sines of all places, made once.
pub(crate) struct Rope {
    /// Half a head's width.
    half: usize,
    /// For each place `half` cosines, then `half` sines.
    table: Vec<f32>,
}

impl Rope {
    /// Tables for places below `positions`; angles in f32 as the reference computes them.
    pub(crate) fn new(theta: f64, head_width: usize, positions: usize) -> Self {
        let half = head_width / 2;
        let frequencies: Vec<f32> =
            (0..half).map(|pair| (1.0 / theta.powf((2 * pair) as f64 / head_width as f64)) as f32).collect();
        let mut table = Vec::with_capacity(positions * head_width);
        for position in 0..positions {
            let angles = frequencies.iter().map(|frequency| f64::from(position as f32 * frequency));
            table.extend(angles.clone().map(|angle| angle.cos() as f32));
            table.extend(angles.map(|angle| angle.sin() as f32));
        }
        Self { half, table }
    }

    /// For each place half a head's width of cosines, then as many sines.
    pub(crate) fn into_table(self) -> Vec<f32> {
        self.table
    }

    /// Turns one head's values for a token at `position`, in place.
    pub(crate) fn rotate(&self, head: &mut [f32], position: usize) {
        let angles = &self.table[position * 2 * self.half..(position + 1) * 2 * self.half];
        vector::rotate(Isa::detect(), angles, head);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_pairs_of_the_two_halves() {
        let rope = Rope::new(10_000.0, 4, 3);
        let mut head = [1.0, 2.0, 3.0, 4.0];
        rope.rotate(&mut head, 0);
        assert_eq!(head, [1.0, 2.0, 3.0, 4.0]);
        rope.rotate(&mut head, 2);
        for (pair, angle) in [(0, 2.0f32), (1, 0.02)] {
            let (low, high) = ((pair + 1) as f32, (pair + 3) as f32);
            assert!((head[pair] - (low * angle.cos() - high * angle.sin())).abs() < 1e-6);
            assert!((head[pair + 2] - (high * angle.cos() + low * angle.sin())).abs() < 1e-6);
        }
    }
}
