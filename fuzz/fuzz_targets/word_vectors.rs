#![no_main]
//! Published files of word vectors: what is read can be written in both forms and read again.

use libfuzzer_sys::fuzz_target;
use xunpin_fuzz::{with_file, within};
use xunpin_word2vec::{VectorFormat, WordVectors};

fuzz_target!(|bytes: &[u8]| {
    let read = with_file("vectors", bytes, |path| within(32 << 20, || WordVectors::read(path)));
    let Ok((vectors, report)) = read else { return };
    assert_eq!(
        report.rows,
        vectors.len() as u64 + report.duplicates + report.invalid_words + report.empty_words
    );
    assert!(vectors.values().iter().all(|value| value.is_finite()));
    with_file("written", b"", |path| {
        if vectors.write_text(path).is_ok() {
            let (again, _) = WordVectors::read(path).expect("what was written is read");
            same(&again, &vectors);
        }
        // Few floats may hold the bytes of a text ("5\n\n " is one); nothing then tells the forms apart.
        if vectors.write_binary(path).is_ok()
            && let Ok((again, report)) = WordVectors::read(path)
            && report.format == VectorFormat::Binary
        {
            same(&again, &vectors);
        }
    });
});

fn same(again: &WordVectors, vectors: &WordVectors) {
    assert_eq!(again.words(), vectors.words());
    assert_eq!(again.values(), vectors.values());
}
