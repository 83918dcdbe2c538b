//! A new index from the products of an old one.

// A test stops at the first surprise.
#![allow(clippy::unwrap_used)]

mod common;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use common::{as_another, as_int8, model};
use serde_json::json;
use xunpin::catalogue::{Part, Template};
use xunpin::words::{Pooling, WordVectors};
use xunpin::{
    Carried, Engine, EngineBuilder, EngineError, Mode, Note, Precision, Product, RebuildOptions,
    RebuildProgress, RebuildReport, SearchRequest, Weights,
};

/// Products with everything that a shop may send.
fn products(n: usize) -> Vec<Product> {
    (0..n)
        .map(|at| {
            let value = json!({"id": format!("p{at:04}"), "title": format!("保湿 面霜 {}号", at % 400), "brand": "朴澄",
                "category": ["美妆", "护肤"], "price": at as f64 + 0.5, "currency": "CNY", "stock": at,
                "attributes": {"肤质": [if at % 2 == 0 { "敏感肌" } else { "干皮" }], "无酒精": [true]}, "tags": ["补水"],
                "description": "夜间修护", "shop": {"name": "自然堂", "rank": at}});
            serde_json::from_value(value).unwrap()
        })
        .collect()
}

struct Shop {
    _folder: tempfile::TempDir,
    root: PathBuf,
    products: Vec<Product>,
}

impl Shop {
    /// An index `old` with its own template and options, some products gone.
    fn new(n: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let engine = Engine::builder(root.join("old"))
            .model(model())
            .precision(Precision::F32)
            .template(Template::new(vec![Part::Title, Part::Attributes], 64))
            .tune(|options| options.exact_below = 7)
            .create()
            .unwrap();
        let mut products = products(n);
        engine.upsert(&products).unwrap();
        engine.delete(&["p0003"]).unwrap();
        products.remove(3);
        Self { _folder: folder, root, products }
    }

