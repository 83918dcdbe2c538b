use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::entry::{SUMS, SUMS_SUM};
use crate::error::Damage;

/// Digits of a checksum.
const HASH: usize = 64;

/// SHA-256 of bytes, as 64 hexadecimal digits.
pub(crate) fn hex(hasher: Sha256) -> String {
    hasher.finalize().iter().fold(String::with_capacity(HASH), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The line of one entry, as `sha256sum` prints and checks it.
fn line(hash: &str, name: &str) -> String {
    format!("{hash}  {name}\n")
}

/// The checksums of the entries so far.
#[derive(Default)]
pub(crate) struct Checksums {
    entries: Vec<Summed>,
}

struct Summed {
    name: String,
    /// Where its content begins in the archive.
    offset: u64,
    hash: String,
}

/// An entry whose content is not what was written.
pub(crate) struct Mismatch {
    pub(crate) name: String,
    pub(crate) offset: u64,
    pub(crate) damage: Damage,
}

impl Checksums {
    pub(crate) fn add(&mut self, name: &str, offset: u64, hasher: Sha256) {
        self.entries.push(Summed { name: name.into(), offset, hash: hex(hasher) });
    }

    /// Name of the entry added last.
    pub(crate) fn last(&self) -> Option<&str> {
        self.entries.last().map(|entry| entry.name.as_str())
    }

    /// `SHA256SUMS`.
    pub(crate) fn list(&self) -> String {
        self.entries.iter().map(|e| line(&e.hash, &e.name)).collect()
    }

    /// `SHA256SUMS.sha256`.
    pub(crate) fn of_list(list: &[u8]) -> String {
        line(&hex(Sha256::new().chain_update(list)), SUMS)
    }

    /// Compares what an archive says of its entries with what they are. `at` and `own_at`: where the two lists begin in it.
    pub(crate) fn check(&self, list: &[u8], at: u64, own: &[u8], own_at: u64) -> Result<(), Mismatch> {
        let of_list = |name: &str, offset| Mismatch { name: name.into(), offset, damage: Damage::List };
        if own != Self::of_list(list).as_bytes() {
            // One of the two lists is damaged: the first, unless it is what the contents ask for.
            let first = list != self.list().as_bytes();
            return Err(if first { of_list(SUMS, at) } else { of_list(SUMS_SUM, own_at) });
        }
        let mut rest = list;
        for entry in &self.entries {
            let expected = line(&entry.hash, &entry.name);
            let (found, after) = rest.split_at_checked(expected.len()).unwrap_or((rest, &[]));
            if found.get(HASH..) != expected.as_bytes().get(HASH..) {
                return Err(of_list(SUMS, at));
            }
            if found != expected.as_bytes() {
                let recorded = String::from_utf8_lossy(&found[..HASH]).into_owned();
                let damage = Damage::Checksum { recorded, found: entry.hash.clone() };
                return Err(Mismatch { name: entry.name.clone(), offset: entry.offset, damage });
            }
            rest = after;
        }
        if rest.is_empty() { Ok(()) } else { Err(of_list(SUMS, at)) }
    }
}
