use jieba_rs::Jieba;

use crate::run::Run;
use crate::scan::{Stretch, scan};
use crate::stop_words::is_stop_word;
use crate::term::{TermKind, Terms};
use crate::units::{hanzi_unit, is_spaced_unit};

/// Most Hanzi on either side of letters that are looked up with them in the dictionary.
const MIXED_REACH: usize = 6;
/// Longest run that may be part of a mixed word, in bytes.
const MIXED_RUN_BYTES: usize = 6;
/// Longest sub-word in characters; words of the catalogue are at most that long.
const MAX_SUB_WORD_CHARS: usize = 12;

/// One word of a text, by byte positions.
pub(crate) struct Segment<'a> {
    start: usize,
    end: usize,
    body: Body<'a>,
    /// Another reading of the same place, which becomes a part.
    also: Option<String>,
}

enum Body<'a> {
    /// Hanzi alone.
    Hanzi,
    /// Letters or digits with Hanzi: `t恤`, `a醇`, `维c`.
    Mixed,
    /// Letters and digits.
    Run(Run<'a>),
    /// A number with its unit, however it was written: `50 ml`, `50毫升`, `5片`.
    Size { number: &'a str, unit: &'a str },
}

/// Cuts text in normal form into words that don't overlap: first words of the dictionary that mix letters and Hanzi,
/// then jieba's words of the remaining Hanzi, then numbers with their units, then single letters with a neighbour.
pub(crate) fn segment<'a>(jieba: &Jieba, text: &'a str) -> Vec<Segment<'a>> {
    let stretches = find_mixed(jieba, text, scan(text));
    let mut words = Vec::with_capacity(stretches.len());
    for stretch in stretches {
        match stretch.body {
            Body::Hanzi => {
                words.extend(jieba.cut(&text[stretch.start..stretch.end], true).iter().map(|token| {
                    Segment {
                        start: stretch.start + token.byte_start,
                        end: stretch.start + token.byte_end,
                        body: Body::Hanzi,
                        also: None,
                    }
                }));
            }
            _ => words.push(stretch),
        }
    }
    pair_singles(text, join_letters(text, join_sizes(text, words)))
}

/// Takes out the longest dictionary word that spans a run and Hanzi next to it.
fn find_mixed<'a>(jieba: &Jieba, text: &'a str, stretches: Vec<Stretch<'a>>) -> Vec<Segment<'a>> {
    let mut out: Vec<Segment<'a>> = Vec::with_capacity(stretches.len());
    let mut stretches = stretches.into_iter().peekable();
    while let Some(Stretch { start, end, run }) = stretches.next() {
        let Some(run) = run else {
            if start < end {
                out.push(Segment { start, end, body: Body::Hanzi, also: None });
            }
            continue;
        };
        let before =
            out.last().filter(|s| s.end == start && matches!(s.body, Body::Hanzi)).map_or(start, |s| s.start);
        let after = stretches.peek().filter(|s| s.start == end && s.run.is_none()).map_or(end, |s| s.end);
        let Some((from, to)) = mixed_word(jieba, text, &run, before, (start, end), after) else {
            out.push(Segment { start, end, body: Body::Run(run), also: None });
            continue;
        };
        // What the word took is cut off the Hanzi around it.
        if from < start
            && out.pop_if(|s| s.start == from).is_none()
            && let Some(hanzi) = out.last_mut()
        {
            hanzi.end = from;
        }
        if to > end
            && let Some(hanzi) = stretches.peek_mut()
        {
            hanzi.start = to;
        }
        out.push(Segment { start: from, end: to, body: Body::Mixed, also: None });
    }
    out
}