    fn old(&self) -> Engine {
        Engine::builder(self.path("old")).open_read_only().unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn target(&self, name: &str) -> EngineBuilder {
        Engine::builder(self.path(name)).precision(Precision::F32)
    }

    fn rebuild(&self, into: EngineBuilder) -> Result<(Engine, RebuildReport), EngineError> {
        self.old().rebuild_into(into, &options(), |_| ControlFlow::Continue(()))
    }

    /// Stops after `calls` calls of the progress.
    fn stopped(&self, into: EngineBuilder, calls: usize) -> RebuildReport {
        let mut called = 0;
        let stop = |_: &RebuildProgress| {
            called += 1;
            if called == calls { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        self.old().rebuild_into(into, &options(), stop).unwrap().1
    }

    fn add_words_and_weights(&self) -> Weights {
        let engine = Engine::builder(self.path("old")).open().unwrap();
        let words = ["保湿", "面霜"].map(String::from).to_vec();
        let vectors = WordVectors::new(words, vec![3, 5], vec![1.0, 0.0, 0.0, 1.0], 2).unwrap();
        let corpus = engine.word2vec_corpus(&[]).unwrap();
        engine.word2vec_install(&corpus, vectors, Pooling::Mean).unwrap();
        let mut weights = serde_json::to_value(Weights::default()).unwrap();
        weights["lexical_short"] = json!(0.75);
        let weights: Weights = serde_json::from_value(weights).unwrap();
        engine.set_weights(Some(&weights)).unwrap();
        weights
    }
}

fn options() -> RebuildOptions {
    let mut options = RebuildOptions::default();
    options.batch = 16;
    options
}

/// Every id with the bits of its vector.
fn vectors(engine: &Engine) -> Vec<(String, Vec<u32>)> {
    let index = engine.index();
    let row = |(id, entry): (String, xunpin::index::Entry)| {
        (id, index.vector(entry.doc).unwrap().iter().map(|v| v.to_bits()).collect())
    };
    index.ids().map(|found| row(found.unwrap())).collect()
}

fn unfinished(engine: &Engine) -> Option<String> {
    engine.notes().into_iter().find_map(|note| match note {
        Note::Unfinished(unfinished) => Some(unfinished.to_string()),
        _ => None,
    })
}

fn verify(path: &Path, products: &[Product]) {
    let engine = Engine::builder(path).open_read_only().unwrap();
    let report = engine.verify();
    assert!(report.is_ok(), "{:?}", report.problems);
    assert_eq!(engine.verify_full_text().unwrap(), [""; 0]);
    assert_eq!(engine.stats().products, products.len());
    for product in products {
        assert_eq!(engine.get(&product.id).unwrap().as_ref(), Some(product));
    }
    assert_eq!(unfinished(&engine), None);
}

#[test]
fn all_is_kept_and_vectors_of_the_same_model_are_copied() {
    let shop = Shop::new(60);
    let weights = shop.add_words_and_weights();
    let (made, report) = shop.rebuild(shop.target("new")).unwrap();
    assert_eq!((report.progress.copied, report.progress.embedded, report.progress.total), (59, 0, 59));
    assert_eq!((&report.word2vec, &report.weights), (&Carried::Kept, &Carried::Kept));
    assert_eq!(vectors(&made), vectors(&shop.old()));
    assert_eq!((made.template(), made.model_name()), (shop.old().template(), shop.old().model_name()));
    assert_eq!(made.index().options(), shop.old().index().options());
    assert_eq!(made.weights().unwrap(), weights);
    let asked = |mode| SearchRequest::new("保湿面霜").unwrap().with_mode(mode).with_everything();
    for mode in [Mode::Word2Vec, Mode::Lexical, Mode::Semantic] {
        let hits = |engine: &Engine| {
            let hits = engine.search(&asked(mode)).unwrap().hits;
            hits.into_iter().map(|hit| (hit.id, hit.score.to_bits())).collect::<Vec<_>>()
        };
        assert_eq!(hits(&made), hits(&shop.old()), "{mode}");
    }
    drop(made);
    verify(&shop.path("new"), &shop.products);
    verify(&shop.path("old"), &shop.products);
}

#[test]
fn another_precision_embeds_again_and_another_model_leaves_the_weights() {
    let shop = Shop::new(40);
    shop.add_words_and_weights();
    let (made, report) = shop.rebuild(Engine::builder(shop.path("int8")).encoder(as_int8())).unwrap();
    assert_eq!((report.progress.embedded, report.progress.copied), (39, 0));
    assert_eq!(made.index().fingerprint().precision, "int8");
    assert_eq!(report.weights, Carried::Kept, "the same model");
    assert_ne!(vectors(&made), vectors(&shop.old()));
    let (made, report) = shop.rebuild(Engine::builder(shop.path("other")).encoder(as_another())).unwrap();
    assert!(matches!(&report.weights, Carried::LeftOut { reason } if reason.contains("tune")));
    assert_eq!((report.word2vec, made.weights().unwrap()), (Carried::Kept, Weights::default()));
    // Another template: only the texts that change are embedded.
    let template = Template::new(vec![Part::Title], 64);
    let (made, report) = shop.rebuild(shop.target("title").template(template.clone())).unwrap();
    assert_eq!((report.progress.embedded, made.template()), (39, &template));
    drop(made);
    verify(&shop.path("title"), &shop.products);
}

#[test]
fn an_interrupted_rebuild_says_so_and_ends_as_a_whole_one() {
    let shop = Shop::new(700);
    let another = || Engine::builder(shop.path("new")).encoder(as_int8());
    let report = shop.stopped(another(), 2);
    assert!(report.interrupted && report.progress.embedded > 0, "{report:?}");
    let part = Engine::builder(shop.path("new")).open_read_only().unwrap();
    let note = unfinished(&part).unwrap();
    assert!(note.contains("unfinished rebuild") && note.contains("699"), "{note}");
    let as_source = part.rebuild_into(shop.target("copy"), &options(), |_| ControlFlow::Continue(()));
    assert!(matches!(as_source, Err(EngineError::UnfinishedSource { .. })), "not a source itself");
    drop(part);

    // A product goes, another one changes, before it goes on.
    let mut products = shop.products.clone();
    {
        let old = Engine::builder(shop.path("old")).open().unwrap();
        old.delete(&["p0000"]).unwrap();
        products.remove(0);
        products[1].price = Some(1.0);
        old.upsert(&products[1..2]).unwrap();
    }
    let (made, report) = shop.rebuild(another()).unwrap();
    assert_eq!((report.deleted, report.interrupted), (1, false));
    assert!(report.progress.unchanged > 0 && report.progress.embedded > 0, "{report:?}");
    let (whole, _) = shop.rebuild(Engine::builder(shop.path("whole")).encoder(as_int8())).unwrap();
    assert_eq!(vectors(&made), vectors(&whole));
    drop((made, whole));
    verify_without_model(&shop.path("new"), &products);
}

/// As [`verify`], for an index whose model is not at hand under its name.
fn verify_without_model(path: &Path, products: &[Product]) {
    let engine = Engine::builder(path).encoder(as_int8()).open_read_only().unwrap();
    assert!(engine.verify().is_ok());
    assert_eq!((engine.stats().products, unfinished(&engine)), (products.len(), None));
    for product in products {
        assert_eq!(engine.get(&product.id).unwrap().as_ref(), Some(product));
    }
}

#[test]
fn what_is_in_the_way_is_refused() {
    let shop = Shop::new(300);
    let refused = |into| match shop.rebuild(into) {
        Err(error @ EngineError::RebuildTarget { .. }) => {
            assert!(error.is_wrong_use());
            error.to_string()
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("taken"),
    };
    assert!(refused(shop.target("old")).contains("already"), "onto itself");
    drop(shop.rebuild(shop.target("new")).unwrap());
    assert!(refused(shop.target("new")).contains("already"), "a finished one");
    shop.stopped(shop.target("part"), 1);
    let template = Template::new(vec![Part::Title], 9);
    assert!(refused(shop.target("part").template(template)).contains("another template"));
    // The rebuild of another index.
    let other = Engine::builder(shop.path("new")).open_read_only().unwrap();
    let error =
        other.rebuild_into(shop.target("part"), &options(), |_| ControlFlow::Continue(())).err().unwrap();
    assert!(error.to_string().contains("unfinished rebuild of"), "{error}");
    // Another model or precision than it was begun with.
    let other = shop.rebuild(Engine::builder(shop.path("part")).encoder(as_int8()));
    assert!(matches!(other, Err(EngineError::OtherPrecision { .. })));
    let other = shop.rebuild(Engine::builder(shop.path("part")).encoder(as_another()));
    assert!(matches!(other, Err(EngineError::OtherModel { .. })));
    // An empty index that was made and got nothing is as good as none.
    drop(shop.target("empty").model(model()).create().unwrap());
    let (_, report) = shop.rebuild(shop.target("empty")).unwrap();
    assert_eq!(report.progress.total, 299);
}
