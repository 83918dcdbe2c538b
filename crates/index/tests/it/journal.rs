use std::collections::BTreeMap;

use serde_json::Value;
use xunpin_core::{DocId, Product};
use xunpin_index::{Batch, Changes, Index, IndexError, IndexOptions};

use crate::common::{create, fill, tamper};

const UP: &[f32] = &[0.0, 1.0];

fn small() -> (tempfile::TempDir, Index) {
    let folder = tempfile::tempdir().unwrap();
    let index = create(&folder.path().join("x"), IndexOptions::new(2));
    (folder, index)
}

fn apply(index: &Index, fill: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new();
    fill(&mut batch);
    index.apply(batch).unwrap();
}

/// Generation, numbers written and numbers removed.
fn since(index: &Index, generation: u64) -> Option<(u64, Vec<u32>, Vec<u32>)> {
    let numbers = |docs: Vec<DocId>| docs.iter().map(|doc| doc.0).collect();
    let Changes { generation, written, removed, .. } = index.changes_since(generation).unwrap()?;
    Some((generation, numbers(written), numbers(removed)))
}

#[test]
fn changes_are_merged_from_any_generation() {
    let (_folder, index) = small();
    assert_eq!(since(&index, 0), Some((0, vec![], vec![])));
    let product = |id: &str| Product::new(id, "t");
    // Numbers 0, 1, 2.
    apply(&index, |b| {
        _ = b.upsert(product("a"), 1, Some(UP)).upsert(product("b"), 1, Some(UP)).upsert(
            product("c"),
            1,
            Some(UP),
        )
    });
    // `b` in place; `c` becomes 3.
    apply(&index, |b| _ = b.upsert(product("b"), 1, None).upsert(product("c"), 2, Some(UP)));
    apply(&index, |_| ());
    // 3 goes again.
    apply(&index, |b| _ = b.delete("c").delete("nobody").upsert(product("b"), 1, None));
    assert_eq!(since(&index, 0), Some((4, vec![0, 1], vec![2, 3])));
    assert_eq!(since(&index, 1), Some((4, vec![1], vec![2, 3])));
    assert_eq!(since(&index, 2), Some((4, vec![1], vec![3])));
    assert_eq!(since(&index, 3), Some((4, vec![1], vec![3])));
    assert_eq!(since(&index, 4), Some((4, vec![], vec![])));
    assert_eq!((since(&index, 5), since(&index, u64::MAX)), (None, None), "the future");
    assert!(index.verify(None).is_ok());
}

#[test]
fn the_journal_outlives_the_process_and_a_reader_sees_what_it_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let index = create(&path, IndexOptions::new(2));
    fill(&index, &[UP.to_vec()], 0);
    let early = Index::open_read_only(&path).unwrap();
    fill(&index, &[UP.to_vec()], 1);
    apply(&index, |b| _ = b.delete("0"));
    assert_eq!(since(&early, 0), Some((1, vec![0], vec![])));
    assert_eq!(since(&early, 2), None);
    drop(index);
    let late = Index::open_read_only(&path).unwrap();
    let writer = Index::open(&path).unwrap();
    for index in [&late, &writer] {
        assert_eq!(since(index, 0), Some((3, vec![1], vec![0])));
        assert_eq!(since(index, 2), Some((3, vec![], vec![0])));
    }
    assert!(matches!(late.forget_changes(2), Err(IndexError::ReadOnly { .. })));
}

#[test]
fn forgotten_changes_are_told_apart_from_none() {
    let (folder, index) = small();
    for at in 0..5 {
        fill(&index, &[UP.to_vec()], at);
    }
    index.forget_changes(0).unwrap();
    assert_eq!(since(&index, 0), Some((5, vec![0, 1, 2, 3, 4], vec![])));
    index.forget_changes(2).unwrap();
    index.forget_changes(1).unwrap();
    assert_eq!((since(&index, 0), since(&index, 1)), (None, None));
    assert_eq!(since(&index, 2), Some((5, vec![2, 3, 4], vec![])));
    // Beyond the present: what comes later is kept.
    index.forget_changes(u64::MAX).unwrap();
    assert_eq!((since(&index, 4), since(&index, 5)), (None, Some((5, vec![], vec![]))));
    fill(&index, &[UP.to_vec()], 5);
    assert_eq!((since(&index, 4), since(&index, 5)), (None, Some((6, vec![5], vec![]))));
    assert!(index.verify(None).is_ok());
    drop(index);
    let index = Index::open(folder.path().join("x")).unwrap();
    assert_eq!((since(&index, 4), since(&index, 5)), (None, Some((6, vec![5], vec![]))));
}

