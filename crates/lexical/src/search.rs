use serde::Serialize;
use tantivy::fieldnorm::FieldNormReader;
use tantivy::schema::IndexRecordOption;
use tantivy::{TantivyError, Term};
use xunpin_analysis::TermKind;
use xunpin_core::TextMatch;

use crate::options::LexicalOptions;
use crate::query::{Group, Plan};
use crate::schema::Fields;
use crate::view::{DEAD, View};

/// A term of the query and how much of the catalogue it tells apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QueryTerm {
    /// The term, in normal form.
    pub text: String,
    /// True for a word inside a longer word of the query, or a part of a model number.
    pub part: bool,
    /// Products that hold it in a field of weight above 0.
    pub documents: u32,
    /// `ln(1 + (N - df + 0.5) / (df + 0.5))` of N products, df of which hold the term.
    pub idf: f32,
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LexicalMatches {
    /// The query's distinct terms, without stop words.
    pub terms: Vec<QueryTerm>,
    /// Sum of the masses of the query's words; a word's mass is the idf of its rarest term that the catalogue knows, or
    /// of a term in no product if it knows none.
    pub idf_mass: f32,
    /// All products that hold a term, by rising DocId. A score is above 0 and below the sum of count times idf over the
    /// query's terms; a coverage above 0, and exactly 1 if the product holds every word.
    pub matches: Vec<TextMatch>,
}

/// Memory of one search, by slot. Everything is zero between searches.
#[derive(Default)]
pub(crate) struct Scratch {
    /// Weighted frequency of the current term.
    frequency: Vec<f32>,
    /// idf of the current group's terms that the product holds.
    held: Vec<f32>,
    coverage: Vec<f32>,
    score: Vec<f32>,
    /// One bit a slot: the product holds a term.
    matched: Vec<u64>,
    /// Slots with a frequency.
    touched: Vec<u32>,
    /// Slots with something held.
    grouped: Vec<u32>,
}

impl Scratch {
    fn fit(&mut self, slots: usize) {
        if self.score.len() < slots {
            for values in [&mut self.frequency, &mut self.held, &mut self.coverage, &mut self.score] {
                values.resize(slots, 0.0);
            }
            self.matched.resize(slots.div_ceil(64), 0);
        }
    }
}

/// Scores all products that hold a term of the plan by BM25F (Robertson and Zaragoza, "The Probabilistic Relevance
/// Framework: BM25 and Beyond", 2009, section 3.5): the frequencies of a term are summed over the fields, each divided by
/// `1 - b + b * length / mean length` and multiplied by the field's weight, and the sum `f` is saturated once,
/// `f / (k1 + f)`, times idf and the term's count in the query.
///
/// Term at a time: what is added up for a product, and in which order, does not depend on the segments.
pub(crate) fn search(
    view: &View,
    fields: &Fields,
    plan: &Plan,
    options: &LexicalOptions,
    scratch: &mut Scratch,
) -> Result<LexicalMatches, TantivyError> {
    scratch.fit(view.ids.len());
    let factors = length_factors(view, options);
    let mut out = LexicalMatches::default();
    for group in &plan.groups {
        score_group(view, fields, group, options, &factors, scratch, &mut out)?;
    }
    for (word, bits) in scratch.matched.iter_mut().enumerate() {
        while *bits != 0 {
            let slot = word * 64 + bits.trailing_zeros() as usize;
            *bits &= *bits - 1;
            let score = std::mem::take(&mut scratch.score[slot]);
            let coverage = std::mem::take(&mut scratch.coverage[slot]);
            // The same sums in the same order give exactly 1 where everything is held.
            let coverage = (coverage / out.idf_mass).min(1.0);
            out.matches.push(TextMatch { doc: view.ids[slot], score, coverage });
        }
    }
    Ok(out)
}

/// The field's weight divided by the discount of its length, by tantivy's length code.
type LengthFactors = [[f32; 256]; 7];

