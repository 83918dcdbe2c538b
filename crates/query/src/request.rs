use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use xunpin_core::{Filter, Strategy};

use crate::normalize_query;

/// Results a request asks for unless it says otherwise.
pub const DEFAULT_RESULTS: usize = 10;
/// Most results a request may ask for.
pub const MAX_RESULTS: usize = 1_000;
/// Widest graph search a request may ask for.
pub const MAX_EF: usize = 10_000;

/// Why a request was refused; the person who asked can mend each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
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
    /// Nearness in meaning: the cosine of the query's vector to the product's.
    #[default]
    Semantic,
}

impl Mode {
    /// Every mode.
    pub const ALL: &[Self] = &[Self::Semantic];
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Semantic => "semantic",
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
    fn names_of_modes() {
        assert_eq!("Semantic".parse(), Ok(Mode::Semantic));
        assert_eq!(
            "hybird".parse::<Mode>().unwrap_err().to_string(),
            "`hybird` is no search mode; expected one of: semantic"
        );
    }
}
