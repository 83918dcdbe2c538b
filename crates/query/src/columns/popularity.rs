use xunpin_core::DocId;

use super::Column;

/// How a product's number compares with those of all others: a share from 0 to 1, the same for any unit and however
/// the numbers are spread.
#[derive(Clone, Debug)]
pub struct Popularity {
    /// The products' numbers, rising.
    numbers: Vec<f64>,
}

/// What a product without a number gets: nothing is known of it, so it stands in the middle.
const UNKNOWN: f32 = 0.5;

impl Popularity {
    /// Reads the numbers of a column, text that reads as a number included. Of several numbers of a product the
    /// largest counts.
    pub fn new(column: &Column) -> Self {
        let mut numbers: Vec<f64> = column.docs().filter_map(|doc| largest(column, doc)).collect();
        numbers.sort_unstable_by(f64::total_cmp);
        Self { numbers }
    }

    /// The product's percentile: the share of products with a number that have a smaller one, those with the same
    /// number counted half. 0.5 for a product without a number. `column` is the one that this was made from.
    pub fn of(&self, column: &Column, doc: DocId) -> f32 {
        let Some(number) = largest(column, doc) else { return UNKNOWN };
        let below = self.numbers.partition_point(|other| *other < number);
        let up_to = self.numbers.partition_point(|other| *other <= number);
        if self.numbers.is_empty() {
            return UNKNOWN;
        }
        ((below + up_to) as f64 / (2 * self.numbers.len()) as f64) as f32
    }
}

fn largest(column: &Column, doc: DocId) -> Option<f64> {
    // Adding zero makes minus zero zero, which `total_cmp` would put below it.
    let numbers = column.values(doc).filter_map(|value| value.number()).filter(|number| !number.is_nan());
    numbers.map(|number| number + 0.0).reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::Columns;
    use xunpin_core::{Field, Product};

    #[test]
    fn mid_ranks_of_ties_and_the_middle_for_the_unknown() {
        let sales = [Some("10"), Some("200"), None, Some("10"), Some("很多"), Some("7000")];
        let field = Field::Named("sale_count".into());
        let columns = Columns::build(std::slice::from_ref(&field), |visit| {
            for (doc, sales) in (0..).zip(sales) {
                let mut product = Product::new(doc.to_string(), "t");
                product.extra.extend(sales.map(|sales| ("sale_count".into(), sales.into())));
                visit(DocId(doc), &product);
            }
            Ok::<_, Infallible>(())
        })
        .unwrap();
        let column = columns.column(&field).unwrap();
        let popularity = Popularity::new(column);
        let of = [0, 1, 2, 3, 4, 5, 99].map(|doc| popularity.of(column, DocId(doc)));
        assert_eq!(of, [0.25, 0.625, 0.5, 0.25, 0.5, 0.875, 0.5]);
    }
}
