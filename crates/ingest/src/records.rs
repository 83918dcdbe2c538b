use std::collections::VecDeque;
use std::io::{self, Read};
use std::ops::RangeInclusive;

use csv_core::{ReadRecordResult, ReaderBuilder, Terminator};

use crate::ReadOptions;
use crate::lines::{LineInfo, Lines, overlong_problem};

/// A physical line, its line break made `\n`, and where it stands.
pub(crate) struct Held {
    pub(crate) info: LineInfo,
    pub(crate) bytes: Vec<u8>,
}

/// Splits lines into records and records into fields. A record is a line, or several where a quoted field holds line
/// breaks. A quote that is never closed must not swallow the file, so a record that stays open too long, or that took
/// several lines and is not well formed, costs its first line only: reading goes on with the second.
pub(crate) struct Records {
    lines: Lines,
    core: csv_core::Reader,
    delimiter: u8,
    max_lines: usize,
    /// Lines that were read ahead and given back.
    ahead: VecDeque<Held>,
    /// An error met while reading ahead; it comes after the lines before it.
    failed: Option<io::Error>,
    /// The lines of the last record.
    pub(crate) record: Vec<Held>,
    text: Vec<u8>,
    text_len: usize,
    ends: Vec<usize>,
    ends_len: usize,
    spare: Vec<Vec<u8>>,
}

impl Records {
    pub(crate) fn new(reader: Box<dyn Read + Send>, delimiter: u8, options: &ReadOptions) -> Self {
        let core = ReaderBuilder::new().delimiter(delimiter).terminator(Terminator::Any(b'\n')).build();
        Self {
            lines: Lines::new(reader, options.max_line_bytes),
            core,
            delimiter,
            max_lines: options.max_record_lines.max(1),
            ahead: VecDeque::new(),
            failed: None,
            record: Vec::new(),
            text: vec![0; 4 << 10],
            text_len: 0,
            ends: vec![0; 64],
            ends_len: 0,
            spare: Vec::new(),
        }
    }

