use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::life::{Held, Step, copy, create, files, flip, options, perform, place, script, truncate};
use super::{stride, torture_asked};
use crate::{Index, IndexError};

/// An index after its scripted life, closed. All of it stands in tables: an opening writer moves its log into them.
fn lived() -> (TempDir, PathBuf, Held) {
    let folder = place();
    let path = folder.path().join("x");
    let mut index = Some(create(&path, &options()).unwrap());
    let mut held = Held::default();
    for step in script() {
        perform(&mut index, &path, &step).unwrap();
        held = held.after(&step);
    }
    perform(&mut index, &path, &Step::Reopen).unwrap();
    held.check(&index.unwrap());
    (folder, path, held)
}

fn length(file: &Path) -> usize {
    fs::metadata(file).unwrap().len() as usize
}

/// An index with something changed in it is refused with an error that names a file or a record, or it holds what it
/// should, or the reads that can't be done say so and so does `verify`. It never holds anything else.
fn tells_or_holds(opened: Result<Index, IndexError>, held: &Held, what: &str) -> bool {
    let index = match opened {
        Ok(index) => index,
        Err(error) => {
            let clear = matches!(
                error,
                IndexError::Damaged { .. }
                    | IndexError::Store { .. }
                    | IndexError::DamagedManifest { .. }
                    | IndexError::NewerFormat { .. }
                    | IndexError::NotAnIndex { .. }
            );
            assert!(clear, "{what}: {error:?}");
            return false;
        }
    };
    match Held::read(&index) {
        Ok(found) => assert!(&found == held, "{what}"),
        Err(error) => {
            assert!(
                matches!(error, IndexError::Store { .. } | IndexError::Damaged { .. }),
                "{what}: {error:?}"
            );
            assert!(!index.verify(None).is_ok(), "{what}: {error}, and verify finds nothing");
            return false;
        }
    }
    match held.check_search(&index) {
        Ok(()) => true,
        Err(error) => panic!("{what}: {error}, where all could be read"),
    }
}

#[test]
fn a_manifest_that_was_changed_is_refused() {
    let (_folder, path, held) = lived();
    let manifest = path.join("manifest.json");
    let bytes = fs::read(&manifest).unwrap();
    let known = serde_json::from_slice::<serde_json::Value>(&bytes).unwrap();
    for at in 0..bytes.len() {
        let bits = if torture_asked() { 0..8 } else { at % 8..at % 8 + 1 };
        for bit in bits {
            flip(&manifest, at, bit);
            let opened = Index::open_read_only(&path);
            if let Ok(index) = &opened {
                // Only the checksum's own name can be lost; then everything else is as it was.
                assert_eq!(index.extra(), &known["extra"]);
                assert_eq!(serde_json::to_value(index.fingerprint()).unwrap(), known["fingerprint"]);
                assert_eq!(serde_json::to_value(index.options()).unwrap(), known["options"]);
            }
            tells_or_holds(opened, &held, &format!("byte {at}, bit {bit}"));
            fs::write(&manifest, &bytes).unwrap();
        }
        truncate(&manifest, at);
        // The line break at the end is all that may be missing.
        assert_eq!(Index::open_read_only(&path).is_ok(), at + 1 == bytes.len(), "cut at {at}");
        fs::write(&manifest, &bytes).unwrap();
    }
    held.check(&Index::open(&path).unwrap());
}

#[test]
fn the_text_of_the_lock_matters_to_nobody() {
    let (_folder, path, held) = lived();
    let lock = path.join("writer.lock");
    for at in (0..length(&lock)).step_by(stride(9, 1)) {
        flip(&lock, at, at);
        held.check(&Index::open(&path).unwrap());
        truncate(&lock, at);
        held.check(&Index::open(&path).unwrap());
    }
}

