//! Tests of the tokenizers; the prepared form is held against the `tokenizers` library.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests")]

mod damage;
mod parity;
mod strings;
#[allow(unsafe_code)] // maps a file of its own
mod timing;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value, json};
use tokenizers::Tokenizer;

use super::backend::Backend;
use super::*;

#[test]
fn boundaries() {
    assert_eq!([0, 1, 2, 3, 4, 9].map(|at| floor_char_boundary("面a", at)), [0, 0, 0, 3, 4, 4]);
    let long = "面".repeat(1000);
    assert_eq!(reach(&long, 1).len(), 510);
    assert_eq!(reach(&long, usize::MAX), long);
}

/// One tokenizer in both forms.
struct Both {
    json: Vec<u8>,
    blob: Vec<u8>,
    library: TextTokenizer,
    prepared: TextTokenizer,
}

impl Both {
    /// `None` if the prepared form does not cover `json`.
    fn new(json: Vec<u8>, vocabulary: usize, max_tokens: usize) -> Option<Self> {
        let path = PathBuf::from("tokenizer.json");
        let blob = PreparedBpe::build(&path, &json).unwrap()?;
        let tokenizer = parse(&path, &json).unwrap();
        let library = Backend::Library(Box::new(tokenizer));
        let hash = TokenizerFile::hash_of(&json);
        let library = TokenizerFile { backend: library, path: path.clone(), hash: hash.clone() };
        let prepared = TokenizerFile::from_prepared(blob.clone().into(), hash, path).unwrap();
        let fit = |file: TokenizerFile| file.fit_to(vocabulary, max_tokens).unwrap();
        Some(Self { json, blob, library: fit(library), prepared: fit(prepared) })
    }

    fn tokenizer(&self) -> &Tokenizer {
        match &self.library.backend {
            Backend::Library(tokenizer) => tokenizer,
            Backend::Prepared(_) => unreachable!(),
        }
    }

    /// Everything that both forms must agree on about `text`, uncut.
    fn same(&self, text: &str) {
        let ids = |of: &TextTokenizer| of.backend.ids(text).unwrap();
        assert_eq!(ids(&self.prepared), ids(&self.library), "ids of {text:?}");
        let ends = |of: &TextTokenizer| of.backend.ends(text).unwrap();
        assert_eq!(ends(&self.prepared), ends(&self.library), "ends of {text:?}");
    }

    /// What the model is given for `text`, and what fits.
    fn same_with_limits(&self, text: &str) {
        assert_eq!(self.prepared.ids(text, 3).unwrap(), self.library.ids(text, 3).unwrap(), "{text:?}");
        assert_eq!(self.prepared.count(text).unwrap(), self.library.count(text).unwrap(), "{text:?}");
        let prompt = |of: &TextTokenizer| of.count_prompt(text).unwrap();
        assert_eq!(prompt(&self.prepared), prompt(&self.library), "{text:?}");
        for most in [0, 1, 2, 3, 5, 8, 13, 40] {
            let fit = |of: &TextTokenizer| of.fit(text, most).unwrap().len();
            assert_eq!(fit(&self.prepared), fit(&self.library), "{text:?} in {most}");
        }
    }
}

