//! The engine with the tiny random-weight model: what a program that embeds it relies on.

// A test stops at the first surprise.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::io::Cursor;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use xunpin::catalogue::{Catalogue, Mapping, ReadOptions};
use xunpin::{
    EncoderOptions, Engine, EngineError, IngestOptions, IngestReport, Mode, Precision, Product,
    RebuildOptions, Role, SearchRequest, SyncOutcome, load_encoder, parse_filter,
};

fn model() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tiny-gemma3").to_str().unwrap().to_owned()
}

fn new_engine() -> (tempfile::TempDir, PathBuf, Engine) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    let engine = Engine::builder(&path).model(model()).create().unwrap();
    (folder, path, engine)
}

fn lines(products: impl IntoIterator<Item = (usize, String)>) -> Catalogue {
    let text: String = products
        .into_iter()
        .map(|(id, title)| format!("{{\"id\":\"{id}\",\"title\":\"{title}\"}}\n"))
        .collect();
    Catalogue::from_reader("shop.jsonl", Cursor::new(text), &Mapping::default(), ReadOptions::default())
        .unwrap()
}

fn ingest(engine: &Engine, catalogue: &mut Catalogue, options: &IngestOptions) -> IngestReport {
    engine.ingest(catalogue, options, |_| ControlFlow::Continue(())).unwrap()
}

fn ids(engine: &Engine, query: &str) -> Vec<String> {
    // The tiny model's cosines mean nothing, so no floor must cut.
    let request = SearchRequest::new(query).unwrap().with_mode(Mode::Semantic).with_everything();
    let request = request.with_results(1_000).unwrap();
    engine.search(&request).unwrap().hits.into_iter().map(|h| h.id).collect()
}

#[test]
fn searches_run_while_a_catalogue_goes_in() {
    fn shared<T: Send + Sync>(_: &T) {}
    let (_folder, _, engine) = new_engine();
    shared(&engine);
    let engine = Arc::new(engine);
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (engine, done) = (engine.clone(), done.clone());
            std::thread::spawn(move || {
                let (mut most, mut searches) = (0, 0);
                while !done.load(Ordering::Relaxed) || searches == 0 {
                    let found = ids(&engine, "面霜");
                    let distinct: HashSet<_> = found.iter().collect();
                    assert_eq!(distinct.len(), found.len());
                    assert!(found.len() >= most, "a commit that was seen is gone");
                    most = found.len();
                    searches += 1;
                }
            })
        })
        .collect();
    let options = {
        let mut o = IngestOptions::default();
        o.batch = 8;
        o
    };
    let report = ingest(&engine, &mut lines((0..400).map(|n| (n, format!("面霜{n}")))), &options);
    done.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.join().unwrap();
    }
    assert_eq!(report.progress.embedded, 400);
    assert_eq!(ids(&engine, "面霜").len(), 400);
    assert!(engine.verify().is_ok());
}

