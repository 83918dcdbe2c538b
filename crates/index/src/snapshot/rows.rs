//! A store made of the rows of another one.

use std::ops::ControlFlow;
use std::path::Path;

use xunpin_archive::ArchiveError;

use super::SnapshotError;
use crate::record::State;
use crate::store::{Access, Family, Store};

/// Bytes of rows written at a time.
const BATCH: usize = 4 << 20;

/// Copies what `from` holds at this moment into a new store at `into`, and closes it. `flow` is asked now and then whether
/// to go on.
pub(super) fn copy(
    from: &Store,
    into: &Path,
    flow: &mut dyn FnMut() -> ControlFlow<()>,
) -> Result<State, SnapshotError> {
    let moment = from.moment();
    let to = Store::open(into, Access::Create)?;
    let mut stopped = false;
    for family in Family::ALL {
        let (mut writes, mut bytes) = (to.batch(), 0);
        moment.scan(family, &[], |key, value| {
            writes.put(family, key, value);
            bytes += key.len() + value.len();
            if bytes < BATCH {
                return Ok(ControlFlow::Continue(()));
            }
            bytes = 0;
            std::mem::replace(&mut writes, to.batch()).commit()?;
            let flow = flow();
            stopped |= flow.is_break();
            Ok(flow)
        })?;
        if stopped {
            return Err(ArchiveError::Stopped.into());
        }
        writes.commit()?;
    }
    to.settle();
    Ok(moment.state()?)
}
