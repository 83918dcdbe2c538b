mod inspect;

use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use xunpin::words::{Progress, ReadReport, TrainError, TrainOptions, Trainer, VectorFormat, WordVectors};
use xunpin::{CatalogueCorpus, EngineError, Word2VecReport};

use super::builder;
use super::notes::Notes;
use crate::args::{ExportArgs, FormArg, Format, ImportArgs, TrainArgs};
use crate::exit::{Done, wrong_use};
use crate::output::{self, bytes, count, thousands};
use crate::stop::Stop;
use crate::{progress, threads};

pub(crate) use inspect::{analogy, similar};

const SCHEMA: &str = "xunpin.word2vec.v1";

/// What `train` and `import` answer.
#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    #[serde(flatten)]
    report: &'a Word2VecReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    training: Option<Training>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<File>,
    seconds: f64,
}

/// What was trained on, and how.
#[derive(Serialize)]
struct Training {
    sentences: usize,
    /// Occurrences of words.
    words: u64,
    options: Option<TrainOptions>,
}

/// What was read.
#[derive(Serialize)]
struct File {
    format: &'static str,
    gzip: bool,
    rows: u64,
    /// Rows whose word came before.
    duplicates: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_duplicate: Option<String>,
    /// Rows without a word, or with one that is not UTF-8.
    without_word: u64,
    /// Rows beyond `--max-words` whose word is not in the catalogue.
    left_out: u64,
}

impl From<ReadReport> for File {
    fn from(read: ReadReport) -> Self {
        Self {
            format: match read.format {
                VectorFormat::Text => "text",
                VectorFormat::HeaderlessText => "text without header",
                VectorFormat::Binary => "binary",
            },
            gzip: read.gzip,
            rows: read.rows,
            duplicates: read.duplicates,
            first_duplicate: read.first_duplicate,
            without_word: read.invalid_words + read.empty_words,
            left_out: read.unwanted,
        }
    }
}

pub(crate) fn train(args: &TrainArgs) -> anyhow::Result<Done> {
    let started = Instant::now();
    let trainer = Trainer::new(args.options()).map_err(wrong_use)?.threads(threads::settled());
    let engine = builder(&args.index).open()?;
    let mut notes = Notes::of(&engine);
    let corpus = engine.word2vec_corpus(&args.text)?;
    let stop = Stop::on_signal("stopping; the index keeps the word vectors it has")?;
    let bar = progress::of_share();
    let trained = engine.word2vec_train(&corpus, &trainer, args.pooling.into(), |at| {
        bar.set_message(running(at, started));
        let share = at.words_done as f64 / at.words_total.max(1) as f64;
        bar.set_position((share * progress::SHARE_STEPS as f64) as u64);
        stop.flow()
    });
    bar.finish_and_clear();
    notes.tell(&engine);
    let report = match trained {
        Err(EngineError::Train(TrainError::Cancelled)) => {
            eprintln!("interrupted: nothing was changed");
            return Ok(Done::Partly);
        }
        // Too little text for the options given: either can be mended by the caller.
        Err(EngineError::Train(error @ (TrainError::TooFewWords { .. } | TrainError::EmptyCorpus))) => {
            return Err(wrong_use(error));
        }
        trained => trained?,
    };
    // With the number of passes that was chosen for so much text.
    let options = engine.word2vec()?.vectors().train_options().cloned();
    let training = Training { sentences: corpus.sentences(), words: corpus.words(), options };
    if args.format == Format::Table {
        output::line(format!(
            "trained on {} of {}",
            count(training.sentences, "sentence", "sentences"),
            count(training.words, "word", "words")
        ))?;
    }
    finish(&args.index.index, &report, Some(training), None, started, args.format)
}

fn running(at: &Progress, started: Instant) -> String {
    let rate = at.words_done as f64 / started.elapsed().as_secs_f64().max(1e-3);
    format!(
        "pass {} of {}, {} words a second, loss {:.3}",
        at.epoch,
        at.epochs,
        thousands(rate as u64),
        at.loss
    )
}

