//! The journal of changes: what each batch did to the products, so that whatever is derived from them (a full-text
//! index, columns in memory) catches up from the generation it is at instead of being made again.

use std::ops::ControlFlow;

use xunpin_core::DocId;

use crate::IndexError;
use crate::index::Index;
use crate::record::{self, CHANGE_PREFIX, Change};
use crate::store::{Family, Writes};

/// Generations that the journal reaches back at least, unless it is told to forget them.
const KEPT: u64 = 100_000;
/// Older ones are dropped each time so many generations have come: one record of the log instead of one a batch.
const STRIDE: u64 = 1_000;

/// What happened to the products between two generations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changes {
    /// The generation that these changes lead to.
    pub generation: u64,
    /// Batches among them that wrote or deleted a product; others stored checkpoints only.
    pub commits: u64,
    /// Numbers whose product was written, new ones and those updated in place, and still lives; rising.
    pub written: Vec<DocId>,
    /// Numbers whose product was deleted, or got another number with a new text; rising. Some may have come and gone
    /// in between.
    pub removed: Vec<DocId>,
}

/// Adds a batch's row, and drops rows that are too old.
pub(crate) fn write(writes: &mut Writes<'_>, generation: u64, change: &mut Change) {
    writes.put(Family::Meta, &record::change_key(generation), &change.encode());
    if generation.is_multiple_of(STRIDE) && generation > KEPT {
        forget(writes, generation - KEPT);
    }
}

fn forget(writes: &mut Writes<'_>, up_to: u64) {
    writes.delete_range(Family::Meta, CHANGE_PREFIX, &record::change_key(up_to.saturating_add(1)));
}

impl Index {
    /// The changes of all batches after `generation`, merged. They lead from what [`generation`](Self::generation) was
    /// then to [`Changes::generation`]: one committed state, at least as new as what the index shows. `None` where
    /// the journal does not reach back that far, or has not come that far: what is derived must be made anew then.
    ///
    /// Read the products of [`Changes::written`] through [`products`](Self::products); one that is gone by then is
    /// among the removed ones of the next changes.
    pub fn changes_since(&self, generation: u64) -> Result<Option<Changes>, IndexError> {
        let moment = self.core.store.moment();
        let mut changes = Changes { generation: moment.state()?.generation, ..Changes::default() };
        let mut expected = generation;
        let mut whole = true;
        if generation < changes.generation {
            moment.scan(Family::Meta, &record::change_key(generation + 1), |key, row| {
                let Some(found) = record::change_generation(key) else { return Ok(ControlFlow::Break(())) };
                expected += 1;
                whole = found == expected;
                if !whole {
                    return Ok(ControlFlow::Break(()));
                }
                let change = Change::decode(row)
                    .ok_or_else(|| self.core.store.damaged(format!("meta row `change/` of batch {found}")))?;
                changes.commits += u64::from(!change.written.is_empty() || !change.removed.is_empty());
                changes.written.extend(change.written);
                changes.removed.extend(change.removed);
                Ok(ControlFlow::Continue(()))
            })?;
        }
        if !whole || expected != changes.generation {
            return Ok(None);
        }
        changes.removed.sort_unstable();
        changes.written.sort_unstable();
        changes.written.dedup();
        changes.written.retain(|doc| changes.removed.binary_search(doc).is_err());
        Ok(Some(changes))
    }

    /// Drops the journal up to and including `up_to`: everything that is derived has come that far. Without this call, at
    /// least the last 100,000 generations are kept.
    pub fn forget_changes(&self, up_to: u64) -> Result<(), IndexError> {
        let writer = self.core.writer()?;
        let mut any = false;
        self.core.store.scan(Family::Meta, CHANGE_PREFIX, |key, _| {
            any = record::change_generation(key).is_some_and(|first| first <= up_to);
            Ok(ControlFlow::Break(()))
        })?;
        if !any {
            return Ok(());
        }
        let mut writes = self.core.store.batch();
        forget(&mut writes, up_to.min(writer.state.generation));
        writes.commit()
    }
}