    /// The last record's fields.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends[..self.ends_len].iter().copied());
        starts.zip(&self.ends[..self.ends_len]).map(|(start, end)| &self.text[start..*end])
    }

    /// Reads the next record that is not blank and checks how many fields it has. Gives the line it begins on
    /// and what is wrong with it.
    pub(crate) fn next_record(
        &mut self,
        fields: Option<&RangeInclusive<usize>>,
    ) -> io::Result<Option<(u64, Result<(), String>)>> {
        let first = loop {
            match self.take_line() {
                Some(line) if line.info.overlong.is_none() && self.is_blank(&line.bytes) => {
                    self.recycle(line.bytes);
                }
                Some(line) => break line,
                None => return self.failed.take().map_or(Ok(None), Err),
            }
        };
        let info = first.info;
        while let Some(line) = self.record.pop() {
            self.recycle(line.bytes);
        }
        self.record.push(first);
        if let Some(length) = info.overlong {
            return Ok(Some((info.number, Err(overlong_problem(length, self.lines.limit())))));
        }
        let outcome = self.read_record().and_then(|()| match fields {
            Some(fields) => self.check_fields(fields),
            None => Ok(()),
        });
        if outcome.is_err() {
            for line in self.record.drain(1..).rev() {
                self.ahead.push_front(line);
            }
        }
        Ok(Some((info.number, outcome)))
    }

    /// Parses `record`, adding lines until it is whole.
    fn read_record(&mut self) -> Result<(), String> {
        self.core.reset();
        (self.text_len, self.ends_len) = (0, 0);
        let mut bytes = 0;
        let mut at = 0;
        loop {
            bytes += self.record[at].bytes.len();
            if self.feed(at) {
                return Ok(());
            }
            at += 1;
            let unclosed = |until: String| {
                Err(format!(
                    "a quote (\") opens a field that is not closed {until}; double the quotes inside a field"
                ))
            };
            if at >= self.max_lines {
                return unclosed(format!("within {} lines", self.max_lines));
            }
            if bytes > self.lines.limit() {
                return unclosed(format!("within {} bytes", self.lines.limit()));
            }
            match self.take_line() {
                Some(line) if line.info.overlong.is_some() => {
                    self.ahead.push_front(line);
                    return unclosed("before a line that is too long".into());
                }
                Some(line) => self.record.push(line),
                None => return unclosed("before the end of the file".into()),
            }
        }
    }

    /// Parses line `at` of the record; true if the record ends with it.
    fn feed(&mut self, at: usize) -> bool {
        let mut input = &self.record[at].bytes[..];
        loop {
            let (result, read, text, ends) = self.core.read_record(
                input,
                &mut self.text[self.text_len..],
                &mut self.ends[self.ends_len..],
            );
            input = &input[read..];
            self.text_len += text;
            self.ends_len += ends;
            match result {
                ReadRecordResult::Record => return true,
                ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                // Empty input means the end of the file to the parser, so it is never called with that.
                ReadRecordResult::InputEmpty | ReadRecordResult::End => return false,
            }
            if input.is_empty() {
                return false;
            }
        }
    }

    fn check_fields(&self, fields: &RangeInclusive<usize>) -> Result<(), String> {
        let got = self.ends_len;
        let surplus_is_blank =
            || self.fields().skip(*fields.end()).all(|field| field.trim_ascii().is_empty());
        let fits = fields.contains(&got) || (got > *fields.end() && surplus_is_blank());
        let lines = self.record.len();
        if fits && (lines == 1 || self.is_strictly_quoted()) {
            return Ok(());
        }
        if lines > 1 {
            return Err(format!(
                "a quote (\") opens a field that the next quote, {} lines on, does not properly close; double the \
                 quotes inside a field",
                lines - 1
            ));
        }
        let hint = if got > *fields.end() { "; quote fields that hold the delimiter" } else { "" };
        Err(format!("{} fields are expected as in the header, got {got}{hint}", fields.end()))
    }

    /// Whether every closing quote of the record is followed by a delimiter or the end. Where one that was never closed
    /// meets the opening quote of a later field, it is not.
    fn is_strictly_quoted(&self) -> bool {
        let mut bytes = self.record.iter().flat_map(|line| &line.bytes).copied().peekable();
        let mut field_begins = true;
        while let Some(byte) = bytes.next() {
            if !(field_begins && byte == b'"') {
                field_begins = byte == self.delimiter;
                continue;
            }
            field_begins = false;
            while let Some(byte) = bytes.next() {
                if byte == b'"' && bytes.next_if_eq(&b'"').is_none() {
                    break;
                }
            }
            if bytes.peek().is_some_and(|after| *after != self.delimiter && *after != b'\n') {
                return false;
            }
        }
        true
    }

    /// The next physical line, one that was given back first. `None` at the end and where reading fails.
    fn take_line(&mut self) -> Option<Held> {
        if let Some(line) = self.ahead.pop_front() {
            return Some(line);
        }
        if self.failed.is_some() {
            return None;
        }
        let mut bytes = self.spare.pop().unwrap_or_default();
        match self.lines.read(&mut bytes) {
            Ok(Some(info)) => {
                bytes.push(b'\n');
                Some(Held { info, bytes })
            }
            Ok(None) => None,
            Err(e) => {
                self.failed = Some(e);
                None
            }
        }
    }

    /// Keeps a few buffers for the lines to come; more would add up to as many of the longest length.
    fn recycle(&mut self, buffer: Vec<u8>) {
        const KEPT: usize = 4;
        if self.spare.len() < KEPT {
            self.spare.push(buffer);
        }
    }

    /// True for a line without anything in it but delimiters, as spreadsheets write below their tables.
    fn is_blank(&self, line: &[u8]) -> bool {
        line.iter().all(|b| *b == self.delimiter || b.is_ascii_whitespace())
    }
}
