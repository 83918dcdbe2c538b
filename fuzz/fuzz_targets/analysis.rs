#![no_main]
//! The words of a text: any text has some or none, their places rise, and the normal form stays as it is.

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use xunpin_analysis::{Analyzer, document_codes, is_stop_word, normalize, query_codes};

static ANALYZER: LazyLock<Analyzer> = LazyLock::new(|| Analyzer::new(["露弥芙", "A醇", "维稳水乳"]));

fuzz_target!(|text: &str| {
    let normal = normalize(text);
    assert_eq!(normalize(&normal), normal, "{normal:?}");
    for terms in [ANALYZER.terms(text), ANALYZER.query_terms(text)] {
        assert!(terms.iter().all(|term| !term.text.is_empty()));
        assert!(terms.windows(2).all(|pair| pair[0].position <= pair[1].position));
        // A text has no more places than characters in its normal form.
        assert!(terms.last().is_none_or(|last| (last.position as usize) < normal.chars().count()));
    }
    for word in ANALYZER.words(text) {
        assert!(!word.is_empty());
        let _ = is_stop_word(&word);
    }
    assert!(document_codes(text).iter().all(|code| !code.is_empty()));
    assert!(query_codes(text).iter().all(|codes| !codes.is_empty()));
});
