//! A look at the full-text index as it is on the disk. Nothing is mended here: searches and writers do that.

use serde::Serialize;
use xunpin_lexical::{LexicalIndex, LexicalProblem, Opened};

use crate::lexical::lacking;
use crate::products::live;
use crate::{Engine, EngineError};

/// The full-text index on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FullTextStats {
    /// Products it holds.
    pub products: usize,
    /// Commits that changed products and that it has not taken in. The next search or writer takes them in.
    pub behind: u64,
    /// Why it can't be used, if it can't: it is missing or damaged. The next search or writer builds it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unusable: Option<String>,
}

impl Engine {
    /// What the full-text index on the disk holds. Fails only where the system can't read it.
    pub fn full_text_stats(&self) -> Result<FullTextStats, EngineError> {
        let unusable = |reason| FullTextStats { unusable: Some(reason), ..FullTextStats::default() };
        Ok(match self.full_text()? {
            Opened::Fresh(open) => {
                let (_, behind) = lacking(&open, &self.index)?;
                FullTextStats { products: open.products(), behind, unusable: None }
            }
            Opened::Damaged { reason } => unusable(format!("it is damaged: {reason}")),
            _ => unusable("there is none yet".to_owned()),
        })
    }

    /// Checks the full-text index on the disk: every file's checksum, and that it holds just the products of the store.
    /// The latter can't be told of one that is behind the store, and one that is missing has nothing wrong. Fails only
    /// where the system can't read it.
    pub fn verify_full_text(&self) -> Result<Vec<String>, EngineError> {
        let open = match self.full_text()? {
            Opened::Fresh(open) => open,
            Opened::Damaged { reason } => {
                return Ok(vec![format!("the full-text index is damaged: {reason}")]);
            }
            _ => return Ok(Vec::new()),
        };
        let (_, behind) = lacking(&open, &self.index)?;
        let mut problems = open.verify(live(&self.index)?)?;
        problems.retain(|problem| behind == 0 || matches!(problem, LexicalProblem::DamagedFile { .. }));
        Ok(problems.iter().map(LexicalProblem::to_string).collect())
    }

    fn full_text(&self) -> Result<Opened, EngineError> {
        Ok(LexicalIndex::open_read_only(self.lexical.path())?)
    }
}
