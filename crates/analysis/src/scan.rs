use crate::normalize::is_hanzi;
use crate::run::Run;

/// Longest piece of a run in bytes; what is longer is no word and is cut.
const MAX_PIECE_BYTES: usize = 64;
/// Most pieces joined to one word; more is running text with hyphens.
const MAX_PIECES: usize = 5;
/// Most `+` signs kept: `pa++++` is the highest there is.
const MAX_PLUS: usize = 4;

/// A stretch of text, by byte positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stretch<'a> {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The run, if it is one; otherwise the stretch is Hanzi.
    pub(crate) run: Option<Run<'a>>,
}

/// Splits text in normal form into stretches of Hanzi and runs of letters and digits; all else separates.
pub(crate) fn scan(text: &str) -> Vec<Stretch<'_>> {
    let mut stretches = Vec::new();
    let mut at = 0;
    while let Some(c) = char_at(text, at) {
        let start = at;
        if is_hanzi(c) {
            while char_at(text, at).is_some_and(is_hanzi) {
                at += len_at(text, at);
            }
            stretches.push(Stretch { start, end: at, run: None });
        } else if c.is_alphanumeric() {
            let run;
            (run, at) = read_run(text, start);
            stretches.push(Stretch { start, end: at, run: Some(run) });
        } else {
            at += c.len_utf8();
        }
    }
    stretches
}

/// The run that begins at `start`, and where it ends.
fn read_run(text: &str, start: usize) -> (Run<'_>, usize) {
    let (mut pieces, mut at, mut letters) = (Vec::new(), start, false);
    loop {
        let piece_start = at;
        let mut last = ' ';
        while let Some(c) = char_at(text, at) {
            let point = c == '.' && last.is_ascii_digit() && next_is(text, at, |n| n.is_ascii_digit());
            if !(point || is_run_char(c)) || at - piece_start >= MAX_PIECE_BYTES {
                break;
            }
            letters |= is_run_char(c) && !c.is_ascii_digit();
            last = c;
            at += c.len_utf8();
        }
        pieces.push(&text[piece_start..at]);
        if pieces.len() == MAX_PIECES || !joins(text, at, last, letters) {
            break;
        }
        at += len_at(text, at);
    }
    let tail_start = at;
    match char_at(text, at) {
        Some('%') if !letters && pieces.len() == 1 => at += 1,
        _ => {
            while at - tail_start < MAX_PLUS && char_at(text, at) == Some('+') {
                at += 1;
            }
        }
    }
    (Run { pieces, tail: &text[tail_start..at] }, at)
}

/// Whether the character at `at` joins the piece before it, which ends in `last`, to another one. Between numbers it
/// does not (`100-200ml` is a range), unless letters made a model number of them before (`ga-2100-1a1`).
fn joins(text: &str, at: usize, last: char, letters: bool) -> bool {
    let sign = match char_at(text, at) {
        Some('-' | '_' | '&' | '\'') => true,
        // After a digit a full stop ends a list's number (`1.deep clean`).
        Some('.') => !last.is_ascii_digit(),
        _ => false,
    };
    sign && next_is(text, at, |n| {
        is_run_char(n) && (letters || !last.is_ascii_digit() || !n.is_ascii_digit())
    })
}

fn is_run_char(c: char) -> bool {
    c.is_alphanumeric() && !is_hanzi(c)
}

fn char_at(text: &str, at: usize) -> Option<char> {
    text[at..].chars().next()
}

fn len_at(text: &str, at: usize) -> usize {
    char_at(text, at).map_or(0, char::len_utf8)
}

fn next_is(text: &str, at: usize, test: impl FnOnce(char) -> bool) -> bool {
    text[at..].chars().nth(1).is_some_and(test)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let show = |s: Stretch<'_>| match s.run {
            None => text[s.start..s.end].to_owned(),
            Some(run) => format!("{}{}", run.pieces.join("|"), run.tail),
        };
        scan(text).into_iter().map(show).collect()
    }

    #[test]
    fn runs_and_hanzi() {
        for (text, expected) in [
            ("索尼wh-1000xm5耳机", "索尼 wh|1000xm5 耳机"),
            ("spf50+pa+++ 50ml", "spf50+ pa+++ 50ml"),
            ("0.1%a醇", "0.1% a 醇"),
            ("100-200ml", "100 200ml"),
            ("ga-2100-1a1", "ga|2100|1a1"),
            ("l'oreal h&m dr.jart+", "l|oreal h|m dr|jart+"),
            ("3.5mm. 1.a", "3.5mm 1 a"),
            ("16gb/512gb,a--b", "16gb 512gb a b"),
            ("a-b-c-d-e-f", "a|b|c|d|e f"),
            ("🙂-_.%++", ""),
            ("の爱", "の 爱"),
        ] {
            assert_eq!(shown(text).join(" "), expected, "{text}");
        }
    }

    #[test]
    fn endless_runs_are_cut() {
        let stretches = scan(&"x".repeat(1000)).len();
        assert_eq!(stretches, 1000_usize.div_ceil(MAX_PIECE_BYTES));
    }
}
