use std::collections::HashSet;
use std::io::Read;
use std::sync::Arc;

use serde_json::{Map, Value};
use xunpin_core::limits::MAX_FIELDS;

use crate::assemble::assemble;
use crate::lines::{LineInfo, Lines, overlong_problem};
use crate::plan::Plan;
use crate::record::{Problem, Raw, Row, Rows, Stop};
use crate::text::excerpt;
use crate::{Mapping, TextEncoding};

/// Reads one JSON object a line.
pub(crate) struct Jsonl {
    lines: Lines,
    encoding: TextEncoding,
    mapping: Arc<Mapping>,
    /// The plan of the last line: lines mostly have the same keys.
    plan: Plan,
    line: Vec<u8>,
    overlong: bool,
}

impl Jsonl {
    pub(crate) fn new(
        reader: Box<dyn Read + Send>,
        encoding: TextEncoding,
        mapping: Arc<Mapping>,
        max_line_bytes: usize,
    ) -> Self {
        let lines = Lines::new(reader, max_line_bytes);
        Self { lines, encoding, mapping, plan: Plan::default(), line: Vec::new(), overlong: false }
    }

    fn parse(&mut self, info: LineInfo) -> Result<xunpin_core::Product, Box<Problem>> {
        if let Some(length) = info.overlong {
            return Err(Box::new(Problem::line(overlong_problem(length, self.lines.limit()))));
        }
        let text = self.encoding.decode(&self.line).map_err(|problem| Box::new(Problem::line(problem)))?;
        let object = parse_object(&text).map_err(Box::new)?;
        if object.len() > MAX_FIELDS {
            let problem = format!("{} fields; at most {MAX_FIELDS} are read", object.len());
            return Err(Box::new(Problem::line(problem)));
        }
        if !object.keys().eq(&self.plan.columns) {
            self.plan = Plan::new(&self.mapping, object.keys().cloned().collect());
        }
        let cells = object.into_iter().map(|(_, value)| value).enumerate();
        assemble(&self.plan, &self.mapping, cells)
    }
}

impl Rows for Jsonl {
    fn next_row(&mut self) -> Result<Option<Row>, Stop> {
        loop {
            let Some(info) = self.lines.read(&mut self.line)? else {
                return Ok(None);
            };
            if info.overlong.is_none() && self.line.trim_ascii().is_empty() {
                continue;
            }
            self.overlong = info.overlong.is_some();
            return Ok(Some(Row { line: info.number, content: self.parse(info) }));
        }
    }

    fn raw(&self) -> Raw {
        let (text, exact) = self.encoding.decode_lossy(&self.line);
        Raw::new(text, exact && !self.overlong)
    }
}

fn parse_object(text: &str) -> Result<Map<String, Value>, Problem> {
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => {
            let kind = match other {
                Value::Array(_) => "an array",
                Value::String(_) => "a text",
                Value::Number(_) => "a number",
                _ => "null, true or false",
            };
            Err(Problem::line(format!("the line is {kind}; one JSON object a line is expected")))
        }
        Err(e) => Err(explain(text, &e)),
    }
}

/// What is wrong with a line that is no JSON. Programs write NaN and Infinity, which JSON does not have, so those are
/// told apart.
fn explain(text: &str, error: &serde_json::Error) -> Problem {
    let bytes = text.as_bytes();
    // The parser stands on the fault or just after its first byte.
    let near = error.column().saturating_sub(3)..(error.column() + 1).min(bytes.len());
    for at in near {
        for name in ["NaN", "Infinity", "-Infinity"] {
            if bytes[at..].starts_with(name.as_bytes()) {
                let problem = format!("{name} is not a JSON value; write null or leave the field out");
                return Problem { field: key_before(&text[..at]), problem, id: None };
            }
        }
    }
    // The parser's message ends with " at line 1 column N"; the line is told elsewhere.
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    Problem::line(format!("not valid JSON: {message} (byte {} of the line)", error.column()))
}

/// The key of the value that begins after `text`.
fn key_before(text: &str) -> Option<String> {
    let key = text.trim_end().strip_suffix(':')?.trim_end().strip_suffix('"')?;
    Some(excerpt(&key[key.rfind('"')? + 1..]))
}

/// The keys of the first lines, in the order they are first seen, as many as a line may have.
pub(crate) fn sample_columns(head: &[u8], encoding: TextEncoding) -> Vec<String> {
    const LINES: usize = 100;
    let mut columns = Vec::new();
    let mut known = HashSet::new();
    for line in head.split(|b| *b == b'\n').filter(|line| !line.trim_ascii().is_empty()).take(LINES) {
        let Ok(text) = encoding.decode(line) else { continue };
        for (key, _) in parse_object(&text).unwrap_or_default() {
            if columns.len() < MAX_FIELDS && known.insert(key.clone()) {
                columns.push(key);
            }
        }
    }
    columns
}

/// True if the file is one JSON array: it begins with `[`, and its first line is not an array beside others.
pub(crate) fn is_array(head: &[u8]) -> bool {
    let text = head.trim_ascii_start();
    if text.first() != Some(&b'[') {
        return false;
    }
    let mut lines = text.split(|b| *b == b'\n').filter(|line| !line.trim_ascii().is_empty());
    let first = lines.next().unwrap_or_default();
    lines.next().is_none() || serde_json::from_slice::<serde::de::IgnoredAny>(first).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_explained() {
        let message = |text: &str| {
            let problem = parse_object(text).unwrap_err();
            (problem.field, problem.problem)
        };
        for (text, name) in [
            ("{\"id\":1,\"price\": NaN}", "NaN"),
            ("{\"price\":-Infinity,\"id\":1}", "-Infinity"),
            ("{\"价\":1,\"price\":Infinity}", "Infinity"),
        ] {
            let (field, problem) = message(text);
            assert_eq!(field.as_deref(), Some("price"), "{text}: {problem}");
            assert!(problem.starts_with(name), "{problem}");
        }
        assert!(message("[1]").1.contains("is an array"));
        assert!(message("null").1.contains("null"));
        let (field, problem) = message("{\"id\":1,");
        assert_eq!(field, None);
        assert!(
            problem.starts_with("not valid JSON") && problem.ends_with("(byte 8 of the line)"),
            "{problem}"
        );
    }

    #[test]
    fn arrays_are_told_from_lines_that_are_arrays() {
        assert!(is_array(b" [\n{\"id\":1}]") && is_array(b"[{\"id\":1},{\"id\":2}]\n") && is_array(b"["));
        assert!(!is_array(b"[1]\n{\"id\":1}") && !is_array(b"{\"id\":1}") && !is_array(b""));
    }
}
