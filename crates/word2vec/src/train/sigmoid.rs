//! `1 / (1 + e^-x)` from a table, so that training needs no function whose last bit depends on the system.

/// Beyond this the sigmoid is taken as 0 or 1.
const LIMIT: f32 = 8.0;
/// Steps of 1/256: linear in between would change nothing that training notices.
const STEPS_PER_UNIT: f32 = 256.0;
const ENTRIES: usize = 4097;

pub(crate) struct Sigmoid {
    value: Vec<f32>,
    /// `-ln sigmoid(x)`, for the loss that is reported.
    cost: Vec<f32>,
}

impl Sigmoid {
    pub(crate) fn new() -> Self {
        let value = |i: usize| 1.0 / (1.0 + exp((2048.0 - i as f64) / f64::from(STEPS_PER_UNIT)));
        let cost = |i: usize| -value(i).ln() as f32;
        Self {
            value: (0..ENTRIES).map(|i| value(i) as f32).collect(),
            cost: (0..ENTRIES).map(cost).collect(),
        }
    }

    pub(crate) fn at(&self, x: f32) -> f32 {
        if x >= LIMIT {
            1.0
        } else if x <= -LIMIT {
            0.0
        } else {
            self.value[slot(x)]
        }
    }

    /// `-ln sigmoid(x)`, at most that of the limit.
    pub(crate) fn cost(&self, x: f32) -> f32 {
        self.cost[slot(x)]
    }
}

fn slot(x: f32) -> usize {
    // NaN gives 0: a cast saturates, and the clamp keeps it within the table.
    (((x.clamp(-LIMIT, LIMIT) + LIMIT) * STEPS_PER_UNIT + 0.5) as usize).min(ENTRIES - 1)
}

/// `e^x` for |x| <= 8 by its series: only sums, products and quotients, which are the same everywhere.
fn exp(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    // The argument is halved six times, so 20 terms reach the last bit.
    let small = x / 64.0;
    for n in 1..20 {
        term *= small / f64::from(n);
        sum += term;
    }
    for _ in 0..6 {
        sum *= sum;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_close_to_the_function() {
        let table = Sigmoid::new();
        for step in -900..=900 {
            let x = step as f32 / 100.0;
            let exact = 1.0 / (1.0 + (-x).exp());
            assert!((table.at(x) - exact).abs() < 1e-3, "{x}: {} for {exact}", table.at(x));
            if x.abs() < 8.0 {
                assert!((table.cost(x) + exact.ln()).abs() < 3e-3, "{x}: {}", table.cost(x));
            }
        }
        assert_eq!((table.at(f32::INFINITY), table.at(f32::NEG_INFINITY)), (1.0, 0.0));
        assert!(table.at(f32::NAN).is_finite());
    }
}
