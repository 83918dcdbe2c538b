use tar::EntryType;

/// Bytes of a header, and what an entry is padded to.
pub const BLOCK: usize = 512;

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Name of the entry.
    pub name: String,
    /// Bytes of its content.
    pub size: u64,
    /// Seconds since 1970.
    pub time: u64,
}

/// Why 512 bytes are no header of an archive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// Not a tar header, or one with a damaged byte.
    #[error("the header's checksum is wrong")]
    Checksum,
    /// A link, a folder, a device, or an extension of tar.
    #[error("it is no plain file (tar's entry type {kind:?})")]
    Kind {
        /// The type, as tar writes it.
        kind: char,
    },
    /// A tar header, but not the one that Xunpin writes for this name, size and time.
    #[error("the header is not as Xunpin writes it")]
    Foreign,
}

impl Header {
    /// The one header for this name, size and time. `None` if the name does not fit.
    pub(crate) fn encode(&self) -> Option<[u8; BLOCK]> {
        let mut header = tar::Header::new_ustar();
        header.set_path(&self.name).ok()?;
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(self.size);
        header.set_mtime(self.time);
        header.set_cksum();
        Some(*header.as_bytes())
    }
}

/// Understands one header block. Whatever the bytes are, the answer is what they say if [`write`](crate::write()) would have
/// written just these, or why not; names are not judged here.
pub fn parse_header(block: &[u8; BLOCK]) -> Result<Header, HeaderError> {
    let header = tar::Header::from_byte_slice(block);
    // Bytes 148 to 155 hold the sum of all others and of eight spaces.
    let own = |at: usize| (148..156).contains(&at);
    let sum: u32 = block.iter().enumerate().map(|(at, b)| if own(at) { 32 } else { u32::from(*b) }).sum();
    if header.cksum().ok() != Some(sum) {
        return Err(HeaderError::Checksum);
    }
    if header.entry_type() != EntryType::Regular {
        return Err(HeaderError::Kind { kind: char::from(block[156]) });
    }
    let read = || {
        let name = String::from_utf8(header.path_bytes().into_owned()).ok()?;
        Some(Header { name, size: header.size().ok()?, time: header.mtime().ok()? })
    };
    let found = read().ok_or(HeaderError::Foreign)?;
    if found.encode().as_ref() == Some(block) { Ok(found) } else { Err(HeaderError::Foreign) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(size: u64) -> Header {
        Header { name: "db/000012.sst".into(), size, time: 1_790_000_000 }
    }

    #[test]
    fn comes_back() {
        // Beyond 8 GiB, tar's numbers are binary.
        for size in [0, 1, 511, 512, (1 << 33) - 1, 1 << 33, 1 << 40] {
            assert_eq!(parse_header(&header(size).encode().unwrap()), Ok(header(size)));
        }
        assert_eq!(Header { name: "a".repeat(500), ..header(1) }.encode(), None);
    }

    #[test]
    fn any_changed_byte_is_refused() {
        for size in [77, 1 << 40] {
            let whole = header(size).encode().unwrap();
            for at in 0..BLOCK {
                for change in 1..=u8::MAX {
                    let mut block = whole;
                    block[at] ^= change;
                    assert!(parse_header(&block).is_err(), "byte {at} changed by {change}");
                }
            }
        }
    }

    #[test]
    fn links_and_devices_are_told_apart() {
        for kind in [
            EntryType::Symlink,
            EntryType::Link,
            EntryType::Char,
            EntryType::Directory,
            EntryType::GNULongName,
        ] {
            let mut made = tar::Header::from_byte_slice(&header(3).encode().unwrap()).clone();
            made.set_entry_type(kind);
            made.set_cksum();
            assert_eq!(
                parse_header(made.as_bytes()),
                Err(HeaderError::Kind { kind: char::from(kind.as_byte()) })
            );
        }
        let mut made = tar::Header::from_byte_slice(&header(3).encode().unwrap()).clone();
        made.set_mode(0o4755);
        made.set_cksum();
        assert_eq!(parse_header(made.as_bytes()), Err(HeaderError::Foreign));
    }

    proptest! {
        #[test]
        fn any_block_is_understood_or_refused(bytes in proptest::collection::vec(any::<u8>(), BLOCK), sum in any::<bool>()) {
            let mut made = tar::Header::from_byte_slice(&bytes).clone();
            if sum {
                made.set_cksum();
            }
            if let Ok(found) = parse_header(made.as_bytes()) {
                prop_assert_eq!(found.encode().unwrap(), *made.as_bytes());
            }
        }
    }
}
