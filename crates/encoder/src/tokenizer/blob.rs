//! The byte format of a prepared tokenizer.
//!
//! ```text
//! tokenizer.json ─► PreparedBpe::build ─► blob ─► (a model file) ─► mapped ─► PreparedBpe::open ─► token ids
//! ```
//!
//! All numbers are little-endian; every section starts at a multiple of 8 bytes from the blob's start. `NONE` is
//! 2^32 - 1. The blob is read where it lies: opening looks at the header alone, and a text touches the pages that
//! its characters and pairs lie in.
//!
//! | at | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `XPTOKBPE` |
//! | 8 | 4 | format version |
//! | 12 | 4 | number of tokens the model knows |
//! | 16 | 8 | length of the blob |
//! | 24 | 8 | xxh3-64 of everything after the header |
//! | 32 | 4 | id that stands for unknown tokens, or `NONE` |
//! | 36 | 4 | character that the normalizer replaces, or `NONE` |
//! | 40 | 4 | what it becomes, or `NONE` |
//! | 44 | 4 | ids of the frame that come before the text |
//! | 48 | 4 | slots to look at before a key is known to be absent from a pair table |
//! | 52 | 4 | characters of the longest added token |
//! | 56 | 32 | set of bytes that the raw added tokens start with: byte b is bit b % 8 of byte b / 8 |
//! | 88 | 32 | the same of the normalized added tokens, as they start in a text that is not normalized |
//! | 120 | 8 x 16 | offset and length in bytes of each section, in the order below |
//! | 248 | 8 | xxh3-64 of the bytes before |
//!
//! | section | what |
//! |---|---|
//! | character pages | u16 for each 256 code points: number of their page, or 65,535 |
//! | characters | pages of 256 u32: the character's token after normalization, or `NONE` |
//! | byte tokens | 256 u32: tokens of the bytes of characters that have no token of their own |
//! | merges | pair table: (left token, right token) to (rank, merged token) |
//! | raw added | pair table, a trie of the added tokens found before normalization |
//! | normalized added | pair table, a trie of those found after it |
//! | added tokens | 2 u32 each: token, flags (1: takes the white space before it, 2: that after it) |
//! | frame | u32 each: tokens put around every text |
//!
//! A pair table maps (u32, u32) to (u32, u32) by open addressing: 2^n slots of four u32, linear probing from
//! [`slot_of`](super::tables::slot_of), an empty slot starts with `NONE`. In a trie, (node, character) leads to (next
//! node, added token that ends there or `NONE`); node 0 is the root.

use std::ops::Range;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

/// Stands for "no token", "no character", "no slot".
pub(super) const NONE: u32 = u32::MAX;
/// Bytes of the header.
pub(super) const HEADER: usize = 256;
/// Entries of the section of character pages: one for each 256 code points.
pub(super) const CHAR_PAGES: usize = 0x11_0000 / 256;
/// A pair table never makes a reader look at more slots.
pub(super) const MOST_PROBES: u32 = 128;

const MAGIC: [u8; 8] = *b"XPTOKBPE";
const VERSION: u32 = 1;
const SECTIONS: usize = 8;

