//! Damaged blobs give errors or wrong tokens, never a panic.

use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::{fixture, small};
use crate::ModelError;
use crate::tokenizer::blob::{BlobError, HEADER, Header, SharedBytes};
use crate::tokenizer::{PreparedBpe, TokenizerFile};

const TEXT: &str = "abc aaaa <left> \t<right>  保湿面霜▁▁e d👩‍🔬 <bos><b\n湿面 敏感肌 50ml";

fn open(blob: Vec<u8>) -> Result<PreparedBpe, BlobError> {
    PreparedBpe::open(blob.into())
}

/// Uses everything that a blob holds.
fn use_up(blob: Vec<u8>) {
    let Ok(file) = TokenizerFile::from_prepared(blob.into(), String::new(), "blob".into()) else {
        return;
    };
    if let Ok(tokenizer) = file.fit_to(100_000, 64) {
        for text in [TEXT, &TEXT.repeat(20), "", &"a ".repeat(500)] {
            let _ = tokenizer.ids(text, 0);
            let _ = tokenizer.count(text);
            let _ = tokenizer.fit(text, 9);
        }
    }
}

/// Gives a blob with a changed header its checksum.
fn sign(blob: &mut [u8]) {
    let sum = xxh3_64(&blob[..HEADER - 8]);
    blob[HEADER - 8..HEADER].copy_from_slice(&sum.to_le_bytes());
}

#[test]
fn whole_blobs_verify() {
    for both in [small(), fixture()] {
        assert!(open(both.blob.clone()).unwrap().verify().is_ok());
        assert!(both.blob.len().is_multiple_of(8));
        // The same file gives the same bytes.
        let again = PreparedBpe::build("again".as_ref(), &both.json).unwrap().unwrap();
        assert!(again == both.blob);
    }
}

#[test]
fn a_part_of_a_larger_file_is_as_good() {
    let blob = &small().blob;
    let file = [&[7; 24], blob.as_slice(), &[9; 3]].concat();
    let owner = std::sync::Arc::new(file);
    let part = SharedBytes::new(owner.clone(), 24..24 + blob.len());
    let prepared = PreparedBpe::open(part).unwrap();
    prepared.verify().unwrap();
    let mut ids = Vec::new();
    prepared.split(TEXT, |id, _| ids.push(id)).unwrap();
    assert_eq!(ids, small().library.backend.ids(TEXT).unwrap());
    for range in [24..usize::MAX, 23..24 + blob.len(), 25..25 + blob.len(), 0..0] {
        assert!(PreparedBpe::open(SharedBytes::new(owner.clone(), range)).is_err());
    }
}

#[test]
fn every_damaged_header_byte_is_an_error() {
    for at in 0..HEADER {
        for flip in [1, 0x80, 0xff] {
            let mut blob = small().blob.clone();
            blob[at] ^= flip;
            let error = open(blob).err().unwrap_or_else(|| panic!("byte {at}"));
            match at {
                0..8 => assert!(matches!(error, BlobError::Magic)),
                8..12 => assert!(matches!(error, BlobError::Version { .. })),
                _ => assert!(matches!(error, BlobError::HeaderChecksum)),
            }
        }
    }
}

#[test]
fn signed_nonsense_in_the_header_does_no_harm() {
    for at in 12..HEADER - 8 {
        for value in [0, 1, 7, 0x7f, 0x80, 0xff] {
            let mut blob = small().blob.clone();
            blob[at] = value;
            sign(&mut blob);
            use_up(blob);
        }
    }
    // A whole word of it.
    for at in (12..HEADER - 8).step_by(4) {
        for value in [0, 1, 255, u32::MAX / 2, u32::MAX - 1, u32::MAX] {
            let mut blob = small().blob.clone();
            blob[at..at + 4].copy_from_slice(&value.to_le_bytes());
            sign(&mut blob);
            use_up(blob);
        }
    }
}

#[test]
fn truncated_blobs_are_errors() {
    let blob = &small().blob;
    let lengths = (0..600).chain((600..blob.len()).step_by(997)).chain([blob.len() - 1]);
    for length in lengths {
        let error = open(blob[..length].to_vec()).err().unwrap();
        assert!(matches!(error, BlobError::TooShort { .. } | BlobError::Length { .. }), "{length}: {error}");
    }
    let longer = [blob.as_slice(), &[0; 8]].concat();
    assert!(matches!(open(longer), Err(BlobError::Length { .. })));
    let error =
        TokenizerFile::from_prepared(blob[..99].to_vec().into(), String::new(), "a/b".into()).err().unwrap();
    assert!(matches!(&error, ModelError::PreparedTokenizer { path, .. } if path.ends_with("b")));
    assert!(error.to_string().contains("a/b") && error.to_string().contains("prepare"));
}

#[test]
fn verify_finds_every_damaged_byte_after_the_header() {
    let blob = &small().blob;
    for at in (HEADER..blob.len()).step_by(101).chain([blob.len() - 1]) {
        let mut blob = blob.clone();
        blob[at] ^= 4;
        assert!(matches!(open(blob).unwrap().verify(), Err(BlobError::Checksum)), "{at}");
    }
}

/// Numbers that look like tokens, slots, nodes and characters, or like none of them.
fn numbers() -> impl Strategy<Value = u32> {
    prop_oneof![
        0..300u32,
        Just(u32::MAX),
        Just(u32::MAX - 1),
        Just(' '.into()),
        Just('a'.into()),
        any::<u32>()
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn damaged_tables_do_no_harm(
        damage in prop::collection::vec((any::<prop::sample::Index>(), numbers()), 1..400),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..400),
        of_fixture in any::<bool>(),
    ) {
        let mut blob = if of_fixture { fixture() } else { small() }.blob.clone();
        for (at, value) in damage {
            let at = HEADER + at.index((blob.len() - HEADER) / 4) * 4;
            blob[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        for (at, value) in flips {
            let at = HEADER + at.index(blob.len() - HEADER);
            blob[at] = value;
        }
        prop_assert!(Header::read(&blob).is_ok());
        use_up(blob);
    }

    #[test]
    fn any_bytes_are_no_blob(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(open(bytes).is_err());
    }
}

#[test]
fn tables_of_one_value_do_no_harm() {
    for value in [0, 1, 0x20, 0x61, 0x7f, 0xff] {
        let mut blob = small().blob.clone();
        blob[HEADER..].fill(value);
        use_up(blob);
    }
}
