#![no_main]
//! `words.xpw`, checksum and lengths of the head made right: refused, or what is read is written the same.

use libfuzzer_sys::fuzz_target;
use xunpin_fuzz::{with_file, within};
use xunpin_word2vec::SentenceEncoder;

// The header's JSON up to the first line feed, then what follows it.
fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (header, body) = (&data[..end], data.get(end + 1..).unwrap_or_default());
    let mut file = b"XPWORDS\0".to_vec();
    file.extend(1u32.to_le_bytes());
    file.extend((header.len() as u32).to_le_bytes());
    file.extend(header);
    file.extend(body);
    let mut crc = flate2::Crc::new();
    crc.update(&file);
    file.extend(crc.sum().to_le_bytes());
    let read = with_file("words.xpw", &file, |path| within(16 << 20, || SentenceEncoder::load(path)));
    let Ok(encoder) = read else { return };
    let embedded = encoder.embed(&["面霜", "精华"]);
    with_file("again.xpw", b"", |path| {
        encoder.save(path).expect("memory takes it");
        let again = SentenceEncoder::load(path).expect("what was written is read");
        assert_eq!(again.vectors().words(), encoder.vectors().words());
        assert_eq!(again.vectors().values(), encoder.vectors().values());
        assert_eq!(again.embed(&["面霜", "精华"]), embedded);
    });
});
