//! Every archive that is not as it was written is refused, whatever byte of it was changed or cut off, and leaves nothing
//! behind.

#![allow(clippy::unwrap_used, reason = "helpers of tests count as no tests")]

use std::fs;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;

use proptest::prelude::*;
use xunpin_archive::{ArchiveError, Damage, EntryName, Reader, Snapshot, Source, unpack, write};

const FILES: [(&str, &[u8]); 5] = [
    ("manifest.json", b"{\"format_version\": 1}\n"),
    ("db/CURRENT", b"MANIFEST-000010\n"),
    // As long as a block, and longer.
    ("db/000011.log", &[7; 512]),
    ("db/000012.sst", &[3; 700]),
    ("word2vec/words.xpw", b""),
];

fn go_on(_: u64, _: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn about() -> Snapshot {
    Snapshot {
        created_unix: 1_790_000_000,
        model: "tiny".into(),
        generation: 3,
        products: 2,
        ..Snapshot::default()
    }
}

/// An archive of these files, as bytes.
fn archive_of(files: &[(&str, &[u8])], about: &Snapshot) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let sources = files.iter().enumerate().map(|(at, (name, content))| {
        let path = folder.path().join(at.to_string());
        fs::write(&path, content).unwrap();
        Source::at(EntryName::new(name).unwrap(), path).unwrap()
    });
    let path = folder.path().join("out.xpa");
    write(&path, about, sources.collect(), &mut go_on).unwrap();
    fs::read(path).unwrap()
}

fn small() -> Vec<u8> {
    archive_of(&FILES, &about())
}

type Content = Vec<(String, Vec<u8>)>;

/// Reads an archive in memory to its end.
fn read(input: impl Read) -> Result<(Snapshot, Content), ArchiveError> {
    let mut reader = Reader::new(input, "memory.xpa")?;
    let mut files = Vec::new();
    while let Some(entry) = reader.next_file()? {
        let mut content = Vec::new();
        reader.copy(&mut content, Path::new("memory"), &mut |_| ControlFlow::Continue(()))?;
        assert_eq!(content.len() as u64, entry.size);
        files.push((entry.name.to_string(), content));
    }
    assert_eq!(reader.next_file()?, None);
    Ok((reader.snapshot().clone(), files))
}

/// What a folder holds, sub-folders included.
fn listed(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(listed(&path));
        }
        found.push(path.to_str().unwrap().to_owned());
    }
    found.sort();
    found
}

#[test]
fn an_archive_comes_back_and_is_the_same_each_time() {
    let bytes = small();
    assert_eq!(bytes, small());
    let (snapshot, files) = read(&bytes[..]).unwrap();
    assert_eq!(snapshot, Snapshot { files: 5, bytes: 22 + 16 + 512 + 700, ..about() });
    let expected: Content =
        FILES.iter().map(|(name, content)| (name.to_string(), content.to_vec())).collect();
    assert_eq!(files, expected);

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("a.xpa"), &bytes).unwrap();
    // New parents are made, an empty folder is taken.
    for target in ["deep/er/shop", "empty"] {
        fs::create_dir_all(path("empty")).unwrap();
        let unpacked = unpack(&path("a.xpa"), &path(target), &mut go_on).unwrap();
        assert_eq!(unpacked.snapshot().files, 5);
        assert!(!path(target).join("manifest.json").exists());
        unpacked.put_in_place().unwrap();
        for (name, content) in FILES {
            assert_eq!(fs::read(path(target).join(name)).unwrap(), content);
        }
    }
    assert_eq!(listed(folder.path()).iter().filter(|name| name.contains(".restore.")).count(), 0);
}

#[test]
fn content_that_is_not_copied_is_checked_all_the_same() {
    let bytes = small();
    let look = |bytes: &[u8]| {
        let mut reader = Reader::new(bytes, "memory.xpa")?;
        let mut names = 0;
        while reader.next_file()?.is_some() {
            names += 1;
        }
        Ok::<_, ArchiveError>(names)
    };
    assert_eq!(look(&bytes).unwrap(), 5);
    let at = bytes.windows(700).position(|window| window == [3; 700]).unwrap();
    let mut changed = bytes.clone();
    changed[at + 699] = 4;
    let Err(ArchiveError::Damaged { entry, offset, damage: Damage::Checksum { .. }, .. }) = look(&changed)
    else {
        panic!()
    };
    assert_eq!((entry.as_str(), offset), ("db/000012.sst", at as u64));
}

#[test]
fn one_cut_off_anywhere_is_refused() {
    let bytes = small();
    for length in 0..bytes.len() {
        match read(&bytes[..length]) {
            Err(ArchiveError::NotAnArchive { .. }) => assert!(length < 512),
            Err(ArchiveError::Damaged { offset, damage: Damage::Truncated, .. }) => {
                assert_eq!(offset, length as u64);
            }
            other => panic!("{length}: {other:?}"),
        }
    }
    let mut longer = bytes.clone();
    longer.push(0);
    let Err(ArchiveError::Damaged { offset, damage: Damage::Trailing, .. }) = read(&longer[..]) else {
        panic!()
    };
    assert_eq!(offset, bytes.len() as u64);
}

