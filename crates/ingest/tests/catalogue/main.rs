//! Catalogues of every format, good and bad, read through the public interface.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests are tests to the reader, not to clippy"
)]

mod bad_input;
mod common;
mod formats;
mod parquet_files;
mod properties;
