//! What follows the store: full-text index, columns, word vectors, fusion weights.

// A test stops at the first surprise.
#![allow(clippy::unwrap_used)]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use xunpin::eval::{Qrels, Queries};
use xunpin::index::{Batch, Index};
use xunpin::words::{Pooling, TrainOptions, Trainer, WordVectors};
use xunpin::{
    Engine, EngineError, FacetRequest, LexicalNote, Mode, Note, Product, SearchRequest, SortKey, Strategy,
    Weights, parse_filter,
};

fn model() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tiny-gemma3").to_str().unwrap().to_owned()
}

/// `n` products that differ in every field a test asks about.
fn products(n: usize) -> Vec<Product> {
    const KINDS: [&str; 5] = ["保湿面霜", "抗皱精华", "清爽防晒乳", "氨基酸洗面奶", "修护眼霜"];
    (0..n)
        .map(|at| {
            let mut product =
                Product::new(format!("p{at:05}"), format!("{} {at}号 款{}", KINDS[at % 5], at % 97));
            product.brand = Some(format!("品牌{}", at % 7));
            product.price = Some((at % 1_000) as f64);
            product
        })
        .collect()
}

fn shop(n: usize) -> (tempfile::TempDir, PathBuf, Engine) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let engine = Engine::builder(&path).model(model()).create().unwrap();
    engine.upsert(&products(n)).unwrap();
    (folder, path, engine)
}

fn asked(query: &str, mode: Mode) -> SearchRequest {
    SearchRequest::new(query).unwrap().with_mode(mode).with_results(1_000).unwrap()
}

fn ids(engine: &Engine, request: &SearchRequest) -> Vec<String> {
    engine.search(request).unwrap().hits.into_iter().map(|h| h.id).collect()
}

fn lexical_notes(engine: &Engine) -> Vec<LexicalNote> {
    engine
        .notes()
        .into_iter()
        .filter_map(|note| match note {
            Note::Lexical(note) => Some(note),
            _ => None,
        })
        .collect()
}

/// Writes to the store alone, as a process does that is killed before the full-text index's commit.
fn commit_to_the_store_alone(path: &Path) {
    let index = Index::open(path).unwrap();
    let vector = {
        let mut vector = vec![0.0; index.options().dimension];
        vector[0] = 1.0;
        vector
    };
    let mut batch = Batch::new();
    batch.upsert(Product::new("late", "蓝铜胜肽安瓶"), 1, Some(&vector)).delete("p00001");
    index.apply(batch).unwrap();
}

#[test]
fn words_follow_upserts_and_deletes() {
    let (_folder, _, engine) = shop(40);
    assert_eq!(ids(&engine, &asked("17号", Mode::Lexical))[0], "p00017");
    let mut changed = products(40).swap_remove(17);
    changed.title = "玻色因颈霜".into();
    engine.upsert(&[changed]).unwrap();
    assert_eq!(ids(&engine, &asked("玻色因", Mode::Lexical)), ["p00017"]);
    assert!(!ids(&engine, &asked("17号", Mode::Lexical)).contains(&"p00017".to_owned()));
    engine.delete(&["p00017"]).unwrap();
    assert!(ids(&engine, &asked("玻色因", Mode::Lexical)).is_empty());
    assert!(engine.verify_full_text().unwrap().is_empty());
}

#[test]
fn a_writer_mends_what_a_kill_left_between_both_commits_and_says_so() {
    let (_folder, path, engine) = shop(40);
    drop(engine);
    commit_to_the_store_alone(&path);
    let engine = Engine::builder(&path).open().unwrap();
    assert_eq!(lexical_notes(&engine), [LexicalNote::CaughtUp { commits: 1 }]);
    assert_eq!(ids(&engine, &asked("蓝铜胜肽", Mode::Lexical)), ["late"]);
    assert!(engine.verify_full_text().unwrap().is_empty());
    drop(engine);
    assert_eq!(lexical_notes(&Engine::builder(&path).open().unwrap()), []);
}