#[test]
fn a_stopped_run_goes_on_and_ends_the_same() {
    let (_folder, _, stopped) = new_engine();
    let (_folder, _, whole) = new_engine();
    let products = || lines((0..500).map(|n| (n, format!("商品{n}号"))));
    let mut calls = 0;
    let report = stopped
        .ingest(&mut products(), &IngestOptions::default(), |_| {
            calls += 1;
            if calls == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert!(report.interrupted);
    let before = report.progress.embedded;
    assert!(before > 0 && before < 500, "{before}");
    let report = ingest(&stopped, &mut products(), &IngestOptions::default());
    assert_eq!(report.resumed_after, Some(before));
    assert_eq!((report.progress.embedded, report.progress.unchanged), (500 - before, before));
    ingest(&whole, &mut products(), &IngestOptions::default());
    assert_eq!(ids(&stopped, "商品7号"), ids(&whole, "商品7号"));
    assert_eq!(ingest(&stopped, &mut products(), &IngestOptions::default()).resumed_after, None);
}

#[test]
fn upsert_is_all_or_nothing_and_the_last_of_an_id_counts() {
    let (_folder, _, engine) = new_engine();
    let error = engine.upsert(&[Product::new("1", "面霜"), Product::new("2", " ")]).unwrap_err();
    assert!(matches!(error, EngineError::Product { position: 1, .. }), "{error}");
    assert!(error.is_wrong_use());
    assert_eq!(engine.stats().products, 0);
    engine.upsert(&[Product::new("1", "面霜"), Product::new("1", "雨鞋")]).unwrap();
    assert_eq!(engine.get("1").unwrap().unwrap().title, "雨鞋");
    assert_eq!(engine.stats().products, 1);
}

#[test]
fn filters_see_each_commit() {
    let (_folder, _, engine) = new_engine();
    let mut product = Product::new("1", "面霜");
    product.price = Some(100.0);
    engine.upsert(std::slice::from_ref(&product)).unwrap();
    let cheap = SearchRequest::new("面霜").unwrap().with_filter(parse_filter("price < 50").unwrap());
    assert!(engine.search(&cheap).unwrap().hits.is_empty());
    product.price = Some(10.0);
    let applied = engine.upsert(std::slice::from_ref(&product)).unwrap();
    assert_eq!((applied.updated_in_place, applied.re_embedded), (1, 0), "a price costs no embedding");
    assert_eq!(engine.search(&cheap).unwrap().hits.len(), 1);
    assert_eq!(engine.delete(&["1", "1", "2"]).unwrap().unknown, ["2"]);
    assert!(engine.search(&cheap).unwrap().hits.is_empty());
}

#[test]
fn a_read_only_engine_reads_beside_the_writer_and_refuses_to_write() {
    let (_folder, path, writer) = new_engine();
    writer.upsert(&[Product::new("1", "面霜")]).unwrap();
    let reader = Engine::builder(&path).open_read_only().unwrap();
    assert_eq!(ids(&reader, "面霜"), ["1"]);
    assert!(matches!(reader.upsert(&[Product::new("2", "雨鞋")]), Err(EngineError::ReadOnly { .. })));
    assert!(matches!(reader.delete(&["1"]), Err(EngineError::ReadOnly { .. })));
    let refused = reader.ingest(&mut lines([]), &IngestOptions::default(), |_| ControlFlow::Continue(()));
    assert!(matches!(refused, Err(EngineError::ReadOnly { .. })));
    assert!(Engine::builder(&path).open().is_err(), "there is one writer");
}

#[test]
fn a_new_index_needs_a_model_and_a_given_encoder_serves_several() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Engine::builder(folder.path().join("a")).create();
    assert!(matches!(missing, Err(EngineError::NoModel { .. })));
    let options = EncoderOptions { precision: Precision::F32, threads: Some(1), ..EncoderOptions::default() };
    let encoder = load_encoder(&model(), options).unwrap();
    for name in ["a", "b"] {
        let engine = Engine::builder(folder.path().join(name)).encoder(encoder.clone()).create().unwrap();
        engine.upsert(&[Product::new(name, "面霜")]).unwrap();
        assert_eq!(ids(&engine, "面霜"), [name]);
    }
}

/// Fewer values: the same first ones, in products and queries.
#[test]
fn an_index_may_keep_fewer_values_than_the_model_gives() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("short");
    let engine = Engine::builder(&path).model(model()).dimension(16).create().unwrap();
    engine.upsert(&[Product::new("a", "面霜"), Product::new("b", "口红")]).unwrap();
    assert_eq!((engine.index().options().dimension, engine.index().fingerprint().dimension), (16, 16));
    let whole = load_encoder(&model(), EncoderOptions::default()).unwrap();
    let text = engine.template().render(&Product::new("a", "面霜"), whole.as_ref()).unwrap();
    let whole_row = whole.encode(&[&text], Role::Document).unwrap().row(0)[..16].to_vec();
    let norm = whole_row.iter().map(|v| v * v).sum::<f32>().sqrt();
    let doc = engine.index().lookup(&["a".to_owned()]).unwrap()[0].unwrap().doc;
    let stored = engine.index().vector(doc).unwrap();
    assert!(
        stored.iter().zip(&whole_row).all(|(a, b)| (a - b / norm).abs() < 1e-3),
        "{stored:?} {whole_row:?}"
    );
    drop(engine);

    // Opened again, the model is shortened as the index is; also one that was given whole.
    let engine = Engine::builder(&path).open().unwrap();
    assert_eq!(ids(&engine, "面霜").len(), 2);
    engine.upsert(&[Product::new("c", "眼霜")]).unwrap();
    drop(engine);
    let given = Engine::builder(&path).encoder(whole).open_read_only().unwrap();
    assert_eq!(ids(&given, "面霜").len(), 3);

    let other = Engine::builder(&path).dimension(32).open();
    let error = other.err().unwrap();
    assert!(matches!(error, EngineError::OtherOptions { option: "dimension", .. }) && error.is_wrong_use());
    for asked in [0, 33] {
        let made = Engine::builder(folder.path().join("x")).model(model()).dimension(asked).create();
        let error = made.err().unwrap();
        assert!(matches!(error, EngineError::Dimension { most: 32, .. }) && error.is_wrong_use(), "{error}");
    }
    // A rebuild keeps the number, or takes another.
    let options = RebuildOptions::default();
    for (name, asked, kept, copied) in
        [("same", None, 16, 3), ("shorter", Some(8), 8, 3), ("longer", Some(24), 24, 0)]
    {
        let into = Engine::builder(folder.path().join(name));
        let into = if let Some(asked) = asked { into.dimension(asked) } else { into };
        let (made, report) = given.rebuild_into(into, &options, |_| ControlFlow::Continue(())).unwrap();
        assert_eq!((made.index().options().dimension, report.progress.copied), (kept, copied));
        assert_eq!(ids(&made, "面霜").len(), 3);
    }
}

