//! What loading and splitting cost. Nothing is asserted; run with
//! `cargo test --release -p xunpin-encoder timing -- --ignored --nocapture`.

use std::fs::File;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use memmap2::Mmap;

use super::{SharedBytes, TextTokenizer, TokenizerFile, gemma, shared};

/// The time `work` takes.
fn time<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

#[test]
#[ignore = "a measurement"]
fn timing() {
    let Some(gemma) = gemma() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prepared");
    std::fs::write(&path, &gemma.blob).unwrap();
    eprintln!("blob: {} bytes", gemma.blob.len());

    let open = || {
        let file = File::open(&path).unwrap();
        // SAFETY: nobody writes to a file in a temporary folder of ours.
        let map = unsafe { Mmap::map(&file).unwrap() };
        let length = map.len();
        let bytes = SharedBytes::new(Arc::new(map), 0..length);
        let file = TokenizerFile::from_prepared(bytes, String::new(), path.clone()).unwrap();
        file.fit_to(262_144, 2048).unwrap()
    };
    let (prepared, opening) = time(open);
    let (_, first) = time(|| prepared.ids("task: search result | query: 敏感肌抗老", 0).unwrap());
    let (_, second) = time(|| prepared.ids("task: search result | query: 面霜 保湿 200以内", 0).unwrap());
    let (verified, verifying) =
        time(|| super::PreparedBpe::open(gemma.blob.clone().into()).unwrap().verify());
    verified.unwrap();
    eprintln!("open {opening:?}, first query {first:?}, second {second:?}; verify with a copy {verifying:?}");

    let prompts = ["title: none | text: ", "task: search result | query: ", ""];
    for (file, prompt) in
        ["beauty/products.csv", "queries/taobao-queries.txt", "adgen/queries.tsv"].iter().zip(prompts)
    {
        let Some(text) = shared(file) else { continue };
        let texts: Vec<String> = text.lines().map(|line| format!("{prompt}{line}")).collect();
        let bytes: usize = texts.iter().map(String::len).sum();
        let run = |tokenizer: &TextTokenizer| {
            let all = || texts.iter().map(|text| tokenizer.ids(text, 0).unwrap().len()).sum::<usize>();
            let (tokens, once) = time(all);
            (tokens, once, time(all).1)
        };
        let (tokens, ours, ours_again) = run(&prepared);
        // The library remembers the pieces it has seen, so its second round is mostly look-ups.
        let (_, library, library_again) = run(&gemma.library);
        let each = |time: Duration| time.as_secs_f64() * 1e6 / texts.len() as f64;
        eprintln!(
            "{file}: {} texts of {} bytes, {:.1} tokens; prepared {:.2} us, again {:.2}; tokenizers {:.2} us, again {:.2}",
            texts.len(),
            bytes / texts.len(),
            tokens as f64 / texts.len() as f64,
            each(ours),
            each(ours_again),
            each(library),
            each(library_again)
        );
    }
    for piece in ["a", " ", "哈", "敏感肌抗老 "] {
        let text = piece.repeat((1 << 20) / piece.len());
        let (count, ours) = time(|| black_box(prepared.count(&text).unwrap()));
        eprintln!("1 MiB of {piece:?}: {count} tokens in {ours:?}");
    }
}
