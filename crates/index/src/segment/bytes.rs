use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::Mmap;

#[cfg(target_endian = "big")]
compile_error!("segment files are mapped as they are, which needs a little-endian machine");

/// The bytes of a segment, seen as bytes, words or floats.
pub(super) enum Bytes {
    Mapped(Mmap),
    Memory(Vec<u32>),
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
            // A hint; the walk jumps, so reading ahead would only fill memory.
            let _ = map.advise(memmap2::Advice::Random);
        }
        Ok(Self::Mapped(map))
    }

    /// Copies an image whose length is a multiple of 4; a rest is dropped.
    pub(super) fn copy(image: &[u8]) -> Self {
        Self::Memory(image.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect())
    }

    pub(super) fn is_mapped(&self) -> bool {
        matches!(self, Self::Mapped(_))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            // SAFETY: every byte pattern is a u8, whose alignment is 1.
            Self::Memory(words) => unsafe { words.align_to::<u8>().1 },
        }
    }

    pub(super) fn words(&self) -> &[u32] {
        // SAFETY: every bit pattern is a u32. A mapping starts at a page, so no byte is cut off before the first word.
        unsafe { self.as_bytes().align_to::<u32>().1 }
    }

    pub(super) fn floats(&self) -> &[f32] {
        // SAFETY: every bit pattern is an f32; alignment as for words.
        unsafe { self.as_bytes().align_to::<f32>().1 }
    }
}
