//! What the rows of the store hold. Keys that are numbers are big-endian, so that RocksDB keeps them in order;
//! values are little-endian.
//!
//! | column family | key | value |
//! |---|---|---|
//! | `meta` | `state` | JSON [`State`] |
//! | `meta` | `change/` + generation (8 bytes) | number of DocIds written (4), those (4 each, rising), number of DocIds removed (4), those (4 each, rising) |
//! | `meta` | `dead/` + DocId (4) | empty; a tombstone |
//! | `meta` | `segment/` + number (4) | JSON [`SegmentRecord`] |
//! | `ids` | the shop's id | DocId (4), content hash (16) |
//! | `products` | DocId (4) | encoding (1 byte, 1 = JSON), the product |
//! | `vectors` | DocId (4) | half-precision values, 2 bytes each |
//! | `graph` | segment number (4), chunk (4) | CRC-32 of the payload (4), payload of up to 1 MiB |
//! | `jobs` | the job's name | the caller's bytes |
//! | `static` | DocId (4) | half-precision values, 2 bytes each; as many in every row |

use half::f16;
use half::slice::HalfFloatSliceExt;
use serde::{Deserialize, Serialize};
use xunpin_core::{DocId, Product};

/// Counters that change with every batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Rises by one with every batch.
    pub(crate) generation: u64,
    /// The next number to give.
    pub(crate) next_doc: u32,
    /// The next segment's number.
    pub(crate) next_segment: u32,
    /// Products stored.
    pub(crate) products: u64,
    /// Rises with every commit that may have changed a row of `static`.
    #[serde(default)]
    pub(crate) static_version: u64,
    /// Values of a row of `static`; 0 until there is one.
    #[serde(default)]
    pub(crate) static_dimension: u32,
}

/// What one batch did to the products: a row of the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// Product rows written.
    pub(crate) written: Vec<DocId>,
    /// Products deleted, or replaced under another number.
    pub(crate) removed: Vec<DocId>,
}

/// One frozen segment. Its adjacency is in `graph`, its vectors are in `vectors`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SegmentRecord {
    pub(crate) number: u32,
    /// Layout of its adjacency and files; 0 for those of versions before 0.2, whose graph is built anew.
    #[serde(default)]
    pub(crate) layout: u32,
    /// First DocId it may hold.
    pub(crate) first_doc: u32,
    /// The DocId after the last it may hold: the next segment's first.
    pub(crate) end_doc: u32,
    /// Vectors.
    #[serde(default)]
    pub(crate) rows: u32,
    /// Nodes of each layer of its graph, the lowest first.
    #[serde(default)]
    pub(crate) layer_nodes: Vec<u32>,
    /// Slots of a row of links in the lowest layer.
    pub(crate) degree0: u32,
    /// Slots of a row of links in the other layers.
    pub(crate) degree: u32,
    /// Bytes of adjacency.
    pub(crate) graph_len: u64,
    /// Rows of `graph` they are spread over.
    pub(crate) chunks: u32,
    pub(crate) graph_crc: u32,
    /// Checksum of the codes, by node.
    #[serde(default)]
    pub(crate) codes_crc: u32,
    /// Checksum of the vectors' checksums, by row.
    pub(crate) vectors_crc: u32,
    /// How wide a walk must be, as measured when it was built; rising in both.
    #[serde(default)]
    pub(crate) widths: Vec<Width>,
}

/// How many candidates a walk must keep to reach the recall wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Width {
    /// Results wanted.
    pub(crate) k: u32,
    /// Candidates kept.
    pub(crate) ef: u32,
}

impl SegmentRecord {
    /// Nodes of its graph.
    pub(crate) fn nodes(&self) -> usize {
        self.layer_nodes.first().map_or(0, |nodes| *nodes as usize)
    }
}

/// What `ids` holds for a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The product's present internal number.
    pub doc: DocId,
    /// Hash of what its vector was made from, as the caller gave it.
    pub content_hash: u128,
}

pub(crate) const STATE_KEY: &[u8] = b"state";
pub(crate) const CHANGE_PREFIX: &[u8] = b"change/";
pub(crate) const DEAD_PREFIX: &[u8] = b"dead/";
pub(crate) const SEGMENT_PREFIX: &[u8] = b"segment/";
const JSON: u8 = 1;

pub(crate) fn doc_key(doc: DocId) -> [u8; 4] {
    doc.0.to_be_bytes()
}

pub(crate) fn key_doc(key: &[u8]) -> Option<DocId> {
    key.try_into().ok().map(|bytes| DocId(u32::from_be_bytes(bytes)))
}

pub(crate) fn meta_key(prefix: &[u8], number: u32) -> Vec<u8> {
    [prefix, &number.to_be_bytes()].concat()
}

pub(crate) fn change_key(generation: u64) -> Vec<u8> {
    [CHANGE_PREFIX, &generation.to_be_bytes()].concat()
}

