//! A look at a Parquet file's schema before the library reads it: the library follows it by calling itself once a level
//! and makes room for as many children as a group says it has, so a few bytes could exhaust the stack or the memory.
//!
//! The footer is a struct in Thrift's compact protocol; its field 2 is the list of the schema's nodes, a parent before its
//! children, and field 5 of a node says how many children it has.
//! <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use xunpin_core::limits::{MAX_FIELDS, MAX_NESTING};

use crate::format::PARQUET_MAGIC;
use crate::parquet_thrift::{Walk, kind};

/// Most nodes of a schema, groups counted too.
const MAX_NODES: usize = 4 * MAX_FIELDS;
/// Longest footer that is read. That of a file of four thousand columns and a hundred row groups takes a tenth of it.
const MAX_FOOTER_BYTES: u64 = 256 << 20;
/// Bytes of the length and the magic behind the footer.
const TAIL: u64 = 8;

/// What is wrong with the schema of `file`, if it is not one to be read. Files that end otherwise than Parquet does are
/// left to the library, which says so.
pub(crate) fn problem(file: &mut File) -> io::Result<Option<String>> {
    let bytes = file.metadata()?.len();
    let mut tail = [0; TAIL as usize];
    if bytes < TAIL {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(bytes - TAIL))?;
    file.read_exact(&mut tail)?;
    let [a, b, c, d, ref magic @ ..] = tail;
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    if magic != PARQUET_MAGIC || length > bytes - TAIL {
        return Ok(None);
    }
    if length > MAX_FOOTER_BYTES {
        return Ok(Some(format!("its footer has {length} bytes; at most {MAX_FOOTER_BYTES} are read")));
    }
    file.seek(SeekFrom::Start(bytes - TAIL - length))?;
    let mut footer = vec![0; length as usize];
    file.read_exact(&mut footer)?;
    file.rewind()?;
    Ok(schema_problem(&footer))
}

fn schema_problem(footer: &[u8]) -> Option<String> {
    match fields(&mut Walk(footer)) {
        Some(Ok(())) => None,
        Some(Err(problem)) => Some(problem),
        None => Some("its schema cannot be read".to_owned()),
    }
}

/// Goes through the whole footer: of two schemas the library would take the second.
fn fields(walk: &mut Walk<'_>) -> Option<Result<(), String>> {
    let (mut id, mut found) = (0, false);
    while let Some(kind) = walk.field(&mut id)? {
        match (id, kind) {
            (2, kind::LIST) if found => return Some(Err("it has two schemas".to_owned())),
            (2, kind::LIST) => {
                found = true;
                if let Err(problem) = schema(walk)? {
                    return Some(Err(problem));
                }
            }
            _ => walk.skip(kind)?,
        }
    }
    found.then_some(Ok(()))
}

/// Goes through the nodes; the inner error is a schema that is not to be read.
fn schema(walk: &mut Walk<'_>) -> Option<Result<(), String>> {
    let (count, kind) = walk.list()?;
    if kind != kind::STRUCT {
        return None;
    }
    if count > MAX_NODES {
        return Some(Err(format!("its schema has {count} nodes; at most {MAX_NODES} are read")));
    }
    // Children that are still to come, of each group that is open.
    let mut open: Vec<usize> = Vec::new();
    for at in 0..count {
        while open.pop_if(|left| *left == 0).is_some() {}
        if let Some(left) = open.last_mut() {
            *left -= 1;
        }
        let children = children(walk)?;
        if children > count - at {
            return Some(Err("its schema promises more columns than it has".to_owned()));
        }
        if children > 0 {
            open.push(children);
        }
        if at == 0 && children > MAX_FIELDS {
            return Some(Err(format!("it has {children} columns; at most {MAX_FIELDS} are read")));
        }
        // The root is no level.
        if open.len() > MAX_NESTING + 1 {
            return Some(Err(format!("its columns are nested more than {MAX_NESTING} deep")));
        }
    }
    Some(Ok(()))
}

/// Walks over a node; gives the number of its children.
fn children(walk: &mut Walk<'_>) -> Option<usize> {
    let (mut id, mut children) = (0, 0);
    while let Some(kind) = walk.field(&mut id)? {
        if id == 5 && (kind::I16..=kind::I64).contains(&kind) {
            children = usize::try_from(walk.integer()?.max(0)).ok()?;
        } else {
            walk.skip(kind)?;
        }
    }
    Some(children)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A footer whose schema has nodes with these numbers of children.
    fn footer(children: &[usize]) -> Vec<u8> {
        let varint = |mut number: usize| {
            let mut bytes = Vec::new();
            while number >= 0x80 {
                bytes.push(number as u8 | 0x80);
                number >>= 7;
            }
            bytes.push(number as u8);
            bytes
        };
        let mut bytes = vec![0x15, 2, 0x19, 0xfc];
        bytes.extend(varint(children.len()));
        for count in children {
            // Field 3 is the repetition, 4 the name, 5 the number of children.
            bytes.extend([0x35, 0, 0x18, 1, b'a', 0x15]);
            bytes.extend(varint(2 * count));
            bytes.push(0);
        }
        bytes.push(0);
        bytes
    }

    fn told(children: &[usize]) -> String {
        schema_problem(&footer(children)).unwrap_or_default()
    }

    #[test]
    fn schemas_within_bounds_are_read() {
        assert_eq!(told(&[2, 1, 0, 0]), "");
        assert_eq!(told(&[[64].as_slice(), &[0; 64]].concat()), "");
        // A root, 64 groups within one another, a column.
        assert_eq!(told(&[[1; 65].as_slice(), &[0]].concat()), "");
        assert_eq!(told(&[[MAX_FIELDS].as_slice(), &[0; MAX_FIELDS]].concat()), "");
    }

    #[test]
    fn schemas_beyond_them_are_not() {
        assert!(told(&[[1; 66].as_slice(), &[0]].concat()).contains("nested more than 64 deep"));
        assert!(told(&[1, 1_000_000]).contains("more columns than it has"));
        assert!(told(&[usize::MAX / 4]).contains("more columns than it has"));
        assert!(told(&vec![1; 100_000]).contains("at most 16384 are read"));
        assert!(told(&[[MAX_FIELDS + 1].as_slice(), &[0; MAX_FIELDS + 1]].concat()).contains("4097 columns"));
        let twice = [&footer(&[1, 0])[..21], &[0x09, 0x04], &footer(&[1, 0])[3..]].concat();
        assert_eq!(schema_problem(&twice).as_deref(), Some("it has two schemas"), "{twice:x?}");
        for bytes in [&b""[..], b"\x15", b"\x19\xfc\xff\xff\xff\xff\x7f", b"\x00", b"\x29\x1c\x15\x02"] {
            assert_eq!(schema_problem(bytes).as_deref(), Some("its schema cannot be read"), "{bytes:?}");
        }
    }
}