#[test]
fn any_changed_byte_is_found() {
    let bytes = small();
    for at in 0..bytes.len() {
        for change in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
            let mut changed = bytes.clone();
            changed[at] ^= change;
            let error = read(&changed[..]).expect_err(&format!("byte {at} changed by {change}"));
            assert!(error.to_string().contains("memory.xpa"), "{error}");
        }
    }
}

#[test]
fn a_damaged_archive_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let bytes = small();
    let before = vec![path("a.xpa").to_str().unwrap().to_owned()];
    // Each block once, and in its middle.
    for at in (0..bytes.len()).step_by(256) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        for damaged in [&changed[..], &bytes[..at]] {
            fs::write(path("a.xpa"), damaged).unwrap();
            let error = unpack(&path("a.xpa"), &path("shop"), &mut go_on).unwrap_err();
            assert!(error.to_string().contains("a.xpa"), "{error}");
            assert_eq!(listed(folder.path()), before, "{at}");
        }
    }
    fs::write(path("a.xpa"), &bytes).unwrap();
    let stopped = unpack(&path("a.xpa"), &path("shop"), &mut |_, _| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(ArchiveError::Stopped)));
    drop(unpack(&path("a.xpa"), &path("shop"), &mut go_on).unwrap());
    assert_eq!(listed(folder.path()), before);
}

#[test]
fn what_is_there_already_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("a.xpa"), small()).unwrap();
    fs::create_dir(path("photos")).unwrap();
    fs::write(path("photos/cat.jpg"), "cat").unwrap();
    let unpack = |target: &str| unpack(&path("a.xpa"), &path(target), &mut go_on);
    let Err(ArchiveError::Taken { found, .. }) = unpack("photos") else { panic!() };
    assert_eq!(found, "`cat.jpg`");
    assert!(matches!(unpack("a.xpa"), Err(ArchiveError::Taken { .. })));

    // Two at a time, and one that finds its place taken at the end.
    let first = unpack("shop").unwrap();
    assert!(matches!(unpack("shop"), Err(ArchiveError::Busy { .. })));
    fs::create_dir(path("shop")).unwrap();
    fs::write(path("shop/mine"), "").unwrap();
    assert!(matches!(first.put_in_place(), Err(ArchiveError::Taken { .. })));
    assert_eq!(listed(folder.path()).len(), 5, "{:?}", listed(folder.path()));

    // What a crash left is taken over.
    fs::create_dir_all(path("new.restore.tmp/index/db")).unwrap();
    fs::write(path("new.restore.tmp/index/db/half"), "half").unwrap();
    unpack("new").unwrap().put_in_place().unwrap();
    assert!(!path("new/db/half").exists() && !path("new.restore.tmp").exists());
}

