//! Freezing and merging: vectors become segments, several segments become one.
//!
//! Both go in three steps. Under the writer's lock, what is to be made is decided; without it, files are made, while searches and
//! batches go on; under it again, the record is committed and published. What was deleted before the first step is not in the new
//! segment, and its rows go with the commit; what is deleted in between keeps its tombstone.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use xunpin_core::{DocId, DocSet};

use crate::IndexError;
use crate::index::Core;
use crate::maintain::Turn;
use crate::record::{self, DEAD_PREFIX};
use crate::segment::{Making, Segment, Source, WriteFiles};
use crate::store::{Family, Writes};
use crate::view::View;

/// What is to be made into a segment.
struct Plan {
    number: u32,
    /// DocIds it will be responsible for.
    docs: Range<u32>,
    /// Vectors it will hold.
    ids: Vec<u32>,
    /// Deleted ones in its range, which it will not hold.
    dropped: Vec<DocId>,
    /// The segments that it replaces, by number; none where it takes from the tail.
    replaces: Vec<u32>,
    /// The writer's when this was decided.
    epoch: u64,
}

impl Core {
    /// Freezes the oldest `most` vectors of the live part into a segment if at least `least` of them are not deleted; else, where
    /// it is the whole live part, drops what is deleted of it. True if a segment was made.
    pub(crate) fn freeze(&self, turn: &Turn<'_>, most: usize, least: usize) -> Result<bool, IndexError> {
        let plan = {
            let mut writer = self.writer()?;
            let view = self.view();
            let prefix: Vec<u32> = view.tail.ids().take(most).collect();
            let Some(&last) = prefix.last() else { return Ok(false) };
            let first_doc = view.segments.last().map_or(0, |s| s.record().end_doc);
            let end_doc = if prefix.len() == view.tail.rows() { view.next_doc } else { last + 1 };
            let (ids, dropped) = part(prefix, &view.dead);
            if ids.len() < least.max(1) {
                if !dropped.is_empty() {
                    self.drop_rows(&dropped)?;
                }
                return Ok(false);
            }
            let number = next_number(&mut writer.state.next_segment);
            Plan { number, docs: first_doc..end_doc, ids, dropped, replaces: Vec::new(), epoch: writer.epoch }
        };
        self.make(turn, plan)?;
        Ok(true)
    }

    /// Makes one segment of those at `range` in the present view, without what is deleted of them.
    pub(crate) fn merge(&self, turn: &Turn<'_>, range: Range<usize>) -> Result<(), IndexError> {
        let plan = {
            let mut writer = self.writer()?;
            let view = self.view();
            let segments = view.segments.get(range).unwrap_or_default();
            let (Some(first), Some(last)) = (segments.first(), segments.last()) else { return Ok(()) };
            let docs = first.record().first_doc..last.record().end_doc;
            let all = segments.iter().flat_map(|s| s.ids().iter().copied()).collect();
            let (ids, dropped) = part(all, &view.dead);
            let replaces = segments.iter().map(|s| s.record().number).collect();
            let number = next_number(&mut writer.state.next_segment);
            Plan { number, docs, ids, dropped, replaces, epoch: writer.epoch }
        };
        self.make(turn, plan)
    }

    fn make(&self, turn: &Turn<'_>, plan: Plan) -> Result<(), IndexError> {
        let files = self.folder.segment(plan.number);
        let source = Source { store: &self.store, dimension: self.options().dimension };
        let making = Making { source, options: self.options(), stop: turn.stop() };
        let ids = plan.ids;
        let made = turn
            .install(|| making.new_segment(plan.number, plan.docs.clone(), ids, WriteFiles::Disk(&files)));
        let (segment, adjacency) = match made {
            Ok(made) => made,
            Err(error) => {
                self.remove_files(&[plan.number]);
                return Err(error);
            }
        };

        let writer = self.writer()?;
        if writer.epoch != plan.epoch {
            // A commit failed meanwhile, and what the plan was made of is gone.
            self.remove_files(&[plan.number]);
            return Ok(());
        }
        let view = self.view();
        let mut writes = self.store.batch();
        for old in view.segments.iter().filter(|s| plan.replaces.contains(&s.record().number)) {
            writes.delete_segment(old.record());
        }
        writes.put_segment(segment.record(), &adjacency);
        bury(&mut writes, &plan.dropped);
        writes.put_state(&writer.state);
        writes.commit()?;

        let mut next = View::clone(&view);
        if plan.replaces.is_empty() {
            next.tail = view.tail.after(plan.docs.end, &DocSet::new(), &view.coder);
        }
        next.segments = replaced(&view.segments, &plan.replaces, segment);
        forget(&mut next, &plan.dropped);
        self.publish(next);
        drop(writer);
        // Whoever made it: there is room again, or whatever was missing.
        self.maintenance.failed_at.store(0, Ordering::Relaxed);
        // Whoever still searches them has them mapped.
        self.remove_files(&plan.replaces);
        Ok(())
    }

    /// Drops the tail's deleted vectors. The caller holds the writer.
    fn drop_rows(&self, dropped: &[DocId]) -> Result<(), IndexError> {
        let mut writes = self.store.batch();
        bury(&mut writes, dropped);
        writes.commit()?;
        let view = self.view();
        let mut next = View::clone(&view);
        next.tail = view.tail.after(0, &dropped.iter().copied().collect(), &view.coder);
        forget(&mut next, dropped);
        self.publish(next);
        Ok(())
    }

    /// Files that can't be removed are removed by the next opening for writing.
    fn remove_files(&self, numbers: &[u32]) {
        for number in numbers {
            let files = self.folder.segment(*number);
            for path in [files.graph, files.vectors] {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

/// Numbers are never given twice, also if what they were given for comes to nothing.
fn next_number(next: &mut u32) -> u32 {
    let number = *next;
    *next += 1;
    number
}

/// The living and the dead.
fn part(ids: Vec<u32>, dead: &DocSet) -> (Vec<u32>, Vec<DocId>) {
    let dropped = ids.iter().copied().map(DocId).filter(|doc| dead.contains(*doc)).collect();
    (ids.into_iter().filter(|id| !dead.contains(DocId(*id))).collect(), dropped)
}

/// The segments with those of the numbers `gone` replaced by `new`, in the order of their DocIds.
fn replaced(segments: &[Arc<Segment>], gone: &[u32], new: Segment) -> Vec<Arc<Segment>> {
    let mut all: Vec<_> = segments.iter().filter(|s| !gone.contains(&s.record().number)).cloned().collect();
    let at = all.partition_point(|s| s.record().first_doc < new.record().first_doc);
    all.insert(at, Arc::new(new));
    all
}

/// Removes vectors that no graph holds, and their tombstones.
fn bury(writes: &mut Writes<'_>, docs: &[DocId]) {
    for doc in docs {
        writes.delete(Family::Vectors, &record::doc_key(*doc));
        writes.delete(Family::Meta, &record::meta_key(DEAD_PREFIX, doc.0));
    }
}

fn forget(view: &mut View, docs: &[DocId]) {
    if !docs.is_empty() {
        let dead = Arc::make_mut(&mut view.dead);
        for doc in docs {
            dead.remove(*doc);
        }
    }
}