#[test]
fn a_reader_mends_it_too_unless_another_process_writes() {
    let (_folder, path, engine) = shop(40);
    drop(engine);
    commit_to_the_store_alone(&path);
    // Somebody writes: the old words are searched, and it is said.
    let writer = Index::open(&path).unwrap();
    let reader = Engine::builder(&path).open_read_only().unwrap();
    assert_eq!(ids(&reader, &asked("蓝铜胜肽", Mode::Lexical)), [""; 0]);
    assert!(
        !ids(&reader, &asked("1号", Mode::Lexical)).contains(&"p00001".to_owned()),
        "deleted in the store"
    );
    assert_eq!(lexical_notes(&reader), [LexicalNote::Behind { commits: 1 }]);
    drop((reader, writer));

    let reader = Engine::builder(&path).open_read_only().unwrap();
    assert_eq!(ids(&reader, &asked("蓝铜胜肽", Mode::Lexical)), ["late"]);
    assert_eq!(lexical_notes(&reader), [LexicalNote::CaughtUp { commits: 1 }]);
}

#[test]
fn commits_that_change_no_product_leave_nothing_behind() {
    let (_folder, path, engine) = shop(40);
    drop(engine);
    let checkpoint = || {
        let mut batch = Batch::new();
        batch.checkpoint("settings", "1");
        Index::open(&path).unwrap().apply(batch).unwrap();
    };
    let behind = || {
        // Open for reading, so that looking mends nothing.
        let engine = Engine::builder(&path).open_read_only().unwrap();
        assert_eq!(engine.verify_full_text().unwrap(), [""; 0]);
        engine.full_text_stats().unwrap().behind
    };
    checkpoint();
    assert_eq!(behind(), 0);
    commit_to_the_store_alone(&path);
    checkpoint();
    assert_eq!(behind(), 1);
    let engine = Engine::builder(&path).open().unwrap();
    assert_eq!(lexical_notes(&engine), [LexicalNote::CaughtUp { commits: 1 }]);
    assert_eq!(behind(), 0);
}

#[test]
fn a_damaged_or_missing_full_text_index_is_built_again() {
    let (_folder, path, engine) = shop(40);
    let before = ids(&engine, &asked("抗皱精华", Mode::Lexical));
    drop(engine);
    for damage in ["missing", "damaged"] {
        let lexical = path.join("lexical");
        if damage == "missing" {
            std::fs::remove_dir_all(&lexical).unwrap();
        } else {
            std::fs::write(lexical.join("meta.json"), "{}").unwrap();
        }
        let engine = Engine::builder(&path).open_read_only().unwrap();
        assert_eq!(ids(&engine, &asked("抗皱精华", Mode::Lexical)), before, "{damage}");
        assert!(matches!(lexical_notes(&engine)[..], [LexicalNote::BuiltAgain { .. }]), "{damage}");
    }
}

#[test]
fn filters_of_every_width_find_what_a_full_scan_finds() {
    let folder = tempfile::tempdir().unwrap();
    let builder = Engine::builder(folder.path().join("index")).model(model());
    let engine = builder.tune(|options| options.exact_below = 100).create().unwrap();
    engine.upsert(&products(3_000)).unwrap();
    assert!(engine.index().freeze().unwrap());
    for (filter, share, strategy) in [
        ("price < 500", 0.5, Strategy::Graph),
        ("price < 100", 0.1, Strategy::Graph),
        ("price < 10", 0.01, Strategy::Exact),
        ("price = 7", 0.001, Strategy::Exact),
    ] {
        let parsed = parse_filter(filter).unwrap();
        let passing = products(3_000).iter().filter(|p| parsed.matches(p)).count();
        assert!((passing as f64 / 3_000.0 - share).abs() <= share * 0.1, "{filter}: {passing}");
        for mode in [Mode::Semantic, Mode::Hybrid] {
            let (mut found, mut wanted) = (0, 0);
            for query in ["抗皱精华 敏感肌", "面霜", "夏天不油腻的防晒乳", "洗面奶 氨基酸", "12号 修护"]
            {
                let request = |strategy| {
                    let request = asked(query, mode).with_filter(parsed.clone()).with_strategy(strategy);
                    request.with_everything().with_results(10).unwrap()
                };
                let exact = engine.search(&request(Strategy::Exact)).unwrap();
                let planned = engine.search(&request(Strategy::Auto)).unwrap();
                assert_eq!(planned.strategy, Some(strategy), "{filter}");
                assert!(planned.hits.iter().all(|hit| parsed.matches(&hit.product)));
                assert_eq!((exact.hits.len(), planned.hits.len()), (passing.min(10), passing.min(10)));
                wanted += exact.hits.len();
                found += planned.hits.iter().filter(|hit| exact.hits.iter().any(|e| e.id == hit.id)).count();
            }
            // The exact scan misses nothing, the walk at most one in twenty.
            let least = if strategy == Strategy::Exact { wanted } else { wanted * 19 / 20 };
            assert!(found >= least, "{filter}, {mode}: {found} of {wanted}");
        }
    }
}