fn length_factors(view: &View, options: &LexicalOptions) -> Box<LengthFactors> {
    let b = if options.b.is_finite() { options.b.clamp(0.0, 1.0) } else { 0.0 };
    let weights = options.weights.in_order();
    let mut factors = Box::new([[0.0; 256]; 7]);
    for ((factors, weight), mean) in factors.iter_mut().zip(weights).zip(view.mean_lengths) {
        for (code, factor) in (0..=u8::MAX).zip(factors) {
            if weight > 0.0 {
                *factor = weight / (1.0 - b + b * FieldNormReader::id_to_fieldnorm(code) as f32 / mean);
            }
        }
    }
    factors
}

/// Scores the terms of a word, and adds its share to the coverage.
///
/// A product that holds the whole word covers it. One that holds some of its parts covers as much of it as the idf of
/// these is of the idf of all terms of the word that the catalogue knows. Of a model number or a size the whole always
/// counts as known: `1000` alone is little of `wh1000xm5`, even where no shop has that one.
fn score_group(
    view: &View,
    fields: &Fields,
    group: &Group,
    options: &LexicalOptions,
    factors: &LengthFactors,
    scratch: &mut Scratch,
    out: &mut LexicalMatches,
) -> Result<(), TantivyError> {
    let products = view.ids.len() as f32;
    let k1 = if options.k1.is_finite() { options.k1.max(0.0) } else { 0.0 };
    let part = if options.part.is_finite() { options.part.max(0.0) } else { 0.0 };
    let (mut known, mut mass) = (0.0f32, 0.0f32);
    for (at, term) in group.terms.iter().enumerate() {
        add_frequencies(view, fields, &term.text, factors, scratch)?;
        let documents = scratch.touched.len() as f32;
        let idf = (1.0 + (products - documents + 0.5) / (documents + 0.5)).ln();
        let strict = matches!(term.kind, TermKind::Code | TermKind::Number);
        if documents > 0.0 || strict {
            known += idf;
        }
        if documents > 0.0 {
            mass = mass.max(idf);
        }
        let weight = term.count as f32 * idf * if term.is_part() { part } else { 1.0 };
        for &slot in &scratch.touched {
            let slot_at = slot as usize;
            let frequency = std::mem::take(&mut scratch.frequency[slot_at]);
            scratch.score[slot_at] += weight * frequency / (k1 + frequency);
            scratch.matched[slot_at / 64] |= 1 << (slot_at % 64);
            if scratch.held[slot_at] == 0.0 {
                scratch.grouped.push(slot);
            }
            scratch.held[slot_at] += if at == 0 { f32::INFINITY } else { idf };
        }
        scratch.touched.clear();
        out.terms.push(QueryTerm {
            text: term.text.clone(),
            part: term.is_part(),
            documents: documents as u32,
            idf,
        });
    }
    if mass == 0.0 {
        mass = out.terms.last().map_or(0.0, |t| t.idf);
    }
    for slot in scratch.grouped.drain(..) {
        let held = std::mem::take(&mut scratch.held[slot as usize]);
        scratch.coverage[slot as usize] += mass * (held / known).min(1.0);
    }
    out.idf_mass += mass;
    Ok(())
}

/// Adds up the weighted frequencies of a term over the fields of all products, and lists their slots.
fn add_frequencies(
    view: &View,
    fields: &Fields,
    term: &str,
    factors: &LengthFactors,
    scratch: &mut Scratch,
) -> Result<(), TantivyError> {
    for (at, field) in fields.text.into_iter().enumerate() {
        let factors = &factors[at];
        // Weight 0 makes all of them 0, any other none.
        if factors[1] == 0.0 {
            continue;
        }
        let term = Term::from_field_text(field, term);
        for segment in &view.segments {
            let text = &segment.text[at];
            let found = text.postings.read_block_postings(&term, IndexRecordOption::WithFreqs)?;
            let Some(mut block) = found else { continue };
            while !block.docs().is_empty() {
                for (&document, &count) in block.docs().iter().zip(block.freqs()) {
                    let slot = segment.slot(document);
                    if slot == DEAD {
                        continue;
                    }
                    let frequency = &mut scratch.frequency[slot as usize];
                    if *frequency == 0.0 {
                        scratch.touched.push(slot);
                    }
                    *frequency += count as f32 * factors[text.lengths.fieldnorm_id(document) as usize];
                }
                block.advance();
            }
        }
    }
    Ok(())
}
