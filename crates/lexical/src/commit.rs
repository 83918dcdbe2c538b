use serde::{Deserialize, Serialize};
use xunpin_analysis::ANALYSIS_VERSION;
use xxhash_rust::xxh3::xxh3_64;

/// Version of the schema and of what is written into its fields. Every change raises it.
const FORMAT: u32 = 1;

/// What a commit says of itself: the payload of tantivy's commit, JSON. tantivy's `meta.json` has no checksum of its own,
/// so this has one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Commit {
    format: u32,
    analysis: u32,
    /// The store's generation the index is at.
    pub(crate) generation: u64,
    /// Products in the index.
    pub(crate) products: usize,
    /// Hash of `dictionary.txt`, hex.
    pub(crate) dictionary: String,
    /// Hash of the values above, hex.
    check: String,
}

impl Commit {
    pub(crate) fn new(generation: u64, products: usize, dictionary: &str) -> Self {
        let mut commit = Self {
            format: FORMAT,
            analysis: ANALYSIS_VERSION,
            generation,
            products,
            dictionary: dictionary.into(),
            check: String::new(),
        };
        commit.check = commit.checksum();
        commit
    }

    pub(crate) fn to_payload(&self) -> String {
        // A struct of numbers and strings always has a JSON form; an empty payload would be told at the next opening.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a payload, or says what is wrong with it.
    pub(crate) fn parse(payload: Option<&str>) -> Result<Self, String> {
        let payload = payload.ok_or("its commit carries no record of ours")?;
        let commit: Self = serde_json::from_str(payload)
            .map_err(|e| format!("the record of its commit can't be read: {e}"))?;
        if (commit.format, commit.analysis) != (FORMAT, ANALYSIS_VERSION) {
            return Err(format!(
                "it has format {} and words by rules {}, this program makes {FORMAT} and {ANALYSIS_VERSION}",
                commit.format, commit.analysis
            ));
        }
        if commit.check != commit.checksum() {
            return Err("the record of its commit fails its checksum".into());
        }
        Ok(commit)
    }

    fn checksum(&self) -> String {
        hash(
            format!(
                "{} {} {} {} {}",
                self.format, self.analysis, self.generation, self.products, self.dictionary
            )
            .as_bytes(),
        )
    }
}

/// XXH3 of the bytes, hex.
pub(crate) fn hash(bytes: &[u8]) -> String {
    format!("{:016x}", xxh3_64(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_checked() {
        let commit = Commit::new(7, 3, "abc");
        let payload = commit.to_payload();
        assert_eq!(Commit::parse(Some(&payload)), Ok(commit));
        for (from, to) in [
            (r#""generation":7"#, r#""generation":8"#),
            (r#""products":3"#, r#""products":2"#),
            (r#""format":1"#, r#""format":2"#),
            (r#""analysis":"#, r#""analysis":9"#),
            ("abc", "abd"),
            ("}", ""),
        ] {
            let changed = payload.replace(from, to);
            assert_ne!(changed, payload);
            assert!(Commit::parse(Some(&changed)).is_err(), "{changed}");
        }
        assert!(Commit::parse(None).is_err());
    }
}
