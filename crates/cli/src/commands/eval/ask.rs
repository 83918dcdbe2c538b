use std::time::Duration;

use anyhow::Context;
use xunpin::eval::{Queries, Run, ScoredDoc};
use xunpin::{Engine, Hit, Mode, Strategy};

use crate::args::RetrievalArgs;
use crate::commands::request;

/// Results a query is judged by: what recall@100 needs.
const DEPTH: usize = 100;

/// What a mode ranked for all queries, and how long that took.
pub(super) struct Asked {
    pub(super) run: Run,
    /// From a query's words to its products, query by query.
    pub(super) total: Vec<Duration>,
    /// The same without encoding.
    pub(super) search: Vec<Duration>,
    pub(super) strategy: Option<Strategy>,
}

/// Asks every query in one mode, one at a time, after the first one was asked once in vain: it pays for what is made on
/// first use. Weak matches are ranked as well, so that recall is measured to its depth.
pub(super) fn ask(
    engine: &Engine,
    queries: &Queries,
    mode: Mode,
    retrieval: &RetrievalArgs,
) -> anyhow::Result<Asked> {
    let mut asked = Asked { run: Run::new(), total: Vec::new(), search: Vec::new(), strategy: None };
    let answer = |query: &xunpin::eval::Query| {
        let request = request(&query.text, DEPTH, mode, retrieval)
            .with_context(|| format!("query {}", query.id))?
            .with_everything();
        anyhow::Ok(engine.search(&request)?)
    };
    if let Some(first) = queries.iter().next() {
        answer(first)?;
    }
    for query in queries.iter() {
        let answer = answer(query)?;
        asked.strategy = answer.strategy.or(asked.strategy);
        asked.total.push(Duration::from_secs_f64(answer.took_ms.total / 1e3));
        asked.search.push(Duration::from_secs_f64(answer.took_ms.search / 1e3));
        asked.run.set(query.id.as_str(), ranking(&answer.hits));
    }
    Ok(asked)
}

/// The hits with scores that fall strictly, in single precision: tools that sort a run by its scores, which near 1 may be
/// equal, then find the order that was shown.
fn ranking(hits: &[Hit]) -> Vec<ScoredDoc> {
    let mut last = f32::INFINITY;
    let strict = |hit: &Hit| {
        last = hit.score.min(last.next_down());
        ScoredDoc::new(hit.id.as_str(), last.into())
    };
    hits.iter().map(strict).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_of_a_run_fall_strictly() {
        let hit = |id: &str, score: f32| Hit {
            id: id.into(),
            score,
            sides: Default::default(),
            exact: None,
            rule: None,
            variants: 0,
            product: Default::default(),
        };
        let ranked = ranking(&[hit("a", 0.5), hit("b", 1.0), hit("c", 0.5), hit("d", 0.1)]);
        assert!(ranked.windows(2).all(|pair| (pair[0].score as f32) > pair[1].score as f32), "{ranked:?}");
        assert_eq!(ranked.iter().map(|r| r.doc.as_str()).collect::<Vec<_>>(), ["a", "b", "c", "d"]);
        assert_eq!((ranked[0].score, ranked[3].score as f32), (0.5, 0.1));
    }
}