/// Why a blob can't be used. The file that holds it is named by whoever opened it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum BlobError {
    #[error("{length} bytes are too few for a prepared tokenizer")]
    TooShort { length: usize },
    #[error("it does not start as a prepared tokenizer does")]
    Magic,
    #[error("it has format version {found}, this program reads version {VERSION}")]
    Version { found: u32 },
    #[error("its header is damaged: the checksum differs")]
    HeaderChecksum,
    #[error("it should have {expected} bytes but has {found}")]
    Length { expected: u64, found: usize },
    #[error("section `{section}` lies outside of the file or has an impossible length")]
    Section { section: &'static str },
    #[error("header field `{field}` holds an impossible value")]
    Field { field: &'static str },
    #[error("its tables are damaged: the checksum differs")]
    Checksum,
}

/// The parts of a blob.
#[derive(Clone, Copy, Debug)]
pub(super) enum Section {
    CharPages,
    Chars,
    ByteTokens,
    Merges,
    RawAdded,
    NormalizedAdded,
    Added,
    Frame,
}

impl Section {
    const ALL: [Self; SECTIONS] = [
        Self::CharPages,
        Self::Chars,
        Self::ByteTokens,
        Self::Merges,
        Self::RawAdded,
        Self::NormalizedAdded,
        Self::Added,
        Self::Frame,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::CharPages => "character pages",
            Self::Chars => "characters",
            Self::ByteTokens => "byte tokens",
            Self::Merges => "merges",
            Self::RawAdded => "raw added",
            Self::NormalizedAdded => "normalized added",
            Self::Added => "added tokens",
            Self::Frame => "frame",
        }
    }

    fn may_have(self, bytes: usize) -> bool {
        match self {
            Self::CharPages => bytes == CHAR_PAGES * 2,
            Self::Chars => bytes.is_multiple_of(256 * 4),
            Self::ByteTokens => bytes == 256 * 4,
            Self::Merges | Self::RawAdded | Self::NormalizedAdded => {
                bytes.is_multiple_of(16) && (bytes / 16).is_power_of_two()
            }
            Self::Added => bytes.is_multiple_of(8),
            Self::Frame => bytes.is_multiple_of(4),
        }
    }
}

/// What the header says besides version and checksums.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Header {
    pub(super) tokens: u32,
    pub(super) unknown: u32,
    /// The character that the normalizer replaces, and its replacement.
    pub(super) replace: Option<(char, char)>,
    pub(super) before: u32,
    pub(super) probes: u32,
    pub(super) depth: u32,
    pub(super) raw_lead: [u8; 32],
    pub(super) normalized_lead: [u8; 32],
    sections: [Range<usize>; SECTIONS],
}

impl Header {
    /// A header for sections that [`write()`] will place.
    pub(super) fn new(tokens: u32, replace: Option<(char, char)>) -> Self {
        let sections = std::array::from_fn(|_| 0..0);
        let lead = [0; 32];
        Self {
            tokens,
            unknown: NONE,
            replace,
            before: 0,
            probes: 1,
            depth: 0,
            raw_lead: lead,
            normalized_lead: lead,
            sections,
        }
    }

    /// Reads and checks the header of `blob` and that every section lies inside of it.
    pub(super) fn read(blob: &[u8]) -> Result<Self, BlobError> {
        let too_short = BlobError::TooShort { length: blob.len() };
        let Some((header, _)) = blob.split_first_chunk::<HEADER>() else {
            return Err(too_short);
        };
        let mut fields = Fields(header);
        if fields.take::<8>() != MAGIC {
            return Err(BlobError::Magic);
        }
        // Before the checksum, whose place another version may move.
        let version = fields.u32();
        if version != VERSION {
            return Err(BlobError::Version { found: version });
        }
        let (checked, mut sum) = (&header[..HEADER - 8], Fields(&header[HEADER - 8..]));
        if sum.u64() != xxh3_64(checked) {
            return Err(BlobError::HeaderChecksum);
        }
        let tokens = fields.u32();
        let expected = fields.u64();
        if expected != blob.len() as u64 {
            return Err(BlobError::Length { expected, found: blob.len() });
        }
        let _body_checksum = fields.u64();
        let unknown = fields.u32();
        let replace = match (fields.u32(), fields.u32()) {
            (NONE, NONE) => None,
            (from, to) => {
                let pair = char::from_u32(from).zip(char::from_u32(to));
                Some(pair.ok_or(BlobError::Field { field: "replaced character" })?)
            }
        };
        let (before, probes, depth) = (fields.u32(), fields.u32(), fields.u32());
        if !(1..=MOST_PROBES).contains(&probes) {
            return Err(BlobError::Field { field: "slots to look at" });
        }
        let (raw_lead, normalized_lead) = (fields.take::<32>(), fields.take::<32>());
        // Bytes 0x80 to 0xbf: no character starts with them.
        if raw_lead[16..24] != [0; 8] || normalized_lead[16..24] != [0; 8] {
            return Err(BlobError::Field { field: "bytes that added tokens start with" });
        }
        let mut sections = std::array::from_fn(|_| 0..0);
        for (section, range) in Section::ALL.into_iter().zip(&mut sections) {
            let wrong = BlobError::Section { section: section.name() };
            let (start, length) = (fields.u64(), fields.u64());
            let end = start.checked_add(length).filter(|end| *end <= expected);
            let (Some(end), true) = (end, start >= HEADER as u64 && start.is_multiple_of(8)) else {
                return Err(wrong);
            };
            // `expected` is a length in memory, so these fit.
            *range = start as usize..end as usize;
            if !section.may_have(range.len()) {
                return Err(wrong);
            }
        }
        if before as usize > sections[Section::Frame as usize].len() / 4 {
            return Err(BlobError::Field { field: "ids before the text" });
        }
        Ok(Self { tokens, unknown, replace, before, probes, depth, raw_lead, normalized_lead, sections })
    }

