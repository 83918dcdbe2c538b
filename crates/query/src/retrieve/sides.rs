//! The match set of each mode.

use std::time::Instant;

use xunpin_core::{DocId, Neighbor, TextMatch};

use super::look::{Asked, in_order};
use super::{Entry, MatchSet, ProductSource, SIDE_DEPTH, ms};
use crate::fusion::{self, Ranked};
use crate::{Mode, Sides, TookMs};

impl<S: ProductSource> Asked<'_, S> {
    pub(super) fn match_set(&self, took: &mut TookMs) -> Result<MatchSet, S::Error> {
        match self.request.mode() {
            Mode::Hybrid => self.hybrid(took),
            Mode::Semantic => self.semantic(took),
            Mode::Lexical => self.lexical(took),
            Mode::Word2Vec => self.word2vec(took),
        }
    }

    fn semantic(&self, took: &mut TookMs) -> Result<MatchSet, S::Error> {
        let vector = self.encode(took)?;
        let since = Instant::now();
        let (neighbors, strategy, cut) = self.nearest(&vector, took)?;
        took.search = ms(since);
        let entries: Vec<Entry> = neighbors.iter().map(of_neighbor).collect();
        Ok(MatchSet {
            no_good_match: !entries.first().is_some_and(|best| best.is_good(Mode::Semantic, self.weights)),
            entries,
            cut,
            strategy: Some(strategy),
            ..MatchSet::default()
        })
    }

    fn word2vec(&self, took: &mut TookMs) -> Result<MatchSet, S::Error> {
        let since = Instant::now();
        // One more than is used shows whether there are more.
        let found = self.source.static_nearest(self.request.query(), SIDE_DEPTH + 1, self.allowed)?;
        let neighbors = in_order(found.neighbors);
        took.search = ms(since);
        took.nearest = took.search;
        Ok(MatchSet {
            cut: neighbors.len() > SIDE_DEPTH,
            no_good_match: neighbors.is_empty(),
            entries: neighbors.iter().take(SIDE_DEPTH).map(of_neighbor).collect(),
            unknown_words: found.unknown_words,
            ..MatchSet::default()
        })
    }

    fn lexical(&self, took: &mut TookMs) -> Result<MatchSet, S::Error> {
        let since = Instant::now();
        let text = self.text_matches()?;
        let (matches, cut) = self.best_matches(&text);
        let entry = |m: &TextMatch| Entry {
            doc: m.doc,
            score: m.score,
            key: [m.score, 0.0],
            sides: Sides { lexical: Some(m.score), coverage: Some(m.coverage), cosine: None },
            exact: None,
        };
        let entries: Vec<Entry> = matches.iter().map(entry).collect();
        took.search = ms(since);
        took.lexical = took.search;
        Ok(MatchSet { cut, no_good_match: entries.is_empty(), entries, ..MatchSet::default() })
    }

    fn hybrid(&self, took: &mut TookMs) -> Result<MatchSet, S::Error> {
        let (source, weights) = (self.source, self.weights);
        let seen = self.look(took)?;
        let since = Instant::now();
        let weight = weights.lexical_weight(&seen.features);
        let mut ranked = fusion::rank(seen.candidates, weight, weights);
        let surplus = fusion::surplus(&ranked, weight);
        let score = |one: &Ranked| weights.score(one.evidence - surplus);
        let length = fusion::head_length(&ranked, weights);
        if length > 1 {
            let head: Vec<DocId> = ranked[..length].iter().map(|one| one.candidate.doc).collect();
            fusion::refine(&mut ranked, &seen.vector, &source.vectors(&head)?, weight, weights);
        }
        // Before popularity, which does not make a match any better.
        let best = ranked.first().map(score);
        if let Some((field, share)) = self.request.popularity() {
            let column = source.column(field)?;
            for one in &mut ranked {
                one.evidence += share * (column.popularity(one.candidate.doc) - 0.5);
            }
            ranked.sort_unstable_by(fusion::order);
        }
        let exact = |doc| seen.exact.binary_search_by_key(&doc, |m| m.doc).ok().map(|at| seen.exact[at].kind);
        let entry = |one: &Ranked| Entry {
            doc: one.candidate.doc,
            score: score(one),
            key: [one.evidence, one.first_evidence],
            sides: Sides {
                cosine: Some(one.candidate.cosine),
                lexical: Some(one.candidate.lexical),
                coverage: Some(one.candidate.coverage),
            },
            exact: exact(one.candidate.doc),
        };
        let mut entries: Vec<Entry> = ranked.iter().map(entry).collect();
        if !seen.exact.is_empty() {
            // Stable: within a tier the order of evidence stays.
            entries.sort_by_key(Entry::tier);
        }
        let named = entries.first().is_some_and(|entry| entry.exact.is_some());
        let elapsed = ms(since);
        took.fusion += elapsed;
        took.search += elapsed;
        Ok(MatchSet {
            no_good_match: !named && best.is_none_or(|best| best < weights.no_match_below),
            entries,
            cut: seen.cut,
            strategy: Some(seen.strategy),
            lexical_weight: Some(weight.most()),
            ..MatchSet::default()
        })
    }
}

fn of_neighbor(neighbor: &Neighbor) -> Entry {
    let score = neighbor.score;
    Entry { doc: neighbor.id, score, key: [score, 0.0], sides: Sides::default(), exact: None }
}
