//! One binary for all integration tests: RocksDB is linked once.

#![allow(clippy::unwrap_used, reason = "helpers of tests count as no tests")]

mod common;
mod compat;
mod concurrent;
mod folder;
mod journal;
mod kill;
mod property;
mod recall;
mod recovery;
mod snapshot;
mod static_vectors;
mod writing;
