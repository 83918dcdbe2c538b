use crate::term::{TermKind, Terms};
use crate::units::{is_rating, is_unit};

/// Shortest and longest model number, in characters without hyphens.
const CODE_CHARS: std::ops::RangeInclusive<usize> = 4..=32;
/// Parts of a piece that are told apart; a longer mixture of letters and digits is noise.
const MOST_GROUPS: usize = 8;

/// Letters and digits that stand together: `wh-1000xm5`, `spf50+`, `0.1%`, `l'oreal`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run<'a> {
    /// What hyphens, dots, apostrophes and the like join. Never empty.
    pub(crate) pieces: Vec<&'a str>,
    /// `+` signs or `%` at the end.
    pub(crate) tail: &'a str,
}

impl<'a> Run<'a> {
    /// The pieces without what joined them, and without the tail.
    pub(crate) fn joined(&self) -> String {
        self.pieces.concat()
    }

    /// The run as one word: `wh1000xm5`, `spf50+`, `0.1%`. After a number or a size, `+` means another thing comes.
    pub(crate) fn whole(&self) -> String {
        let mut whole = self.joined();
        if self.tail == "%" || kind_of(&whole) != TermKind::Number {
            whole.push_str(self.tail);
        }
        whole
    }

    /// The run if it is one piece without a tail.
    pub(crate) fn plain(&self) -> Option<&'a str> {
        match self.pieces[..] {
            [piece] if self.tail.is_empty() => Some(piece),
            _ => None,
        }
    }

    /// The run if it is a bare number.
    pub(crate) fn number(&self) -> Option<&'a str> {
        self.plain().filter(|piece| is_number(piece))
    }

    /// True for a single Latin letter.
    pub(crate) fn is_letter(&self) -> bool {
        self.plain().is_some_and(|p| p.len() == 1 && p.as_bytes()[0].is_ascii_alphabetic())
    }

    pub(crate) fn kind(&self) -> TermKind {
        kind_of(&self.joined())
    }

    /// The run's terms: the whole, without its tail, its pieces, and of each piece the groups of letters and of
    /// digits and what follows each group. So `wh-1000xm5` and `wh1000xm5` have the parts `wh`, `1000`, `xm`, `1000xm5` and
    /// `xm5` in common. Single characters are no parts: they meet everything.
    pub(crate) fn terms(&self, out: &mut Terms) {
        let joined = self.joined();
        let kind = kind_of(&joined);
        out.whole(self.whole(), kind);
        out.part(&joined, TermKind::Part);
        for piece in &self.pieces {
            if piece.chars().nth(1).is_some() {
                out.part(piece, TermKind::Part);
            }
            let groups = groups(piece);
            if groups.len() > MOST_GROUPS {
                continue;
            }
            for (at, group) in groups.iter().enumerate() {
                let number_of_size = kind == TermKind::Number && is_number(group);
                if group.chars().nth(1).is_some() || number_of_size {
                    out.part(group, TermKind::Part);
                }
                if at > 0 && at + 1 < groups.len() && kind != TermKind::Number {
                    let start = groups[..at].iter().map(|g| g.len()).sum::<usize>();
                    out.part(&piece[start..], TermKind::Part);
                }
            }
        }
    }
}

/// The kind of a word of letters and digits.
pub(crate) fn kind_of(word: &str) -> TermKind {
    let groups = groups(word);
    if is_measure(&groups) {
        TermKind::Number
    } else if is_code(word, &groups) {
        TermKind::Code
    } else {
        TermKind::Word
    }
}

/// Digits, perhaps with decimal points.
fn is_number(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// A number, `50ml`, `30x40`, `30x40cm`, `2in1`.
fn is_measure(groups: &[&str]) -> bool {
    match groups {
        [number] => is_number(number),
        [number, unit] => is_number(number) && is_unit(unit),
        [number, sign, rest @ ..] => is_number(number) && matches!(*sign, "x" | "in") && is_measure(rest),
        [] => false,
    }
}

/// Letters and digits of a model number's length, and no rating such as `spf50`.
fn is_code(word: &str, groups: &[&str]) -> bool {
    CODE_CHARS.contains(&word.len())
        && groups.len() > 1
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')
        && !matches!(groups, [letters, number] if is_rating(letters) && is_number(number))
}

/// Maximal groups of digits (with decimal points) and of anything else.
fn groups(word: &str) -> Vec<&str> {
    let digit = |b: u8| b.is_ascii_digit() || b == b'.';
    let bytes = word.as_bytes();
    let mut groups = Vec::new();
    let mut start = 0;
    for at in 1..=bytes.len() {
        // Digits and points are ASCII, so a change from or to them is a character boundary.
        if at == bytes.len() || digit(bytes[at]) != digit(bytes[at - 1]) {
            groups.push(&word[start..at]);
            start = at;
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        for code in ["wh1000xm5", "d850s", "rtx4090", "iphone15", "1000xm5", "ga21001a1"] {
            assert_eq!(kind_of(code), TermKind::Code, "{code}");
        }
        for number in ["50", "0.1", "50ml", "1.5l", "20000mah", "30x40cm", "2x50ml", "2in1", "1080p", "18k"] {
            assert_eq!(kind_of(number), TermKind::Number, "{number}");
        }
        for word in ["sk2", "skii", "spf50", "usb3.0", "wifi6", "chando", "b5", "の", "3xl", &"a1".repeat(40)]
        {
            assert_eq!(kind_of(word), TermKind::Word, "{word}");
        }
    }

    #[test]
    fn groups_of_letters_and_digits() {
        assert_eq!(groups("1000xm5"), ["1000", "xm", "5"]);
        assert_eq!(groups("v1.5é2"), ["v", "1.5", "é", "2"]);
        assert!(groups("").is_empty());
    }
}