#[test]
fn facets_and_sorting_see_each_commit() {
    let (_folder, _, engine) = shop(40);
    let request = asked("面霜", Mode::Lexical)
        .with_facet(FacetRequest::parse("brand:3").unwrap())
        .with_sort(SortKey::parse("price:desc").unwrap());
    let answer = engine.search(&request).unwrap();
    assert_eq!((answer.total, answer.facets[0].values.len()), (8, 3));
    assert_eq!(answer.hits[0].id, "p00035");
    let mut dear = Product::new("dear", "鱼子面霜");
    dear.price = Some(5_000.0);
    dear.brand = Some("品牌0".into());
    engine.upsert(&[dear]).unwrap();
    let next = engine.search(&request).unwrap();
    assert_eq!((next.total, next.hits[0].id.as_str()), (9, "dear"));
    let count = |answer: &xunpin::SearchResponse| {
        answer.facets[0].values.iter().find(|v| v.value == "品牌0".into()).map_or(0, |v| v.count)
    };
    assert_eq!(count(&next), count(&answer) + 1);
    assert!(next.generation > answer.generation);
}

#[test]
fn unknown_fields_and_wrong_types_are_refused() {
    let (_folder, _, engine) = shop(10);
    let refused = |request: SearchRequest| match engine.search(&request) {
        Err(error @ EngineError::Field(_)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let filter = |text| asked("面霜", Mode::Hybrid).with_filter(parse_filter(text).unwrap());
    let mut product = Product::new("x", "面霜");
    product.extra.insert("sale_count".into(), 5.into());
    engine.upsert(&[product]).unwrap();
    assert_eq!(
        refused(filter("sale_coumt > 3")),
        "no product has a field `sale_coumt`; did you mean `sale_count`?"
    );
    assert!(refused(filter("sale_count = \"abc\"")).contains("sale_count"));
    let sort = SortKey::parse("sale_coumt").unwrap();
    assert!(refused(asked("面霜", Mode::Hybrid).with_sort(sort)).contains("did you mean `sale_count`"));
}

fn trained(engine: &Engine) {
    let corpus = engine.word2vec_corpus(&[]).unwrap();
    let options = TrainOptions { dimension: 16, min_count: 1, epochs: Some(5), ..TrainOptions::default() };
    let trainer = Trainer::new(options).unwrap().threads(1);
    let report =
        engine.word2vec_train(&corpus, &trainer, Pooling::default(), |_| ControlFlow::Continue(())).unwrap();
    assert_eq!((report.products, report.products_without), (40, 0));
}

#[test]
fn word_vectors_live_beside_the_model_and_follow_the_products() {
    let (_folder, path, engine) = shop(40);
    assert!(matches!(engine.search(&asked("面霜", Mode::Word2Vec)), Err(EngineError::NoWord2Vec { .. })));
    let semantic = ids(&engine, &asked("面霜", Mode::Semantic).with_everything());
    trained(&engine);
    assert_eq!(ids(&engine, &asked("面霜", Mode::Semantic).with_everything()), semantic);
    let found = ids(&engine, &asked("抗皱精华", Mode::Word2Vec));
    assert_eq!(found.len(), 40);
    let nothing = engine.search(&asked("zzz", Mode::Word2Vec)).unwrap();
    assert!(nothing.hits.is_empty() && nothing.no_good_match);
    assert_eq!(nothing.unknown_words, ["zzz"]);

    engine.delete(&["p00001"]).unwrap();
    engine.upsert(&[Product::new("new", "抗皱精华 保湿面霜")]).unwrap();
    let next = ids(&engine, &asked("抗皱精华", Mode::Word2Vec));
    assert!(next.contains(&"new".to_owned()) && !next.contains(&"p00001".to_owned()));
    drop(engine);
    let engine = Engine::builder(&path).open_read_only().unwrap();
    assert_eq!(ids(&engine, &asked("抗皱精华", Mode::Word2Vec)), next);
    assert!(engine.verify().is_ok());
}

#[test]
fn word_vectors_that_know_no_word_of_the_catalogue_are_refused() {
    let (_folder, _, engine) = shop(40);
    let foreign = WordVectors::new(vec!["xyzzy".into()], vec![1], vec![1.0, 0.0], 2).unwrap();
    assert!(matches!(
        engine.word2vec_install(&engine.word2vec_corpus(&[]).unwrap(), foreign, Pooling::Mean),
        Err(EngineError::NoCommonWord { words: 1, .. })
    ));
    assert!(matches!(engine.search(&asked("面霜", Mode::Word2Vec)), Err(EngineError::NoWord2Vec { .. })));
}

#[test]
fn weights_are_learned_stored_and_reset() {
    let (_folder, path, engine) = shop(200);
    let folder = tempfile::tempdir().unwrap();
    let (queries, qrels) = (folder.path().join("q.tsv"), folder.path().join("r.txt"));
    // Only words can tell these products apart: the tiny model understands nothing.
    let (mut q, mut r) = (String::new(), String::from("0 0 gone 1\n"));
    for at in 0..40 {
        q.push_str(&format!("{at}\t款{at} 抗皱精华\n"));
        for (n, product) in products(200).iter().enumerate() {
            if n % 97 == at {
                r.push_str(&format!("{at} 0 {} 3\n", product.id));
            }
        }
    }
    std::fs::write(&queries, q).unwrap();
    std::fs::write(&qrels, r).unwrap();
    let (queries, qrels) = (Queries::read(&queries).unwrap(), Qrels::read(&qrels).unwrap());
    let start = Weights { lexical_short: 0.0, ..Weights::default() };
    engine.set_weights(Some(&start)).unwrap();
    let report = engine.tune(&queries, &qrels, |_| {}).unwrap();
    assert_eq!((report.queries, &report.unknown_ids[..]), (40, &["gone".to_owned()][..]));
    assert!(report.stored && report.ndcg_after > report.ndcg_before + 0.1, "{report:?}");
    assert!(report.after.lexical_short > 0.0);
    drop(engine);
    let engine = Engine::builder(&path).open().unwrap();
    assert_eq!(engine.weights().unwrap(), report.after);
    engine.set_weights(Some(&start)).unwrap();
    assert_eq!(engine.tune(&queries, &qrels, |_| {}).unwrap(), report, "the same input, the same weights");
    assert_eq!(engine.weights().unwrap(), report.after, "what is read now is what was stored now");
    let reader = Engine::builder(&path).open_read_only().unwrap();
    assert_eq!(reader.weights().unwrap(), report.after);
    engine.set_weights(None).unwrap();
    assert_eq!(engine.weights().unwrap(), Weights::default());
    let foreign = Qrels::parse(&b"q 0 nowhere 1\n"[..], Path::new("r")).unwrap();
    assert!(matches!(engine.tune(&queries, &foreign, |_| {}), Err(EngineError::NothingJudged { .. })));
}
