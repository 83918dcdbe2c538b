use std::collections::HashMap;

use xunpin_core::DocId;

use crate::columns::Column;
use crate::facets::ValueKey;

/// The best of a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Collapsed<T> {
    /// The first of the group.
    pub item: T,
    /// How many others of the group came after it and were left out.
    pub variants: usize,
}

/// Keeps the first of `ranked` in each group and leaves the others of the group out; what is kept stays in its order.
/// Products are of one group if they have the same value in `column`: of several values the first counts, texts are
/// compared without regard to case. Products without a value, or with an empty one, stay alone.
pub fn collapse<T>(
    ranked: impl IntoIterator<Item = T>,
    column: &Column,
    doc: impl Fn(&T) -> DocId,
) -> Vec<Collapsed<T>> {
    let mut kept: Vec<Collapsed<T>> = Vec::new();
    let mut place_of: HashMap<ValueKey<'_>, usize> = HashMap::new();
    for item in ranked {
        let first = column.entries(doc(&item)).next();
        let group =
            first.and_then(|entry| ValueKey::new(column, entry)).filter(|key| *key != ValueKey::Text(""));
        match group.map(|group| *place_of.entry(group).or_insert(kept.len())) {
            Some(place) if place < kept.len() => kept[place].variants += 1,
            _ => kept.push(Collapsed { item, variants: 0 }),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use serde_json::json;
    use xunpin_core::{Field, Product};

    use super::*;
    use crate::Columns;

    #[test]
    fn the_first_of_each_group_stays() {
        let field = Field::Named("group".into());
        let groups =
            [json!("A1"), json!(7), json!("a1 "), json!(null), json!(" "), json!("7"), json!(["x", "A1"])];
        let columns = Columns::build(std::slice::from_ref(&field), |visit| {
            for (doc, group) in (0..).zip(&groups) {
                let product: Product =
                    serde_json::from_value(json!({"id": "1", "title": "t", "group": group})).unwrap();
                visit(DocId(doc), &product);
            }
            Ok::<_, Infallible>(())
        })
        .unwrap();
        let column = columns.column(&field).unwrap();
        let of = |ranked: &[u32]| {
            let kept = collapse(ranked.to_vec(), column, |doc| DocId(*doc));
            kept.into_iter().map(|c| (c.item, c.variants)).collect::<Vec<_>>()
        };
        assert_eq!(of(&[2, 3, 5, 0, 4, 1, 6, 99]), [(2, 1), (3, 0), (5, 1), (4, 0), (6, 0), (99, 0)]);
        assert_eq!(of(&[0, 2]), [(0, 1)]);
        assert!(of(&[]).is_empty());
    }
}
