#![no_main]
//! Archives of snapshots: refused, or every file has an allowed name, comes once, and all bytes were looked at.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};
use xunpin_archive::{BLOCK, EntryName, Reader, parse_header};
use xunpin_fuzz::within;

fuzz_target!(|data: &[u8]| {
    // As it is, and with checksums made right and the end that belongs to it: nearly all would be refused for those.
    read(data);
    read(&mended(data));
});

/// Reads an archive to its end or to what is wrong with it, in little memory.
fn read(archive: &[u8]) {
    within(4 << 20, || {
        for block in archive.as_chunks::<BLOCK>().0 {
            let _ = parse_header(block);
        }
        let Ok(mut reader) = Reader::new(archive, "fuzzed") else { return };
        let (files, bytes) = (reader.snapshot().files, reader.snapshot().bytes);
        let (mut names, mut size) = (HashSet::new(), 0);
        loop {
            let entry = match reader.next_file() {
                Ok(Some(entry)) => entry,
                Ok(None) => break,
                Err(error) => return assert!(!error.to_string().is_empty()),
            };
            let mut content = Vec::new();
            let copied = reader.copy(&mut content, Path::new("content"), &mut |_| ControlFlow::Continue(()));
            if copied.is_err() {
                return;
            }
            assert_eq!(content.len() as u64, entry.size);
            assert_eq!(EntryName::new(entry.name.as_str()), Some(entry.name.clone()));
            size += entry.size;
            assert!(names.insert(entry.name), "twice");
        }
        assert_eq!((names.len() as u64, size), (files, bytes));
        assert_eq!(reader.offset(), archive.len() as u64);
    });
}

/// Entries with the checksums of their headers made right, and the list of all contents' checksums after them.
fn mended(data: &[u8]) -> Vec<u8> {
    let (mut archive, mut list, mut time) = (Vec::new(), String::new(), 0);
    let mut rest = data;
    while let Some((block, after)) = rest.split_first_chunk::<BLOCK>() {
        let mut header = tar::Header::from_byte_slice(block).clone();
        header.set_cksum();
        let size = header.size().unwrap_or(0).min(after.len() as u64) as usize;
        let padded = size.next_multiple_of(BLOCK).min(after.len());
        let name = String::from_utf8_lossy(&header.path_bytes()).into_owned();
        list += &format!("{}  {name}\n", hex(&after[..size]));
        archive.extend_from_slice(header.as_bytes());
        archive.extend_from_slice(&after[..padded]);
        time = header.mtime().unwrap_or(0);
        rest = &after[padded..];
    }
    entry(&mut archive, "SHA256SUMS", list.as_bytes(), time);
    let own = format!("{}  SHA256SUMS\n", hex(list.as_bytes()));
    entry(&mut archive, "SHA256SUMS.sha256", own.as_bytes(), time);
    archive.resize(archive.len() + 2 * BLOCK, 0);
    archive
}

fn entry(archive: &mut Vec<u8>, name: &str, content: &[u8], time: u64) {
    let mut header = tar::Header::new_ustar();
    header.set_path(name).expect("a short name");
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(content.len() as u64);
    header.set_mtime(time);
    header.set_cksum();
    archive.extend_from_slice(header.as_bytes());
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(BLOCK), 0);
}

fn hex(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}
