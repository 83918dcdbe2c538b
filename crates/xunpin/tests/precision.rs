//! An index holds the vectors of one precision; queries in another one are a stated choice.

// A test stops at the first surprise.
#![allow(clippy::unwrap_used)]

mod common;

use common::{as_another, as_int8, model};
use xunpin::{Engine, EngineError, Mode, Precision, Product, SearchRequest};

fn shop(path: &std::path::Path) {
    let engine = Engine::builder(path).model(model()).precision(Precision::F32).create().unwrap();
    engine.upsert(&[Product::new("1", "保湿面霜"), Product::new("2", "儿童雨鞋")]).unwrap();
}

fn request() -> SearchRequest {
    SearchRequest::new("保湿面霜").unwrap().with_mode(Mode::Semantic).with_everything()
}

#[test]
fn another_precision_is_refused_with_the_ways_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    shop(&path);
    let engine = Engine::builder(&path).encoder(as_int8()).open().unwrap();
    let error = engine.search(&request()).unwrap_err();
    assert!(matches!(error, EngineError::OtherPrecision { .. }) && error.is_wrong_use(), "{error}");
    for word in ["f32", "int8", "--precision f32", "rebuild --into NEW --precision int8", "--allow-precision"]
    {
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
    drop(engine);
    // By name it is told before the model is loaded: bf16 of the tiny model need not exist for that.
    for builder in [Engine::builder(&path), Engine::builder(&path).model(model())] {
        let engine = builder.precision(Precision::Bf16).open_read_only().unwrap();
        assert!(matches!(engine.encoder(), Err(EngineError::OtherPrecision { .. })));
    }
    let engine = Engine::builder(&path).open_read_only().unwrap();
    assert_eq!(engine.encoder().unwrap().fingerprint().precision, "f32", "that of the index is the default");
}

#[test]
fn a_mismatch_may_be_allowed_for_queries_and_for_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    shop(&path);
    let engine = Engine::builder(&path).encoder(as_int8()).allow_precision_mismatch(true).open().unwrap();
    assert_eq!(engine.search(&request()).unwrap().hits.len(), 2);
    let error = engine.upsert(&[Product::new("3", "抗皱精华")]).unwrap_err();
    assert!(matches!(error, EngineError::MixedPrecision { .. }) && error.is_wrong_use(), "{error}");
    assert_eq!((engine.stats().products, engine.index().fingerprint().precision.as_str()), (2, "f32"));
    assert_eq!(engine.delete(&["2"]).unwrap().deleted, 1, "nothing is encoded for that");
    drop(engine);
    let engine = Engine::builder(&path).encoder(as_another()).allow_precision_mismatch(true).open().unwrap();
    let error = engine.search(&request()).unwrap_err();
    assert!(matches!(error, EngineError::OtherModel { .. }), "{error}");
    assert!(error.to_string().contains("xunpin rebuild"), "{error}");
}

#[test]
fn a_precision_of_the_future_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index");
    shop(&path);
    let manifest = path.join("manifest.json");
    let mut text: serde_json::Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
    text["fingerprint"]["precision"] = "int4".into();
    // The checksum is of the manifest as it was; without one it is taken as it is.
    text.as_object_mut().unwrap().remove("checksum").unwrap();
    std::fs::write(&manifest, text.to_string()).unwrap();
    let engine = Engine::builder(&path).open_read_only().unwrap();
    let error = engine.search(&request()).unwrap_err();
    assert!(
        matches!(&error, EngineError::UnknownPrecision { precision, .. } if precision == "int4"),
        "{error}"
    );
}
