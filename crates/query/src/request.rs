use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use xunpin_core::{Field, Filter, Strategy};

use crate::{FacetRequest, Placement, SortKey, normalize_query};

/// Results a request asks for unless it says otherwise.
pub const DEFAULT_RESULTS: usize = 10;
/// Most results a request may ask for.
pub const MAX_RESULTS: usize = 1_000;
/// Most results a request may pass over.
pub const MAX_OFFSET: usize = 10_000;
/// Widest graph search a request may ask for.
pub const MAX_EF: usize = 10_000;
/// Largest weight of popularity, in units of evidence: at this one the most popular of two products wins whatever
/// they are.
pub const MAX_POPULARITY: f32 = 100.0;

/// Most facets of a request: each is counted over the whole match set.
pub const MAX_FACETS: usize = 64;
/// Most sort keys of a request.
pub const MAX_SORT_KEYS: usize = 16;

/// Why a request was refused; the person who asked can mend each.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The query is empty, or holds nothing but white space and control characters.
    #[error("the query is empty; say what you are looking for, such as 敏感肌抗老")]
    Empty,
    /// The query is too long to be one.
    #[error("the query has {length} characters; at most {limit} are read, so shorten it")]
    TooLong {
        /// Characters it has, white space put in order.
        length: usize,
        /// Characters it may have.
        limit: usize,
    },
    /// No result, or too many, were asked for.
    #[error("{got} results were asked for; ask for 1 to {limit}")]
    Results {
        /// The number asked for.
        got: usize,
        /// The highest number.
        limit: usize,
    },
    /// The width of the graph search is zero or too large.
    #[error("ef is {got}; it can be 1 to {limit}, or left out")]
    Ef {
        /// The width asked for.
        got: usize,
        /// The largest width.
        limit: usize,
    },
    /// More results are to be passed over than a match set holds.
    #[error(
        "{got} results are to be passed over; at most {limit} can be, so narrow the search with a filter"
    )]
    Offset {
        /// The number asked for.
        got: usize,
        /// The highest number.
        limit: usize,
    },
    /// The weight of popularity is none.
    #[error("the weight of popularity is {got}; it can be 0 to {limit}")]
    Popularity {
        /// What was asked for.
        got: String,
        /// The largest weight.
        limit: f32,
    },
    /// Popularity is mixed into the evidence of both sides, which only [`Mode::Hybrid`] has.
    #[error("popularity can be mixed in only in the mode hybrid, not in {mode}")]
    PopularityMode {
        /// The mode asked for.
        mode: Mode,
    },
    /// More facets or sort keys were asked for than are worked on at once.
    #[error("{got} {what} were asked for; ask for {limit} at most")]
    TooMany {
        /// `facets` or `sort keys`.
        what: &'static str,
        /// The number asked for.
        got: usize,
        /// The highest number.
        limit: usize,
    },
    /// There is no such mode.
    #[error("`{name}` is no search mode; expected one of: {}", names(Mode::ALL))]
    UnknownMode {
        /// What was given.
        name: String,
    },
}

fn names<T: fmt::Display>(all: &[T]) -> String {
    all.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

/// What decides the order of the results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mode {
    /// Words and meaning together: see [`fusion`](crate::fusion).
    #[default]
    Hybrid,
    /// Nearness in meaning: the cosine of the query's vector to the product's.
    Semantic,
    /// Words in common: BM25F.
    Lexical,
    /// Nearness in meaning by a static model: the cosine of mean word vectors. A baseline.
    #[serde(rename = "word2vec")]
    Word2Vec,
}

impl Mode {
    /// Every mode.
    pub const ALL: &[Self] = &[Self::Hybrid, Self::Semantic, Self::Lexical, Self::Word2Vec];
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hybrid => "hybrid",
            Self::Semantic => "semantic",
            Self::Lexical => "lexical",
            Self::Word2Vec => "word2vec",
        })
    }
}

impl FromStr for Mode {
    type Err = QueryError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        by_name(Self::ALL, name).ok_or_else(|| QueryError::UnknownMode { name: name.to_owned() })
    }
}

fn by_name<T: Copy + fmt::Display>(all: &[T], name: &str) -> Option<T> {
    all.iter().copied().find(|one| one.to_string().eq_ignore_ascii_case(name.trim()))
}

/// A query whose every part was checked.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchRequest {
    query: String,
    results: usize,
    filter: Option<Filter>,
    mode: Mode,
    strategy: Strategy,
    ef: Option<usize>,
    offset: usize,
    everything: bool,
    sort: Vec<SortKey>,
    facets: Vec<FacetRequest>,
    group: Option<Field>,
    popularity: Option<(Field, f32)>,
    placement: Placement,
}