#[test]
fn a_segment_file_that_was_changed_is_made_again() {
    let (_folder, path, held) = lived();
    let file = files(&path.join("graph"), ".xpg").pop().unwrap();
    let whole = fs::read(&file).unwrap();
    let mut silent = 0;
    for at in (0..whole.len()).step_by(stride(29, 3)) {
        for cut in [false, true] {
            if cut {
                truncate(&file, at);
            } else {
                flip(&file, at, at);
            }
            let what = format!("byte {at}, cut {cut}");
            let reader = Index::open_read_only(&path).unwrap();
            // Padding before the vectors is read by nobody.
            silent += usize::from(reader.notes().is_empty());
            assert!(!reader.notes().is_empty() || !cut, "{what}");
            assert!(tells_or_holds(Ok(reader), &held, &what));
            if at % stride(5, 1) == 0 {
                let index = Index::open(&path).unwrap();
                assert!(tells_or_holds(Ok(index), &held, &what));
                assert_eq!(Index::open_read_only(&path).unwrap().notes(), []);
            }
            fs::write(&file, &whole).unwrap();
        }
    }
    assert!(silent < 64, "{silent} changes without a note");
    held.check(&Index::open(&path).unwrap());
}

/// Files of the store: those whose name starts, or ends, so.
fn stored(path: &Path, part: &str) -> Vec<PathBuf> {
    let found = files(&path.join("db"), "").into_iter().filter(|file| {
        let name = file.file_name().unwrap().to_string_lossy();
        name.starts_with(part) || name.ends_with(part)
    });
    found.collect()
}

#[test]
fn tables_that_were_changed_are_told() {
    let (_folder, path, held) = lived();
    let (mut told, mut held_all) = (0, 0);
    let tables = stored(&path, ".sst");
    assert!(tables.len() >= 6, "a table a family at least");
    for table in &tables {
        for at in (0..length(table)).step_by(stride(211, 13)) {
            flip(table, at, at);
            let what = format!("{}, byte {at}", table.display());
            if tells_or_holds(Index::open_read_only(&path), &held, &what) {
                held_all += 1;
            } else {
                told += 1;
            }
            flip(table, at, at);
        }
    }
    // What holds everything all the same was changed where nobody looks: statistics, and families without a row.
    assert!(told > held_all, "{told} told, {held_all} without effect");
    held.check(&Index::open(&path).unwrap());
}

#[test]
fn what_the_store_knows_of_itself_is_refused_or_as_it_was() {
    let (_folder, path, held) = lived();
    for part in ["MANIFEST-", "CURRENT", "OPTIONS-", "IDENTITY"] {
        let found = stored(&path, part);
        assert!(!found.is_empty(), "{part}");
        for file in found {
            let step = if part == "OPTIONS-" { stride(997, 211) } else { stride(13, 1) };
            for at in (0..length(&file)).step_by(step) {
                // Lengths of records, which RocksDB may misread, are among the last bytes too.
                let what = format!("{}, byte {at}", file.display());
                let trial = path.with_extension("trial");
                let _ = fs::remove_dir_all(&trial);
                copy(&path, &trial);
                let harmed = trial.join("db").join(file.file_name().unwrap());
                flip(&harmed, at, at);
                tells_or_holds(Index::open_read_only(&trial), &held, &what);
                if !tells_or_holds(Index::open(&trial), &held, &what) {
                    // A refusal did no harm.
                    flip(&harmed, at, at);
                    held.check(&Index::open(&trial).unwrap());
                }
            }
        }
    }
}

/// The manifest's records are few, so that every bit of their headers can be tried.
#[test]
fn no_record_of_the_stores_manifest_is_lost_without_a_word() {
    let (_folder, path, held) = lived();
    let file = stored(&path, "MANIFEST-").pop().unwrap();
    let bytes = fs::read(&file).unwrap();
    let mut start = 0;
    let mut records = 0;
    while start + 7 < bytes.len() {
        records += 1;
        for (at, bit) in (start..start + 7).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            if (at * 8 + bit) % stride(5, 1) == 0 || at >= start + 4 {
                flip(&file, at, bit);
                let what = format!("byte {at}, bit {bit}");
                assert!(!tells_or_holds(Index::open_read_only(&path), &held, &what), "{what}");
                flip(&file, at, bit);
            }
        }
        start += 7 + usize::from(u16::from_le_bytes([bytes[start + 4], bytes[start + 5]]));
    }
    assert!(records > 3, "{records} records");
    held.check(&Index::open(&path).unwrap());
}
