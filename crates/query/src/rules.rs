use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;
use toml::Spanned;
use xunpin_core::{DocId, DocSet};

use crate::filter::narrow_text;

/// Why a rules file was refused. Whoever wrote the file can mend each but the first.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// The file is not there or cannot be read.
    #[error("{}: the rules can't be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file is no TOML, or holds something else than rules.
    #[error("{}:{line}: {}", path.display(), source.message())]
    Toml {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: Box<toml::de::Error>,
    },
    /// A rule does not say for which queries it is, or says it twice.
    #[error("{}:{line}: a rule needs either `query = \"...\"` (the whole query) or `contains = \"...\"` (a part of it), not empty", path.display())]
    Query {
        /// The file.
        path: PathBuf,
        /// Where the rule begins.
        line: usize,
    },
    /// A rule places nothing.
    #[error("{}:{line}: the rule does nothing; name products with `pin = [\"id\"]` or `bury = [\"id\"]`", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// Where the rule begins.
        line: usize,
    },
    /// A rule names an empty id.
    #[error("{}:{line}: the rule names a product with an empty id", path.display())]
    BlankId {
        /// The file.
        path: PathBuf,
        /// Where the rule begins.
        line: usize,
    },
    /// A rule names a product twice.
    #[error("{}:{line}: the rule names product `{id}` twice; a product is pinned once or buried once", path.display())]
    RepeatedId {
        /// The file.
        path: PathBuf,
        /// Where the rule begins.
        line: usize,
        /// The product.
        id: String,
    },
    /// Two rules are for the same queries.
    #[error("{}:{line}: there is a rule for `{query}` on line {first} already; join the two", path.display())]
    Duplicate {
        /// The file.
        path: PathBuf,
        /// Where the second rule begins.
        line: usize,
        /// Where the first one does.
        first: usize,
        /// What both are for.
        query: String,
    },
}

/// Products that a shop wants first or last for certain queries.
///
/// ```toml
/// [[rule]]
/// query = "防晒"            # the whole query
/// pin = ["s003", "s010"]   # first, in this order
///
/// [[rule]]
/// contains = "儿童"         # any query with these words
/// bury = ["s099"]          # last
/// ```
///
/// Queries are compared without regard to case, full-width forms and white space. All rules that fit a query apply:
/// the one for the whole query first, then the others in the order of the file. What the first of them says of a
/// product counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    rules: Vec<Rule>,
    /// Places of the rules for whole queries.
    whole: HashMap<String, usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    /// A part of the query that the rule needs; `None` if it is for a whole query.
    contains: Option<String>,
    pins: Vec<String>,
    buried: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Spanned<FileRule>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRule {
    query: Option<String>,
    contains: Option<String>,
    #[serde(default)]
    pin: Vec<String>,
    #[serde(default)]
    bury: Vec<String>,
}

/// The products to be placed for one query: no product twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Ids of those that come first, in their order.
    pub pins: Vec<String>,
    /// Ids of those that come last.
    pub buried: Vec<String>,
}

impl Placement {
    /// True if nothing is placed.
    pub fn is_empty(&self) -> bool {
        self.pins.is_empty() && self.buried.is_empty()
    }
}

