use std::fmt;

/// The entry that opens an archive.
pub(crate) const SNAPSHOT: &str = "snapshot.json";
/// The entry that lists the checksums of all before it.
pub(crate) const SUMS: &str = "SHA256SUMS";
/// The last entry: the checksum of [`SUMS`].
pub(crate) const SUMS_SUM: &str = "SHA256SUMS.sha256";

/// A file at the top of an index folder.
const MANIFEST: &str = "manifest.json";
/// The folders of an index whose files an archive may hold.
pub(crate) const FOLDERS: [&str; 2] = ["db", "word2vec"];
/// Longest name inside a folder, in bytes: with its folder it fits a header's field.
const LONGEST: usize = 80;

/// The name of a file in an archive, and its path inside an index folder: `manifest.json`, `db/NAME` or `word2vec/NAME`,
/// where `NAME` is a plain file name. There is no value of this type that leads anywhere else.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryName(String);

impl EntryName {
    /// `None` if an archive may hold no file of that name. A plain file name has 1 to 80 letters, digits, `.`, `-` and `_`
    /// of ASCII, and begins with none of `.` and `-`.
    pub fn new(name: &str) -> Option<Self> {
        let allowed = match name.split_once('/') {
            Some((folder, file)) => FOLDERS.contains(&folder) && plain(file),
            None => name == MANIFEST,
        };
        allowed.then(|| Self(name.into()))
    }

    /// The name, with `/` between folder and file.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn plain(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    (1..=LONGEST).contains(&name.len()) && name.bytes().all(fits) && !name.starts_with(['.', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_files_of_an_index_have_a_name() {
        let longest = format!("db/{}", "a".repeat(LONGEST));
        for name in [
            "manifest.json",
            "db/CURRENT",
            "db/000012.sst",
            "db/MANIFEST-000010",
            "word2vec/words.xpw",
            &longest,
        ] {
            assert_eq!(EntryName::new(name).map(|n| n.to_string()).as_deref(), Some(name));
        }
        let too_long = format!("{longest}a");
        for name in [
            "",
            "/",
            "db",
            "db/",
            "/db/CURRENT",
            "db//CURRENT",
            "db/.",
            "db/..",
            "db/../x",
            "../db/x",
            "db/a/b",
            "db/.hidden",
            "db/-rf",
            "db/a\0",
            "db/a\n",
            "db/a b",
            "db/a\\b",
            "db/C:",
            "db/名",
            "writer.lock",
            "graph/segment-00000000.xpg",
            "lexical/x",
            "word2vec/..",
            "manifest.json/",
            "./manifest.json",
            "Manifest.json",
            "DB/x",
            "snapshot.json",
            "SHA256SUMS",
            &too_long,
        ] {
            assert_eq!(EntryName::new(name), None, "{name:?}");
        }
    }
}
