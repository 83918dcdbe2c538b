//! A temporary shop with its own home and index, and the program run in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A folder of `fixtures/`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    root().join("fixtures").join(name)
}

/// A temporary folder that holds an index, a home and whatever a test writes.
pub(crate) struct Shop {
    folder: tempfile::TempDir,
    model: PathBuf,
}

/// What a run of the program left.
pub(crate) struct Ran {
    code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Shop {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), model: fixture("tiny-gemma3") }
    }

    /// A shop with these products: `(id, title)`.
    pub(crate) fn with(products: &[(&str, &str)]) -> Self {
        let shop = Self::new();
        let lines: Vec<String> = products
            .iter()
            .map(|(id, title)| serde_json::json!({"id": id, "title": title}).to_string())
            .collect();
        let file = shop.write("first.jsonl", lines.join("\n"));
        shop.index(&[&file]).expect(0);
        shop
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn index_path(&self) -> PathBuf {
        self.path("index")
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// The program with this shop's index and home in its environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xunpin"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env("XUNPIN_HOME", self.path("home"))
            .env("XUNPIN_INDEX", self.index_path())
            .env_remove("XUNPIN_MODEL")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::from(self.command(args).output().unwrap())
    }

    /// `xunpin index FILES` with the tiny model.
    pub(crate) fn index(&self, files: &[&Path]) -> Ran {
        self.index_with(files, &[])
    }

    /// `xunpin index FILES FLAGS` with the tiny model.
    pub(crate) fn index_with(&self, files: &[&Path], flags: &[&str]) -> Ran {
        let model = self.model.to_str().unwrap();
        let mut args = vec!["index", "--model", model];
        args.extend(files.iter().map(|f| f.to_str().unwrap()));
        args.extend(flags);
        self.run(&args)
    }

    /// The ids found for `query`, weak matches too: the tiny model understands nothing.
    pub(crate) fn search(&self, query: &str, flags: &[&str]) -> Vec<String> {
        ids(&self.answer(query, &[&["--everything"], flags].concat()))
    }

    /// The answer to `query`, as JSON.
    pub(crate) fn answer(&self, query: &str, flags: &[&str]) -> Value {
        self.run(&[&["search", query, "--format", "json"], flags].concat()).json()
    }

    /// `xunpin stats`.
    pub(crate) fn stats(&self) -> Value {
        self.run(&["stats", "--format", "json"]).expect(0).json()
    }

    /// Products in the index.
    pub(crate) fn products(&self) -> u64 {
        self.stats()["products"].as_u64().unwrap()
    }

    /// A copy of the tiny model that a test may damage.
    pub(crate) fn copy_of_the_model(&self) -> PathBuf {
        let copy = self.path("model");
        copy_folder(&self.model, &copy);
        copy
    }
}

/// The ids of an answer's hits.
pub(crate) fn ids(answer: &Value) -> Vec<String> {
    answer["hits"].as_array().unwrap().iter().map(|h| h["id"].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        // What other tests have prepared from the fixture is not part of it.
        if entry.file_name() == "xunpin" {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// The exit code must be this one; on the way a panic is never right.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    /// Every one of these must stand in what was printed.
    #[track_caller]
    pub(crate) fn tells(self, words: &[&str]) -> Self {
        let all = format!("{}\n{}", self.stdout, self.stderr);
        for word in words {
            assert!(all.contains(word), "{word:?} is not told:\n{all}");
        }
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("{e}\nstdout:\n{}\nstderr:\n{}", self.stdout, self.stderr))
    }
}