impl Rules {
    /// Reads the text of a rules file; `path` is told in errors.
    pub fn parse(text: &str, path: &Path) -> Result<Self, RulesError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let line_at = |byte: usize| text.bytes().take(byte).filter(|b| *b == b'\n').count() + 1;
        let file: File = toml::from_str(text).map_err(|source| RulesError::Toml {
            path: path.into(),
            line: line_at(source.span().map_or(0, |span| span.start)),
            source: Box::new(source),
        })?;
        let mut rules = Self::default();
        let mut lines: HashMap<(bool, String), usize> = HashMap::new();
        for rule in file.rule {
            let line = line_at(rule.span().start);
            let FileRule { query, contains, pin, bury } = rule.into_inner();
            let path = || path.to_owned();
            let (whole, text) = match (query, contains) {
                (Some(text), None) => (true, fold_query(&text)),
                (None, Some(text)) => (false, fold_query(&text)),
                _ => return Err(RulesError::Query { path: path(), line }),
            };
            if text.is_empty() {
                return Err(RulesError::Query { path: path(), line });
            }
            if pin.is_empty() && bury.is_empty() {
                return Err(RulesError::Empty { path: path(), line });
            }
            let mut seen = HashSet::new();
            for id in pin.iter().chain(&bury) {
                if id.trim().is_empty() {
                    return Err(RulesError::BlankId { path: path(), line });
                }
                if !seen.insert(id) {
                    return Err(RulesError::RepeatedId { path: path(), line, id: id.clone() });
                }
            }
            if let Some(first) = lines.insert((whole, text.clone()), line) {
                return Err(RulesError::Duplicate { path: path(), line, first, query: text });
            }
            if whole {
                rules.whole.insert(text.clone(), rules.rules.len());
            }
            rules.rules.push(Rule { contains: (!whole).then_some(text), pins: pin, buried: bury });
        }
        Ok(rules)
    }

    /// Reads a rules file.
    pub fn from_file(path: &Path) -> Result<Self, RulesError> {
        let text = fs::read_to_string(path)
            .map_err(|source| RulesError::Unreadable { path: path.into(), source })?;
        Self::parse(&text, path)
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// True if there is no rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The ids of all products that are named, in the order of ids: those that the catalogue lacks are worth a word.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        let ids = self.rules.iter().flat_map(|rule| rule.pins.iter().chain(&rule.buried));
        ids.map(String::as_str).collect::<BTreeSet<_>>().into_iter()
    }

    /// What is to be placed for a query.
    pub fn for_query(&self, query: &str) -> Placement {
        let query = fold_query(query);
        let whole = self.whole.get(&query).map(|at| &self.rules[*at]);
        let parts =
            self.rules.iter().filter(|rule| rule.contains.as_ref().is_some_and(|c| query.contains(c)));
        let mut placement = Placement::default();
        let mut seen = HashSet::new();
        for rule in whole.into_iter().chain(parts) {
            placement.pins.extend(rule.pins.iter().filter(|id| seen.insert(id.as_str())).cloned());
            placement.buried.extend(rule.buried.iter().filter(|id| seen.insert(id.as_str())).cloned());
        }
        placement
    }
}

/// The form in which queries are compared.
fn fold_query(query: &str) -> String {
    narrow_text(query).split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Why a result stands where it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A rule puts it first.
    Pinned,
    /// Its rank.
    Ranked,
    /// A rule puts it last.
    Buried,
}

/// A result in its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed<T> {
    /// The product.
    pub doc: DocId,
    /// Why it stands here.
    pub place: Place,
    /// What was ranked; `None` for a pinned product that was not.
    pub item: Option<T>,
}

