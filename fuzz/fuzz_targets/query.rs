#![no_main]
//! What stands in a search beside its filter: the query's text, facets, sort keys, modes, and the file of rules.

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use xunpin_query::{
    FacetRequest, MAX_FACET_VALUES, MAX_QUERY_CHARS, Mode, Rules, SearchRequest, SortKey, normalize_query,
};

fuzz_target!(|text: &str| {
    if let Ok(query) = normalize_query(text) {
        assert!((1..=MAX_QUERY_CHARS).contains(&query.chars().count()));
        assert!(!query.contains(|c: char| c.is_control()));
        assert_eq!(query.trim(), query);
        assert_eq!(normalize_query(&query).as_ref(), Ok(&query), "once is enough");
        assert_eq!(SearchRequest::new(text).expect("it is a query").query(), query);
    }
    if let Ok(facet) = FacetRequest::parse(text) {
        assert!((1..=MAX_FACET_VALUES).contains(&facet.limit()));
    }
    if let Ok(key) = SortKey::parse(text) {
        let _ = key.field().to_string();
    }
    let _ = text.parse::<Mode>();
    match Rules::parse(text, Path::new("rules.toml")) {
        Err(error) => assert!(error.to_string().starts_with("rules.toml:")),
        Ok(rules) => {
            for query in ["防晒", "儿童 防晒", text] {
                let placement = rules.for_query(query);
                let mut ids: Vec<&String> = placement.pins.iter().chain(&placement.buried).collect();
                ids.sort();
                ids.dedup();
                assert_eq!(ids.len(), placement.pins.len() + placement.buried.len(), "no product twice");
            }
        }
    }
});
