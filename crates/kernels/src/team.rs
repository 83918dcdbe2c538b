use std::ops::Range;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rayon::ThreadPool;

/// Spins before a waiting thread offers its core to others: some tens of microseconds.
const SPINS: usize = 10_000;

/// Threads that work on one thing together, step by step.
///
/// A transformer's forward pass has some two hundred steps of tens of microseconds. Handing every step to a thread
/// pool would cost about as much as the steps themselves; here all threads run the same code, each takes its share of a
/// step ([`Member::share`]), and they meet at a spinning barrier ([`Member::meet`]).
pub struct Crew {
    pool: ThreadPool,
    /// Two groups that meet at barriers must not share threads: each would hold what the other waits for.
    busy: Mutex<()>,
}

/// The threads of a [`Crew`] could not be started.
#[derive(Debug, thiserror::Error)]
#[error("{threads} threads could not be started; ask for fewer")]
pub struct CrewError {
    /// Threads asked for.
    pub threads: usize,
    /// What the operating system says.
    pub source: rayon::ThreadPoolBuildError,
}

impl Crew {
    /// Starts `threads` threads (at least one), which sleep until there is work.
    pub fn new(threads: usize) -> Result<Self, CrewError> {
        let threads = threads.max(1);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|at| format!("xunpin-{at}"))
            .build()
            .map_err(|source| CrewError { threads, source })?;
        Ok(Self { pool, busy: Mutex::new(()) })
    }

    /// Number of threads.
    pub fn size(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Runs `work` on every thread at once and returns what each gave, in their order. One call at a time; others wait.
    /// `work` must not call the same crew: it would wait for itself.
    pub fn together<R: Send>(&self, work: impl Fn(&Member<'_>) -> R + Sync) -> Vec<R> {
        let barrier = Barrier::new(self.size());
        self.in_turn(|pool| {
            pool.broadcast(|thread| {
                let member = Member { index: thread.index(), size: thread.num_threads(), barrier: &barrier };
                let _alarm = Alarm(&barrier);
                work(&member)
            })
        })
    }

    /// Runs `work` as rayon does with this crew's threads, without barriers. Takes turns with
    /// [`together`](Self::together).
    pub fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.in_turn(|pool| pool.install(work))
    }

    /// Calls `run` with the pool when no other call is under way.
    ///
    /// A thread of another rayon pool that waited here itself would take up other work meanwhile; if that called this
    /// crew too, it would wait for the turn that its own thread holds. So a thread without other work waits in its place.
    fn in_turn<R: Send>(&self, run: impl FnOnce(&ThreadPool) -> R + Send) -> R {
        let run = || {
            let _turn = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
            run(&self.pool)
        };
        if rayon::current_thread_index().is_none() {
            return run();
        }
        let done = std::thread::scope(|scope| scope.spawn(run).join());
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// One thread of a [`Crew`] at work.
pub struct Member<'a> {
    index: usize,
    size: usize,
    barrier: &'a Barrier,
}

impl Member<'_> {
    /// Runs `work` with a crew of one: the calling thread.
    pub fn alone<R>(work: impl FnOnce(&Member<'_>) -> R) -> R {
        work(&Member { index: 0, size: 1, barrier: &Barrier::new(1) })
    }

    /// Number of this thread, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Threads in all.
    pub fn size(&self) -> usize {
        self.size
    }

    /// This thread's part of `count` things: a range, as equal as possible; all threads' ranges make up `0..count`.
    pub fn share(&self, count: usize) -> Range<usize> {
        let at = |index: usize| count * index / self.size;
        at(self.index)..at(self.index + 1)
    }

    /// Waits until all threads are here; what each wrote before, all see after.
    ///
    /// # Panics
    /// If another thread of the crew panicked: it will never come.
    pub fn meet(&self) {
        if self.size > 1 {
            self.barrier.wait();
        }
    }
}

/// A barrier whose waiters spin.
struct Barrier {
    size: usize,
    arrived: AtomicUsize,
    /// Counts the meetings.
    round: AtomicUsize,
    broken: AtomicBool,
}

impl Barrier {
    fn new(size: usize) -> Self {
        Self {
            size,
            arrived: AtomicUsize::new(0),
            round: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
        }
    }

    fn wait(&self) {
        let round = self.round.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.size {
            self.arrived.store(0, Ordering::Relaxed);
            self.round.store(round.wrapping_add(1), Ordering::Release);
            return;
        }
        let mut spins = 0;
        while self.round.load(Ordering::Acquire) == round {
            assert!(!self.broken.load(Ordering::Relaxed), "another thread of the crew panicked");
            spins += 1;
            if spins < SPINS {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }
}

/// Tells the others when its thread unwinds.
struct Alarm<'a>(&'a Barrier);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.broken.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_make_up_the_whole() {
        for size in 1..7 {
            let barrier = Barrier::new(size);
            for count in 0..40 {
                let mut next = 0;
                for index in 0..size {
                    let share = Member { index, size, barrier: &barrier }.share(count);
                    assert_eq!(share.start, next);
                    assert!(share.len().abs_diff(count / size) <= 1);
                    next = share.end;
                }
                assert_eq!(next, count);
            }
        }
    }

    #[test]
    fn everyone_sees_what_was_written_before_the_meeting() {
        let crew = Crew::new(3).expect("three threads");
        let rounds = 2000;
        let cells: Vec<AtomicUsize> = (0..crew.size()).map(|_| AtomicUsize::new(0)).collect();
        let sums = crew.together(|member| {
            let mut total = 0;
            for round in 1..=rounds {
                cells[member.index()].store(round, Ordering::Relaxed);
                member.meet();
                total += cells.iter().map(|cell| cell.load(Ordering::Relaxed)).sum::<usize>();
                member.meet();
            }
            total
        });
        assert_eq!(sums, vec![3 * rounds * (rounds + 1) / 2; 3]);
    }

    #[test]
    fn callers_from_many_threads_take_turns() {
        let crew = Crew::new(2).expect("two threads");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        crew.together(|member| member.meet());
                    }
                });
            }
        });
    }

    #[test]
    fn callers_may_be_threads_of_another_pool() {
        // Many small calls from few threads: one that took up the next call while it waits would never end.
        let crew = Crew::new(2).expect("two threads");
        let callers = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("two more");
        let done: usize = callers.install(|| {
            use rayon::prelude::*;
            (0..200)
                .into_par_iter()
                .with_max_len(1)
                .map(|_| crew.together(|member| member.meet()).len())
                .sum()
        });
        assert_eq!(done, 400);
        assert_eq!(callers.install(|| crew.install(rayon::current_num_threads)), 2);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_crew_lives() {
        let crew = Crew::new(2).expect("two threads");
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            crew.together(|member| {
                assert!(member.index() != 1, "on purpose");
                member.meet();
            })
        }));
        assert!(outcome.is_err());
        assert_eq!(crew.together(|member| member.index()), [0, 1]);
    }
}
