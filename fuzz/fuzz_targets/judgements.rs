#![no_main]
//! Queries, qrels and runs: refused with the line, or what was read holds together.

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use xunpin_eval::{EvalOptions, MAX_GRADE, Qrels, Queries, Run, WriteError, evaluate};
use xunpin_fuzz::within;

fuzz_target!(|data: &[u8]| {
    let Some((kind, bytes)) = data.split_first() else { return };
    let path = Path::new("file");
    within(8 << 20, || match kind % 3 {
        0 => {
            if let Ok(qrels) = Qrels::parse(bytes, path) {
                for query in qrels.queries() {
                    let grades = qrels.query(query).expect("a query that was told");
                    assert!(grades.values().all(|grade| *grade <= MAX_GRADE));
                }
                let mut run = Run::new();
                run.set("q1", vec![xunpin_eval::ScoredDoc::new("d1", 0.5)]);
                if let Ok(evaluation) = evaluate(&run, &qrels, &EvalOptions::default()) {
                    assert!(evaluation.means.values().all(|mean| (0.0..=1.0).contains(mean)));
                }
            }
        }
        1 => {
            if let Ok(run) = Run::parse(bytes, path) {
                let mut out = Vec::new();
                match run.write_to(&mut out, path, "tag") {
                    Ok(()) => assert_eq!(Run::parse(&*out, path).expect("what was written is read"), run),
                    // White space beyond ASCII's, which some programs take for the end of a column.
                    Err(error) => assert!(matches!(error, WriteError::Name { .. }), "{error}"),
                }
            }
        }
        _ => {
            if let Ok(queries) = Queries::parse(bytes, path) {
                let mut ids: Vec<&str> = queries.ids().collect();
                ids.sort_unstable();
                ids.dedup();
                assert_eq!(ids.len(), queries.len());
                assert!(queries.iter().all(|query| !query.text.trim().is_empty()));
            }
        }
    });
});
