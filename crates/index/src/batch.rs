use std::collections::HashMap;

use xunpin_core::Product;

use crate::IndexError;

/// Changes that are written together or not at all. Operations take effect in the order they were added: a later one
/// on the same id replaces an earlier one, except that an upsert without a vector keeps the vectors that earlier ones
/// of the batch gave it, and that a static vector adds to an upsert.
#[derive(Debug, Default)]
pub struct Batch {
    operations: Vec<Operation>,
    pub(crate) jobs: Vec<(String, Option<Vec<u8>>)>,
}

#[derive(Debug)]
enum Operation {
    Upsert(Box<Upsert>),
    Delete(String),
    Static(String, Option<Vec<f32>>),
}

/// The new state of one product.
#[derive(Debug)]
pub(crate) struct Upsert {
    pub(crate) product: Product,
    pub(crate) content_hash: u128,
    /// `None` keeps the stored one.
    pub(crate) vector: Option<Vec<f32>>,
    pub(crate) static_vector: StaticVector,
}

/// What becomes of a product's static vector.
#[derive(Debug)]
pub(crate) enum StaticVector {
    /// As its number has it: a new number has none.
    Keep,
    Set(Vec<f32>),
    Clear,
}

impl From<Option<Vec<f32>>> for StaticVector {
    fn from(vector: Option<Vec<f32>>) -> Self {
        vector.map_or(Self::Clear, Self::Set)
    }
}

/// What a batch does to one id in the end.
#[derive(Debug)]
pub(crate) enum Change {
    Upsert(Box<Upsert>),
    Delete,
    /// The product stays as it is.
    Static(StaticVector),
}

/// What a batch did. Counts are of ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Applied {
    /// New to the index.
    pub inserted: usize,
    /// Had their product rewritten and kept their vector.
    pub updated_in_place: usize,
    /// Were there, and got a new vector.
    pub re_embedded: usize,
    /// Deleted.
    pub deleted: usize,
    /// Were to be deleted but not there.
    pub missing: usize,
    /// The index's generation after the batch.
    pub generation: u64,
}

impl Batch {
    /// A batch that changes nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores `product` under its id. `vector` (unit norm, the index's dimension) is what its text was encoded to;
    /// `None` says that the text, and so the stored vector, is unchanged. `content_hash` identifies what the vector
    /// was made from; it comes back from [`Index::lookup`](crate::Index::lookup).
    pub fn upsert(&mut self, product: Product, content_hash: u128, vector: Option<&[f32]>) -> &mut Self {
        let vector = vector.map(<[f32]>::to_vec);
        let static_vector = StaticVector::Keep;
        let upsert = Upsert { product, content_hash, vector, static_vector };
        self.operations.push(Operation::Upsert(Box::new(upsert)));
        self
    }

    /// Gives the product of that id a static vector (Word2Vec; unit norm, as long as all others), or takes it away.
    /// The product must be in the index, or be upserted earlier in the batch. The vector belongs to the internal
    /// number: an upsert without a vector keeps it, one with a vector (the text has changed) starts with none, so set
    /// it after such an upsert.
    pub fn set_static(&mut self, id: impl Into<String>, vector: Option<&[f32]>) -> &mut Self {
        self.operations.push(Operation::Static(id.into(), vector.map(<[f32]>::to_vec)));
        self
    }

    /// Deletes the product of that id, if there is one.
    pub fn delete(&mut self, id: impl Into<String>) -> &mut Self {
        self.operations.push(Operation::Delete(id.into()));
        self
    }

    /// Notes how far `job` has come, together with what the batch holds.
    pub fn checkpoint(&mut self, job: &str, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.jobs.push((job.into(), Some(bytes.into())));
        self
    }

    /// Forgets the checkpoint of `job`.
    pub fn clear_checkpoint(&mut self, job: &str) -> &mut Self {
        self.jobs.push((job.into(), None));
        self
    }

    /// Number of operations on products and static vectors.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// True if it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty() && self.jobs.is_empty()
    }

    /// One change an id, in the order of each id's last operation. Checks every product and vector on the way.
    pub(crate) fn into_changes(self, dimension: usize) -> Result<Vec<(String, Change)>, IndexError> {
        let mut changes: Vec<Option<(String, Change)>> = Vec::with_capacity(self.operations.len());
        let mut last: HashMap<String, usize> = HashMap::with_capacity(self.operations.len());
        for operation in self.operations {
            let (id, change) = match operation {
                Operation::Delete(id) => (id, Change::Delete),
                Operation::Upsert(upsert) => {
                    check(&upsert, dimension)?;
                    (upsert.product.id.clone(), Change::Upsert(upsert))
                }
                Operation::Static(id, vector) => {
                    if let Some(vector) = &vector {
                        check_norm(vector, || id.clone())?;
                    }
                    (id, Change::Static(vector.into()))
                }
            };
            let earlier = last.insert(id.clone(), changes.len()).and_then(|at| changes[at].take());
            let joint = follow(&id, earlier.map(|(_, change)| change), change)?;
            changes.push(Some((id, joint)));
        }
        Ok(changes.into_iter().flatten().collect())
    }
}