impl SearchRequest {
    /// A request for the first [`DEFAULT_RESULTS`] products for `query`, which goes through [`normalize_query`].
    pub fn new(query: &str) -> Result<Self, QueryError> {
        Ok(Self {
            query: normalize_query(query)?,
            results: DEFAULT_RESULTS,
            filter: None,
            mode: Mode::default(),
            strategy: Strategy::default(),
            ef: None,
            offset: 0,
            everything: false,
            sort: Vec::new(),
            facets: Vec::new(),
            group: None,
            popularity: None,
            placement: Placement::default(),
        })
    }

    /// The same for the first `results` products, 1 to [`MAX_RESULTS`].
    pub fn with_results(mut self, results: usize) -> Result<Self, QueryError> {
        if !(1..=MAX_RESULTS).contains(&results) {
            return Err(QueryError::Results { got: results, limit: MAX_RESULTS });
        }
        self.results = results;
        Ok(self)
    }

    /// The same among the products that `filter` lets through.
    pub fn with_filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// The same in another mode.
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// The same by another strategy.
    pub fn with_strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// The same with a graph search of width `ef`, 1 to [`MAX_EF`]: wider finds more of the nearest and takes
    /// longer. Without it the index decides.
    pub fn with_ef(mut self, ef: usize) -> Result<Self, QueryError> {
        if !(1..=MAX_EF).contains(&ef) {
            return Err(QueryError::Ef { got: ef, limit: MAX_EF });
        }
        self.ef = Some(ef);
        Ok(self)
    }

    /// The same after the first `offset` results, at most [`MAX_OFFSET`]. Pages of one state of the index
    /// ([`SearchResponse::generation`](crate::SearchResponse::generation)) fit together: no product twice, none left out.
    pub fn with_offset(mut self, offset: usize) -> Result<Self, QueryError> {
        if offset > MAX_OFFSET {
            return Err(QueryError::Offset { got: offset, limit: MAX_OFFSET });
        }
        self.offset = offset;
        Ok(self)
    }

    /// The same without the floors of the match set: each side's best are ranked however weak they are. For measuring
    /// rankings to their full depth.
    pub fn with_everything(mut self) -> Self {
        self.everything = true;
        self
    }

    /// The match set in the order of a field instead of relevance; called again, by a further field among equals.
    pub fn with_sort(mut self, key: SortKey) -> Self {
        self.sort.push(key);
        self
    }

    /// The same with the values of a field counted over the match set.
    pub fn with_facet(mut self, facet: FacetRequest) -> Self {
        self.facets.push(facet);
        self
    }

    /// The same with only the best of all products that have one value in `field`.
    pub fn with_group(mut self, field: Field) -> Self {
        self.group = Some(field);
        self
    }

    /// The same with popularity mixed in, in [`Mode::Hybrid`]: each product's evidence gains `weight` times its
    /// percentile in the number `field`, less one half. One unit of weight is worth a cosine of 0.055.
    pub fn with_popularity(mut self, field: Field, weight: f32) -> Result<Self, QueryError> {
        if !(0.0..=MAX_POPULARITY).contains(&weight) {
            return Err(QueryError::Popularity { got: weight.to_string(), limit: MAX_POPULARITY });
        }
        self.popularity = Some((field, weight));
        Ok(self)
    }

    /// The same with some products first and some last; see [`Rules`](crate::Rules). Has no effect where results are
    /// sorted by a field.
    pub fn with_placement(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }

    /// Fails where parts of the request don't go together, or are more than [`MAX_FACETS`] or [`MAX_SORT_KEYS`];
    /// [`retrieve`](crate::retrieve) passes over what has no effect.
    pub fn check(&self) -> Result<(), QueryError> {
        for (what, got, limit) in
            [("facets", self.facets.len(), MAX_FACETS), ("sort keys", self.sort.len(), MAX_SORT_KEYS)]
        {
            if got > limit {
                return Err(QueryError::TooMany { what, got, limit });
            }
        }
        if self.popularity.is_some() && self.mode != Mode::Hybrid {
            return Err(QueryError::PopularityMode { mode: self.mode });
        }
        Ok(())
    }

    /// The fields that have to be held as columns to answer: those of facets, sort keys, group and popularity.
    pub fn column_fields(&self) -> Vec<Field> {
        let facets = self.facets.iter().map(|facet| facet.field().clone());
        let keys = self.sort.iter().map(|key| key.field().clone());
        let rest = self.group.iter().chain(self.popularity.iter().map(|(field, _)| field)).cloned();
        facets.chain(keys).chain(rest).collect()
    }

    /// The normalised query.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// How many products are wanted.
    pub fn results(&self) -> usize {
        self.results
    }

    /// Which products count; `None`: all.
    pub fn filter(&self) -> Option<&Filter> {
        self.filter.as_ref()
    }

    /// What decides the order.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// How the nearest are found.
    pub fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// Width of the graph search; `None`: the index decides.
    pub fn ef(&self) -> Option<usize> {
        self.ef
    }

