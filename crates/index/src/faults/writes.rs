use std::path::Path;
use std::sync::Arc;

use super::life::{Follower, Held, Step, create, long_options, long_script, options, perform, place, script};
use super::stride;
use crate::store::faulty::{Fault, Plan};
use crate::{Index, IndexError, IndexOptions, RecoveryNote};

/// How a life goes on after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    GoOn,
    Reopen,
}

/// The error says what failed, and where.
fn is_clear(error: &IndexError, fault: Option<Fault>, path: &Path) {
    let text = error.to_string();
    match (error, fault) {
        (IndexError::DiskFull { .. }, Some(Fault::Full)) => {}
        (IndexError::Store { .. }, None | Some(Fault::Before | Fault::After)) => {
            assert!(text.contains("injected"), "{text}");
        }
        _ => panic!("{error:?}"),
    }
    assert!(text.contains(&path.display().to_string()), "{text}");
}

/// Lives a life in which one write fails. True if there were so many writes.
fn survives(script: &[Step], options: &IndexOptions, number: usize, fault: Fault, then: Then) -> bool {
    let folder = place();
    let path = folder.path().join("x");
    let plan = Plan::write_fails(number, fault);
    let fired = |plan: &Arc<Plan>| plan.writes() > number;
    plan.during(|| {
        let mut index = match create(&path, options) {
            Ok(index) => Some(index),
            Err(error) => {
                is_clear(&error, Some(fault), &path);
                Some(create(&path, options).unwrap())
            }
        };
        let (mut held, mut follower) = (Held::default(), Follower::default());
        for step in script {
            let before_step = fired(&plan);
            let after = held.after(step);
            match perform(&mut index, &path, step) {
                Ok(()) => {
                    let noted = index.as_ref().unwrap().notes();
                    if fired(&plan) && !before_step {
                        // The batch was written; what failed is the freeze, merge or trim after it. Where it took effect all the same,
                        // the files of merged segments were found to be left over.
                        let left = |note: &&RecoveryNote| !matches!(note, RecoveryNote::OrphanRemoved { .. });
                        let failed: Vec<_> = noted.iter().filter(left).collect();
                        assert!(matches!(failed[..], [RecoveryNote::FreezeFailed { .. }]), "{noted:?}");
                    }
                    held = after;
                }
                Err(error) => {
                    assert!(fired(&plan) && !before_step, "{step:?}: {error}");
                    is_clear(&error, Some(fault), &path);
                    let open = index.take().unwrap();
                    let found = Held::read(&open).unwrap();
                    assert!(found == held || fault == Fault::After && found == after, "{step:?}");
                    found.check(&open);
                    follower.catch_up(&open);
                    index = Some(match then {
                        Then::GoOn => open,
                        Then::Reopen => {
                            drop(open);
                            found.check(&Index::open_read_only(&path).unwrap());
                            Index::open(&path).unwrap()
                        }
                    });
                    let again = found == held;
                    held = found;
                    if again {
                        perform(&mut index, &path, step).unwrap();
                        held = after;
                    }
                }
            }
            let index = index.as_ref().unwrap();
            held.check(index);
            follower.catch_up(index);
        }
        drop(index);
        held.check(&Index::open(&path).unwrap());
    });
    fired(&plan)
}

fn every_write(script: &[Step], options: &IndexOptions) -> usize {
    let faults = [Fault::Before, Fault::After, Fault::Full];
    let mut number = 0;
    loop {
        let mut reached = false;
        for (fault, then) in faults.iter().flat_map(|f| [(*f, Then::GoOn), (*f, Then::Reopen)]) {
            reached |= survives(script, options, number, fault, then);
        }
        if !reached {
            return number;
        }
        number += 1;
    }
}

#[test]
fn every_write_may_fail() {
    let writes = every_write(&script(), &options());
    assert!(writes >= script().len(), "{writes} writes");
}

#[test]
fn every_write_of_a_long_tail_may_fail() {
    let writes = every_write(&long_script(), &long_options());
    assert!(writes > long_script().len(), "{writes} writes");
}

/// The write is done, its caller is told that it failed, and then not even reading works.
#[test]
fn nothing_is_written_while_it_is_not_known_what_stands_in_the_store() {
    let folder = place();
    let path = folder.path().join("x");
    let steps = script();
    // The creation is write 0.
    let plan = Plan::write_fails_then_reads(2, Fault::After, 2);
    plan.during(|| {
        let mut index = Some(create(&path, &options()).unwrap());
        let first = Held::default().after(&steps[0]);
        let second = first.after(&steps[1]);
        perform(&mut index, &path, &steps[0]).unwrap();
        perform(&mut index, &path, &steps[1]).unwrap_err();
        // Giving the writer back tried to read, and failed; so does the next one.
        let error = perform(&mut index, &path, &Step::Freeze).unwrap_err();
        is_clear(&error, None, &path);
        assert_eq!(plan.writes(), 3, "nothing was written");
        perform(&mut index, &path, &Step::Freeze).unwrap();
        second.check(index.as_ref().unwrap());
    });
}

#[test]
fn every_read_may_fail() {
    let steps = script();
    let counting = Plan::nothing();
    let total = live(&steps, &counting);
    assert!(total > 150, "{total} reads");
    for number in (0..total).step_by(stride(5, 1)) {
        live(&steps, &Plan::read_fails(number));
    }
}

/// Lives a life in which one read fails; what it interrupted is done again. The reads until its end.
fn live(steps: &[Step], plan: &Arc<Plan>) -> usize {
    let folder = place();
    let path = folder.path().join("x");
    plan.during(|| {
        let made = create(&path, &options()).or_else(|error| {
            is_clear(&error, None, &path);
            if Index::exists(&path) { Index::open(&path) } else { create(&path, &options()) }
        });
        let (mut index, mut held) = (Some(made.unwrap()), Held::default());
        for step in steps {
            if let Err(error) = perform(&mut index, &path, step) {
                is_clear(&error, None, &path);
                match &index {
                    Some(index) => held.check(index),
                    None => index = Some(Index::open(&path).unwrap()),
                }
                perform(&mut index, &path, step).unwrap();
            }
            held = held.after(step);
        }
        let reads = plan.reads();
        held.check(&index.unwrap());
        reads
    })
}
