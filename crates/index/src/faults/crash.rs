use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::life::{
    Change, Held, Step, copy, create, files, long_options, long_script, options, perform, place, script,
    truncate,
};
use crate::store::faulty::{Plan, Point};
use crate::{Index, IndexOptions, RecoveryNote};

/// A copy of the folder, and where in the life it was taken.
type Copies = Arc<Mutex<Vec<(Point, PathBuf)>>>;

/// Lives a life, copies the folder around every write and flush, and opens each copy.
fn crash_everywhere(script: &[Step], options: &IndexOptions) -> Vec<Point> {
    let folder = place();
    let path = folder.path().join("x");
    let copies = Copies::default();
    let (from, to, taken) = (path.clone(), folder.path().to_owned(), copies.clone());
    let number = AtomicUsize::new(0);
    let plan = Plan::observed(move |point| {
        let target = to.join(format!("copy-{}", number.fetch_add(1, Ordering::SeqCst)));
        copy(&from, &target);
        taken.lock().unwrap().push((point, target));
    });
    let mut seen = Vec::new();
    let mut held = Held::default();
    let mut index = Some(plan.during(|| create(&path, options).unwrap()));
    for (_, copy) in drain(&copies, &mut seen) {
        no_index_yet(&copy, options);
    }
    for step in script {
        let after = held.after(step);
        plan.during(|| perform(&mut index, &path, step)).unwrap();
        for (at, (point, copy)) in drain(&copies, &mut seen).into_iter().enumerate() {
            // The first write of a step is the one that changes what the index holds.
            let expected = if (at, point) == (0, Point::BeforeWrite) { &held } else { &after };
            opens_as(&copy, expected);
            fs::remove_dir_all(copy).unwrap();
        }
        held = after;
    }
    drop(index);
    for (_, copy) in drain(&copies, &mut seen) {
        opens_as(&copy, &held);
    }
    seen
}

fn drain(copies: &Copies, seen: &mut Vec<Point>) -> Vec<(Point, PathBuf)> {
    let taken = std::mem::take(&mut *copies.lock().unwrap());
    seen.extend(taken.iter().map(|(point, _)| *point));
    taken
}

/// The creation was cut short: it is done again, also where the manifest was being written.
fn no_index_yet(path: &Path, options: &IndexOptions) {
    assert!(!Index::exists(path) && Index::open(path).is_err() && Index::open_read_only(path).is_err());
    fs::write(path.join("manifest.json.tmp"), b"{\"format_vers").unwrap();
    let index = create(path, options).unwrap();
    Held::default().check(&index);
}

fn opens_as(path: &Path, held: &Held) {
    let reader = Index::open_read_only(path).unwrap();
    held.check(&reader);
    assert_eq!(reader.notes(), [], "a reader has nothing to mend");
    let known: Vec<String> =
        reader.stats().segments.iter().map(|s| format!("segment-{:08}.xpg", s.number)).collect();
    let segments = known.len();
    drop(reader);

    // The files of a freeze or merge whose commit is missing, at each stage of their writing; or of segments that were merged.
    let unknown = |file: &PathBuf| !known.iter().any(|name| file.ends_with(name));
    let orphan = files(&path.join("graph"), ".xpg").into_iter().find(unknown);
    let variants: &[&dyn Fn(&Path)] =
        &[&|_| {}, &to_temporary, &|file| truncate(&to_temporary_at(file), 100)];
    for (at, stage) in variants.iter().enumerate().take(if orphan.is_some() { 3 } else { 1 }) {
        let again = path.with_extension(format!("again-{at}"));
        copy(path, &again);
        if let Some(orphan) = &orphan {
            stage(&again.join("graph").join(orphan.file_name().unwrap()));
        }
        goes_on(&again, held, orphan.is_some());
        fs::remove_dir_all(again).unwrap();
    }

    // The same while a segment's file was being written again.
    if orphan.is_none() && segments > 0 {
        let file = files(&path.join("graph"), ".xpg").pop().unwrap();
        truncate(&to_temporary_at(&file), 200);
        let reader = Index::open_read_only(path).unwrap();
        assert!(matches!(reader.notes()[..], [RecoveryNote::SegmentInMemory { .. }]), "{:?}", reader.notes());
        held.check(&reader);
        drop(reader);
        let index = Index::open(path).unwrap();
        assert!(matches!(index.notes()[0], RecoveryNote::SegmentRemade { .. }), "{:?}", index.notes());
        held.check(&index);
    }
}

fn to_temporary(file: &Path) {
    to_temporary_at(file);
}

fn to_temporary_at(file: &Path) -> PathBuf {
    let temporary = file.with_extension("xpg.tmp");
    fs::rename(file, &temporary).unwrap();
    temporary
}

/// The next writer finds the state, removes what is left over, and writes.
fn goes_on(path: &Path, held: &Held, orphan: bool) {
    let mut index = Some(Index::open(path).unwrap());
    let notes = index.as_ref().unwrap().notes();
    let all_orphans = notes.iter().all(|note| matches!(note, RecoveryNote::OrphanRemoved { .. }));
    assert!(all_orphans && orphan != notes.is_empty(), "{notes:?}");
    held.check(index.as_ref().unwrap());
    let mut held = held.clone();
    for step in [
        Step::Apply((700..715).map(|id| Change::Text(id, u64::from(id))).collect()),
        Step::Freeze,
        Step::Apply(vec![Change::Delete(700), Change::Price(701, 3)]),
        Step::Reopen,
    ] {
        perform(&mut index, path, &step).unwrap();
        held = held.after(&step);
    }
    let index = index.unwrap();
    held.check(&index);
    assert_eq!(index.notes(), []);
}

#[test]
fn a_crash_around_any_write_leaves_what_was_before_or_after() {
    let seen = crash_everywhere(&script(), &options());
    assert!(seen.iter().filter(|point| **point == Point::AfterWrite).count() > script().len());
}

#[test]
fn a_crash_around_the_writes_of_a_long_tail_and_the_last_flush_does_too() {
    let seen = crash_everywhere(&long_script(), &long_options());
    assert!(seen.ends_with(&[Point::BeforeFlush, Point::AfterFlush]), "{seen:?}");
}
