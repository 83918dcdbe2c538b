use std::cell::Cell;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rayon::ThreadPool;

/// Spins before a waiting thread offers its core to others: some tens of microseconds.
const SPINS: usize = 2_000;

/// Pieces of a step for each thread: enough that one who comes late, or is set aside, leaves little undone.
const PIECES: usize = 4;

/// Threads that work on one thing together, step by step.
///
/// A transformer's forward pass has some two hundred steps of tens of microseconds. Handing every step to a thread
/// pool would cost about as much as the steps themselves; here all threads run the same code, take pieces of a step until
/// none is left, and spin until the pieces are done ([`Member::each`]). A thread that the system has set aside holds up
/// the others by the piece it has in hand at most: the steps it missed were done without it.
pub struct Crew {
    pool: ThreadPool,
    /// Two groups that wait for each other must not share threads: each would hold what the other waits for.
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

    /// Runs `work` on every thread at once and returns what each gave, in their order. `steps` is the most calls of
    /// [`Member::each`] that a thread makes. One call at a time; others wait. `work` must not call the same crew: it would
    /// wait for itself.
    pub fn together<R: Send>(&self, steps: usize, work: impl Fn(&Member<'_>) -> R + Sync) -> Vec<R> {
        let plan =
            Plan { steps: (0..steps).map(|_| Step::default()).collect(), broken: AtomicBool::new(false) };
        self.in_turn(|pool| {
            pool.broadcast(|thread| {
                let (index, size) = (thread.index(), thread.num_threads());
                let member = Member { index, size, plan: &plan, at: Cell::new(0) };
                let _alarm = Alarm(&plan);
                work(&member)
            })
        })
    }

    /// Runs `work` as rayon does with this crew's threads. Takes turns with [`together`](Self::together).
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
    plan: &'a Plan,
    /// Steps this thread has gone through.
    at: Cell<usize>,
}

impl Member<'_> {
    /// Runs `work` with a crew of one: the calling thread.
    pub fn alone<R>(work: impl FnOnce(&Member<'_>) -> R) -> R {
        let plan = Plan { steps: Vec::new(), broken: AtomicBool::new(false) };
        work(&Member { index: 0, size: 1, plan: &plan, at: Cell::new(0) })
    }

    /// Number of this thread, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Threads in all.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The next step: `count` things to do, `work` being called with ranges of them that make up `0..count`, each range
    /// once, on whichever thread. Returns when all are done; what was written in one step, all threads see in the next.
    /// Every thread of the crew makes the same calls with the same counts.
    ///
    /// # Panics
    /// If there are more calls than [`Crew::together`] was told, or another thread panicked.
    pub fn each(&self, count: usize, mut work: impl FnMut(Range<usize>)) {
        if self.size == 1 {
            if count > 0 {
                work(0..count);
            }
            return;
        }
        let step = &self.plan.steps[self.at.get()];
        self.at.set(self.at.get() + 1);
        let pieces = count.min(self.size * PIECES);
        loop {
            let piece = step.taken.fetch_add(1, Ordering::Relaxed);
            if piece >= pieces {
                break;
            }
            work(count * piece / pieces..count * (piece + 1) / pieces);
            step.done.fetch_add(1, Ordering::Release);
        }
        let mut spins = 0;
        while step.done.load(Ordering::Acquire) < pieces {
            assert!(!self.plan.broken.load(Ordering::Relaxed), "another thread of the crew panicked");
            spins += 1;
            if spins < SPINS {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }
}

/// What a crew has to do together.
struct Plan {
    steps: Vec<Step>,
    broken: AtomicBool,
}

/// Pieces of a step that somebody took, and that are done. On a cache line of its own: the threads are rarely at the same.
#[derive(Default)]
#[repr(align(64))]
struct Step {
    taken: AtomicUsize,
    done: AtomicUsize,
}

/// Tells the others when its thread unwinds.
struct Alarm<'a>(&'a Plan);

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
    fn every_thing_is_done_once_before_the_next_step() {
        for threads in 1..5 {
            let crew = Crew::new(threads).expect("threads");
            for count in [0, 1, 2, 3, 7, 16, 17, 1000] {
                let rounds = 200;
                let cells: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
                crew.together(rounds, |member| {
                    for round in 0..rounds {
                        member.each(count, |range| {
                            for at in range {
                                // Somebody else's work of the step before.
                                let other = cells[(at + count / 2) % count].load(Ordering::Relaxed);
                                assert!(other == round || other == round + 1, "{other} in round {round}");
                                cells[at].fetch_add(1, Ordering::Relaxed);
                            }
                        });
                    }
                });
                assert!(cells.iter().all(|cell| cell.load(Ordering::Relaxed) == rounds));
            }
        }
    }

    #[test]
    fn callers_from_many_threads_take_turns() {
        let crew = Crew::new(2).expect("two threads");
        let total = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        crew.together(2, |member| {
                            member.each(5, |range| _ = total.fetch_add(range.len(), Ordering::Relaxed));
                            member.each(1, |range| _ = total.fetch_add(range.len(), Ordering::Relaxed));
                        });
                    }
                });
            }
        });
        assert_eq!(total.into_inner(), 8 * 50 * 6);
    }

    #[test]
    fn callers_may_be_threads_of_another_pool() {
        // Many small calls from few threads: one that took up the next call while it waits would never end.
        let crew = Crew::new(2).expect("two threads");
        let callers = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("two more");
        let done: usize = callers.install(|| {
            use rayon::prelude::*;
            let one = |_| crew.together(1, |member| member.each(4, |_| {})).len();
            (0..200).into_par_iter().with_max_len(1).map(one).sum()
        });
        assert_eq!(done, 400);
        assert_eq!(callers.install(|| crew.install(rayon::current_num_threads)), 2);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_crew_lives() {
        let crew = Crew::new(2).expect("two threads");
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            crew.together(1, |member| member.each(100, |range| assert!(!range.contains(&50), "on purpose")))
        }));
        assert!(outcome.is_err());
        assert_eq!(crew.together(0, |member| member.index()), [0, 1]);
    }

    #[test]
    fn alone_is_a_crew_of_one() {
        let mut seen = Vec::new();
        Member::alone(|member| {
            member.each(3, |range| seen.push(range));
            member.each(0, |_| unreachable!("nothing to do"));
        });
        assert_eq!(seen, vec![Range { start: 0, end: 3 }]);
    }
}
