//! After a commit that failed. Its rows may stand in the store all the same, and then what is in memory is a batch behind:
//! the next batch would give numbers again that are taken. So nothing is written before the two were compared, and memory
//! was made to follow.

use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;

use xunpin_core::DocSet;

use crate::IndexError;
use crate::index::{Core, Writer};
use crate::record::State;
use crate::recovery::Opening;

/// The right to write. Where a commit failed meanwhile, searches show what the store holds once this is given back.
pub(crate) struct WriterGuard<'a> {
    pub(crate) core: &'a Core,
    pub(crate) writer: MutexGuard<'a, Writer>,
}

impl Deref for WriterGuard<'_> {
    type Target = Writer;

    fn deref(&self) -> &Writer {
        &self.writer
    }
}

impl DerefMut for WriterGuard<'_> {
    fn deref_mut(&mut self) -> &mut Writer {
        &mut self.writer
    }
}

impl Drop for WriterGuard<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // The caller has the error of the commit already; where the store can't even be read, the next writer tries
            // again and is told.
            let _ = self.core.resync(&mut self.writer);
        }
    }
}

impl Core {
    /// Makes what is in memory fit what is stored, if a commit failed.
    pub(crate) fn resync(&self, writer: &mut Writer) -> Result<(), IndexError> {
        if !self.store.is_unsure() {
            return Ok(());
        }
        let view = self.view();
        let dead: DocSet = self.store.tombstones()?.into_iter().collect();
        // A trim changes tombstones alone, everything else the state or the segments. Numbers of segments that are being made are
        // given before they are stored.
        let stored = self.store.state()?;
        let unchanged = State { next_segment: writer.state.next_segment, ..stored } == writer.state
            && dead == *view.dead
            && self.store.segments()?.iter().eq(view.segments.iter().map(|s| s.record()));
        if !unchanged {
            let mut opening = Opening::new(&self.folder, self.options(), &self.store, &view.coder, true);
            let (view, state) = opening.view()?;
            opening.notes.into_iter().for_each(|note| self.note(note));
            // Numbers that were given meanwhile are not given again.
            let next_segment = state.next_segment.max(writer.state.next_segment);
            writer.state = State { next_segment, ..state };
            writer.epoch += 1;
            self.publish(view);
        }
        self.store.trust();
        Ok(())
    }
}
