//! Training: what it learns, that it is repeatable, and what it refuses.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::ops::ControlFlow;

use xunpin_word2vec::{Architecture, Corpus, Progress, TrainError, TrainOptions, Trainer, WordVectors};

/// Titles of two unlike shops. 面霜 and 精华 stand beside the same words, and so do 手机 and 平板.
fn two_shops() -> Corpus {
    let mut corpus = Corpus::new();
    for round in 0..120 {
        let cream = ["抗皱 面霜 紧致", "抗皱 精华 紧致", "补水 面霜 保湿", "补水 精华 保湿"][round % 4];
        let phone = ["快充 手机 双卡", "快充 平板 双卡", "防水 手机 拍照", "防水 平板 拍照"][round % 4];
        corpus.push(cream.split(' '));
        corpus.push(phone.split(' '));
    }
    corpus
}

fn small(architecture: Architecture) -> TrainOptions {
    TrainOptions { architecture, dimension: 20, epochs: Some(30), subsample: 0.0, ..TrainOptions::default() }
}

fn train(options: TrainOptions) -> Result<WordVectors, TrainError> {
    Trainer::new(options)?.train(&two_shops(), |_| ControlFlow::Continue(()))
}

#[test]
fn both_architectures_learn_which_words_are_alike() {
    for architecture in [Architecture::SkipGram, Architecture::Cbow] {
        let vectors = train(small(architecture)).unwrap();
        assert_eq!((vectors.len(), vectors.dimension()), (12, 20));
        for (word, alike) in [("面霜", "精华"), ("手机", "平板")] {
            let found = vectors.similar(word, 12).unwrap();
            assert_eq!(found[0].word, alike, "{architecture:?} {word}: {found:?}");
            assert!(found[0].cosine > found[1].cosine + 0.2, "{architecture:?} {word}: {found:?}");
        }
    }
}

