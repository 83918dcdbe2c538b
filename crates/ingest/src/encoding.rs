use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use encoding_rs::{Decoder, DecoderResult, GB18030, UTF_16BE, UTF_16LE};
use serde::Serialize;

use crate::UnknownName;

/// How a file writes characters as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum TextEncoding {
    /// UTF-8, with or without byte order mark.
    #[serde(rename = "utf-8")]
    Utf8,
    /// GB18030, and so GBK and GB2312.
    #[serde(rename = "gb18030")]
    Gb18030,
    /// UTF-16, low byte first.
    #[serde(rename = "utf-16le")]
    Utf16Le,
    /// UTF-16, high byte first.
    #[serde(rename = "utf-16be")]
    Utf16Be,
}

impl FromStr for TextEncoding {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        match name.to_ascii_lowercase().as_str() {
            "utf-8" | "utf8" => Ok(Self::Utf8),
            "gb18030" | "gbk" | "gb2312" => Ok(Self::Gb18030),
            "utf-16le" => Ok(Self::Utf16Le),
            "utf-16be" => Ok(Self::Utf16Be),
            _ => Err(UnknownName { name: name.to_owned(), expected: "utf-8, gb18030, utf-16le, utf-16be" }),
        }
    }
}

impl fmt::Display for TextEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf8 => "utf-8",
            Self::Gb18030 => "gb18030",
            Self::Utf16Le => "utf-16le",
            Self::Utf16Be => "utf-16be",
        })
    }
}

const BYTE_ORDER_MARKS: [(&[u8], TextEncoding); 4] = [
    (b"\xef\xbb\xbf", TextEncoding::Utf8),
    (b"\xff\xfe", TextEncoding::Utf16Le),
    (b"\xfe\xff", TextEncoding::Utf16Be),
    (b"\x84\x31\x95\x33", TextEncoding::Gb18030),
];

impl TextEncoding {
    /// The encoding of a file that begins with `head`, and the length of its byte order mark.
    ///
    /// Without a mark it is UTF-8 unless more lines are GB18030 and not UTF-8 than are UTF-8, ASCII lines not
    /// counted: a few damaged lines do not turn a UTF-8 file into another.
    pub(crate) fn detect(head: &[u8]) -> (Self, usize) {
        for (mark, encoding) in BYTE_ORDER_MARKS {
            if head.starts_with(mark) {
                return (encoding, mark.len());
            }
        }
        // The head may end inside a character, so its last line counts only if it is the only one.
        let whole = head.iter().rposition(|b| *b == b'\n').map_or(head, |end| &head[..end]);
        let (mut utf8, mut gb18030) = (0usize, 0usize);
        for line in whole.split(|b| *b == b'\n').filter(|line| !line.is_ascii()) {
            match std::str::from_utf8(line) {
                Ok(_) => utf8 += 1,
                Err(e) if e.error_len().is_none() && whole.len() == head.len() => utf8 += 1,
                Err(_) => gb18030 += usize::from(Self::Gb18030.decode(line).is_ok()),
            }
        }
        (if gb18030 > utf8 { Self::Gb18030 } else { Self::Utf8 }, 0)
    }

    /// Length of this encoding's byte order mark at the beginning of `head`, 0 without one.
    pub(crate) fn mark_len(self, head: &[u8]) -> usize {
        BYTE_ORDER_MARKS
            .iter()
            .find(|(mark, encoding)| *encoding == self && head.starts_with(mark))
            .map_or(0, |(mark, _)| mark.len())
    }

    /// The text of one line. UTF-16 never comes here: [`utf8_from_utf16`] changes the whole stream.
    pub(crate) fn decode(self, bytes: &[u8]) -> Result<Cow<'_, str>, String> {
        if self == Self::Gb18030 {
            return GB18030
                .decode_without_bom_handling_and_without_replacement(bytes)
                .ok_or_else(|| "holds bytes that are not GB18030 text".to_owned());
        }
        std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|e| {
            let at = e.valid_up_to();
            format!("byte {} (0x{:02X}) is not UTF-8 text", at + 1, bytes[at])
        })
    }

    /// The text of one line with U+FFFD for what is no text, and whether there was none of that.
    pub(crate) fn decode_lossy(self, bytes: &[u8]) -> (String, bool) {
        match self.decode(bytes) {
            Ok(text) => (text.into_owned(), true),
            Err(_) if self == Self::Gb18030 => {
                (GB18030.decode_without_bom_handling(bytes).0.into_owned(), false)
            }
            Err(_) => (String::from_utf8_lossy(bytes).into_owned(), false),
        }
    }
}

