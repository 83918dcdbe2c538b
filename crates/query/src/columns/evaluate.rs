use xunpin_core::{DocId, DocSet, Field, Filter, Product};

use super::{Column, Columns};

/// What is known of the products that were asked about.
struct Verdict {
    /// The filter holds.
    yes: DocSet,
    /// It has to be read from the product.
    unknown: DocSet,
}

/// The products of `universe` that `filter` lets through: the same as [`Filter::matches`] says of each.
///
/// Fields without a column are undecided at first. Only products whose answer depends on them are then handed to
/// `read`, which calls its second argument with each of those that still exist; it is not called if there are none.
/// Fails only as `read` does.
pub fn filter_docs<E>(
    filter: &Filter,
    columns: &Columns,
    universe: &DocSet,
    read: impl FnOnce(&DocSet, &mut dyn FnMut(DocId, &Product)) -> Result<(), E>,
) -> Result<DocSet, E> {
    let Verdict { mut yes, unknown } = evaluate(filter, columns, universe);
    if !unknown.is_empty() {
        read(&unknown, &mut |doc, product| {
            if unknown.contains(doc) && filter.matches(product) {
                yes.insert(doc);
            }
        })?;
    }
    Ok(yes)
}

/// What is known of the products `within`.
fn evaluate(filter: &Filter, columns: &Columns, within: &DocSet) -> Verdict {
    match filter {
        Filter::And(parts) => {
            // `yes` and `unknown` together are the products for which no part has failed.
            let mut all = Verdict { yes: within.clone(), unknown: DocSet::new() };
            let mut open = within.clone();
            for part in parts {
                if open.is_empty() {
                    break;
                }
                let part = evaluate(part, columns, &open);
                all.yes.intersect_with(&part.yes);
                open = part.yes;
                open.union_with(&part.unknown);
            }
            all.unknown = open;
            all.unknown.subtract(&all.yes);
            all
        }
        Filter::Or(parts) => {
            let mut any = Verdict { yes: DocSet::new(), unknown: DocSet::new() };
            let mut open = within.clone();
            for part in parts {
                if open.is_empty() {
                    break;
                }
                let part = evaluate(part, columns, &open);
                any.yes.union_with(&part.yes);
                any.unknown.union_with(&part.unknown);
                open.subtract(&part.yes);
            }
            any.unknown.subtract(&any.yes);
            any
        }
        Filter::Not(part) => {
            let Verdict { yes, unknown } = evaluate(part, columns, within);
            let mut no = within.clone();
            no.subtract(&yes);
            no.subtract(&unknown);
            Verdict { yes: no, unknown }
        }
        Filter::Compare { field, op, value } => {
            leaf(field, columns, within, |column| column.docs_where(|held| op.holds(held, value)))
        }
        // Every product has these two.
        Filter::Exists(Field::Id | Field::Title) => Verdict { yes: within.clone(), unknown: DocSet::new() },
        Filter::Exists(field) => leaf(field, columns, within, |column| column.docs_where(|_| true)),
    }
}

fn leaf(field: &Field, columns: &Columns, within: &DocSet, find: impl FnOnce(&Column) -> DocSet) -> Verdict {
    match columns.column(field) {
        Some(column) => {
            let mut yes = find(column);
            yes.intersect_with(within);
            Verdict { yes, unknown: DocSet::new() }
        }
        None => Verdict { yes: DocSet::new(), unknown: within.clone() },
    }
}