/// Sets the generation as if so many batches had been written, without a journal of them.
fn leap(path: &std::path::Path, generation: u64) {
    tamper(path, |db| {
        let meta = db.cf_handle("meta").unwrap();
        let mut state: Value = serde_json::from_slice(&db.get_cf(meta, "state").unwrap().unwrap()).unwrap();
        state["generation"] = generation.into();
        db.put_cf(meta, "state", serde_json::to_vec(&state).unwrap()).unwrap();
    });
}

#[test]
fn an_index_older_than_the_journal_gets_one_from_its_next_batch_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    drop(create(&path, IndexOptions::new(2)));
    leap(&path, 700);
    let index = Index::open(&path).unwrap();
    assert_eq!((since(&index, 699), since(&index, 700)), (None, Some((700, vec![], vec![]))));
    fill(&index, &[UP.to_vec()], 0);
    assert_eq!((since(&index, 699), since(&index, 700)), (None, Some((701, vec![0], vec![]))));
    assert!(index.verify(None).is_ok());
}

#[test]
fn the_oldest_rows_are_dropped_in_strides() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let index = create(&path, IndexOptions::new(2));
    fill(&index, &[UP.to_vec()], 0);
    fill(&index, &[UP.to_vec()], 1);
    drop(index);
    let rows = |path: &std::path::Path| {
        let mut found = BTreeMap::new();
        tamper(path, |db| {
            let meta = db.cf_handle("meta").unwrap();
            for row in db.prefix_iterator_cf(meta, "change/") {
                let (key, _) = row.unwrap();
                if let Some(generation) = key.strip_prefix(b"change/") {
                    found.insert(u64::from_be_bytes(generation.try_into().unwrap()), ());
                }
            }
        });
        found.into_keys().collect::<Vec<_>>()
    };
    assert_eq!(rows(&path), [1, 2]);
    leap(&path, 100_998);
    let index = Index::open(&path).unwrap();
    fill(&index, &[UP.to_vec()], 2);
    drop(index);
    assert_eq!(rows(&path), [1, 2, 100_999]);
    let index = Index::open(&path).unwrap();
    fill(&index, &[UP.to_vec()], 3);
    assert_eq!(since(&index, 100_998), Some((101_000, vec![2, 3], vec![])));
    drop(index);
    assert_eq!(rows(&path), [100_999, 101_000]);
}

#[test]
fn a_gap_or_damage_is_no_history() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let index = create(&path, IndexOptions::new(2));
    (0..4).for_each(|at| fill(&index, &[UP.to_vec()], at));
    drop(index);
    let key = |generation: u64| [b"change/".as_slice(), &generation.to_be_bytes()].concat();
    tamper(&path, |db| db.delete_cf(db.cf_handle("meta").unwrap(), key(3)).unwrap());
    let index = Index::open(&path).unwrap();
    assert_eq!((since(&index, 1), since(&index, 2)), (None, None));
    assert_eq!(since(&index, 3), Some((4, vec![3], vec![])));
    assert_eq!(index.verify(None).problem_count, 1);
    drop(index);
    tamper(&path, |db| db.put_cf(db.cf_handle("meta").unwrap(), key(4), b"odd").unwrap());
    let index = Index::open(&path).unwrap();
    assert!(matches!(index.changes_since(3), Err(IndexError::Damaged { .. })));
    assert_eq!(index.verify(None).problem_count, 2);
    drop(index);
    tamper(&path, |db| db.delete_cf(db.cf_handle("meta").unwrap(), key(4)).unwrap());
    let index = Index::open(&path).unwrap();
    assert_eq!(since(&index, 3), None);
    assert!(!index.verify(None).is_ok());
}
