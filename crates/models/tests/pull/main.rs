//! Pulling a tiny model from everything that a real one comes from.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod hub;
mod packages;
mod tiny;