    /// The bytes of `section` in the blob that this header was read from.
    pub(super) fn section<'a>(&self, blob: &'a [u8], section: Section) -> &'a [u8] {
        blob.get(self.sections[section as usize].clone()).unwrap_or_default()
    }
}

/// The blob of `header` and the sections' contents, in the order of [`Section`].
pub(super) fn write(header: &Header, contents: [&[u8]; SECTIONS]) -> Vec<u8> {
    let mut blob = vec![0; HEADER];
    let mut places = Vec::with_capacity(SECTIONS * 16);
    for content in contents {
        places.extend((blob.len() as u64).to_le_bytes());
        places.extend((content.len() as u64).to_le_bytes());
        blob.extend(content);
        blob.resize(blob.len().next_multiple_of(8), 0);
    }
    let (from, to) = header.replace.map_or((NONE, NONE), |(from, to)| (from.into(), to.into()));
    let mut head = Vec::with_capacity(HEADER);
    head.extend(MAGIC);
    head.extend([VERSION, header.tokens].map(u32::to_le_bytes).as_flattened());
    head.extend((blob.len() as u64).to_le_bytes());
    head.extend(xxh3_64(&blob[HEADER..]).to_le_bytes());
    let numbers = [header.unknown, from, to, header.before, header.probes, header.depth];
    head.extend(numbers.map(u32::to_le_bytes).as_flattened());
    head.extend(header.raw_lead);
    head.extend(header.normalized_lead);
    head.extend(places);
    head.extend(xxh3_64(&head).to_le_bytes());
    blob[..HEADER].copy_from_slice(&head);
    blob
}

/// Makes the beginning, version, length and header checksum of a blob what they must be; for tests.
pub(super) fn sign(blob: &mut [u8]) {
    let length = blob.len() as u64;
    let Some((header, _)) = blob.split_first_chunk_mut::<HEADER>() else { return };
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[16..24].copy_from_slice(&length.to_le_bytes());
    let sum = xxh3_64(&header[..HEADER - 8]);
    header[HEADER - 8..].copy_from_slice(&sum.to_le_bytes());
}

/// Compares everything after the header with its checksum; reads the whole blob.
pub(super) fn verify(blob: &[u8]) -> Result<(), BlobError> {
    Header::read(blob)?;
    let mut sum = Fields(&blob[24..]);
    if sum.u64() == xxh3_64(&blob[HEADER..]) { Ok(()) } else { Err(BlobError::Checksum) }
}

/// Reads numbers one after another; zeros after the end.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let Some((field, rest)) = self.0.split_first_chunk() else {
            return [0; N];
        };
        self.0 = rest;
        *field
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }
}

/// Bytes that are shared and not copied: a part of a mapped file, or of memory.
#[derive(Clone)]
pub(crate) struct SharedBytes {
    owner: Arc<dyn AsRef<[u8]> + Send + Sync>,
    range: Range<usize>,
}

impl SharedBytes {
    /// The bytes of `owner` in `range`; none if that lies outside.
    pub(crate) fn new(owner: Arc<dyn AsRef<[u8]> + Send + Sync>, range: Range<usize>) -> Self {
        Self { owner, range }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        (*self.owner).as_ref().get(self.range.clone()).unwrap_or_default()
    }
}

impl From<Vec<u8>> for SharedBytes {
    fn from(bytes: Vec<u8>) -> Self {
        let range = 0..bytes.len();
        Self::new(Arc::new(bytes), range)
    }
}
