use std::path::PathBuf;

use clap::{Args, ValueEnum};
use xunpin::{FacetRequest, Field, Filter, Mode, SortKey};

use super::{IndexDir, QueryComputeArgs, RetrievalArgs, Threads};

/// How `search` prints its hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HitFormat {
    /// For people
    Table,
    /// For programs: one JSON document with the hits and how they were found
    Json,
    /// For programs: one hit a line
    Jsonl,
}

#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    /// A shopper's words
    pub(crate) query: String,
    #[command(flatten)]
    pub(crate) index: IndexDir,
    /// Hits wanted
    #[arg(short, long = "top", value_name = "K", default_value_t = 10)]
    pub(crate) k: usize,
    /// Hits passed over before the first one shown
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "page")]
    pub(crate) offset: usize,
    /// Which page of K hits, from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) page: Option<u32>,
    /// Which products count: 'price <= 300 and brand in ("雅漾", "露弥芙")'
    #[arg(long, value_name = "EXPRESSION")]
    pub(crate) filter: Option<String>,
    /// What decides the order: hybrid (words and meaning), semantic, lexical (words alone) or word2vec
    #[arg(long, value_name = "MODE", default_value_t)]
    pub(crate) mode: Mode,
    /// Order by a field instead of relevance: `price` or `price:desc` (again for what decides among equals)
    #[arg(long, value_name = "FIELD", value_parser = SortKey::parse)]
    pub(crate) sort: Vec<SortKey>,
    /// Count the values of a field among all products found: `brand` or `brand:20` (again for more)
    #[arg(long, value_name = "FIELD", value_parser = FacetRequest::parse)]
    pub(crate) facet: Vec<FacetRequest>,
    /// Show only the best of the products that have the same value in this field
    #[arg(long, value_name = "FIELD", value_parser = field)]
    pub(crate) group: Option<Field>,
    /// Mix in a number field that says what sells: `sale_count` or `sale_count:2` (weight 1 if not given)
    #[arg(long, value_name = "FIELD[:WEIGHT]", value_parser = popularity)]
    pub(crate) popularity: Option<(Field, f32)>,
    /// TOML file that says which products come first or last for which queries
    #[arg(long, value_name = "FILE")]
    pub(crate) rules: Option<PathBuf>,
    /// Also rank what hardly matches: no floor below which products are left out
    #[arg(long)]
    pub(crate) everything: bool,
    #[command(flatten)]
    pub(crate) retrieval: RetrievalArgs,
    #[command(flatten)]
    pub(crate) compute: QueryComputeArgs,
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: HitFormat,
    #[command(flatten)]
    pub(crate) threads: Threads,
}

/// A field as the filter grammar names it.
fn field(name: &str) -> Result<Field, String> {
    match xunpin::parse_filter(&format!("exists {name}")) {
        Ok(Filter::Exists(field)) => Ok(field),
        _ if name.trim().is_empty() => Err("name a field, such as price or brand".to_owned()),
        _ => Ok(Field::from_name(name.trim())),
    }
}

fn popularity(text: &str) -> Result<(Field, f32), String> {
    match text.rsplit_once(':').and_then(|(name, weight)| Some((name, weight.trim().parse::<f32>().ok()?))) {
        Some((name, weight)) => Ok((field(name)?, weight)),
        None => Ok((field(text)?, 1.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_in_filters() {
        assert_eq!(field("价格"), Ok(Field::Price));
        assert_eq!(field("attributes.price"), Ok(Field::Named("price".into())));
        assert_eq!(field("`适用 人群`"), Ok(Field::Named("适用 人群".into())));
        assert_eq!(field("适用 人群"), Ok(Field::Named("适用 人群".into())));
        assert!(field(" ").is_err());
    }

    #[test]
    fn the_weight_of_popularity_is_one_unless_given() {
        assert_eq!(popularity("sale_count"), Ok((Field::Named("sale_count".into()), 1.0)));
        assert_eq!(popularity("stock:2.5"), Ok((Field::Stock, 2.5)));
        assert_eq!(popularity("a:b"), Ok((Field::Named("a:b".into()), 1.0)));
        assert!(popularity(":2").is_err());
    }
}
