use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::life::{Change, Held, Step, create, options, perform, place};
use crate::{Index, IndexError, IndexOptions};

/// A file system of its own, in memory, of so many bytes.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    /// `None`, with the reason printed, where this process may not mount.
    fn new(at: &'a Path, bytes: usize) -> Option<Self> {
        let size = format!("size={bytes}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(at)),
            Ok(output) => {
                println!("skipped: mount: {}", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(error) => {
                println!("skipped: mount: {error}");
                None
            }
        }
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

const MIB: usize = 1 << 20;
/// RocksDB writes on by itself once so much is free again; it looks every five seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// About 400 kB.
fn many(round: u32) -> Step {
    let ids = round * 4..(round + 1) * 4;
    Step::Apply(ids.map(|id| Change::Bulk(id, 100_000)).collect())
}

fn no_freezing() -> IndexOptions {
    let mut options = options();
    (options.live_graph_at, options.freeze_at) = (1_000_000, 1_000_000);
    options
}

/// Takes all the room that is left: the write that hits the end of the disk leaves what fits.
fn fill_up(ballast: &Path) {
    assert!(fs::write(ballast, vec![1; 64 * MIB]).is_err());
}

/// Writes rounds until the disk is full. The next round, and what the index holds.
fn fill(index: &mut Option<Index>, path: &Path, mut held: Held, mut round: u32) -> (u32, Held) {
    loop {
        let step = many(round);
        match perform(index, path, &step) {
            Ok(()) => held = held.after(&step),
            Err(error) => {
                assert!(matches!(error, IndexError::DiskFull { .. }), "{error:?}");
                assert!(error.to_string().contains("no room is left on the disk"), "{error}");
                return (round, held);
            }
        }
        round += 1;
        assert!(round < 1_000, "the disk never fills");
    }
}

#[test]
fn a_full_disk_is_told_and_writing_goes_on_once_there_is_room() {
    let folder = place();
    let Some(mounted) = Mounted::new(folder.path(), 64 * MIB) else { return };
    let path = folder.path().join("x");
    let ballast = folder.path().join("ballast");
    fs::write(&ballast, vec![1; 56 * MIB]).unwrap();

    let mut index = Some(create(&path, &no_freezing()).unwrap());
    let (round, held) = fill(&mut index, &path, Held::default(), 0);
    assert!(round > 2, "{round} batches fit");
    let open = index.as_ref().unwrap();
    held.check(open);
    // Again and again, and it stays as clear.
    for _ in 0..3 {
        let error = perform(&mut index, &path, &many(round)).unwrap_err();
        assert!(matches!(error, IndexError::DiskFull { .. }), "{error:?}");
    }
    held.check(index.as_ref().unwrap());
    held.check(&Index::open_read_only(&path).unwrap());

    // Room is made: writing goes on in this process.
    fs::remove_file(&ballast).unwrap();
    let started = Instant::now();
    let step = many(round);
    while let Err(error) = perform(&mut index, &path, &step) {
        assert!(matches!(error, IndexError::DiskFull { .. }), "{error:?}");
        assert!(started.elapsed() < PATIENCE, "still {error}");
        std::thread::sleep(Duration::from_millis(200));
    }
    let held = held.after(&step);
    held.check(index.as_ref().unwrap());

    // Full once more, and closed; it opens to read at once, and to write when there is room.
    fill_up(&ballast);
    let (round, held) = fill(&mut index, &path, held, round + 1);
    drop(index.take());
    held.check(&Index::open_read_only(&path).unwrap());
    if let Err(error) = Index::open(&path) {
        assert!(matches!(error, IndexError::DiskFull { .. }), "{error:?}");
    }
    fs::remove_file(&ballast).unwrap();
    index = Some(Index::open(&path).unwrap());
    held.check(index.as_ref().unwrap());
    let step = many(round);
    perform(&mut index, &path, &step).unwrap();
    held.after(&step).check(&index.unwrap());
    drop(mounted);
}

/// The batch fits, the segment's file does not.
#[test]
fn a_freeze_without_room_leaves_the_tail() {
    let folder = place();
    let Some(mounted) = Mounted::new(folder.path(), 64 * MIB) else { return };
    let path = folder.path().join("x");
    let mut index = Some(create(&path, &no_freezing()).unwrap());
    let mut held = Held::default();
    for round in 0..10 {
        let step = many(round);
        perform(&mut index, &path, &step).unwrap();
        held = held.after(&step);
    }
    let ballast = folder.path().join("ballast");
    fill_up(&ballast);
    let error = perform(&mut index, &path, &Step::Freeze).unwrap_err();
    assert!(matches!(error, IndexError::DiskFull { .. }), "{error:?}");
    held.check(index.as_ref().unwrap());
    assert_eq!(fs::read_dir(path.join("graph")).unwrap().count(), 0, "nothing half-written is left");

    fs::remove_file(&ballast).unwrap();
    perform(&mut index, &path, &Step::Freeze).unwrap();
    held.check(index.as_ref().unwrap());
    assert_eq!(index.unwrap().stats().segments.len(), 1);
    drop(mounted);
}
