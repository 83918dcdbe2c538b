//! Looking into the word vectors of an index.

use serde::Serialize;
use xunpin::words::{LookupError, WordVectors};
use xunpin_analysis::Analyzer;

use crate::args::{AnalogyArgs, Format, LookUpArgs, SimilarArgs};
use crate::commands::builder;
use crate::commands::notes::Notes;
use crate::exit::{Done, wrong_use};
use crate::output::{self, table};

/// What `similar` and `analogy` answer.
#[derive(Serialize)]
struct Answer<'a> {
    schema: &'static str,
    /// What the words are near to,
    positive: &'a [String],
    /// and far from.
    negative: &'a [String],
    /// Words asked for that have no vector; then there are no words.
    unknown: Vec<String>,
    words: Vec<Near>,
}

#[derive(Serialize)]
struct Near {
    word: String,
    cosine: f32,
}

pub(crate) fn similar(args: &SimilarArgs) -> anyhow::Result<Done> {
    look_up(&args.look_up, vec![args.word.clone()], Vec::new())
}

pub(crate) fn analogy(args: &AnalogyArgs) -> anyhow::Result<Done> {
    let (positive, negative) = match args.words.as_slice() {
        [a, b, c] => (vec![a.clone(), c.clone()], vec![b.clone()]),
        _ => (args.positive.clone(), args.negative.clone()),
    };
    look_up(&args.look_up, positive, negative)
}

fn look_up(args: &LookUpArgs, positive: Vec<String>, negative: Vec<String>) -> anyhow::Result<Done> {
    let engine = builder(&args.index).open_read_only()?;
    Notes::of(&engine);
    let words = engine.word2vec()?;
    let vectors = words.vectors();
    let known =
        |words: Vec<String>| words.into_iter().map(|word| spelling(vectors, word)).collect::<Vec<_>>();
    let (positive, negative) = (known(positive), known(negative));
    let (near, far) = (borrowed(&positive), borrowed(&negative));
    let (found, unknown) = match vectors.analogy(&near, &far, args.k) {
        Ok(found) => (found, Vec::new()),
        Err(LookupError::Unknown { words }) => (Vec::new(), words),
        Err(error) => return Err(wrong_use(error)),
    };
    let words = found.into_iter().map(|near| Near { word: near.word, cosine: near.cosine }).collect();
    let answer =
        Answer { schema: "xunpin.words.v1", positive: &positive, negative: &negative, unknown, words };
    match args.format {
        Format::Json => output::json(&answer)?,
        Format::Table => print(&answer)?,
    }
    Ok(if answer.words.is_empty() { Done::Partly } else { Done::Fully })
}

fn print(answer: &Answer<'_>) -> anyhow::Result<()> {
    if !answer.unknown.is_empty() {
        return output::line(format!("No vector for {}", answer.unknown.join(", ")));
    }
    let rows = answer.words.iter().map(|near| vec![format!("{:.3}", near.cosine), near.word.clone()]);
    output::line(table::render(&["cosine", "word"], &[0], rows.collect()))
}

fn borrowed(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// The word as the vectors have it: as given, or in the form in which texts are cut (`WH-1000XM5` is `wh1000xm5`).
fn spelling(vectors: &WordVectors, word: String) -> String {
    if vectors.row_of(&word).is_some() {
        return word;
    }
    let cut = Analyzer::default().words(&word).concat();
    if vectors.row_of(&cut).is_some() { cut } else { word }
}
