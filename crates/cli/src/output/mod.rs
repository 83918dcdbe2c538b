//! Printing for people and for programs.

pub(crate) mod hits;
pub(crate) mod table;

use std::borrow::Cow;
use std::io::{BufWriter, Write};

use serde::Serialize;

/// Writes `value` as one indented JSON document. Unlike `println!`, a closed pipe is an error to be handled.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    // Standard output alone would be written line by line.
    let mut out = BufWriter::new(std::io::stdout().lock());
    serde_json::to_writer_pretty(&mut out, value).map_err(std::io::Error::from)?;
    writeln!(out)?;
    out.flush()?;
    Ok(())
}

/// Writes `value` as one line of JSON.
pub(crate) fn json_line(out: &mut impl Write, value: &impl Serialize) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *out, value).map_err(std::io::Error::from)?;
    writeln!(out)?;
    Ok(())
}

/// Writes one line of text, [made harmless](printable).
pub(crate) fn line(text: impl std::fmt::Display) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{}", printable(&text.to_string()))?;
    Ok(())
}

/// Writes one line of text, [made harmless](printable), to standard error.
pub(crate) fn tell(text: impl std::fmt::Display) {
    eprintln!("{}", printable(&text.to_string()));
}

/// `text` with U+FFFD for what a terminal would obey instead of showing it: control characters (escape sequences begin
/// with one), but for line feeds and tabs, and the marks that turn the direction of what follows. A catalogue's text, its
/// column names and file names come from others.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_obeyed) {
        Cow::Owned(text.chars().map(|c| if is_obeyed(c) { char::REPLACEMENT_CHARACTER } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

fn is_obeyed(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        c => c.is_control(),
    }
}

/// A count with the noun it counts: `1 product`, `3,474 products`.
pub(crate) fn count(n: impl TryInto<u64>, one: &str, many: &str) -> String {
    let n = n.try_into().unwrap_or(u64::MAX);
    format!("{} {}", thousands(n), if n == 1 { one } else { many })
}

/// `3474` as `3,474`.
pub(crate) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A byte count for people: `1.2 GB` (decimal units).
pub(crate) fn bytes(n: u64) -> String {
    let mut value = n as f64;
    for unit in ["bytes", "kB", "MB", "GB"] {
        if value < 999.5 {
            return if unit == "bytes" { format!("{n} bytes") } else { format!("{value:.1} {unit}") };
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        assert!(matches!(printable("面霜\t50g\n👩‍🔬 é"), Cow::Borrowed(_)));
        assert_eq!(
            printable("a\u{1b}[2J\u{9b}31mb\u{7}\r\u{202e}c\u{2069}\u{7f}"),
            "a\u{fffd}[2J\u{fffd}31mb\u{fffd}\u{fffd}\u{fffd}c\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!(thousands(7), "7");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(count(1u64, "product", "products"), "1 product");
        assert_eq!(bytes(999), "999 bytes");
        assert_eq!(bytes(1_211_486_072), "1.2 GB");
    }
}