pub(crate) fn change_generation(key: &[u8]) -> Option<u64> {
    key.strip_prefix(CHANGE_PREFIX)?.try_into().ok().map(u64::from_be_bytes)
}

pub(crate) fn chunk_key(segment: u32, chunk: u32) -> [u8; 8] {
    (u64::from(segment) << 32 | u64::from(chunk)).to_be_bytes()
}

impl Change {
    /// Sorts both lists and lays them out.
    pub(crate) fn encode(&mut self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + 4 * (self.written.len() + self.removed.len()));
        for docs in [&mut self.written, &mut self.removed] {
            docs.sort_unstable();
            // DocIds have 32 bits, and no list holds one twice.
            bytes.extend((docs.len() as u32).to_le_bytes());
            bytes.extend(docs.iter().flat_map(|doc| doc.0.to_le_bytes()));
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (written, rest) = split_docs(bytes)?;
        let (removed, rest) = split_docs(rest)?;
        rest.is_empty().then_some(Self { written, removed })
    }
}

/// A counted list of DocIds, and what follows it.
fn split_docs(bytes: &[u8]) -> Option<(Vec<DocId>, &[u8])> {
    let (count, rest) = bytes.split_first_chunk::<4>()?;
    let length = (u32::from_le_bytes(*count) as usize).checked_mul(4)?;
    let (docs, rest) = rest.split_at_checked(length)?;
    Some((docs.as_chunks::<4>().0.iter().map(|d| DocId(u32::from_le_bytes(*d))).collect(), rest))
}

impl Entry {
    pub(crate) fn encode(self) -> [u8; 20] {
        let mut bytes = [0; 20];
        bytes[..4].copy_from_slice(&self.doc.0.to_le_bytes());
        bytes[4..].copy_from_slice(&self.content_hash.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (doc, hash) = bytes.split_first_chunk::<4>()?;
        Some(Self {
            doc: DocId(u32::from_le_bytes(*doc)),
            content_hash: u128::from_le_bytes(hash.try_into().ok()?),
        })
    }
}

pub(crate) fn encode_product(product: &Product) -> Vec<u8> {
    let mut bytes = vec![JSON];
    // A product holds text, finite numbers and maps with text keys; writing to memory can't fail either.
    serde_json::to_writer(&mut bytes, product).expect("a product is JSON");
    bytes
}

pub(crate) fn decode_product(bytes: &[u8]) -> Result<Product, String> {
    match bytes.split_first() {
        Some((&JSON, json)) => serde_json::from_slice(json).map_err(|e| e.to_string()),
        Some((encoding, _)) => Err(format!("encoding {encoding} is unknown")),
        None => Err("the record is empty".into()),
    }
}

/// Rounds to half precision.
pub(crate) fn encode_vector(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect()
}

/// Appends the values to `out`; false, and nothing appended, if there are not `dimension` of them.
pub(crate) fn decode_vector(bytes: &[u8], dimension: usize, out: &mut Vec<f32>) -> bool {
    if bytes.len() != dimension * 2 {
        return false;
    }
    let halves: Vec<f16> = bytes.as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b)).collect();
    let start = out.len();
    out.resize(start + dimension, 0.0);
    halves.convert_to_f32_slice(&mut out[start..]);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_as_written() {
        let entry = Entry { doc: DocId(7), content_hash: u128::MAX - 3 };
        assert_eq!(Entry::decode(&entry.encode()), Some(entry));
        assert_eq!(Entry::decode(&[0; 19]), None);

        let docs = |ids: &[u32]| ids.iter().copied().map(DocId).collect::<Vec<_>>();
        let mut change = Change { written: docs(&[9, 3]), removed: docs(&[7]) };
        let bytes = change.encode();
        assert_eq!(bytes.len(), 20);
        assert_eq!(Change::decode(&bytes), Some(Change { written: docs(&[3, 9]), removed: docs(&[7]) }));
        let nothing = Change::default().encode();
        assert_eq!(Change::decode(&nothing), Some(Change::default()));
        for damaged in [&bytes[..19], &[&bytes[..], &[0]].concat(), &[0xff; 8], &[]] {
            assert_eq!(Change::decode(damaged), None);
        }
        assert_eq!(change_generation(&change_key(u64::MAX - 1)), Some(u64::MAX - 1));
        assert_eq!(change_generation(STATE_KEY), None);

        let product = Product::new("a", "题");
        assert_eq!(decode_product(&encode_product(&product)), Ok(product));
        assert!(decode_product(&[9, b'{', b'}']).is_err() && decode_product(&[]).is_err());

        let vector = [0.5, -0.25, 0.1];
        let mut out = Vec::new();
        assert!(decode_vector(&encode_vector(&vector), 3, &mut out));
        assert_eq!(out[..2], vector[..2]);
        assert!((out[2] - 0.1).abs() < 1e-4);
        assert!(!decode_vector(&[0; 5], 3, &mut out) && out.len() == 3);
    }
}
