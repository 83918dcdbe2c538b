use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use super::life::{Change, Held, Step, copy, create, files, flip, options, perform, place, truncate};
use super::{stride, torture_asked};
use crate::store::faulty::{Plan, Point};
use crate::{Index, IndexError};

/// A copy of an index whose writer did not close it, so that all it holds stands in its log.
struct Logged {
    folder: TempDir,
    /// Where in the log each batch ends, and what the index held then.
    ends: Vec<usize>,
    states: Vec<Held>,
}

impl Logged {
    /// Batches of a few hundred bytes, and then `more`.
    fn new(more: Option<Step>) -> Self {
        use Change::{Delete, Job, Price, Static, Text};
        let mut steps = vec![
            Step::Apply(vec![Text(0, 1), Text(1, 2), Text(2, 3), Static(0, Some(4), 3)]),
            Step::Apply(vec![Price(0, 5), Delete(1)]),
            Step::PutStatic(vec![(2, 6)], 3),
            Step::Forget(1),
            Step::Apply(vec![Text(3, 7), Text(0, 8), Job(Some(1))]),
            Step::Apply(vec![Delete(2), Price(3, 9)]),
            Step::Apply(vec![Text(4, 10), Job(Some(2))]),
        ];
        steps.extend(more);
        let folder = place();
        let path = folder.path().join("x");
        let ends = Arc::new(Mutex::new(Vec::new()));
        let (log, seen) = (path.join("db"), ends.clone());
        let plan = Plan::observed(move |point| {
            if point == Point::AfterWrite {
                seen.lock().unwrap().push(fs::metadata(only_log(&log)).unwrap().len() as usize);
            }
        });
        let mut states = vec![Held::default()];
        plan.during(|| {
            let mut index = Some(create(&path, &options()).unwrap());
            for step in &steps {
                perform(&mut index, &path, step).unwrap();
                states.push(states[states.len() - 1].after(step));
            }
            copy(&path, &folder.path().join("crashed"));
        });
        let ends = ends.lock().unwrap().clone();
        assert_eq!(ends.len(), states.len(), "a write a step, and one for the creation");
        Self { folder, ends, states }
    }

    /// The copy, anew, for something to be done to its log.
    fn crashed(&self) -> (PathBuf, PathBuf) {
        let path = self.folder.path().join("trial");
        let _ = fs::remove_dir_all(&path);
        copy(&self.folder.path().join("crashed"), &path);
        let log = only_log(&path.join("db"));
        (path, log)
    }

    fn length(&self) -> usize {
        self.ends[self.ends.len() - 1]
    }
}

fn only_log(db: &Path) -> PathBuf {
    let mut logs = files(db, ".log");
    assert_eq!(logs.len(), 1, "{logs:?}");
    logs.remove(0)
}

/// Opened to read and to write, the index holds this, and takes more.
fn holds(path: &Path, held: &Held, writer: bool) {
    let reader = Index::open_read_only(path).unwrap();
    assert_eq!(&Held::read(&reader).unwrap(), held);
    drop(reader);
    if writer {
        let mut index = Some(Index::open(path).unwrap());
        held.check(index.as_ref().unwrap());
        let step = Step::Apply(vec![Change::Text(60, 1), Change::Delete(0)]);
        perform(&mut index, path, &step).unwrap();
        perform(&mut index, path, &Step::Reopen).unwrap();
        held.after(&step).check(&index.unwrap());
    }
}

#[test]
fn a_log_cut_anywhere_holds_the_batches_before() {
    let logged = Logged::new(None);
    // From within the creation's record, which is before the first end.
    for cut in 1..=logged.length() {
        let near = logged.ends.iter().any(|end| cut.abs_diff(*end) < 9);
        if !near && cut % stride(11, 1) != 0 {
            continue;
        }
        let (path, log) = logged.crashed();
        truncate(&log, cut);
        let whole = logged.ends.iter().filter(|end| **end <= cut).count();
        let held = &logged.states[whole.saturating_sub(1)];
        holds(&path, held, near || cut % stride(33, 1) == 0);
    }
}

#[test]
fn a_bit_flipped_anywhere_in_the_log_is_refused() {
    let logged = Logged::new(None);
    let mut starts = vec![0];
    starts.extend(&logged.ends);
    for at in 0..logged.length() {
        let header = starts.iter().any(|start| (*start..start + 7).contains(&at));
        if !header && at % stride(17, 1) != 0 {
            continue;
        }
        // Types and lengths are what RocksDB may misread, so all their bits are tried.
        for bit in if header || torture_asked() { 0..8 } else { at % 8..at % 8 + 1 } {
            let (path, log) = logged.crashed();
            flip(&log, at, bit);
            refuses(&path, &format!("byte {at}, bit {bit}"));
            // Nothing was done to what is there.
            flip(&log, at, bit);
            if at % stride(70, 1) == 0 {
                holds(&path, &logged.states[logged.states.len() - 1], false);
            }
        }
    }
}

/// A batch of many sectors.
fn large() -> Step {
    Step::Apply(vec![Change::Text(20, 1), Change::Bulk(21, 3_000), Change::Bulk(22, 3_000)])
}

fn refuses(path: &Path, what: &str) {
    for opened in [Index::open_read_only(path), Index::open(path)] {
        match opened {
            Err(error @ IndexError::Damaged { .. }) => {
                assert!(error.to_string().contains(".log: the record at byte"), "{what}: {error}");
            }
            other => panic!("{what}: {other:?}"),
        }
    }
}

#[test]
fn sectors_of_the_last_batch_that_were_never_written_are_dropped() {
    let logged = Logged::new(Some(large()));
    let (last, length) = (logged.ends[logged.ends.len() - 2], logged.length());
    let before = &logged.states[logged.states.len() - 2];
    let starts: Vec<usize> = (last.next_multiple_of(512)..length).step_by(512).collect();
    assert!(starts.len() > 8);
    for start in starts {
        for end in [start + 512, length] {
            let (path, log) = logged.crashed();
            let mut bytes = fs::read(&log).unwrap();
            bytes[start..end.min(length)].fill(0);
            fs::write(&log, bytes).unwrap();
            holds(&path, before, true);
        }
    }
    // The file grew, and nothing was written.
    let (path, log) = logged.crashed();
    truncate(&log, length + 3_000);
    holds(&path, &logged.states[logged.states.len() - 1], true);
}

#[test]
fn a_hole_before_the_last_batch_is_refused() {
    let logged = Logged::new(Some(large()));
    let last = logged.ends[logged.ends.len() - 2];
    for start in (0..last / 512 * 512).step_by(512) {
        let (path, log) = logged.crashed();
        let mut bytes = fs::read(&log).unwrap();
        bytes[start..start + 512].fill(0);
        fs::write(&log, bytes).unwrap();
        refuses(&path, &format!("sector at {start}"));
    }
}
