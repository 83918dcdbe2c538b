//! Searches of vectors, measured without words or model.
//!
//! | file | role |
//! |---|---|
//! | `made` | vectors and queries made of real ones, and an index of them |
//! | `truth` | the true nearest of each query, and how an answer is judged |
//! | `probe` | the searches, timed, in a process of their own |
//! | `figures` | what was timed, summed up |
//! | `build` | `bench build` |
//! | `search` | `bench search --nearest` |
//! | `churn` | `bench churn` |
//! | `peers` | hnswlib and others on the same vectors |

mod build;
mod churn;
mod figures;
mod made;
mod peers;
mod probe;
mod search;
mod truth;

pub(crate) use build::build;
pub(crate) use churn::churn;
pub(crate) use probe::probe;
pub(super) use search::search;
