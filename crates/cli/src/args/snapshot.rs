use std::path::PathBuf;

use clap::Args;

use super::{Format, IndexDir};

#[derive(Debug, Args)]
pub(crate) struct SnapshotArgs {
    /// File to write, such as shop.xpa: a tar archive, which appears whole or not at all
    #[arg(value_name = "OUT")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) index: IndexDir,
    /// Replace the file if it exists
    #[arg(long)]
    pub(crate) force: bool,
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// File that `xunpin snapshot` has written
    #[arg(value_name = "ARCHIVE")]
    pub(crate) archive: PathBuf,
    /// Where the index goes: a new or an empty folder
    #[command(flatten)]
    pub(crate) index: IndexDir,
    /// Compare the archive's checksums only, and not every record, vector and graph of the restored index
    #[arg(long)]
    pub(crate) no_verify: bool,
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
}