/// The joint effect of two operations on one id.
fn follow(id: &str, earlier: Option<Change>, later: Change) -> Result<Change, IndexError> {
    match (earlier, later) {
        (Some(Change::Upsert(earlier)), Change::Upsert(mut later)) => {
            if later.vector.is_none() {
                later.vector = earlier.vector;
                later.static_vector = earlier.static_vector;
            }
            Ok(Change::Upsert(later))
        }
        (Some(Change::Upsert(mut upsert)), Change::Static(vector)) => {
            upsert.static_vector = vector;
            Ok(Change::Upsert(upsert))
        }
        (Some(Change::Static(vector)), Change::Upsert(mut upsert)) => {
            if upsert.vector.is_none() {
                upsert.static_vector = vector;
            }
            Ok(Change::Upsert(upsert))
        }
        (Some(Change::Delete), Change::Upsert(later)) if later.vector.is_none() => {
            Err(IndexError::VectorMissing { id: id.into() })
        }
        (Some(Change::Delete), Change::Static(_)) => Err(IndexError::NoProduct { id: id.into() }),
        (_, later) => Ok(later),
    }
}

fn check(upsert: &Upsert, dimension: usize) -> Result<(), IndexError> {
    let id = || upsert.product.id.clone();
    upsert.product.validate().map_err(|source| IndexError::Product { id: id(), source })?;
    let Some(vector) = &upsert.vector else { return Ok(()) };
    if vector.len() != dimension {
        return Err(IndexError::VectorLength { id: id(), expected: dimension, got: vector.len() });
    }
    check_norm(vector, id)
}

/// Refuses a vector of `id` that is not of unit length.
pub(crate) fn check_norm(vector: &[f32], id: impl FnOnce() -> String) -> Result<(), IndexError> {
    let norm = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
    // Also false for NaN.
    if (norm - 1.0).abs() <= NORM_TOLERANCE { Ok(()) } else { Err(IndexError::VectorNorm { id: id(), norm }) }
}

/// How far from 1 a vector's length may be.
pub(crate) const NORM_TOLERANCE: f32 = 1e-3;

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(batch: Batch) -> Result<Vec<(String, Change)>, IndexError> {
        batch.into_changes(2)
    }

    #[test]
    fn last_operation_on_an_id_wins() {
        let mut batch = Batch::new();
        batch.upsert(Product::new("a", "old"), 1, Some(&[1.0, 0.0])).delete("b").upsert(
            Product::new("a", "new"),
            2,
            None,
        );
        let changes = changes(batch).unwrap();
        assert_eq!(changes.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["b", "a"]);
        let Change::Upsert(upsert) = &changes[1].1 else { panic!() };
        assert_eq!((upsert.product.title.as_str(), upsert.content_hash), ("new", 2));
        assert!(upsert.vector.is_some());
    }

    #[test]
    fn static_vectors_follow_the_text_they_were_made_from() {
        let unit = [0.6, 0.8];
        let product = || Product::new("a", "t");
        let last = |batch: Batch| changes(batch).map(|mut changes| changes.pop().map(|(_, change)| change));
        let of = |fill: fn(&mut Batch, Product, &[f32])| {
            let mut batch = Batch::new();
            fill(&mut batch, product(), &unit);
            match last(batch) {
                Ok(Some(Change::Upsert(upsert))) => upsert.static_vector,
                Ok(Some(Change::Static(vector))) => vector,
                other => panic!("{other:?}"),
            }
        };
        let set = |vector: &StaticVector| matches!(vector, StaticVector::Set(v) if v == &unit);
        assert!(set(&of(|b, p, v| _ = b.upsert(p, 1, Some(v)).set_static("a", Some(v)))));
        assert!(set(&of(
            |b, p, v| _ = b.upsert(p.clone(), 1, Some(v)).set_static("a", Some(v)).upsert(p, 1, None)
        )));
        assert!(set(&of(|b, p, v| _ = b.set_static("a", Some(v)).upsert(p, 1, None))));
        assert!(set(&of(|b, _, v| _ = b.set_static("a", None).set_static("a", Some(v)))));
        let cleared =
            of(|b, p, v| _ = b.upsert(p, 1, Some(v)).set_static("a", Some(v)).set_static("a", None));
        assert!(matches!(cleared, StaticVector::Clear));
        // New text: what was made from the old one does not count.
        let new = of(|b, p, v| _ = b.set_static("a", Some(v)).upsert(p, 1, Some(v)));
        assert!(matches!(new, StaticVector::Keep));

        let mut batch = Batch::new();
        batch.set_static("a", Some(&unit)).delete("a");
        assert!(matches!(last(batch), Ok(Some(Change::Delete))));
        let mut batch = Batch::new();
        batch.delete("a").set_static("a", Some(&unit));
        assert!(matches!(last(batch), Err(IndexError::NoProduct { id }) if id == "a"));
        let mut batch = Batch::new();
        batch.set_static("a", Some(&[]));
        assert!(matches!(last(batch), Err(IndexError::VectorNorm { .. })));
    }

    #[test]
    fn unusable_vectors_are_refused() {
        let with = |vector: &[f32]| {
            let mut batch = Batch::new();
            batch.upsert(Product::new("a", "t"), 0, Some(vector));
            changes(batch)
        };
        assert!(matches!(with(&[1.0]), Err(IndexError::VectorLength { expected: 2, got: 1, .. })));
        assert!(matches!(with(&[1.0, 1.0]), Err(IndexError::VectorNorm { .. })));
        assert!(matches!(with(&[f32::NAN, 1.0]), Err(IndexError::VectorNorm { .. })));
        assert!(matches!(with(&[f32::INFINITY, 1.0]), Err(IndexError::VectorNorm { .. })));
        let mut batch = Batch::new();
        batch.delete("a").upsert(Product::new("a", "t"), 0, None);
        assert!(matches!(changes(batch), Err(IndexError::VectorMissing { .. })));
        let mut batch = Batch::new();
        batch.upsert(Product::new(" ", "t"), 0, None);
        assert!(matches!(changes(batch), Err(IndexError::Product { .. })));
    }
}