/// Puts `pinned` first, in their order, whether they were ranked or not, and `buried` last, in the order of their
/// ranks; the rest keeps its order in between. A product that is both is pinned. The caller leaves out of `pinned`
/// what the query's filter does not let through.
pub fn place<T>(
    ranked: impl IntoIterator<Item = T>,
    doc: impl Fn(&T) -> DocId,
    pinned: &[DocId],
    buried: &DocSet,
) -> Vec<Placed<T>> {
    let mut placed: Vec<Placed<T>> = Vec::new();
    let mut place_of: HashMap<DocId, usize> = HashMap::new();
    for doc in pinned {
        place_of.entry(*doc).or_insert_with(|| {
            placed.push(Placed { doc: *doc, place: Place::Pinned, item: None });
            placed.len() - 1
        });
    }
    let mut last = Vec::new();
    for item in ranked {
        let doc = doc(&item);
        match place_of.get(&doc) {
            Some(at) => placed[*at].item = Some(item),
            None if buried.contains(doc) => last.push(Placed { doc, place: Place::Buried, item: Some(item) }),
            None => placed.push(Placed { doc, place: Place::Ranked, item: Some(item) }),
        }
    }
    placed.extend(last);
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Rules, RulesError> {
        Rules::parse(text, Path::new("rules.toml"))
    }

    const RULES: &str = r#"
[[rule]]
contains = "防晒"
pin = ["c1", "both"]
bury = ["c2", "s1"]

[[rule]]
query = "ＳＰＦ50+  防晒"
pin = ["s1"]
bury = ["both"]

[[rule]]
contains = "spf"
pin = ["c2", "late"]
"#;

    #[test]
    fn the_first_rule_that_fits_decides() {
        let rules = parse(RULES).unwrap();
        let place = |query: &str| {
            let Placement { pins, buried } = rules.for_query(query);
            (pins.join(" "), buried.join(" "))
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(place(" spf50+ 防晒"), pair("s1 c1 late", "both c2"));
        assert_eq!(place("儿童防晒霜"), pair("c1 both", "c2 s1"));
        assert_eq!(place("SPF"), pair("c2 late", ""));
        assert!(rules.for_query("面霜").is_empty());
        assert_eq!(rules.ids().collect::<Vec<_>>(), ["both", "c1", "c2", "late", "s1"]);
        assert_eq!((rules.len(), parse("# none yet").unwrap().is_empty()), (3, true));
    }

    #[test]
    fn errors_tell_the_line() {
        for (text, expected) in [
            ("[[rule]]\nquery = \"a\npin = []", "rules.toml:2: "),
            ("\n[[rule]]\nquery = 'a'\npins = ['x']", "rules.toml:4: unknown field `pins`"),
            ("[[rules]]\nquery = 'a'", "rules.toml:1: unknown field `rules`"),
            ("[[rule]]\nquery = 'a'\npin = 'x'", "rules.toml:3: invalid type: string"),
            ("# one\n\n[[rule]]\npin = ['x']", "rules.toml:3: a rule needs either"),
            ("[[rule]]\nquery = 'a'\ncontains = 'a'\npin = ['x']", "rules.toml:1: a rule needs either"),
            ("[[rule]]\ncontains = ' '\npin = ['x']", "rules.toml:1: a rule needs either"),
            ("[[rule]]\nquery = 'a'\npin = []", "rules.toml:1: the rule does nothing"),
            ("[[rule]]\nquery = 'a'\npin = [' ']", "rules.toml:1: the rule names a product with an empty id"),
            (
                "[[rule]]\nquery = 'a'\npin = ['x']\nbury = ['y', 'x']",
                "rules.toml:1: the rule names product `x` twice",
            ),
            (
                "[[rule]]\nquery = 'a'\npin = ['x']\n[[rule]]\nquery = 'Ａ '\npin = ['y']",
                "rules.toml:4: there is a rule for `a` on line 1 already",
            ),
        ] {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{text}: {message}");
        }
        let same_words = "[[rule]]\nquery = 'a'\npin = ['x']\n[[rule]]\ncontains = 'a'\npin = ['y']";
        assert_eq!(parse(same_words).unwrap().len(), 2);
        let missing = Rules::from_file(Path::new("no/such/rules.toml")).unwrap_err();
        assert!(missing.to_string().starts_with("no/such/rules.toml: "), "{missing}");
    }

    #[test]
    fn pins_come_first_and_buried_last() {
        let buried: DocSet = [2, 3, 7].into_iter().map(DocId).collect();
        let placed =
            place([1, 2, 3, 4, 5], |n| DocId(*n), &[DocId(9), DocId(4), DocId(3), DocId(9)], &buried);
        let seen: Vec<_> = placed.iter().map(|p| (p.doc.0, p.place, p.item)).collect();
        use Place::*;
        assert_eq!(
            seen,
            [
                (9, Pinned, None),
                (4, Pinned, Some(4)),
                (3, Pinned, Some(3)),
                (1, Ranked, Some(1)),
                (5, Ranked, Some(5)),
                (2, Buried, Some(2)),
            ]
        );
    }
}
