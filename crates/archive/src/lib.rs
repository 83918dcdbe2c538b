//! A snapshot of an index in one file, without any engine: how the file is laid out, written and read.
//!
//! * [`write()`] puts files into an archive, which appears whole or not at all.
//! * [`Reader`] reads one as a stream and believes nothing in it; [`parse_header`] is its innermost part.
//! * [`unpack`] puts an archive's files into a folder beside where they are to be; [`Unpacked::put_in_place`] renames that
//!   folder once the caller is content with it.
//!
//! ```
//! use xunpin_archive::{EntryName, Snapshot, Source, unpack, write};
//! use std::ops::ControlFlow;
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = |name: &str| folder.path().join(name);
//! std::fs::write(path("manifest.json"), "{}")?;
//! let manifest = Source::at(EntryName::new("manifest.json").expect("an allowed name"), path("manifest.json"))?;
//! let about = Snapshot { generation: 7, products: 580, ..Snapshot::default() };
//! write(&path("shop.xpa"), &about, vec![manifest], &mut |_, _| ControlFlow::Continue(()))?;
//!
//! let unpacked = unpack(&path("shop.xpa"), &path("shop"), &mut |_, _| ControlFlow::Continue(()))?;
//! assert_eq!(unpacked.snapshot().generation, 7);
//! unpacked.put_in_place()?;
//! assert_eq!(std::fs::read(path("shop/manifest.json"))?, b"{}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The file
//!
//! ```text
//! files of an index ── write ──► shop.xpa ── Reader ──► staging folder ── put_in_place ──► index folder
//! ```
//!
//! A tar archive (POSIX.1-1988 `ustar`) of plain files, so `tar tvf` lists it, and after `tar xf` both
//! `sha256sum -c SHA256SUMS.sha256` and `sha256sum -c SHA256SUMS` check it. In this order:
//!
//! | entry | content |
//! |---|---|
//! | `snapshot.json` | [`Snapshot`]: version of this layout, what the index was, number of files and bytes that follow |
//! | `manifest.json`, `db/NAME`, `word2vec/NAME` | the files, in any order, each once |
//! | `SHA256SUMS` | for each entry before, in order: 64 hexadecimal digits, two spaces, its name, a line feed |
//! | `SHA256SUMS.sha256` | the same line for `SHA256SUMS` |
//! | | two blocks of 512 zero bytes, and nothing after them |
//!
//! An entry is a header of 512 bytes, the content, and zero bytes up to the next multiple of 512. There is one right header
//! for a name, a size and a time, and no other is taken: owner 0, group 0, mode 644, and as time, everywhere, the
//! `created_unix` of `snapshot.json`. So there is no byte in the file that may be another, and any changed byte is found:
//! in content by its checksum, everywhere else because it has to be what it is.

#![forbid(unsafe_code)]

mod checksums;
mod entry;
mod error;
mod header;
mod reader;
mod snapshot;
mod staging;
mod writer;

pub use entry::EntryName;
pub use error::{ArchiveError, Damage};
pub use header::{BLOCK, Header, HeaderError, parse_header};
pub use reader::{FileEntry, Reader};
pub use snapshot::{ARCHIVE_FORMAT, Snapshot};
pub use staging::{Unpacked, unpack};
pub use writer::{Source, Written, write};
