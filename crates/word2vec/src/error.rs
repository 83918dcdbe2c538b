use std::io;
use std::path::PathBuf;

use xunpin_core::durable::FileError;

/// Why no vectors were trained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The caller gave an option outside its limits.
    #[error("`{option}` is {value}; {expected} is expected")]
    Option {
        /// Name of the option.
        option: &'static str,
        /// What was given.
        value: String,
        /// What is allowed.
        expected: String,
    },
    /// The caller's corpus holds no word at all.
    #[error("the corpus is empty: there is no word to train on")]
    EmptyCorpus,
    /// Fewer than two words of the corpus are frequent enough: there is nothing to tell apart.
    #[error(
        "{kept} of {distinct} distinct words occur {min_count} times or more, at least 2 are needed; give more text or lower `min_count`"
    )]
    TooFewWords {
        /// Words that are frequent enough.
        kept: usize,
        /// Words of the corpus.
        distinct: usize,
        /// The option.
        min_count: u64,
    },
    /// Values grew beyond what a float holds; the caller should lower `learning_rate`.
    #[error("training diverged with `learning_rate` {learning_rate}; lower it")]
    Diverged {
        /// The option.
        learning_rate: f32,
    },
    /// The caller's progress function asked to stop.
    #[error("training was cancelled")]
    Cancelled,
    /// The system gave no threads.
    #[error("{threads} threads could not be started")]
    Threads {
        /// Threads asked for.
        threads: usize,
        /// The system's error.
        source: rayon::ThreadPoolBuildError,
    },
}

/// Why a file of vectors was not read. Except for [`Unreadable`](Self::Unreadable), the file is to blame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file cannot be opened or read: a wrong name, permissions, a failing disk, or damaged gzip data.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's or the decompressor's error.
        source: io::Error,
    },
    /// The file ends in the middle of a vector, or before as many as its header says; fetch it again.
    #[error("{} is incomplete: it ends after {found} of {expected} words, at byte {offset} of its (unpacked) content", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Words that the header announces.
        expected: u64,
        /// Whole words found.
        found: u64,
        /// Bytes of content, after decompression.
        offset: u64,
    },
    /// The file holds no word.
    #[error("{} holds no word vectors", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file is neither word2vec text, GloVe text nor word2vec binary.
    #[error("{} is not a file of word vectors: lines of a word and its numbers, or the binary form of word2vec, are expected", path.display())]
    NotVectors {
        /// The file.
        path: PathBuf,
    },
    /// Vectors of that length are not read.
    #[error("{}: vectors of {dimension} values; 1 to {highest} are read", path.display())]
    Dimension {
        /// The file.
        path: PathBuf,
        /// Length of the vectors by the header or the first line.
        dimension: u64,
        /// The limit.
        highest: usize,
    },
    /// A line has another number of values than the header, or else the first line, says.
    #[error("{}:{line}: {found} values where {expected} are expected", path.display())]
    Ragged {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1.
        line: u64,
        /// Values a line should have.
        expected: usize,
        /// Values it has.
        found: usize,
    },
    /// The header announces another number of words than follow.
    #[error("{}: the header announces {expected} words, but {found} follow", path.display())]
    WordCount {
        /// The file.
        path: PathBuf,
        /// Words that the header announces.
        expected: u64,
        /// Words that follow; in a binary file, at least.
        found: u64,
    },
    /// Something that is not a number stands where one should.
    #[error("{}:{line}: value {position} is '{text}', not a number", path.display())]
    NotANumber {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1.
        line: u64,
        /// Which value of the line, counted from 1.
        position: usize,
        /// The text, cut to 40 characters.
        text: String,
    },
    /// A value is NaN or infinite.
    #[error("{}: value {position} of word {word} (at {place}) is not finite", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// Which word, counted from 1.
        word: u64,
        /// `line N` or `byte N`.
        place: String,
        /// Which value of the word, counted from 1.
        position: usize,
    },
    /// A line or a word is longer than any real one; most often the file is of another kind, or damaged.
    #[error("{}: {place}: longer than {limit} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// `line N` or `word at byte N`.
        place: String,
        /// The limit.
        limit: usize,
    },
    /// None of the words that the caller asked for is in the file.
    #[error("{} holds vectors of {words} words, and none of them is wanted: does it belong to the same language and word segmentation?", path.display())]
    NothingWanted {
        /// The file.
        path: PathBuf,
        /// Words in the file.
        words: u64,
    },
}

/// Why vectors were not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Most often a missing folder, permissions or a full disk.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The word2vec forms separate words by white space; the caller should leave such words out.
    #[error("the word '{word}' holds white space and cannot be written in a form that separates words by it")]
    Whitespace {
        /// The word.
        word: String,
    },
}

impl From<FileError> for WriteError {
    fn from(error: FileError) -> Self {
        Self::Io { action: error.action, path: error.path, source: error.source }
    }
}

/// Why a stored encoder (`words.xpw`) cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file cannot be opened or read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Something else stands at the path.
    #[error("{} is not a stored word vector file of xunpin", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A newer version wrote it: update the program, or train or import again.
    #[error("{} has format version {found}, this program reads up to {known}; update it, or train or import again", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The file's version.
        found: u32,
        /// The newest version that is read.
        known: u32,
    },
    /// The content changed after it was written, or is incomplete: train or import again.
    #[error("{} is damaged ({problem}); train or import again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not hold.
        problem: &'static str,
    },
}

/// Why words could not be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// The caller named words that have no vector.
    #[error("no vector for {}", words.join(", "))]
    Unknown {
        /// The words, in the caller's order.
        words: Vec<String>,
    },
    /// The caller named no word, or the vectors cancel out.
    #[error("there is no direction to look in: name a word whose vector is not zero")]
    NoDirection,
}

/// Why sentences cannot be encoded in the way asked for.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PoolingError {
    /// SIF weighs words by how frequent they are, and the vectors came without counts: the caller should give some
    /// with [`WordVectors::with_counts`](crate::WordVectors::with_counts).
    #[error(
        "SIF needs word counts, and these vectors have none; count the words of the catalogue, or use the mean"
    )]
    NoCounts,
    /// The caller's `a` is not a positive number.
    #[error("SIF's `a` is {a}; a number above 0 is expected, 0.001 by default")]
    SifParameter {
        /// What was given.
        a: f64,
    },
}

/// Why parts do not make word vectors; see [`WordVectors::new`](crate::WordVectors::new).
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PartsError {
    /// The caller gave another number of values than words times dimension.
    #[error("{values} values for {words} words of {dimension} values each")]
    Shape {
        /// Words given.
        words: usize,
        /// Values a word should have.
        dimension: usize,
        /// Values given.
        values: usize,
    },
    /// The caller gave another number of counts than words.
    #[error("{counts} counts for {words} words")]
    Counts {
        /// Words given.
        words: usize,
        /// Counts given.
        counts: usize,
    },
    /// The caller gave a word twice.
    #[error("the word '{word}' stands at {first} and at {second}")]
    Duplicate {
        /// The word.
        word: String,
        /// Its first place.
        first: usize,
        /// Its second place.
        second: usize,
    },
    /// The caller gave NaN or an infinity.
    #[error("the vector of '{word}' holds a value that is not finite")]
    NotFinite {
        /// The word.
        word: String,
    },
}