/// A small tokenizer of Gemma's kind with added tokens of every sort. Characters: a to e, digits, some of Chinese, "▁".
fn small_json() -> Value {
    let mut tokens: Vec<String> = ["<pad>", "<eos>", "<bos>", "<unk>"].map(String::from).to_vec();
    tokens.extend((0..=u8::MAX).map(|byte| format!("<0x{byte:02X}>")));
    tokens.extend("abcde012面霜保湿▁\n<>".chars().map(String::from));
    let merges = [
        ["b", "c"],
        ["a", "b"],
        ["ab", "c"],
        ["a", "bc"],
        ["a", "a"],
        ["aa", "aa"],
        ["面", "霜"],
        ["▁", "面霜"],
        ["▁", "a"],
        ["▁", "▁"],
        ["保", "湿"],
        ["保湿", "面霜"],
        ["e", "▁"],
        // Again: the later rank counts.
        ["b", "c"],
    ];
    for [left, right] in merges {
        let merged = format!("{left}{right}");
        if !tokens.contains(&merged) {
            tokens.push(merged);
        }
    }
    let vocabulary: serde_json::Map<_, _> =
        tokens.iter().enumerate().map(|(id, token)| (token.clone(), id.into())).collect();
    let added = |id: usize, content: &str, flags: [bool; 4]| {
        let [lstrip, rstrip, normalized, special] = flags;
        json!({"id": id, "content": content, "single_word": false, "lstrip": lstrip, "rstrip": rstrip,
            "normalized": normalized, "special": special})
    };
    let (no, yes) = (false, true);
    json!({
        "version": "1.0",
        // Both are to be ignored.
        "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
            "pad_type_id": 0, "pad_token": "<pad>"},
        "added_tokens": [
            added(0, "<pad>", [no, no, no, yes]),
            added(1, "<eos>", [no, no, no, yes]),
            added(2, "<bos>", [no, no, no, yes]),
            added(3, "<unk>", [no, no, no, yes]),
            added(900, "<left>", [yes, no, no, no]),
            added(901, "<right>", [no, yes, no, no]),
            added(902, "<both>", [yes, yes, no, yes]),
            added(903, "<b", [no, no, no, no]),
            added(904, "e d", [no, no, yes, no]),
            added(905, "  ", [no, no, yes, no]),
            added(906, "<nl>", [yes, yes, yes, no]),
            added(907, "▁▁", [no, no, no, no]),
            added(908, "\t", [yes, no, no, no]),
            added(909, "湿面", [no, no, yes, no]),
            added(910, "", [no, no, no, no]),
            added(911, "🧴", [no, no, no, no]),
        ],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": false},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<bos>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "<eos>", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {"<bos>": {"id": "<bos>", "ids": [2], "tokens": ["<bos>"]},
                "<eos>": {"id": "<eos>", "ids": [1, 1], "tokens": ["<eos>", "<eos>"]}}
        },
        "decoder": null,
        "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
            "vocab": vocabulary, "merges": merges}
    })
}

fn small() -> &'static Both {
    static SMALL: OnceLock<Both> = OnceLock::new();
    SMALL.get_or_init(|| Both::new(small_json().to_string().into_bytes(), 290, 16).unwrap())
}

fn fixture() -> &'static Both {
    static FIXTURE: OnceLock<Both> = OnceLock::new();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tiny-gemma3/tokenizer.json");
    FIXTURE.get_or_init(|| Both::new(std::fs::read(path).unwrap(), 512, 64).unwrap())
}

/// EmbeddingGemma's tokenizer; `None`, said on the console, if the model is not there.
fn gemma() -> Option<&'static Both> {
    static GEMMA: OnceLock<Option<Both>> = OnceLock::new();
    let load = || {
        let folder = std::env::var_os("XUNPIN_MODEL").map(PathBuf::from).or_else(|| {
            let home = std::env::var_os("XUNPIN_HOME").map(PathBuf::from);
            Some(home.or_else(|| Some(dirs::cache_dir()?.join("xunpin")))?.join("models/embeddinggemma-300m"))
        })?;
        let json = std::fs::read(folder.join("tokenizer.json")).ok()?;
        Both::new(json, 262_144, 2048)
    };
    let gemma = GEMMA.get_or_init(load).as_ref();
    if gemma.is_none() {
        eprintln!("skipped: no embeddinggemma-300m; set XUNPIN_MODEL or run `xunpin model pull`");
    }
    gemma
}

/// A file of the data that is kept beside the repository; `None`, said on the console, if it is not there.
fn shared(file: &str) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(file);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        eprintln!("skipped: no {}", path.display());
    }
    text
}
