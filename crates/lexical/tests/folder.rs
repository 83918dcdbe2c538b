//! The folder: commits, readers, rebuilding, and what an index makes of files that are not as they were written.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::*;
use xunpin_core::{DocId, Product};
use xunpin_lexical::{
    Dictionary, LexicalError, LexicalIndex, LexicalMatches, LexicalOptions, LexicalProblem, Opened,
};

fn rebuild(path: &Path, products: &[(DocId, Product)], generation: u64) -> LexicalIndex {
    let source = products.iter().cloned().map(Ok::<_, LexicalError>);
    LexicalIndex::rebuild(path, dictionary(products), source, generation).unwrap()
}

fn fresh(opened: Opened) -> LexicalIndex {
    match opened {
        Opened::Fresh(index) => index,
        Opened::Missing => panic!("missing"),
        Opened::Damaged { reason } => panic!("damaged: {reason}"),
    }
}

fn answers(index: &LexicalIndex) -> Vec<LexicalMatches> {
    let search = |query| index.reader().search(query, &LexicalOptions::default()).unwrap();
    ["露弥芙敏感肌精华", "wh-1000xm5", "面膜 50ml", "t恤"].map(search).to_vec()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn commits_last_and_old_readers_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lexical");
    assert!(matches!(LexicalIndex::open(&path).unwrap(), Opened::Missing));
    let index = rebuild(&path, &shop(), 5);
    assert_eq!((index.generation(), index.products(), index.dictionary_products()), (5, 8, 8));
    let old = index.reader();
    let before = answers(&index);
    let beside = fresh(LexicalIndex::open_read_only(&path).unwrap());
    assert!(matches!(beside.writer(), Err(LexicalError::ReadOnly { .. })));

    let mut writer = index.writer().unwrap();
    assert!(matches!(index.writer(), Err(LexicalError::Busy { .. })));
    writer.delete(DocId(13)).unwrap();
    writer.delete(DocId(999)).unwrap();
    writer.upsert(DocId(10), &product("s001", "帐篷 三人", "")).unwrap();
    writer.upsert(DocId(50), &product("s050", "帐篷 双人", "")).unwrap();
    assert_eq!(index.reader().generation(), 5, "not committed");
    writer.commit(6).unwrap();
    drop(writer);

    assert_eq!(ranked(&index.reader(), "帐篷"), [10, 50]);
    assert_eq!(ranked(&index.reader(), "WH-1000XM5").first(), Some(&14));
    assert_eq!((old.generation(), old.products(), ranked(&old, "帐篷").len()), (5, 8, 0));
    assert_eq!((index.generation(), index.products()), (6, 8));
    assert_eq!(answers(&beside), before);
    assert!(beside.refresh().unwrap() && !beside.refresh().unwrap());
    assert_eq!(answers(&beside), answers(&index));

    let after = answers(&index);
    drop(index);
    let index = fresh(LexicalIndex::open(&path).unwrap());
    assert_eq!((index.generation(), answers(&index)), (6, after));
    let live = |extra: u32| (10..=17).filter(|d| *d != 13).chain([50, extra]).map(DocId);
    assert_eq!(index.verify(live(50)).unwrap(), []);
    assert_eq!(index.verify(live(99)).unwrap(), [LexicalProblem::Missing { doc: DocId(99) }]);
    assert_eq!(
        index.verify(live(50).filter(|d| d.0 != 12)).unwrap(),
        [LexicalProblem::Surplus { doc: DocId(12) }]
    );
    assert!(index.bytes().unwrap() > 1_000);
}

/// What a killed process of this file's tests writes to.
const CHILD: &str = "XUNPIN_LEXICAL_TEST_CHILD";

/// The child of the test below: adds a product and commits, again and again, until it is killed.
#[test]
fn writes_until_killed() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let index = fresh(LexicalIndex::open(Path::new(&path)).unwrap());
    let mut writer = index.writer().unwrap();
    for n in index.products() as u32.. {
        writer.upsert(DocId(n), &product(&format!("p{n}"), "帐篷", "")).unwrap();
        writer.commit(u64::from(n) + 1).unwrap();
    }
}