/// A tar archive of these entries by the tar crate, with the layout's ends made by hand.
fn foreign(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in entries {
        let mut header = tar::Header::new_ustar();
        // `set_path` refuses what a hostile archive may hold.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(about().created_unix);
        header.set_size(content.len() as u64);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn hostile_names_and_orders_are_refused() {
    let json = |files: u64, bytes: u64| serde_json::to_vec(&Snapshot { files, bytes, ..about() }).unwrap();
    let damage = |bytes: &[u8]| match read(bytes) {
        Err(ArchiveError::Damaged { damage, .. }) => damage,
        other => panic!("{other:?}"),
    };
    let snapshot = json(9, 1 << 40);
    let first: (&str, &[u8]) = ("snapshot.json", &snapshot);
    for name in ["../evil", "/etc/passwd", "db/../../evil", "db/a/b", "graph/x", "db/"] {
        let found = damage(&foreign(&[first, (name, b"x")]));
        assert!(matches!(found, Damage::Name | Damage::Header(_)), "{name}: {found:?}");
    }
    assert_eq!(damage(&foreign(&[first, ("db/a", b"x"), ("db/a", b"x")])), Damage::Duplicate);
    assert_eq!(damage(&foreign(&[first, first])), Damage::OutOfPlace { expected: "SHA256SUMS" });
    assert_eq!(damage(&foreign(&[first])), Damage::OutOfPlace { expected: "SHA256SUMS" });
    let (one, short) = (json(1, 1), json(1, 3));
    let two: [(&str, &[u8]); 3] = [("snapshot.json", &one), ("db/a", b"x"), ("db/b", b"")];
    assert_eq!(damage(&foreign(&two)), Damage::Count { what: "files", announced: 1, found: 2 });
    let large: [(&str, &[u8]); 2] = [("snapshot.json", &one), ("db/a", b"xyz")];
    assert_eq!(damage(&foreign(&large)), Damage::Count { what: "bytes", announced: 1, found: 3 });
    let small: [(&str, &[u8]); 3] = [("snapshot.json", &short), ("db/a", b"x"), ("SHA256SUMS", b"")];
    assert_eq!(damage(&foreign(&small)), Damage::Count { what: "bytes", announced: 3, found: 1 });
    let many = json(1 << 40, 0);
    assert!(matches!(damage(&foreign(&[("snapshot.json", &many)])), Damage::Snapshot { .. }));
    let vast = vec![b' '; 1 << 17];
    assert_eq!(damage(&foreign(&[("snapshot.json", &vast)])), Damage::Size { size: 1 << 17 });
    assert!(matches!(damage(&foreign(&[("snapshot.json", b"{}")])), Damage::Snapshot { .. }));
    let later = serde_json::to_vec(&Snapshot { created_unix: 5, ..about() }).unwrap();
    assert_eq!(damage(&foreign(&[("snapshot.json", &later)])), Damage::Time);
}

#[test]
fn what_is_no_archive_or_a_newer_one_is_told() {
    let message = |bytes: &[u8]| match read(bytes) {
        Err(error @ ArchiveError::NotAnArchive { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(message(b"").contains("empty"));
    assert!(message(b"PK\x03\x04").contains("4 bytes"));
    assert!(message(&[0; 4_096]).contains("checksum"));
    assert!(message(&foreign(&[("holiday.jpg", b"x")])).contains("holiday.jpg"));
    let newer = br#"{"archive_format": 7, "all": "else differs"}"#;
    let found = read(&foreign(&[("snapshot.json", newer)])[..]);
    assert!(matches!(found, Err(ArchiveError::NewerFormat { found: 7, .. })), "{found:?}");
}

/// Gives a few bytes at a time, is interrupted, and fails where told.
struct Slow<'a> {
    bytes: &'a [u8],
    at: usize,
    step: usize,
    fail_at: usize,
}

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.fail_at {
            return Err(io::Error::other("the disk is gone"));
        }
        let step = self.step.min(buffer.len()).min(self.bytes.len() - self.at);
        buffer[..step].copy_from_slice(&self.bytes[self.at..self.at + step]);
        self.at += step;
        Ok(step)
    }
}

#[test]
fn inputs_may_be_slow_and_their_failures_are_no_damage() {
    let bytes = small();
    for step in [1, 7, 513] {
        assert_eq!(read(Slow { bytes: &bytes, at: 0, step, fail_at: usize::MAX }).unwrap().1.len(), 5);
        let failed = read(Slow { bytes: &bytes, at: 0, step, fail_at: bytes.len() / 2 });
        assert!(matches!(failed, Err(ArchiveError::Io { action: "read", .. })), "{failed:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_after_a_good_beginning_are_survived(noise in proptest::collection::vec(any::<u8>(), 0..2_048), keep in 0usize..4_000) {
        let mut bytes = small();
        bytes.truncate(keep);
        bytes.extend(noise);
        prop_assert!(read(&bytes[..]).is_err());
    }

    #[test]
    fn two_changed_bytes_are_found(a in 0usize..5_000, b in 0usize..5_000, x in 1u8.., y in 1u8..) {
        let mut bytes = small();
        let (a, b) = (a % bytes.len(), b % bytes.len());
        prop_assume!(a != b);
        bytes[a] ^= x;
        bytes[b] ^= y;
        prop_assert!(read(&bytes[..]).is_err());
    }

    #[test]
    fn any_content_comes_back(contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..1_100), 0..6)) {
        let names: Vec<String> = (0..contents.len()).map(|at| format!("db/{at:06}.sst")).collect();
        let files: Vec<(&str, &[u8])> = names.iter().map(String::as_str).zip(contents.iter().map(Vec::as_slice)).collect();
        let (_, found) = read(&archive_of(&files, &about())[..]).unwrap();
        prop_assert_eq!(found.into_iter().map(|(_, content)| content).collect::<Vec<_>>(), contents);
    }
}

/// Runs a program of the system, or says that it is missing.
fn tool(program: &str, args: &[&str], folder: &Path) -> Option<String> {
    match std::process::Command::new(program).args(args).current_dir(folder).output() {
        Ok(ran) => {
            assert!(ran.status.success(), "{program}: {ran:?}");
            Some(String::from_utf8(ran.stdout).unwrap())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => panic!("{program}: {error}"),
    }
}

#[test]
fn ordinary_tools_list_unpack_and_check_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.xpa"), small()).unwrap();
    let Some(names) = tool("tar", &["tf", "a.xpa"], folder.path()) else { return };
    let expected = ["snapshot.json"].into_iter().chain(FILES.map(|(name, _)| name));
    let expected: Vec<&str> = expected.chain(["SHA256SUMS", "SHA256SUMS.sha256"]).collect();
    assert_eq!(names.lines().collect::<Vec<_>>(), expected);
    tool("tar", &["xf", "a.xpa"], folder.path());
    for list in ["SHA256SUMS.sha256", "SHA256SUMS"] {
        tool("sha256sum", &["-c", "--strict", list], folder.path());
    }
    let json = fs::read(folder.path().join("snapshot.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Snapshot>(&json).unwrap().products, 2);
}
