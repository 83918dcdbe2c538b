use std::collections::HashSet;
use std::io::Cursor;

use xunpin_core::Product;
use xunpin_ingest::{
    Catalogue, Entry, Mapping, ReadError, ReadOptions, Record, Reject, Template, TextEncoding, content_hash,
};

/// Longest line that the targets let through: short, so that the fuzzer meets the limit.
pub const LONGEST_LINE: usize = 512;

/// What a catalogue gave.
#[derive(Default)]
pub struct Outcome {
    pub records: Vec<Record>,
    pub rejects: Vec<Reject>,
    /// What ended it early.
    pub error: Option<ReadError>,
}

/// Options under which the limits are near.
pub fn options(encoding: Option<TextEncoding>) -> ReadOptions {
    ReadOptions { encoding, max_line_bytes: LONGEST_LINE, max_record_lines: 8, ..ReadOptions::default() }
}

/// Reads a catalogue of these bytes to its end.
pub fn read(name: &str, bytes: &[u8], options: ReadOptions) -> Outcome {
    let mut outcome = Outcome::default();
    let catalogue =
        match Catalogue::from_reader(name, Cursor::new(bytes.to_vec()), &Mapping::default(), options) {
            Ok(catalogue) => catalogue,
            Err(error) => return Outcome { error: Some(error), ..outcome },
        };
    for entry in catalogue {
        assert!(outcome.error.is_none(), "nothing comes after an error");
        match entry {
            Ok(Entry::Record(record)) => outcome.records.push(record),
            Ok(Entry::Reject(reject)) => outcome.rejects.push(reject),
            Err(error) => outcome.error = Some(error),
        }
    }
    outcome
}

/// What holds of every outcome: each place is told once, products are valid, none comes twice, what is stored of one is
/// read again as it was, and its text is within bounds.
pub fn check(outcome: &Outcome) {
    let mut places = HashSet::new();
    let mut ids = HashSet::new();
    for record in &outcome.records {
        assert!(places.insert(record.line), "line {} twice", record.line);
        assert!(ids.insert(&record.product.id), "id {:?} twice", record.product.id);
        product(&record.product);
    }
    for reject in &outcome.rejects {
        assert!(places.insert(reject.line), "line {} twice", reject.line);
        assert!(!reject.problem.is_empty());
        assert!(reject.raw.len() <= 64 << 10);
        let stored = serde_json::to_string(reject).expect("a reject can be written");
        assert_eq!(serde_json::from_str::<Reject>(&stored).expect("and read"), *reject);
        assert!(!reject.to_string().is_empty());
    }
    if let Some(error) = &outcome.error {
        assert!(!error.to_string().is_empty());
    }
}

fn product(product: &Product) {
    product.validate().expect("only valid products are given");
    let stored = serde_json::to_string(product).expect("a product can be written");
    let read: Product = serde_json::from_str(&stored).expect("and read");
    assert_eq!(read, *product, "{stored}");
    let template = Template::default();
    let text = template.compose(product);
    assert!(!text.is_empty() && text.len() <= template.max_tokens() * 32);
    assert!(!text.contains(|c: char| c.is_control()), "{text:?}");
    assert_eq!(content_hash(&text), content_hash(&template.compose(&read)));
}