#[test]
fn a_killed_writer_leaves_its_last_commit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lexical");
    drop(LexicalIndex::create(&path, dictionary(&shop())).unwrap());
    let mut before = 0;
    for _ in 0..4 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writes_until_killed"])
            .env(CHILD, &path)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // Wherever the child is by then, in the middle of a commit or a merge.
        loop {
            std::thread::sleep(std::time::Duration::from_millis(37));
            if let Opened::Fresh(index) = LexicalIndex::open_read_only(&path).unwrap()
                && index.generation() > before
            {
                break;
            }
            assert!(child.try_wait().unwrap().is_none(), "the child ended");
        }
        child.kill().unwrap();
        child.wait().unwrap();

        let index = fresh(LexicalIndex::open(&path).unwrap());
        let generation = index.generation();
        assert!(generation > before);
        assert_eq!(index.verify((0..generation as u32).map(DocId)).unwrap(), []);
        assert_eq!(ranked(&index.reader(), "帐篷").len() as u64, generation);
        before = generation;
    }
}

#[test]
fn what_was_not_committed_is_lost_and_the_next_writer_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lexical");
    let index = rebuild(&path, &shop(), 1);
    let before = answers(&index);
    let mut writer = index.writer().unwrap();
    writer.upsert(DocId(50), &product("s050", "帐篷", "")).unwrap();
    drop(writer);
    drop(index);
    let index = fresh(LexicalIndex::open(&path).unwrap());
    assert_eq!(answers(&index), before);
    let mut writer = index.writer().unwrap();
    writer.upsert(DocId(51), &product("s051", "帐篷", "")).unwrap();
    writer.commit(2).unwrap();
    assert_eq!(ranked(&index.reader(), "帐篷"), [51]);
}

#[test]
fn a_rebuild_replaces_everything_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lexical");
    let index = rebuild(&path, &shop(), 1);
    let old = index.reader();
    let before = answers(&index);
    let beside = fresh(LexicalIndex::open_read_only(&path).unwrap());

    let source = shop().into_iter().map(Ok).chain([Err("the store broke")]);
    let failed = LexicalIndex::rebuild(&path, Dictionary::default(), source, 2);
    assert!(matches!(failed, Err(LexicalError::Source(_))));
    assert_eq!(files(folder.path()), std::slice::from_ref(&path), "nothing is left beside it");
    assert_eq!(answers(&fresh(LexicalIndex::open(&path).unwrap())), before);

    let mut products = shop();
    products.push((DocId(50), product("s050", "露弥芙 帐篷", "蘑菇岭")));
    products.push((DocId(51), product("s051", "蘑菇岭 天幕", "蘑菇岭")));
    let rebuilt = rebuild(&path, &products, 3);
    assert_eq!((rebuilt.generation(), rebuilt.dictionary_products()), (3, 10));
    assert!(rebuilt.analyzer().words("蘑菇岭帐篷").contains(&"蘑菇岭".to_owned()), "the new dictionary");
    assert_eq!(ranked(&old, "帐篷").len(), 0);
    assert!(matches!(beside.refresh(), Err(LexicalError::Replaced { .. })));
    assert_eq!(answers(&beside), before, "the reader goes on");

    // A rebuild that was cut off, in both of its states.
    for name in ["lexical.building", "lexical.replaced"] {
        let leftover = folder.path().join(name);
        fs::create_dir(&leftover).unwrap();
        fs::write(leftover.join("half"), "x").unwrap();
    }
    fresh(LexicalIndex::open_read_only(&path).unwrap());
    assert_eq!(files(folder.path()).len(), 3, "a reader changes nothing");
    let index = fresh(LexicalIndex::open(&path).unwrap());
    assert_eq!(files(folder.path()), std::slice::from_ref(&path));
    assert_eq!(answers(&index), answers(&rebuilt));

    let empty = LexicalIndex::create(&path, Dictionary::default()).unwrap();
    assert_eq!((empty.generation(), empty.products()), (0, 0));
    assert_eq!(empty.generation(), fresh(LexicalIndex::open(&path).unwrap()).generation());
}