    /// How many results are passed over.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Whether weak matches count as well.
    pub fn everything(&self) -> bool {
        self.everything
    }

    /// The fields that decide the order, the first one first; none: relevance.
    pub fn sort(&self) -> &[SortKey] {
        &self.sort
    }

    /// The fields whose values are counted.
    pub fn facets(&self) -> &[FacetRequest] {
        &self.facets
    }

    /// The field of which each value is shown once.
    pub fn group(&self) -> Option<&Field> {
        self.group.as_ref()
    }

    /// The field of popularity and its weight.
    pub fn popularity(&self) -> Option<(&Field, f32)> {
        self.popularity.as_ref().map(|(field, weight)| (field, *weight))
    }

    /// Products to be placed first and last.
    pub fn placement(&self) -> &Placement {
        &self.placement
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_told() {
        let request = SearchRequest::new("面霜").unwrap();
        for results in [0, MAX_RESULTS + 1] {
            let error = request.clone().with_results(results).unwrap_err();
            assert_eq!(error.to_string(), format!("{results} results were asked for; ask for 1 to 1000"));
        }
        assert_eq!(request.clone().with_results(MAX_RESULTS).unwrap().results(), MAX_RESULTS);
        assert_eq!(request.clone().with_ef(0), Err(QueryError::Ef { got: 0, limit: MAX_EF }));
        assert_eq!(request.with_ef(MAX_EF + 1), Err(QueryError::Ef { got: MAX_EF + 1, limit: MAX_EF }));
        assert_eq!(SearchRequest::new(" \n"), Err(QueryError::Empty));
        assert_eq!(
            SearchRequest::new(&"长".repeat(10_000)).unwrap_err().to_string(),
            "the query has 10000 characters; at most 2000 are read, so shorten it"
        );
    }

    #[test]
    fn a_request_has_so_many_facets_and_sort_keys() {
        let many = |facets: usize, keys: usize| {
            let request = SearchRequest::new("面霜").unwrap();
            let request = (0..facets)
                .fold(request, |request, _| request.with_facet(FacetRequest::new(Field::Brand).unwrap()));
            (0..keys).fold(request, |request, _| request.with_sort(SortKey::new(Field::Price, true).unwrap()))
        };
        assert_eq!(many(MAX_FACETS, MAX_SORT_KEYS).check(), Ok(()));
        assert_eq!(
            many(MAX_FACETS + 1, 0).check().unwrap_err().to_string(),
            "65 facets were asked for; ask for 64 at most"
        );
        assert_eq!(
            many(0, MAX_SORT_KEYS + 1).check().unwrap_err().to_string(),
            "17 sort keys were asked for; ask for 16 at most"
        );
    }

    #[test]
    fn limits_of_offset_and_popularity() {
        let request = SearchRequest::new("面霜").unwrap();
        assert_eq!(request.clone().with_offset(MAX_OFFSET).unwrap().offset(), MAX_OFFSET);
        assert_eq!(
            request.clone().with_offset(MAX_OFFSET + 1).unwrap_err().to_string(),
            "10001 results are to be passed over; at most 10000 can be, so narrow the search with a filter"
        );
        for weight in [-0.1, 100.5, f32::NAN, f32::INFINITY] {
            let error = request.clone().with_popularity(Field::Stock, weight).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("the weight of popularity is {weight}; it can be 0 to 100")
            );
        }
        let popular = request.with_popularity(Field::Stock, 2.5).unwrap();
        assert_eq!(popular.popularity(), Some((&Field::Stock, 2.5)));
        for mode in Mode::ALL {
            let checked = popular.clone().with_mode(*mode).check();
            match mode {
                Mode::Hybrid => assert_eq!(checked, Ok(())),
                mode => assert_eq!(checked, Err(QueryError::PopularityMode { mode: *mode })),
            }
        }
    }

    #[test]
    fn fields_that_need_columns() {
        let request = SearchRequest::new("面霜")
            .unwrap()
            .with_facet(FacetRequest::parse("brand").unwrap())
            .with_sort(SortKey::parse("price").unwrap())
            .with_sort(SortKey::parse("-stock").unwrap())
            .with_group(Field::Named("group".into()))
            .with_popularity(Field::Named("sale_count".into()), 1.0)
            .unwrap();
        let names: Vec<String> = request.column_fields().iter().map(Field::to_string).collect();
        assert_eq!(names, ["brand", "price", "stock", "group", "sale_count"]);
        assert!(SearchRequest::new("面霜").unwrap().column_fields().is_empty());
    }

    #[test]
    fn names_of_modes() {
        assert_eq!("Semantic".parse(), Ok(Mode::Semantic));
        assert_eq!(
            "hybird".parse::<Mode>().unwrap_err().to_string(),
            "`hybird` is no search mode; expected one of: hybrid, semantic, lexical, word2vec"
        );
    }
}
