#![no_main]
//! Whatever a catalogue's bytes are: format, encoding and packing are told or refused, and the same catalogue in another
//! encoding or packed gives the same products.

use std::io::Write;

use encoding_rs::GB18030;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use xunpin_fuzz::{Outcome, check, options, read, within};
use xunpin_ingest::TextEncoding;

const NAMES: [&str; 4] = ["a.jsonl", "a.csv", "a.tsv", "a"];

fn same(plain: &Outcome, other: &Outcome) {
    assert_eq!(plain.error.is_some(), other.error.is_some(), "{:?} {:?}", plain.error, other.error);
    let products = |outcome: &Outcome| -> Vec<_> {
        outcome.records.iter().map(|record| (record.line, record.product.clone())).collect()
    };
    assert_eq!(products(plain), products(other));
    let lines = |outcome: &Outcome| -> Vec<_> { outcome.rejects.iter().map(|reject| reject.line).collect() };
    assert_eq!(lines(plain), lines(other));
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

fuzz_target!(|data: &[u8]| {
    let Some((how, bytes)) = data.split_first() else { return };
    let name = NAMES[usize::from(how & 3)];
    let outcome = within(16 << 20, || read(name, bytes, options(None)));
    check(&outcome);
    let utf8 = || options(Some(TextEncoding::Utf8));
    match how >> 2 & 7 {
        0 => {
            let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packed.write_all(bytes).expect("memory takes it");
            let packed = packed.finish().expect("memory takes it");
            // Packed twice is read as bytes; nothing is unpacked twice.
            if !bytes.starts_with(b"\x1f\x8b") && !bytes.starts_with(b"\x28\xb5\x2f\xfd") && !bytes.is_empty()
            {
                same(&outcome, &read(name, &packed, options(None)));
            }
        }
        1 => {
            let packed = zstd::encode_all(bytes, 1).expect("memory takes it");
            if !bytes.starts_with(b"\x1f\x8b") && !bytes.starts_with(b"\x28\xb5\x2f\xfd") && !bytes.is_empty()
            {
                same(&outcome, &read(name, &packed, options(None)));
            }
        }
        kind @ 2..=4 => {
            let Ok(text) = std::str::from_utf8(bytes) else { return };
            // The limit on lines is in bytes of the encoding that is read.
            let short = text.lines().all(|line| line.len() < 120) && text.matches('\n').count() < 4;
            if !short || text.starts_with(['\u{feff}', '\u{1f}', '(']) {
                return;
            }
            let plain = read(name, bytes, utf8());
            let (encoding, other) = match kind {
                2 => (TextEncoding::Utf16Le, utf16(text, u16::to_le_bytes)),
                3 => (TextEncoding::Utf16Be, utf16(text, u16::to_be_bytes)),
                _ => {
                    let (encoded, _, lossy) = GB18030.encode(text);
                    if lossy || GB18030.decode_without_bom_handling(&encoded).0 != text {
                        return;
                    }
                    (TextEncoding::Gb18030, encoded.into_owned())
                }
            };
            if other.starts_with(b"\x1f\x8b")
                || other.starts_with(b"\x28\xb5\x2f\xfd")
                || other.starts_with(b"PAR1")
            {
                return;
            }
            let other = read(name, &other, options(Some(encoding)));
            check(&other);
            same(&plain, &other);
        }
        5 => check(&read(name, bytes, options(Some(TextEncoding::Gb18030)))),
        6 => check(&read(name, bytes, options(Some(TextEncoding::Utf16Le)))),
        _ => check(&read(name, bytes, options(Some(TextEncoding::Utf16Be)))),
    }
});
