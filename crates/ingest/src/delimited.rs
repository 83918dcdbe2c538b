use std::io::{self, Read};
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde_json::Value;
use xunpin_core::limits::MAX_FIELDS;

use crate::assemble::{assemble, blame};
use crate::plan::Plan;
use crate::record::{Problem, Raw, Row, Rows, Stop};
use crate::records::Records;
use crate::text::clean;
use crate::{Format, Mapping, ReadOptions, TextEncoding};

/// Reads CSV and TSV.
///
/// Neither line breaks nor delimiters nor quotes occur inside GB18030's characters of two and four bytes, so records
/// are split before they are decoded.
pub(crate) struct Delimited {
    records: Records,
    /// How many fields a row has: the last columns may be left out where the header does not name them.
    fields: RangeInclusive<usize>,
    encoding: TextEncoding,
    mapping: Arc<Mapping>,
    plan: Plan,
}

impl Delimited {
    /// Reads the header. `Err` holds its line and what is wrong with it.
    pub(crate) fn new(
        reader: Box<dyn Read + Send>,
        delimiter: u8,
        encoding: TextEncoding,
        mapping: Arc<Mapping>,
        options: &ReadOptions,
    ) -> Result<Result<Self, (u64, String)>, io::Error> {
        let mut records = Records::new(reader, delimiter, options);
        let mut named = 0;
        let columns = match records.next_record(None)? {
            None => Vec::new(),
            Some((line, Err(problem))) => return Ok(Err((line, problem))),
            Some((line, Ok(()))) if records.fields().count() > MAX_FIELDS => {
                let problem = format!("{} columns; at most {MAX_FIELDS} are read", records.fields().count());
                return Ok(Err((line, problem)));
            }
            Some((line, Ok(()))) => {
                let mut columns = Vec::new();
                for (at, field) in records.fields().enumerate() {
                    match encoding.decode(field) {
                        Ok(name) => {
                            named = if name.trim().is_empty() { named } else { at + 1 };
                            columns.push(column_name(&name, at));
                        }
                        Err(problem) => return Ok(Err((line, problem))),
                    }
                }
                columns
            }
        };
        let fields = named..=columns.len();
        let plan = Plan::new(&mapping, columns);
        Ok(Ok(Self { records, fields, encoding, mapping, plan }))
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    fn product(&self) -> Result<xunpin_core::Product, Box<Problem>> {
        let mut cells = Vec::with_capacity(self.plan.columns.len());
        let mut unreadable = None;
        for (at, field) in self.records.fields().enumerate().take(self.plan.columns.len()) {
            match self.encoding.decode(field) {
                Ok(text) if text.trim().is_empty() => {}
                Ok(text) => cells.push((at, Value::String(text.into_owned()))),
                Err(problem) => {
                    unreadable.get_or_insert_with(|| Problem::field(self.plan.columns[at].clone(), problem));
                }
            }
        }
        let product = assemble(&self.plan, &self.mapping, cells.into_iter());
        match unreadable {
            None => product,
            Some(problem) => Err(blame(problem, product)),
        }
    }
}

impl Rows for Delimited {
    fn next_row(&mut self) -> Result<Option<Row>, Stop> {
        Ok(self.records.next_record(Some(&self.fields))?.map(|(line, parsed)| Row {
            line,
            content: match parsed {
                Ok(()) => self.product(),
                Err(problem) => Err(Box::new(Problem::line(problem))),
            },
        }))
    }

    fn raw(&self) -> Raw {
        let mut bytes = Vec::new();
        for line in &self.records.record {
            bytes.extend_from_slice(&line.bytes);
        }
        let overlong = self.records.record.iter().any(|line| line.info.overlong.is_some());
        let (text, exact) = self.encoding.decode_lossy(bytes.strip_suffix(b"\n").unwrap_or(&bytes));
        Raw::new(text, exact && !overlong)
    }
}

fn column_name(text: &str, at: usize) -> String {
    let mut name = text.trim().trim_start_matches('\u{feff}').to_owned();
    clean(&mut name);
    if name.is_empty() { format!("column_{}", at + 1) } else { name }
}

/// The delimiter of a file that begins with `head`.
pub(crate) fn delimiter(format: Format, head: &[u8]) -> u8 {
    let line = head.split(|b| *b == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    match format {
        Format::Tsv => b'\t',
        _ if line.contains(&b',') => b',',
        _ if line.contains(&b'\t') => b'\t',
        _ if line.contains(&b';') => b';',
        _ => b',',
    }
}
