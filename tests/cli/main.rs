//! The program from outside: the real binary, a temporary folder, and the tiny random-weight model in `fixtures/`.

// A test stops at the first surprise.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod bad_catalogue;
mod bad_index;
mod bad_model;
mod bad_query;
mod bench;
mod full_text;
mod kill;
mod life;
mod measure;
mod nearest;
mod peers;
mod precision;
mod rebuild;
mod relevance;
mod search;
mod snapshot;
mod support;
mod tune;
mod word2vec;
