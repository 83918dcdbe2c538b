//! After a commit that failed. Its rows may stand in the store all the same, and then what is in memory is a batch behind:
//! the next batch would give numbers again that are taken. So nothing is written before the two were compared, and memory
//! was made to follow.

use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;

use xunpin_core::DocSet;

use crate::IndexError;
use crate::index::{Index, Writer};
use crate::recovery::Opening;

/// The right to write. Where a commit failed meanwhile, searches show what the store holds once this is given back.
pub(crate) struct WriterGuard<'a> {
    pub(crate) index: &'a Index,
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
            let _ = self.index.resync(&mut self.writer);
        }
    }
}

impl Index {
    /// Makes what is in memory fit what is stored, if a commit failed.
    pub(crate) fn resync(&self, writer: &mut Writer) -> Result<(), IndexError> {
        if !self.store.is_unsure() {
            return Ok(());
        }
        let view = self.view();
        let dead: DocSet = self.store.tombstones()?.into_iter().collect();
        // A trim changes tombstones alone, everything else the state or the segments.
        let unchanged = self.store.state()? == writer.state
            && dead == *view.dead
            && self.store.segments()?.iter().eq(view.segments.iter().map(|s| s.record()));
        if !unchanged {
            let mut opening = Opening::new(&self.folder, self.options(), &self.store, true);
            let (view, state) = opening.view()?;
            opening.notes.into_iter().for_each(|note| self.note(note));
            writer.state = state;
            writer.graph_from = state.next_doc;
            self.publish(view);
        }
        self.store.trust();
        Ok(())
    }
}