#[test]
fn segments_do_not_pile_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lexical");
    let index = LexicalIndex::create(&path, dictionary(&shop())).unwrap();
    let mut writer = index.writer().unwrap();
    let mut products = Vec::new();
    for (n, (_, product)) in (0..40).zip(shop().into_iter().cycle()) {
        writer.upsert(DocId(n), &product).unwrap();
        writer.commit(u64::from(n)).unwrap();
        products.push((DocId(n), product));
    }
    let count = files(&path).iter().filter(|f| f.extension().is_some_and(|e| e == "idx")).count();
    assert!(count <= 4, "{count} segments");
    assert_eq!(answers(&index), answers(&rebuild(&folder.path().join("other"), &products, 1)));
}

/// Runs `change` on each file of a copy of the index, one at a time: opening must tell the damage or find what the whole
/// index finds.
fn damage(change: impl Fn(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lexical");
    let index = rebuild(&path, &shop()[..6], 1);
    let mut writer = index.writer().unwrap();
    writer.upsert_all(&shop()[6..]).unwrap();
    writer.delete(DocId(11)).unwrap();
    writer.commit(2).unwrap();
    drop(writer);
    let wanted = answers(&index);
    let live = || (10..=17).filter(|d| *d != 11).map(DocId);
    drop(index);

    let mut damaged = 0;
    for file in files(&path) {
        let copy = folder.path().join("copy");
        fs::create_dir(&copy).unwrap();
        for file in files(&path) {
            fs::copy(&file, copy.join(file.file_name().unwrap())).unwrap();
        }
        change(&copy.join(file.file_name().unwrap()));
        match LexicalIndex::open(&copy).unwrap() {
            Opened::Fresh(index) => {
                assert_eq!(index.generation(), 2, "{}", file.display());
                assert_eq!(answers(&index), wanted, "{}", file.display());
                assert_eq!(index.verify(live()).unwrap(), [], "{}", file.display());
            }
            _ => damaged += 1,
        }
        fs::remove_dir_all(&copy).unwrap();
    }
    assert!(damaged >= 8, "{damaged}");
}

#[test]
fn missing_files_are_told() {
    damage(|file| fs::remove_file(file).unwrap());
}

#[test]
fn emptied_files_are_told() {
    damage(|file| fs::write(file, "").unwrap());
}

#[test]
fn truncated_files_are_told() {
    damage(|file| {
        let bytes = fs::read(file).unwrap();
        fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
    });
    damage(|file| {
        let bytes = fs::read(file).unwrap();
        fs::write(file, &bytes[..bytes.len().saturating_sub(1)]).unwrap();
    });
}

#[test]
fn flipped_bits_are_told() {
    for part in [0, 1, 2, 3, 5, 7, 9] {
        damage(|file| {
            let mut bytes = fs::read(file).unwrap();
            if !bytes.is_empty() {
                let at = (bytes.len() - 1) * part / 9;
                bytes[at] ^= 0x10;
                fs::write(file, bytes).unwrap();
            }
        });
    }
}

#[test]
fn another_dictionary_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lexical");
    drop(rebuild(&path, &shop(), 1));
    let file = path.join("dictionary.txt");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text + "蘑菇岭\n").unwrap();
    let Opened::Damaged { reason } = LexicalIndex::open(&path).unwrap() else { panic!("it was opened") };
    assert!(reason.contains("dictionary.txt"), "{reason}");
}

#[test]
fn what_is_no_index_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lexical");
    fs::create_dir(&path).unwrap();
    assert!(matches!(LexicalIndex::open(&path).unwrap(), Opened::Missing));
    fs::write(path.join("notes.txt"), "x").unwrap();
    assert!(matches!(LexicalIndex::open(&path).unwrap(), Opened::Damaged { .. }));
    fs::remove_dir_all(&path).unwrap();
    fs::write(&path, "x").unwrap();
    assert!(matches!(LexicalIndex::open_read_only(&path).unwrap(), Opened::Damaged { .. }));
    let index = rebuild(&path, &shop(), 1);
    assert_eq!(index.products(), 8);
}
