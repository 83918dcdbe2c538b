#![no_main]
//! The filter grammar: what is read is written and read again as the same tree, and means the same.

use libfuzzer_sys::fuzz_target;
use xunpin_core::Product;
use xunpin_query::{MAX_FILTER_CHARS, format_filter, parse_filter};

fuzz_target!(|text: &str| {
    match parse_filter(text) {
        Ok(filter) => {
            assert!(text.chars().count() <= MAX_FILTER_CHARS);
            let written = format_filter(&filter);
            // Quoting may make a text longer than what is read; then there is nothing to compare.
            if written.chars().count() <= MAX_FILTER_CHARS {
                let again = parse_filter(&written).expect("what was written is read");
                assert_eq!(filter, again, "{written}");
                assert_eq!(format_filter(&again), written);
            }
            let product = Product::new("1", "温和A醇精华");
            let negated = xunpin_core::Filter::Not(Box::new(filter.clone()));
            assert_ne!(filter.matches(&product), negated.matches(&product));
        }
        Err(error) => {
            let told = error.to_string();
            assert!(told.starts_with("filter"));
            assert!(told.len() < 2_000, "{}", told.len());
            assert!(error.column() >= 1);
        }
    }
});
