#![no_main]
//! Mappings and headers: a mapping is taken or refused with a reason, and every column goes to one place.

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use xunpin_fuzz::within;
use xunpin_ingest::{Mapping, ProductField, Target};

// A mapping file, `---`, pairs of `--map`, a line each, `---`, headers, a line each.
fuzz_target!(|text: &str| {
    let mut parts = text.splitn(3, "---\n");
    let mut lines = || parts.next().unwrap_or_default();
    let (file, pairs, headers) = (lines(), lines(), lines());
    within(16 << 20, || {
        let mut mapping = Mapping::from_toml(file).unwrap_or_default();
        let pairs: Vec<&str> = pairs.lines().collect();
        let before = mapping.clone();
        if mapping.apply(&pairs).is_err() {
            assert_eq!(mapping, before, "a refused pair changes nothing");
        }
        let headers: Vec<&str> = headers.lines().collect();
        let uses = mapping.describe(&headers);
        assert_eq!(uses.len(), headers.len());
        let mut names = HashSet::new();
        let mut fields = HashSet::new();
        for (header, column) in headers.iter().zip(&uses) {
            assert_eq!(column.column, *header);
            match &column.target {
                Target::Extra(name) => {
                    assert!(names.insert(name), "{name:?} is kept twice");
                    assert!(ProductField::all().all(|field| field.name() != name));
                }
                Target::Field(ProductField::Category | ProductField::Tags) => {}
                Target::Field(field) => assert!(fields.insert(*field), "{field} comes from two columns"),
                Target::Attribute(name) => assert!(!name.is_empty()),
            }
        }
    });
});
