//! What is done beside searching and writing, on a thread that lives as long as there is something to do: freezing the live part
//! piece by piece, and merging segments so that they stay few.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use serde::Serialize;

use crate::IndexError;
use crate::index::{Core, Index};
use crate::recovery::RecoveryNote;
use crate::view::View;

/// So many segments of about one size are merged. A vector is built into a graph once for each power of this by which there are
/// more vectors than [`freeze_at`](crate::IndexOptions::freeze_at).
const FAN: usize = 8;
/// A live part of so many times `freeze_at` makes batches wait for the thread that freezes.
const BACKLOG: usize = 3;
/// A segment with more deleted vectors than this share is made again without them.
const DEAD_SHARE: (usize, usize) = (3, 10);
/// A live part with more deleted than other vectors is rid of them, once it has this many.
const TRIM_AT: usize = 1_000;
/// After an ingest, segments are merged until each has more than so many times the vectors of all newer ones together.
const SETTLED: usize = 2;

/// The state of the background thread.
#[derive(Default)]
pub(crate) struct Maintenance {
    /// Held by whoever makes segments.
    making: Mutex<()>,
    thread: Mutex<Option<JoinHandle<()>>>,
    stop: AtomicBool,
    /// True from when the thread is wanted until it has found nothing to do.
    busy: Mutex<bool>,
    /// Rows of the live part when freezing or merging failed, or 0: it is tried again when many more have come.
    pub(crate) failed_at: AtomicUsize,
    /// Threads that build; 0 for as many as computing uses otherwise.
    threads: AtomicUsize,
}

/// The turn to make segments: one at a time.
pub(crate) struct Turn<'a> {
    _making: MutexGuard<'a, ()>,
    pool: rayon::ThreadPool,
    stop: &'a AtomicBool,
}

impl Turn<'_> {
    /// Runs `work` on the threads that build.
    pub(crate) fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.pool.install(work)
    }

    /// Goes up when the index is closed.
    pub(crate) fn stop(&self) -> &AtomicBool {
        self.stop
    }
}

/// What [`Index::compact`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Compacted {
    /// Segments before.
    pub segments_before: usize,
    /// Segments after: one, or none in an empty index.
    pub segments_after: usize,
    /// Deleted vectors that no longer take room.
    pub dropped: usize,
    /// Bytes of the index's folder before.
    pub bytes_before: u64,
    /// And after.
    pub bytes_after: u64,
}

/// Something to do.
enum Due {
    Freeze,
    Merge(std::ops::Range<usize>),
    Trim,
}

impl Index {
    /// Freezes what the live part holds, if it is at least [`freeze_min`](crate::IndexOptions::freeze_min) vectors, else only
    /// drops what is deleted of it; and merges segments so that a search goes through few. Call it at the end of an ingest
    /// run. True if something was frozen. Searches and batches go on meanwhile.
    pub fn freeze(&self) -> Result<bool, IndexError> {
        let turn = self.core.turn()?;
        let frozen = self.core.freeze(&turn, usize::MAX, self.options().freeze_min)?;
        while let Some(range) = unsettled(&self.view()) {
            self.core.merge(&turn, range)?;
        }
        Ok(frozen)
    }

    /// Makes one segment of everything that is not deleted, drops the rest, and gives the disk what it took. Searches and
    /// batches go on meanwhile; what comes meanwhile stays in the live part.
    pub fn compact(&self) -> Result<Compacted, IndexError> {
        let turn = self.core.turn()?;
        let view = self.view();
        let mut report = Compacted {
            segments_before: view.segments.len(),
            dropped: view.dead.len(),
            bytes_before: self.stats().bytes.total,
            ..Compacted::default()
        };
        self.core.freeze(&turn, usize::MAX, 1)?;
        let view = self.view();
        let whole = |view: &View| match &view.segments[..] {
            [] => true,
            [one] => view.dead.count_in(one.record().first_doc..one.record().end_doc) == 0,
            _ => false,
        };
        if !whole(&view) {
            self.core.merge(&turn, 0..view.segments.len())?;
        }
        self.core.store.compact()?;
        let after = self.stats();
        report.segments_after = after.segments.len();
        report.dropped -= after.tombstones.min(report.dropped);
        report.bytes_after = after.bytes.total;
        Ok(report)
    }

    /// How many threads build graphs from now on; 0, as it is at first, for as many as rayon's common pool has. They decide nothing but
    /// the time it takes.
    pub fn set_build_threads(&self, threads: usize) {
        self.core.maintenance.threads.store(threads, Ordering::Relaxed);
    }

    /// Sees to it that what is due is done in the background. After a batch.
    pub(crate) fn tidy(&self) {
        let core = &self.core;
        if core.due().is_none() {
            return;
        }
        let maintenance = &core.maintenance;
        let mut busy = maintenance.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if !*busy {
            let mut thread = maintenance.thread.lock().unwrap_or_else(PoisonError::into_inner);
            // The one before has found nothing to do and ends.
            if let Some(before) = thread.take() {
                let _ = before.join();
            }
            let shared = Arc::clone(core);
            let spawned =
                std::thread::Builder::new().name("xunpin-maintain".into()).spawn(move || shared.work());
            match spawned {
                Ok(handle) => {
                    *thread = Some(handle);
                    *busy = true;
                }
                Err(error) => core.note(RecoveryNote::FreezeFailed { reason: error.to_string() }),
            }
        }
        drop(busy);
        if core.view().tail.rows() > BACKLOG * core.options().freeze_at {
            // Until the segment that is being made is done.
            drop(maintenance.making.lock());
        }
    }

