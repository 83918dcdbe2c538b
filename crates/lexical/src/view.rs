use std::sync::Arc;

use tantivy::directory::{Directory, META_LOCK};
use tantivy::fieldnorm::FieldNormReader;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{Index, IndexMeta, InvertedIndexReader, SegmentReader, TantivyError, Term};
use xunpin_core::DocId;

use crate::commit::Commit;
use crate::schema::{DOC, Fields};

/// Slot of a deleted document.
pub(crate) const DEAD: u32 = u32::MAX;

/// The index as of one commit. Products have slots, their rank among the DocIds: what a search accumulates by slot
/// comes out in the order of DocIds, however tantivy has arranged its segments.
pub(crate) struct View {
    pub(crate) commit: Commit,
    /// The product of each slot, rising.
    pub(crate) ids: Vec<DocId>,
    pub(crate) segments: Vec<Segment>,
    /// Mean length of each text field over the products that have it; 1 for a field that none has.
    pub(crate) mean_lengths: [f32; 7],
    /// Products found twice, which no commit of ours makes.
    pub(crate) duplicates: Vec<DocId>,
}

/// One of tantivy's segments.
pub(crate) struct Segment {
    /// Slot of each of the segment's documents, or [`DEAD`].
    pub(crate) slots: Vec<u32>,
    pub(crate) text: [TextField; 7],
    code: Arc<InvertedIndexReader>,
    brand_exact: Arc<InvertedIndexReader>,
    /// Keeps the segment's files from being removed.
    _reader: SegmentReader,
}

/// Postings and lengths of a scored field.
pub(crate) struct TextField {
    pub(crate) postings: Arc<InvertedIndexReader>,
    pub(crate) lengths: FieldNormReader,
}

/// Why a commit could not be read.
pub(crate) enum ViewError {
    /// The record of the commit, or what the index holds, is not as it was written.
    Damaged(String),
    /// tantivy's error.
    Engine(TantivyError),
}

impl From<TantivyError> for ViewError {
    fn from(error: TantivyError) -> Self {
        Self::Engine(error)
    }
}

impl View {
    /// Opens the last commit.
    pub(crate) fn load(index: &Index, fields: &Fields) -> Result<Self, ViewError> {
        // The lock keeps another process from removing files between the reading of their list and their opening. On a
        // disk that can't be written to, it can't be taken and nothing is removed.
        let lock = index.directory().acquire_lock(&META_LOCK);
        let metas = index.load_metas()?;
        let commit = Commit::parse(metas.payload.as_deref()).map_err(ViewError::Damaged)?;
        let readers = open_segments(index, &metas)?;
        drop(lock);

        let mut places: Vec<(DocId, u32, u32)> = Vec::with_capacity(commit.products.min(1 << 24));
        for (segment, reader) in (0..).zip(&readers) {
            let ids = reader.fast_fields().u64(DOC)?;
            for local in reader.doc_ids_alive() {
                let id = ids.first(local).and_then(|id| u32::try_from(id).ok());
                let id = id.ok_or_else(|| ViewError::Damaged("a document has no valid number".into()))?;
                places.push((DocId(id), segment, local));
            }
        }
        places.sort_unstable();
        let mut slots: Vec<Vec<u32>> = readers.iter().map(|r| vec![DEAD; r.max_doc() as usize]).collect();
        let (mut ids, mut duplicates): (Vec<DocId>, Vec<DocId>) =
            (Vec::with_capacity(places.len()), Vec::new());
        for (id, segment, local) in places {
            if ids.last() == Some(&id) {
                duplicates.push(id);
                continue;
            }
            slots[segment as usize][local as usize] = ids.len() as u32;
            ids.push(id);
        }
        let mut segments = Vec::with_capacity(readers.len());
        for (reader, slots) in readers.into_iter().zip(slots) {
            segments.push(Segment::open(reader, slots, fields)?);
        }
        let mean_lengths = std::array::from_fn(|field| mean_length(&segments, field));
        Ok(Self { commit, ids, segments, mean_lengths, duplicates })
    }

    /// Slots of the products that hold `term` in the field of codes.
    pub(crate) fn with_code(&self, fields: &Fields, term: &str) -> Result<Vec<u32>, TantivyError> {
        self.holders(fields.code, term, |segment| &segment.code)
    }

    /// Slots of the products of the brand with this key.
    pub(crate) fn with_brand(&self, fields: &Fields, key: &str) -> Result<Vec<u32>, TantivyError> {
        self.holders(fields.brand_exact, key, |segment| &segment.brand_exact)
    }

    fn holders(
        &self,
        field: Field,
        term: &str,
        postings: impl Fn(&Segment) -> &InvertedIndexReader,
    ) -> Result<Vec<u32>, TantivyError> {
        let term = Term::from_field_text(field, term);
        let mut slots = Vec::new();
        for segment in &self.segments {
            let found = postings(segment).read_block_postings(&term, IndexRecordOption::Basic)?;
            let Some(mut block) = found else { continue };
            while !block.docs().is_empty() {
                slots.extend(block.docs().iter().map(|&d| segment.slot(d)).filter(|&s| s != DEAD));
                block.advance();
            }
        }
        slots.sort_unstable();
        Ok(slots)
    }
}

impl Segment {
    fn open(reader: SegmentReader, slots: Vec<u32>, fields: &Fields) -> Result<Self, TantivyError> {
        let open = |field: Field| {
            Ok::<_, TantivyError>(TextField {
                postings: reader.inverted_index(field)?,
                lengths: reader.get_fieldnorms_reader(field)?,
            })
        };
        let [a, b, c, d, e, f, g] = fields.text;
        Ok(Self {
            slots,
            text: [open(a)?, open(b)?, open(c)?, open(d)?, open(e)?, open(f)?, open(g)?],
            code: reader.inverted_index(fields.code)?,
            brand_exact: reader.inverted_index(fields.brand_exact)?,
            _reader: reader,
        })
    }

    /// The slot of a document; one that the segment does not have counts as deleted.
    pub(crate) fn slot(&self, document: u32) -> u32 {
        self.slots.get(document as usize).copied().unwrap_or(DEAD)
    }
}

fn open_segments(index: &Index, metas: &IndexMeta) -> Result<Vec<SegmentReader>, TantivyError> {
    metas.segments.iter().map(|meta| SegmentReader::open(&index.segment(meta.clone()))).collect()
}

/// tantivy keeps lengths in one byte, exact up to 40 and coarser above; the mean is that of the kept ones.
fn mean_length(segments: &[Segment], field: usize) -> f32 {
    let (mut sum, mut count) = (0u64, 0u64);
    for segment in segments {
        let lengths = &segment.text[field].lengths;
        for (document, slot) in (0..).zip(&segment.slots) {
            let length = lengths.fieldnorm(document);
            if *slot != DEAD && length > 0 {
                sum += u64::from(length);
                count += 1;
            }
        }
    }
    if count == 0 { 1.0 } else { (sum as f64 / count as f64) as f32 }
}
