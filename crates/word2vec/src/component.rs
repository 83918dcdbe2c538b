/// Power iterations; the direction is kept once a step turns it by less than a millionth.
const MAX_STEPS: usize = 200;
const STILL: f64 = 1e-12;

/// The unit vector along which `rows` (row after row, `dimension` values each) have the largest sum of squares: the
/// first right singular vector, by power iteration. None if all rows are zero.
pub(crate) fn first_component(rows: &[f32], dimension: usize) -> Option<Vec<f32>> {
    let rows = || rows.chunks_exact(dimension.max(1));
    let mut direction = vec![0.0; dimension];
    for row in rows() {
        // Turned to the sum so far, opposite rows do not cancel out.
        let sign = if product(row, &direction) < 0.0 { -1.0 } else { 1.0 };
        add(&mut direction, row, sign);
    }
    normalize(&mut direction)?;
    for _ in 0..MAX_STEPS {
        let mut next = vec![0.0; dimension];
        for row in rows() {
            add(&mut next, row, product(row, &direction));
        }
        normalize(&mut next)?;
        let cosine: f64 = next.iter().zip(&direction).map(|(a, b)| a * b).sum();
        direction = next;
        if 1.0 - cosine < STILL {
            break;
        }
    }
    Some(direction.into_iter().map(|v| v as f32).collect())
}

fn add(sum: &mut [f64], row: &[f32], weight: f64) {
    for (sum, &value) in sum.iter_mut().zip(row) {
        *sum += weight * f64::from(value);
    }
}

fn product(row: &[f32], direction: &[f64]) -> f64 {
    row.iter().zip(direction).map(|(&v, d)| f64::from(v) * d).sum()
}

fn normalize(values: &mut [f64]) -> Option<()> {
    let length = values.iter().map(|v| v * v).sum::<f64>().sqrt();
    (length > 1e-30).then(|| values.iter_mut().for_each(|v| *v /= length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_direction_of_most_squares() {
        // Squares: 9 + 9 along x, 1 along y.
        let found = first_component(&[3.0, 0.0, -3.0, 0.0, 0.0, 1.0], 2).unwrap();
        assert!(found[0].abs() > 0.999_999 && found[1].abs() < 1e-3, "{found:?}");
        let found = first_component(&[1.0, 1.0, 2.0, 2.0, 1.0, 0.9], 2).unwrap();
        assert!((found[0] - found[1]).abs() < 0.05);
    }

    #[test]
    fn no_rows_no_direction() {
        assert_eq!(first_component(&[], 3), None);
        assert_eq!(first_component(&[0.0; 6], 3), None);
        assert_eq!(first_component(&[], 0), None);
    }
}