pub(crate) fn import(args: &ImportArgs) -> anyhow::Result<Done> {
    let started = Instant::now();
    let engine = builder(&args.index).open()?;
    let mut notes = Notes::of(&engine);
    let corpus = engine.word2vec_corpus(&[])?;
    let (vectors, read) = read(&corpus, args)?;
    let report = engine.word2vec_install(&corpus, vectors, args.pooling.into());
    notes.tell(&engine);
    finish(&args.index.index, &report?, None, Some(read.into()), started, args.format)
}

/// Reads the words that the catalogue has, wherever they stand in the file, and of the others the first ones: published
/// files begin with the most frequent words.
fn read(corpus: &CatalogueCorpus, args: &ImportArgs) -> anyhow::Result<(WordVectors, ReadReport)> {
    let mut others = 0;
    let wanted = |word: &str| {
        let known = corpus.count(word) > 0;
        others += usize::from(!known);
        known || others <= args.max_words
    };
    Ok(WordVectors::read_where(&args.file, wanted)?)
}

fn finish(
    index: &Path,
    report: &Word2VecReport,
    training: Option<Training>,
    file: Option<File>,
    started: Instant,
    format: Format,
) -> anyhow::Result<Done> {
    let seconds = (started.elapsed().as_secs_f64() * 100.0).round() / 100.0;
    if format == Format::Json {
        output::json(&Report { schema: SCHEMA, report, training, file, seconds })?;
        return Ok(Done::Fully);
    }
    if let Some(file) = &file {
        print_file(file)?;
    }
    output::line(format!(
        "{}: {} of {} values; {} of the catalogue's {} have one",
        index.display(),
        count(report.words, "word vector", "word vectors"),
        report.dimension,
        thousands(report.catalogue_words_known as u64),
        count(report.catalogue_words, "word", "words"),
    ))?;
    output::line(format!(
        "{} got a vector, {} have no known word; in {seconds:.1} s",
        count(report.products.saturating_sub(report.products_without), "product", "products"),
        thousands(report.products_without as u64),
    ))?;
    Ok(Done::Fully)
}

fn print_file(file: &File) -> anyhow::Result<()> {
    let gzip = if file.gzip { ", gzip" } else { "" };
    output::line(format!("read {} ({}{gzip})", count(file.rows, "row", "rows"), file.format))?;
    if let Some(word) = &file.first_duplicate {
        output::line(format!(
            "{} passed over, for their word came before: {word}{}",
            count(file.duplicates, "row", "rows"),
            if file.duplicates > 1 { " and others" } else { "" }
        ))?;
    }
    if file.without_word > 0 {
        output::line(format!(
            "{} without a readable word passed over",
            count(file.without_word, "row", "rows")
        ))?;
    }
    if file.left_out > 0 {
        output::line(format!(
            "{} left out; --max-words keeps more",
            count(file.left_out, "rare word", "rare words")
        ))?;
    }
    Ok(())
}

/// What `export` answers.
#[derive(Serialize)]
struct Exported<'a> {
    schema: &'static str,
    file: &'a Path,
    form: &'static str,
    words: usize,
    dimension: usize,
    bytes: u64,
}

pub(crate) fn export(args: &ExportArgs) -> anyhow::Result<Done> {
    let engine = builder(&args.index).open_read_only()?;
    Notes::of(&engine);
    let words = engine.word2vec()?;
    let vectors = words.vectors();
    let named_binary = args.file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("bin"));
    let form = args.form.unwrap_or(if named_binary { FormArg::Binary } else { FormArg::Text });
    match form {
        FormArg::Text => vectors.write_text(&args.file).map_err(EngineError::from)?,
        FormArg::Binary => vectors.write_binary(&args.file).map_err(EngineError::from)?,
    }
    let exported = Exported {
        schema: SCHEMA,
        file: &args.file,
        form: if form == FormArg::Text { "text" } else { "binary" },
        words: vectors.len(),
        dimension: vectors.dimension(),
        bytes: std::fs::metadata(&args.file).map_or(0, |meta| meta.len()),
    };
    match args.format {
        Format::Json => output::json(&exported)?,
        Format::Table => output::line(format!(
            "{}: {} of {} values, {} form, {}",
            args.file.display(),
            count(exported.words, "word vector", "word vectors"),
            exported.dimension,
            exported.form,
            bytes(exported.bytes)
        ))?,
    }
    Ok(Done::Fully)
}