    /// Waits until the background thread has nothing to do.
    pub fn wait_for_maintenance(&self) {
        let thread = self.core.maintenance.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl Core {
    /// Waits for the turn to make segments.
    pub(crate) fn turn(&self) -> Result<Turn<'_>, IndexError> {
        self.turn_of(1, || ())
    }

    /// The same with one thread in `share`; each begins with `start`.
    fn turn_of(&self, share: usize, start: fn()) -> Result<Turn<'_>, IndexError> {
        // Before waiting, so that a reader is refused at once.
        drop(self.writer()?);
        let maintenance = &self.maintenance;
        let making = maintenance.making.lock().unwrap_or_else(PoisonError::into_inner);
        let threads = match maintenance.threads.load(Ordering::Relaxed) {
            0 => rayon::current_num_threads(),
            threads => threads,
        };
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads((threads / share).max(1))
            .thread_name(|at| format!("xunpin-build-{at}"))
            .start_handler(move |_| start())
            .build()
            .map_err(IndexError::Threads)?;
        Ok(Turn { _making: making, pool, stop: &maintenance.stop })
    }

    /// The background thread.
    fn work(&self) {
        loop {
            while self.due().is_some() {
                if self.maintenance.stop.load(Ordering::Relaxed) {
                    return;
                }
                if let Err(error) = self.run() {
                    if !self.maintenance.stop.load(Ordering::Relaxed) {
                        self.note(RecoveryNote::FreezeFailed { reason: error.to_string() });
                    }
                    // At least 1: 0 says that nothing failed.
                    self.maintenance.failed_at.store(self.view().tail.rows().max(1), Ordering::Relaxed);
                }
            }
            // What became due since then saw the thread busy.
            let mut busy = self.maintenance.busy.lock().unwrap_or_else(PoisonError::into_inner);
            if self.due().is_none() {
                *busy = false;
                return;
            }
        }
    }

    /// Does what is due once it is this thread's turn: whoever had it before may have done it.
    fn run(&self) -> Result<(), IndexError> {
        // Half of the processors stay with searches and batches, and where these want more, the others too.
        let turn = self.turn_of(2, give_way)?;
        match self.due() {
            None => Ok(()),
            Some(Due::Freeze) => self.freeze(&turn, self.options().freeze_at, 1).map(drop),
            Some(Due::Trim) => self.freeze(&turn, usize::MAX, usize::MAX).map(drop),
            Some(Due::Merge(range)) => self.merge(&turn, range),
        }
    }

    fn due(&self) -> Option<Due> {
        let view = self.view();
        let (rows, freeze_at) = (view.tail.rows(), self.options().freeze_at);
        let failed_at = self.maintenance.failed_at.load(Ordering::Relaxed);
        if failed_at > 0 && rows < failed_at + freeze_at {
            return None;
        }
        if let Some(range) = mergeable(&view, freeze_at) {
            return Some(Due::Merge(range));
        }
        if rows >= freeze_at {
            return Some(Due::Freeze);
        }
        if rows <= TRIM_AT {
            return None;
        }
        let dead = view.tail.dead_rows(&view.dead);
        (dead > TRIM_AT.max(rows - dead)).then_some(Due::Trim)
    }

    /// Ends the background thread; what it was making is left undone.
    pub(crate) fn end_maintenance(&self) {
        self.maintenance.stop.store(true, Ordering::Relaxed);
        let thread = self.maintenance.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // It panics only through a fault of ours, and nothing rests on it.
            let _ = thread.join();
        }
    }
}

/// Lets the threads of searches and batches go first where all processors are busy. Elsewhere than on Linux priorities are the whole
/// process's, and stay.
fn give_way() {
    #[cfg(target_os = "linux")]
    {
        /// Of 19: about a tenth of the share of a thread that nothing was changed of.
        const NICENESS: i32 = 10;
        // A wish: where it is refused, building is no less right.
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
    }
}

/// Vectors of each segment that are not deleted, and those that are.
fn sizes(view: &View) -> Vec<(usize, usize)> {
    let size = |record: &crate::record::SegmentRecord| {
        let dead = view.dead.count_in(record.first_doc..record.end_doc).min(record.rows as usize);
        (record.rows as usize - dead, dead)
    };
    view.segments.iter().map(|s| size(s.record())).collect()
}

/// Segments that are to be merged during an ingest: [`FAN`] neighbours of one size, or one with much deleted.
fn mergeable(view: &View, freeze_at: usize) -> Option<std::ops::Range<usize>> {
    let sizes = sizes(view);
    let tier = |size: usize| (size / freeze_at.max(1)).max(1).ilog(FAN);
    let tiers: Vec<u32> = sizes.iter().map(|(live, _)| tier(*live)).collect();
    for end in (FAN..=sizes.len()).rev() {
        let run = &tiers[end - FAN..end];
        // The last may be smaller: an ingest ended with it.
        if run.iter().all(|tier| *tier <= run[0])
            && run.iter().filter(|tier| **tier == run[0]).count() > FAN / 2
        {
            return Some(end - FAN..end);
        }
    }
    let heavy = |(live, dead): &(usize, usize)| dead * DEAD_SHARE.1 > (live + dead) * DEAD_SHARE.0;
    sizes.iter().position(heavy).map(|at| at..at + 1)
}

/// Segments that are to be merged after an ingest.
fn unsettled(view: &View) -> Option<std::ops::Range<usize>> {
    let sizes = sizes(view);
    let newer = |at: usize| sizes[at + 1..].iter().map(|(live, _)| live).sum::<usize>();
    let at = (0..sizes.len().saturating_sub(1)).find(|at| sizes[*at].0 < SETTLED * newer(*at))?;
    Some(at..sizes.len())
}
