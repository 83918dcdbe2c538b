#![allow(unsafe_code, reason = "mapped files are read as the numbers they hold")]

use std::fs::File;
use std::io;
use std::path::Path;

use half::f16;
use memmap2::Mmap;

#[cfg(target_endian = "big")]
compile_error!("segment files are mapped as they are, which needs a little-endian machine");

/// The bytes of a segment's file, seen as numbers. Offsets and lengths outside it give what is inside, or nothing.
pub(super) enum Bytes {
    Mapped(Mmap),
    Memory(Vec<u64>, usize),
}

impl Bytes {
    pub(super) fn map(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: a segment file is never written to after it got its name: it is replaced as a whole by renaming,
        // which leaves this mapping on the old one. A foreign program that cuts it short while it is mapped can
        // still end the process; no program that maps files can guard against that.
        let map = unsafe { Mmap::map(&file)? };
        #[cfg(unix)]
        {
            // A hint; walks jump, so reading ahead would only fill memory.
            let _ = map.advise(memmap2::Advice::Random);
        }
        Ok(Self::Mapped(map))
    }

    /// An image of a file in memory.
    pub(super) fn copy(image: &[u8]) -> Self {
        let words = image.chunks(8).map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(word)
        });
        Self::Memory(words.collect(), image.len())
    }

    pub(super) fn is_mapped(&self) -> bool {
        matches!(self, Self::Mapped(_))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Memory(words, length) => {
                // SAFETY: every byte pattern is a u8, whose alignment is 1; the bytes of `words` are `8 * words.len()`.
                let bytes =
                    unsafe { std::slice::from_raw_parts(words.as_ptr().cast::<u8>(), words.len() * 8) };
                &bytes[..(*length).min(bytes.len())]
            }
        }
    }

    fn part(&self, offset: usize, length: usize) -> &[u8] {
        let rest = self.as_bytes().get(offset..).unwrap_or_default();
        &rest[..length.min(rest.len())]
    }

    /// `count` words from a byte that is a multiple of 4.
    #[inline(always)]
    pub(super) fn words(&self, offset: usize, count: usize) -> &[u32] {
        debug_assert!(offset.is_multiple_of(4));
        // SAFETY: every bit pattern is a u32. A mapping starts at a page and memory at a multiple of 8, so no byte is cut off
        // before the first word.
        unsafe { self.part(offset, count * 4).align_to::<u32>().1 }
    }

    /// `count` double words from a byte that is a multiple of 8.
    #[inline(always)]
    pub(super) fn double_words(&self, offset: usize, count: usize) -> &[u64] {
        debug_assert!(offset.is_multiple_of(8));
        // SAFETY: every bit pattern is a u64; alignment as for words.
        unsafe { self.part(offset, count * 8).align_to::<u64>().1 }
    }

    /// `count` values of half precision from an even byte.
    #[inline(always)]
    pub(super) fn halves(&self, offset: usize, count: usize) -> &[f16] {
        debug_assert!(offset.is_multiple_of(2));
        // SAFETY: every bit pattern is an f16; alignment as for words.
        unsafe { self.part(offset, count * 2).align_to::<f16>().1 }
    }

    /// `count` codes.
    #[inline(always)]
    pub(super) fn codes(&self, offset: usize, count: usize) -> &[i8] {
        // SAFETY: every bit pattern is an i8, whose alignment is 1.
        unsafe { self.part(offset, count).align_to::<i8>().1 }
    }
}
