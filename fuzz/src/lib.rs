//! What the fuzz targets share: reading a catalogue from memory, files in memory, and a bound on what is allocated.

mod catalogues;
mod files;
mod memory;

pub use catalogues::{LONGEST_LINE, Outcome, check, options, read};
pub use files::with_file;
pub use memory::within;
