//! A back end's day: a catalogue goes in, shoppers ask, a price changes, a product goes.
//!
//! Run it in a checkout with the model on the machine (`make model`):
//! `make example`; XUNPIN_MODEL names another model.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use xunpin::catalogue::{Catalogue, Input, Mapping, ReadOptions};
use xunpin::{Engine, IngestOptions, SearchRequest, parse_filter};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = std::env::var("XUNPIN_MODEL").unwrap_or_else(|_| "embeddinggemma-300m".to_owned());
    let catalogue = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/catalogue/products.jsonl");
    let folder = std::env::temp_dir().join(format!("xunpin-example-{}", std::process::id()));

    let engine = Arc::new(Engine::builder(&folder).model(model).create()?);
    let mut catalogue =
        Catalogue::open(&[Input::File(catalogue)], &Mapping::default(), ReadOptions::default())?;
    let report = engine.ingest(&mut catalogue, &IngestOptions::default(), |at| {
        eprintln!("{} of the catalogue read, {} embedded", at.read, at.embedded);
        ControlFlow::Continue(())
    })?;
    println!("{} products embedded in {:.1} s", report.progress.embedded, report.seconds);

    // Any number of threads may ask while another writes.
    let asking = engine.clone();
    let answer = std::thread::spawn(move || {
        let request =
            SearchRequest::new("敏感肌抗老")?.with_results(3)?.with_filter(parse_filter("price <= 400")?);
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(asking.search(&request)?)
    });
    // A new price costs a write, no embedding.
    if let Some(mut product) = engine.get("s001")? {
        product.price = Some(199.0);
        let applied = engine.upsert(&[product])?;
        println!("s001: {} record rewritten, {} embedded", applied.updated_in_place, applied.re_embedded);
    }
    let answer = answer.join().map_err(|_| "the asking thread panicked")?.map_err(|e| e.to_string())?;
    for hit in answer.hits {
        println!("{:.3}  {}  {}", hit.score, hit.id, hit.product.title);
    }

    println!("{} deleted, {} left", engine.delete(&["s001"])?.deleted, engine.stats().products);
    drop(engine);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
