use std::sync::Arc;

use xunpin_core::{
    DocId, DocSet, ExactMatch, Field, Filter, Matrix, Neighbor, Product, Strategy, TextMatches,
};

use crate::Column;

/// How a [`ProductSource`] is to look for the nearest vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NearestPlan {
    /// How many are wanted.
    pub depth: usize,
    /// How to find them.
    pub strategy: Strategy,
    /// Width of a graph search; `None`: the source decides.
    pub ef: Option<usize>,
}

/// What a [`ProductSource`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Nearest {
    /// The nearest vectors.
    pub neighbors: Vec<Neighbor>,
    /// What was done: [`Strategy::Exact`] or [`Strategy::Graph`].
    pub strategy: Strategy,
}

/// What a static model found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StaticNearest {
    /// The nearest vectors; none if no word of the query is known.
    pub neighbors: Vec<Neighbor>,
    /// Words of the query that the model does not know.
    pub unknown_words: Vec<String>,
}

/// Where vectors, words and products live. The methods are called one after the other and may see later states of the
/// source in turn. Scores are finite; a match whose score is not is left out.
pub trait ProductSource {
    /// Why the source could not answer.
    type Error;

    /// Rises with every change of the source.
    fn generation(&self) -> u64;

    /// The products that `filter` lets through.
    fn allowed(&self, filter: &Filter) -> Result<Arc<DocSet>, Self::Error>;

    /// The query's vector, of unit length.
    fn encode(&self, query: &str) -> Result<Vec<f32>, Self::Error>;

    /// The `plan.depth` stored vectors nearest to `query`, which has unit length; fewer if there are no more. With
    /// `allowed`, only those.
    fn nearest(
        &self,
        query: &[f32],
        plan: &NearestPlan,
        allowed: Option<&DocSet>,
    ) -> Result<Nearest, Self::Error>;

    /// The vectors of products, a row each in the order asked; zeros for a product that is gone.
    fn vectors(&self, docs: &[DocId]) -> Result<Matrix, Self::Error>;

    /// The products that hold words of the query.
    fn text_matches(&self, query: &str) -> Result<TextMatches, Self::Error>;

    /// The products that the query names outright.
    fn exact_matches(&self, query: &str) -> Result<Vec<ExactMatch>, Self::Error>;

    /// The `depth` products nearest to the query by the static model.
    fn static_nearest(
        &self,
        query: &str,
        depth: usize,
        allowed: Option<&DocSet>,
    ) -> Result<StaticNearest, Self::Error>;

    /// The values of a field.
    fn column(&self, field: &Field) -> Result<Arc<Column>, Self::Error>;

    /// The numbers of products by the shop's ids, in the order asked; `None` for those that are not there.
    fn find(&self, ids: &[String]) -> Result<Vec<Option<DocId>>, Self::Error>;

    /// The products of numbers, in the order asked; `None` for those that were deleted or replaced.
    fn products(&self, docs: &[DocId]) -> Result<Vec<Option<Product>>, Self::Error>;
}
