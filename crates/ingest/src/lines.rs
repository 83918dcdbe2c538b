use std::io::{self, BufRead, BufReader, Read};

/// Physical lines of a stream, numbered from 1. A line ends with `\n` or `\r\n`, which are taken off.
pub(crate) struct Lines {
    reader: BufReader<Box<dyn Read + Send>>,
    limit: usize,
    number: u64,
}

/// Where a line stands and how long it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LineInfo {
    pub(crate) number: u64,
    /// Length in bytes if it is above the limit; the buffer then holds its beginning only.
    pub(crate) overlong: Option<u64>,
}

impl Lines {
    pub(crate) fn new(reader: Box<dyn Read + Send>, limit: usize) -> Self {
        Self { reader: BufReader::with_capacity(16 << 10, reader), limit, number: 0 }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Reads the next line into `line`, which never holds more than the limit and two bytes. On an error the part
    /// of a line that came before it counts for nothing.
    pub(crate) fn read(&mut self, line: &mut Vec<u8>) -> io::Result<Option<LineInfo>> {
        line.clear();
        let most = (self.limit as u64).saturating_add(2);
        if (&mut self.reader).take(most).read_until(b'\n', line)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        let mut length = line.len() as u64;
        if line.last() == Some(&b'\n') {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            length = line.len() as u64;
        } else if length == most {
            length += self.skip_line()?;
        }
        let overlong = (length > self.limit as u64).then_some(length);
        Ok(Some(LineInfo { number: self.number, overlong }))
    }

    fn skip_line(&mut self) -> io::Result<u64> {
        let mut skipped = 0;
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(skipped);
            }
            match buffer.iter().position(|b| *b == b'\n') {
                Some(at) => {
                    self.reader.consume(at + 1);
                    return Ok(skipped + at as u64);
                }
                None => {
                    let n = buffer.len();
                    self.reader.consume(n);
                    skipped += n as u64;
                }
            }
        }
    }
}

/// The message for a line above the limit.
pub(crate) fn overlong_problem(length: u64, limit: usize) -> String {
    format!("the line is {length} bytes long; at most {limit} are read (`--max-line-bytes` raises that)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str, limit: usize) -> Vec<(u64, Option<u64>, String)> {
        let mut lines = Lines::new(Box::new(io::Cursor::new(text.to_owned())), limit);
        let mut buffer = Vec::new();
        let mut out = Vec::new();
        while let Some(info) = lines.read(&mut buffer).unwrap() {
            out.push((info.number, info.overlong, String::from_utf8(buffer.clone()).unwrap()));
        }
        out
    }

    #[test]
    fn endings_and_limits() {
        let line = |n, text: &str| (n, None, text.to_owned());
        assert_eq!(read_all("a\r\n\nbb", 4), [line(1, "a"), line(2, ""), line(3, "bb")]);
        assert_eq!(read_all("abcd\r\nabcd\n", 4), [line(1, "abcd"), line(2, "abcd")]);
        let long = read_all("abcdefghij\nx\nabcde", 4);
        assert_eq!(long[0], (1, Some(10), "abcdef".to_owned()));
        assert_eq!(long[1], line(2, "x"));
        assert_eq!(long[2].1, Some(5));
        assert_eq!(read_all("", 4), []);
    }
}
