//! A look at the heads of a Parquet column's pages before the library reads them: a head says how long its page is
//! unpacked, and the library makes room for that, which could be two gigabytes for a page of a few bytes.

use std::fs::File;

use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::ChunkReader;

use crate::parquet_thrift::{Walk, kind};

/// Longest page, unpacked. Writers aim at a mebibyte.
const MAX_PAGE_BYTES: i64 = 256 << 20;
/// Bytes that a head is first looked for in, and at most: smallest and largest values stand in it.
const FIRST_WINDOW: u64 = 4 << 10;
const LAST_WINDOW: u64 = 16 << 20;

/// Fails if a page among the `length` bytes from `start` on is longer than is read, unpacked or as it lies.
pub(crate) fn check(file: &File, start: u64, length: u64) -> ParquetResult<()> {
    let broken = |problem: String| ParquetError::General(problem);
    let (mut at, mut left) = (start, length);
    while left > 0 {
        let mut window = FIRST_WINDOW;
        let head = loop {
            let bytes = file.get_bytes(at, window.min(left) as usize)?;
            match head(&bytes) {
                Some(head) => break head,
                None if window < left && window < LAST_WINDOW => window *= 16,
                None => return Err(broken(format!("the head of the page at byte {at} cannot be read"))),
            }
        };
        if head.unpacked > MAX_PAGE_BYTES {
            let Head { unpacked, .. } = head;
            return Err(broken(format!(
                "the page at byte {at} has {unpacked} bytes unpacked; at most {MAX_PAGE_BYTES} are read"
            )));
        }
        let packed = u64::try_from(head.packed).ok().and_then(|packed| packed.checked_add(head.length));
        let Some(bytes) = packed.filter(|bytes| *bytes <= left) else {
            return Err(broken(format!("the page at byte {at} reaches beyond its column")));
        };
        at += bytes;
        left -= bytes;
    }
    Ok(())
}

/// What the head of a page says.
struct Head {
    /// Its own length.
    length: u64,
    /// Bytes of the page unpacked, field 2, and as it lies, field 3.
    unpacked: i64,
    packed: i64,
}

fn head(bytes: &[u8]) -> Option<Head> {
    let mut walk = Walk(bytes);
    let (mut id, mut unpacked, mut packed) = (0, 0, 0);
    while let Some(kind) = walk.field(&mut id)? {
        match id {
            2 if (kind::I16..=kind::I64).contains(&kind) => unpacked = walk.integer()?,
            3 if (kind::I16..=kind::I64).contains(&kind) => packed = walk.integer()?,
            _ => walk.skip(kind)?,
        }
    }
    Some(Head { length: (bytes.len() - walk.0.len()) as u64, unpacked, packed })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn told(bytes: &[u8]) -> String {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"PAR1").unwrap();
        file.write_all(bytes).unwrap();
        check(&file, 4, bytes.len() as u64).err().map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn pages_are_bounded_unpacked() {
        // Type 0, unpacked 300 (zigzag 600), packed 2, then two bytes.
        let page = [0x15, 0, 0x15, 0xd8, 0x04, 0x15, 4, 0, 7, 7];
        assert_eq!(told(&[page, page].concat()), "");
        let large = [0x15, 0, 0x15, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0x15, 4, 0, 7, 7];
        assert!(told(&[&page[..], &large].concat()).contains("at byte 14 has 2147483647 bytes unpacked"));
        // Packed longer than the column, or less than nothing.
        for packed in [40, 3] {
            let mut beyond = page;
            beyond[6] = packed;
            assert!(told(&beyond).contains("reaches beyond its column"));
        }
        assert!(told(&[0xff; 20]).contains("cannot be read"));
    }

    #[test]
    fn long_heads_are_read_whole() {
        // Field 5, a struct with 10,000 bytes of text in field 8.
        let mut page = vec![0x15, 0, 0x15, 4, 0x15, 4, 0x2c, 0x88, 0x90, 0x4e];
        page.extend([b'x'; 10_000]);
        page.extend([0, 0, 7, 7]);
        assert_eq!(told(&page), "");
    }
}