/// 9,000 distinct words, each beside its neighbours in number: enough for several pieces a round.
fn many_words() -> Corpus {
    let mut corpus = Corpus::new();
    for start in (0..9_000).step_by(3) {
        let words: Vec<String> = (start..start + 8).map(|n| format!("w{}", n % 9_000)).collect();
        corpus.push(&words);
    }
    corpus
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads() {
    let corpus = many_words();
    for architecture in [Architecture::SkipGram, Architecture::Cbow] {
        let train = |seed, threads| {
            let options = TrainOptions { dimension: 8, epochs: Some(2), seed, ..small(architecture) };
            let trainer = Trainer::new(options).unwrap().threads(threads);
            trainer.train(&corpus, |_| ControlFlow::Continue(())).unwrap().content_hash()
        };
        let one = train(1, 1);
        for threads in [1, 2, 3, 16, 99] {
            assert_eq!(one, train(1, threads), "{architecture:?}, {threads} threads");
        }
        assert_ne!(one, train(2, 1));
    }
}

#[test]
fn several_pieces_a_round_learn_as_well() {
    let options = TrainOptions { dimension: 32, epochs: Some(40), ..small(Architecture::SkipGram) };
    let vectors = Trainer::new(options).unwrap().train(&many_words(), |_| ControlFlow::Continue(())).unwrap();
    let neighbours = |n: usize| {
        let found = vectors.similar(&format!("w{n}"), 6).unwrap();
        found.iter().filter(|s| s.word[1..].parse::<usize>().unwrap().abs_diff(n) <= 8).count()
    };
    let right: usize = (100..8_900).step_by(100).map(neighbours).sum();
    assert!(right > 88 * 6 * 9 / 10, "{right} of {}", 88 * 6);
}

#[test]
fn order_of_words_and_counts_come_from_the_corpus() {
    let mut corpus = Corpus::new();
    corpus.push(["乙", "甲", "罕"]);
    corpus.push(["丙", "甲", "乙", "丙", "丙"]);
    let options = TrainOptions { min_count: 2, dimension: 4, ..TrainOptions::default() };
    let vectors =
        Trainer::new(options.clone()).unwrap().train(&corpus, |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(vectors.words(), ["丙", "乙", "甲"]);
    assert_eq!(vectors.counts(), [3, 2, 2]);
    assert_eq!(vectors.train_options(), Some(&TrainOptions { epochs: Some(30), ..options }));
}

#[test]
fn progress_is_told_and_can_stop_the_training() {
    let corpus = two_shops();
    let options = small(Architecture::SkipGram);
    let mut reports: Vec<Progress> = Vec::new();
    let trainer = Trainer::new(options).unwrap();
    trainer
        .train(&corpus, |p| {
            reports.push(*p);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(reports.is_sorted_by_key(|p| p.words_done));
    let (first, last) = (reports[0], reports[reports.len() - 1]);
    assert_eq!((first.epoch, last.epoch, last.epochs), (1, 30, 30));
    assert_eq!((last.words_done, last.words_total), (corpus.words() * 30, last.words_done));
    assert!(last.loss < 0.7 * first.loss, "{} to {}", first.loss, last.loss);

    let mut calls = 0;
    let stopped = trainer.train(&corpus, |_| {
        calls += 1;
        ControlFlow::Break(())
    });
    assert!(matches!(stopped, Err(TrainError::Cancelled)));
    assert_eq!(calls, 1);
}

#[test]
fn options_outside_their_limits_are_named() {
    let default = TrainOptions::default;
    let cases = [
        ("dimension", TrainOptions { dimension: 0, ..default() }),
        ("dimension", TrainOptions { dimension: 1 << 40, ..default() }),
        ("window", TrainOptions { window: 0, ..default() }),
        ("negative", TrainOptions { negative: 0, ..default() }),
        ("epochs", TrainOptions { epochs: Some(0), ..default() }),
        ("subsample", TrainOptions { subsample: -1.0, ..default() }),
        ("subsample", TrainOptions { subsample: f64::NAN, ..default() }),
        ("min_count", TrainOptions { min_count: 0, ..default() }),
        ("learning_rate", TrainOptions { learning_rate: 0.0, ..default() }),
        ("learning_rate", TrainOptions { learning_rate: 1e9, ..default() }),
        ("learning_rate", TrainOptions { learning_rate: f32::NAN, ..default() }),
    ];
    for (name, options) in cases {
        match Trainer::new(options) {
            Err(TrainError::Option { option, .. }) => assert_eq!(option, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    let error = Trainer::new(TrainOptions { window: 0, ..default() }).unwrap_err();
    assert_eq!(error.to_string(), "`window` is 0; 1 to 1000 is expected");
    default().validate().unwrap();
}

#[test]
fn corpora_with_nothing_to_learn_are_refused() {
    let trainer = Trainer::new(TrainOptions::default()).unwrap();
    let quiet = |_: &Progress| ControlFlow::Continue(());
    assert!(matches!(trainer.train(&Corpus::new(), quiet), Err(TrainError::EmptyCorpus)));
    let mut corpus = Corpus::new();
    corpus.push(["面霜", "面霜", "唯一"]);
    match trainer.train(&corpus, quiet) {
        Err(TrainError::TooFewWords { kept: 1, distinct: 2, min_count: 2 }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn extreme_options_give_finite_vectors_or_an_error() {
    for learning_rate in [f32::MIN_POSITIVE, 1.0] {
        for architecture in [Architecture::SkipGram, Architecture::Cbow] {
            let options = TrainOptions {
                learning_rate,
                window: 1_000,
                negative: 100,
                dimension: 3,
                epochs: Some(20),
                ..small(architecture)
            };
            match train(options) {
                Ok(vectors) => assert!(vectors.values().iter().all(|v| v.is_finite())),
                Err(error) => assert!(matches!(error, TrainError::Diverged { .. }), "{error}"),
            }
        }
    }
}

#[test]
fn sentences_of_one_word_teach_nothing_and_do_no_harm() {
    let mut corpus = Corpus::new();
    for _ in 0..5 {
        corpus.push(["甲"]);
        corpus.push(["乙"]);
    }
    let options = TrainOptions { dimension: 4, ..TrainOptions::default() };
    let vectors = Trainer::new(options).unwrap().train(&corpus, |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(vectors.len(), 2);
}
