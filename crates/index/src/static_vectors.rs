//! Static vectors (Word2Vec): a second family beside the model's, of its own length, without a graph. They belong to
//! internal numbers, go with them, and never touch the model's vectors.

use std::ops::ControlFlow;

use half::f16;
use xunpin_core::{DocId, DocSet, NearestError, NearestNeighbors, Neighbor};

use crate::IndexError;
use crate::batch::check_norm;
use crate::index::{Index, Writer};
use crate::record::{self, State};
use crate::scan::{Part, Vectors, scan};
use crate::store::{Family, Writes};
use crate::top::finish;
use crate::view::View;

/// Keys of the family lie before this.
const END: [u8; 5] = [0xff; 5];

/// The static vectors of one moment, in memory, to be scanned. Products without one are not in it.
#[derive(Clone, Debug)]
pub struct StaticVectors {
    version: u64,
    dimension: usize,
    /// DocIds, rising.
    ids: Vec<u32>,
    /// Row after row, `dimension` values each.
    vectors: Vec<f16>,
}

/// Changes to static vectors that are being written.
pub(crate) struct StaticRows {
    dimension: u32,
    touched: bool,
}

impl StaticRows {
    pub(crate) fn new(state: &State) -> Self {
        Self { dimension: state.static_dimension, touched: false }
    }

    /// Stores the vector of `doc`. The first one of all decides the length.
    pub(crate) fn put(
        &mut self,
        writes: &mut Writes<'_>,
        doc: DocId,
        vector: &[f32],
    ) -> Result<(), IndexError> {
        let got = vector.len();
        if self.dimension == 0 {
            self.dimension = u32::try_from(got).unwrap_or(u32::MAX);
        }
        if self.dimension as usize != got {
            return Err(IndexError::StaticLength { expected: self.dimension as usize, got });
        }
        self.touched = true;
        writes.put(Family::Static, &record::doc_key(doc), &record::encode_vector(vector));
        Ok(())
    }

    /// Drops the vector of `doc`, if there may be one.
    pub(crate) fn delete(&mut self, writes: &mut Writes<'_>, doc: DocId) {
        if self.dimension > 0 {
            self.touched = true;
            writes.delete(Family::Static, &record::doc_key(doc));
        }
    }

    /// Notes in `state` what was done.
    pub(crate) fn finish(self, state: &mut State) {
        state.static_dimension = self.dimension;
        state.static_version += u64::from(self.touched);
    }
}

impl Index {
    /// Rises with every commit that may have changed a static vector: [`apply`](Self::apply) where it sets one or
    /// removes a product, [`put_static`](Self::put_static), [`clear_static`](Self::clear_static). An update in place
    /// leaves it. [`StaticVectors`] of another [`version`](StaticVectors::version) are out of date.
    pub fn static_version(&self) -> u64 {
        self.view().static_version
    }

    /// All static vectors, read into memory: 2 bytes a value. `dimension` is the length that the caller's word vectors
    /// have; if others are stored, that is an error. None stored is none.
    pub fn static_vectors(&self, dimension: usize) -> Result<StaticVectors, IndexError> {
        let moment = self.core.store.moment();
        let state = moment.state()?;
        let expected = state.static_dimension as usize;
        if expected != 0 && expected != dimension {
            return Err(IndexError::StaticLength { expected, got: dimension });
        }
        let mut all =
            StaticVectors { version: state.static_version, dimension, ids: Vec::new(), vectors: Vec::new() };
        moment.scan(Family::Static, &[], |key, row| {
            let doc =
                record::key_doc(key).ok_or_else(|| self.core.store.damaged("a static row's key".into()))?;
            if row.len() != dimension * 2 {
                let problem = format!("the static vector of {doc} has {} bytes", row.len());
                return Err(self.core.store.damaged(problem));
            }
            all.vectors.extend(row.as_chunks::<2>().0.iter().map(|half| f16::from_le_bytes(*half)));
            all.ids.push(doc.0);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(all)
    }

    /// Gives static vectors to products that are in the index, or takes them away (`None`): all of them, durably, or
    /// nothing. For filling in after training, a chunk of some thousand a call; the generation stays the same. Numbers
    /// whose product is gone are left out. The answer is how many were not.
    pub fn put_static(&self, rows: &[(DocId, Option<Vec<f32>>)]) -> Result<usize, IndexError> {
        let mut writer = self.core.writer()?;
        let view = self.view();
        let mut writes = self.core.store.batch();
        let mut statics = StaticRows::new(&writer.state);
        let mut kept = 0;
        for (doc, vector) in rows.iter().filter(|(doc, _)| view.lives(*doc)) {
            kept += 1;
            match vector {
                Some(vector) => {
                    check_norm(vector, || self.name_of(*doc))?;
                    statics.put(&mut writes, *doc, vector)?;
                }
                None => statics.delete(&mut writes, *doc),
            }
        }
        let mut state = writer.state;
        statics.finish(&mut state);
        if state != writer.state {
            self.commit_static(&mut writer, writes, state)?;
        }
        Ok(kept)
    }

    /// Drops all static vectors, so that those of another model, and of another length, may come.
    pub fn clear_static(&self) -> Result<(), IndexError> {
        let mut writer = self.core.writer()?;
        let mut state = writer.state;
        if state.static_dimension == 0 {
            return Ok(());
        }
        state.static_dimension = 0;
        state.static_version += 1;
        let mut writes = self.core.store.batch();
        writes.delete_range(Family::Static, &[], &END);
        self.commit_static(&mut writer, writes, state)
    }

    /// Writes what changed static vectors alone, and shows it.
    fn commit_static(
        &self,
        writer: &mut Writer,
        mut writes: Writes<'_>,
        state: State,
    ) -> Result<(), IndexError> {
        writes.put_state(&state);
        writes.commit()?;
        writer.state = state;
        self.core.publish(View { static_version: state.static_version, ..View::clone(&self.view()) });
        Ok(())
    }

    /// The id of a product, for a message.
    fn name_of(&self, doc: DocId) -> String {
        self.product(doc).ok().flatten().map_or_else(|| doc.to_string(), |product| product.id)
    }
}

impl StaticVectors {
    /// What [`Index::static_version`] was when they were read.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The numbers of the products that have one, rising.
    pub fn docs(&self) -> impl ExactSizeIterator<Item = DocId> + '_ {
        self.ids.iter().copied().map(DocId)
    }

    /// The vector of a product, as rounded to half precision.
    pub fn vector(&self, doc: DocId) -> Option<Vec<f32>> {
        let at = self.ids.binary_search(&doc.0).ok()?;
        let row = self.vectors.get(at * self.dimension..(at + 1) * self.dimension)?;
        Some(row.iter().map(|value| value.to_f32()).collect())
    }
}

/// An exact scan.
impl NearestNeighbors for StaticVectors {
    fn dimension(&self) -> usize {
        self.dimension
    }

    fn nearest(
        &self,
        query: &[f32],
        k: usize,
        allowed: Option<&DocSet>,
    ) -> Result<Vec<Neighbor>, NearestError> {
        self.check_query(query)?;
        let accepts = |doc| allowed.is_none_or(|set| set.contains(doc));
        let part = Part { ids: &self.ids, vectors: Vectors::Memory(&self.vectors) };
        let (top, _) = scan(&[part], query, k, accepts)?;
        Ok(finish(top.into_sorted()))
    }
}
