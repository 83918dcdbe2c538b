#![no_main]
//! The header of a prepared model: refused, or it can be run.

use libfuzzer_sys::fuzz_target;
use xunpin_encoder::fuzzing::run_prepared_model;
use xunpin_fuzz::within;

fuzz_target!(|header: &[u8]| {
    // Sections are mapped, so what is allocated are the buffers of a pass.
    let run = within(64 << 20, || run_prepared_model(header, 1 << 19));
    if let Err(error) = run {
        assert!(!error.to_string().is_empty());
    }
});
