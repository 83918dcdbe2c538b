use std::path::Path;

use xunpin::eval::{Collection, CollectionError, Qrels, Queries};

use crate::args::JudgedArgs;
use crate::exit::{WrongUse, wrong_use};

/// A test collection.
pub(super) struct Judged {
    /// What it is called in reports: its folder's name.
    pub(super) name: String,
    pub(super) queries: Queries,
    pub(super) qrels: Qrels,
}

impl Judged {
    pub(super) fn read(args: &JudgedArgs) -> anyhow::Result<Self> {
        if let Some(folder) = &args.beir {
            let opened = match &args.split {
                Some(split) => Collection::open_split(folder, split),
                None => Collection::open(folder),
            };
            let collection = opened.map_err(|error| match error {
                CollectionError::UnknownSplit { .. } | CollectionError::ChooseSplit { .. } => {
                    wrong_use(error)
                }
                error => error.into(),
            })?;
            let Collection { name, split, splits, queries, qrels, .. } = collection;
            let name = if splits.len() > 1 { format!("{name} ({split})") } else { name };
            return Ok(Self { name, queries, qrels });
        }
        let (Some(queries), Some(qrels)) = (&args.queries, &args.qrels) else {
            let message = "name the judged queries: --queries FILE and --qrels FILE, or --beir FOLDER";
            return Err(WrongUse(message.to_owned()).into());
        };
        let name = folder_name(queries);
        Ok(Self { name, queries: Queries::read(queries)?, qrels: Qrels::read(qrels)? })
    }
}

/// The name of the folder that a file is in.
fn folder_name(file: &Path) -> String {
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let folder = file.parent().and_then(Path::file_name);
    folder.map_or_else(|| "queries".to_owned(), |name| name.to_string_lossy().into_owned())
}