/// A reader of UTF-8 over one of UTF-16. Unpaired surrogates become the byte 0xFF, so that just their line is found
/// to be no text.
pub(crate) fn utf8_from_utf16(inner: Box<dyn Read + Send>, big_endian: bool) -> Box<dyn Read + Send> {
    let encoding = if big_endian { UTF_16BE } else { UTF_16LE };
    Box::new(Transcoder {
        inner,
        decoder: encoding.new_decoder_without_bom_handling(),
        input: vec![0; 16 << 10],
        pending: 0..0,
        output: vec![0; 64 << 10],
        ready: 0..0,
        ended: false,
        finished: false,
    })
}

struct Transcoder {
    inner: Box<dyn Read + Send>,
    decoder: Decoder,
    input: Vec<u8>,
    pending: std::ops::Range<usize>,
    output: Vec<u8>,
    ready: std::ops::Range<usize>,
    ended: bool,
    finished: bool,
}

impl Transcoder {
    fn fill(&mut self) -> io::Result<()> {
        if self.pending.is_empty() && !self.ended {
            let n = self.inner.read(&mut self.input)?;
            self.pending = 0..n;
            self.ended = n == 0;
        }
        // One byte is kept free for the mark of a malformed sequence.
        let room = self.output.len() - 1;
        let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(
            &self.input[self.pending.clone()],
            &mut self.output[..room],
            self.ended,
        );
        self.pending.start += read;
        self.ready = 0..written;
        match result {
            DecoderResult::Malformed(..) => {
                self.output[written] = 0xff;
                self.ready.end += 1;
            }
            DecoderResult::InputEmpty => self.finished = self.ended,
            DecoderResult::OutputFull => {}
        }
        Ok(())
    }
}

impl Read for Transcoder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.ready.is_empty() && !self.finished {
            self.fill()?;
        }
        let n = self.ready.len().min(buffer.len());
        buffer[..n].copy_from_slice(&self.output[self.ready.start..self.ready.start + n]);
        self.ready.start += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gb(text: &str) -> Vec<u8> {
        GB18030.encode(text).0.into_owned()
    }

    #[test]
    fn marks_decide() {
        assert_eq!(TextEncoding::detect(b"\xef\xbb\xbfid"), (TextEncoding::Utf8, 3));
        assert_eq!(TextEncoding::detect(b"\xff\xfei\0"), (TextEncoding::Utf16Le, 2));
        assert_eq!(TextEncoding::detect(b"\x84\x31\x95\x33id"), (TextEncoding::Gb18030, 4));
    }

    #[test]
    fn most_lines_decide() {
        let damaged =
            [b"id\n".as_slice(), "面霜\n精华\n乳液\n".as_bytes(), &gb("水乳\n"), b"\xff\xff\n"].concat();
        assert_eq!(TextEncoding::detect(&damaged).0, TextEncoding::Utf8);
        let gbk = [b"id,title\n".as_slice(), &gb("面霜\n精华液\n联通\n"), b"\xff\xff\n"].concat();
        assert_eq!(TextEncoding::detect(&gbk).0, TextEncoding::Gb18030);
        assert_eq!(TextEncoding::detect(b"ascii\nonly\n").0, TextEncoding::Utf8);
        // Heads cut inside a character.
        assert_eq!(TextEncoding::detect(&"面霜精华".as_bytes()[..8]).0, TextEncoding::Utf8);
        let cut = [gb("面霜\n"), gb("精华")[..3].to_vec()].concat();
        assert_eq!(TextEncoding::detect(&cut).0, TextEncoding::Gb18030);
    }

    #[test]
    fn utf16_is_changed_to_utf8() {
        let mut bytes: Vec<u8> =
            "面霜😀\n".repeat(30_000).encode_utf16().flat_map(u16::to_be_bytes).collect();
        bytes.extend([0xd8, 0x00, 0x00, b'a']);
        let mut out = Vec::new();
        utf8_from_utf16(Box::new(io::Cursor::new(bytes)), true).read_to_end(&mut out).unwrap();
        let (lines, last) = out.split_at(11 * 30_000);
        assert_eq!(std::str::from_utf8(lines).unwrap(), "面霜😀\n".repeat(30_000));
        assert_eq!(last, b"\xffa");
    }
}