/// The longest dictionary word within `before..after` that holds the whole run and some Hanzi.
fn mixed_word(
    jieba: &Jieba,
    text: &str,
    run: &Run<'_>,
    before: usize,
    (start, end): (usize, usize),
    after: usize,
) -> Option<(usize, usize)> {
    let plain = run.plain()?;
    if plain.len() > MIXED_RUN_BYTES || run.number().is_some() {
        return None;
    }
    let starts: Vec<usize> = std::iter::once(start)
        .chain(text[before..start].char_indices().rev().map(|(at, _)| before + at))
        .take(MIXED_REACH + 1)
        .collect();
    let ends: Vec<usize> = std::iter::once(end)
        .chain(text[end..after].char_indices().map(|(at, c)| end + at + c.len_utf8()))
        .take(MIXED_REACH + 1)
        .collect();
    let mut best: Option<(usize, usize)> = None;
    for &from in &starts {
        for &to in &ends {
            let longer = best.is_none_or(|(f, t)| to - from > t - f);
            if to - from > end - start && longer && is_known(jieba, &text[from..to]) {
                best = Some((from, to));
            }
        }
    }
    best
}

/// Gives neighbours of one character their pair as a part. The guess that cut them may see a word in another text: `遮`
/// and `瑕` here, `遮瑕` there.
fn pair_singles<'a>(text: &'a str, mut words: Vec<Segment<'a>>) -> Vec<Segment<'a>> {
    let single = |s: &Segment<'a>| {
        let hanzi = &text[s.start..s.end];
        matches!(s.body, Body::Hanzi) && hanzi.chars().count() == 1 && !is_stop_word(hanzi)
    };
    for at in 1..words.len() {
        let (first, second) = (&words[at - 1], &words[at]);
        if first.end == second.start && single(first) && single(second) {
            words[at - 1].also = Some(text[first.start..second.end].to_owned());
        }
    }
    words
}

/// Joins a number with the unit after it.
fn join_sizes<'a>(text: &'a str, words: Vec<Segment<'a>>) -> Vec<Segment<'a>> {
    let mut out: Vec<Segment<'a>> = Vec::with_capacity(words.len());
    for word in words {
        if let Some(last) = out.last_mut()
            && let Body::Run(run) = &last.body
            && let Some(number) = run.number()
        {
            let here = &text[word.start..word.end];
            let unit = match (&word.body, &text[last.end..word.start]) {
                (Body::Hanzi, "") => hanzi_unit(here),
                // A counter after a space counts something else; a measure does not.
                (Body::Hanzi, " ") => hanzi_unit(here).filter(|unit| unit.is_ascii()),
                (Body::Run(next), " ") => next.plain().filter(|unit| is_spaced_unit(unit)),
                _ => None,
            };
            if let Some(unit) = unit {
                last.end = word.end;
                last.body = Body::Size { number, unit };
                continue;
            }
            if matches!(word.body, Body::Hanzi) && last.end == word.start {
                last.also = unit_at_start(here).map(|unit| format!("{number}{unit}"));
            }
        }
        out.push(word);
    }
    out
}

/// The unit that a word begins with: `片` of `片装`, which jieba keeps in one.
fn unit_at_start(word: &str) -> Option<&str> {
    let ends = word.char_indices().map(|(at, c)| at + c.len_utf8()).filter(|end| *end < word.len());
    ends.take(2).filter_map(|end| hanzi_unit(&word[..end])).last()
}

