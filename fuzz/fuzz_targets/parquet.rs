#![no_main]
//! Parquet files: an error at worst. The library behind the reader panics on some damage, which the reader makes an error
//! of, so panics are counted only where they come out.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::Once;

use libfuzzer_sys::fuzz_target;
use xunpin_fuzz::{Outcome, check, options, with_file};
use xunpin_ingest::{Catalogue, Entry, Format, Input, Mapping, ReadOptions};

static HOOK: Once = Once::new();
/// Rows that are looked at; a few bytes can stand for very many.
const ROWS: usize = 2_000;

fuzz_target!(|bytes: &[u8]| {
    // libFuzzer's own hook ends the process at any panic, caught or not.
    HOOK.call_once(|| set_hook(Box::new(|_| {})));
    let work = || {
        with_file("a.parquet", bytes, |path| {
            let options = ReadOptions { format: Some(Format::Parquet), ..options(None) };
            let Ok(catalogue) = Catalogue::open(&[Input::File(path.into())], &Mapping::default(), options)
            else {
                return;
            };
            let mut outcome = Outcome::default();
            for entry in catalogue.take(ROWS) {
                match entry {
                    Ok(Entry::Record(record)) => outcome.records.push(record),
                    Ok(Entry::Reject(reject)) => outcome.rejects.push(reject),
                    Err(error) => outcome.error = Some(error),
                }
            }
            check(&outcome);
        })
    };
    if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
        let told = panic.downcast_ref::<String>().map(String::as_str);
        eprintln!("panicked: {}", told.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?"));
        std::process::abort();
    }
});