#[test]
fn a_sync_keeps_what_it_cannot_be_sure_of() {
    let (_folder, _, engine) = new_engine();
    ingest(&engine, &mut lines((0..10).map(|n| (n, format!("商品{n}")))), &IngestOptions::default());
    let sync = |force| {
        let mut o = IngestOptions::default();
        (o.sync, o.force) = (true, force);
        o
    };
    let nine = "{\"id\":1,\"title\":\"商品1\"}\n".to_owned();
    // One line whose id can't be read: any absent product may be it.
    let broken =
        (1..9).map(|n| format!("{{\"id\":\"{n}\",\"title\":\"商品{n}\"}}\n")).collect::<String>() + "{oops\n";
    let read = |text: String| {
        Catalogue::from_reader("shop.jsonl", Cursor::new(text), &Mapping::default(), ReadOptions::default())
            .unwrap()
    };
    let report = ingest(&engine, &mut read(broken.clone()), &sync(false));
    assert_eq!(report.sync, Some(SyncOutcome::UnreadableIds { lines: 1, absent: 2 }));
    assert_eq!(engine.stats().products, 10);
    let report = ingest(&engine, &mut read(nine), &sync(false));
    assert_eq!(report.sync, Some(SyncOutcome::TooMany { absent: 9, total: 10 }));
    let report = ingest(&engine, &mut read(broken), &sync(true));
    assert_eq!(report.sync, Some(SyncOutcome::Deleted { deleted: 2 }));
    assert_eq!(engine.stats().products, 8);
}

#[test]
fn writers_that_meet_leave_no_vector_of_another_text() {
    let (_folder, _, engine) = new_engine();
    let engine = Arc::new(engine);
    let writers: Vec<_> = (0..3)
        .map(|writer| {
            let engine = engine.clone();
            std::thread::spawn(move || {
                for round in 0..40 {
                    // Texts that change and change back, and prices that change between.
                    let mut product =
                        Product::new((round % 4).to_string(), ["面霜", "雨鞋"][(round / 4 + writer) % 2]);
                    product.price = Some(round as f64);
                    engine.upsert(&[product]).unwrap();
                    if round % 7 == 0 {
                        engine.delete(&[(round % 4).to_string().as_str()]).unwrap();
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    let report = engine.verify();
    assert!(report.is_ok(), "{:?}", report.problems);
    assert_eq!(report.products, engine.stats().products);
}