/// Joins a single letter with the word it touches: `a` and `醇`. Between two words the one of a single character is
/// taken (`维c精华`, `温和a醇`), of two such the one after (`大v领`), else the one before (`维生素c精华`); the other
/// reading becomes a part.
fn join_letters<'a>(text: &'a str, words: Vec<Segment<'a>>) -> Vec<Segment<'a>> {
    let mut out: Vec<Segment<'a>> = Vec::with_capacity(words.len());
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        if !matches!(&word.body, Body::Run(run) if run.is_letter()) {
            out.push(word);
            continue;
        }
        let neighbour = |s: &Segment<'a>| {
            let hanzi = &text[s.start..s.end];
            (matches!(s.body, Body::Hanzi) && !is_stop_word(hanzi)).then(|| hanzi.chars().count())
        };
        let before = out.last().filter(|s| s.end == word.start).and_then(neighbour);
        let after = words.peek().filter(|s| s.start == word.end).and_then(neighbour);
        let take_after = match (before, after) {
            (None, None) => {
                out.push(word);
                continue;
            }
            (Some(_), None) => false,
            (None, Some(_)) | (Some(_), Some(1)) => true,
            (Some(_), Some(_)) => false,
        };
        let from = before.and(out.last()).map_or(word.start, |s| s.start);
        let to = after.and(words.peek()).map_or(word.end, |s| s.end);
        let other = if take_after { from..word.end } else { word.start..to };
        let also = (before.is_some() && after.is_some()).then(|| text[other].to_owned());
        let (start, end) = if take_after { (word.start, to) } else { (from, word.end) };
        if take_after {
            words.next();
        } else {
            out.pop();
        }
        out.push(Segment { start, end, body: Body::Mixed, also });
    }
    out
}

impl Segment<'_> {
    /// The whole word.
    pub(crate) fn word(&self, text: &str) -> String {
        match &self.body {
            Body::Hanzi | Body::Mixed => text[self.start..self.end].to_owned(),
            Body::Run(run) => run.whole(),
            Body::Size { number, unit } => format!("{number}{unit}"),
        }
    }

    /// The word and its parts.
    pub(crate) fn terms(&self, jieba: &Jieba, text: &str, out: &mut Terms) {
        let word = &text[self.start..self.end];
        match &self.body {
            Body::Hanzi => {
                out.whole(word, TermKind::Word);
                sub_words(jieba, word, out);
            }
            Body::Mixed => {
                out.whole(word, TermKind::Word);
                sub_words(jieba, word, out);
                for Stretch { start, end, run } in scan(word) {
                    match run {
                        Some(run) if run.is_letter() => {}
                        Some(run) => out.part(&run.whole(), TermKind::SubWord),
                        None => jieba.cut(&word[start..end], true).iter().for_each(|token| {
                            out.part(token.word, TermKind::SubWord);
                            sub_words(jieba, token.word, out);
                        }),
                    }
                }
            }
            Body::Run(run) => run.terms(out),
            Body::Size { number, unit } => {
                out.whole(format!("{number}{unit}"), TermKind::Number);
                out.part(number, TermKind::Part);
                if unit.is_ascii() && unit.len() > 1 {
                    out.part(unit, TermKind::Part);
                }
            }
        }
        if let Some(also) = &self.also {
            let kind = if matches!(self.body, Body::Run(_)) { TermKind::Part } else { TermKind::SubWord };
            out.part(also, kind);
        }
    }
}

/// The dictionary's words of two characters or more inside `word`. Of a word that the dictionary does not know, which
/// the cut of another text may miss, its pairs of characters too.
fn sub_words(jieba: &Jieba, word: &str, out: &mut Terms) {
    let bounds: Vec<usize> = word.char_indices().map(|(at, _)| at).chain([word.len()]).collect();
    let chars = bounds.len() - 1;
    if chars < 3 {
        return;
    }
    let guessed = !word.is_ascii() && !is_known(jieba, word);
    for from in 0..chars - 1 {
        for to in from + 2..=chars.min(from + MAX_SUB_WORD_CHARS) {
            let part = &word[bounds[from]..bounds[to]];
            if to - from < chars && (is_known(jieba, part) || (guessed && to - from == 2)) {
                out.part(part, TermKind::SubWord);
            }
        }
    }
}

/// Whether the dictionary holds the word. jieba's own words with letters are written in capitals (`T恤`).
fn is_known(jieba: &Jieba, word: &str) -> bool {
    jieba.has_word(word)
        || word.bytes().any(|b| b.is_ascii_lowercase()) && jieba.has_word(&word.to_ascii_uppercase())
}
