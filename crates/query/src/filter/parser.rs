use xunpin_core::{CompareOp, Field, Filter, Literal};

use super::lexer::{Spanned, Token, tokenize};
use super::{FilterError, FilterProblem, field_from, keyword, narrow_text};

/// Longest filter in characters.
pub const MAX_FILTER_CHARS: usize = 10_000;
/// How deep parentheses and negations may be within one another. The parser calls itself that often.
pub const MAX_FILTER_DEPTH: usize = 64;

/// Reads a filter such as `price <= 300 and brand in ("雅漾", "薇姿")`. `and` binds closer than `or`, `not` closer
/// than both; keywords in any case; full-width forms of operators, parentheses, commas, quotes and digits are read
/// as the ordinary ones. A name is a standard field by its English or Chinese name ([`Field::from_name`]) or else
/// an attribute; `attributes.NAME` is always an attribute.
///
/// The error tells problem and position.
pub fn parse_filter(text: &str) -> Result<Filter, FilterError> {
    let length = text.chars().count();
    if length > MAX_FILTER_CHARS {
        return Err(FilterError::new(text, FilterProblem::TooLong { length, limit: MAX_FILTER_CHARS }, 0, 0));
    }
    if text.trim().is_empty() {
        return Err(FilterError::new(text, FilterProblem::Empty, 0, 0));
    }
    let mut parser = Parser { text, tokens: tokenize(text)?, at: 0, depth: 0 };
    let filter = parser.any()?;
    match parser.peek() {
        Token::End => Ok(filter),
        Token::Word | Token::Text(_) | Token::Name(_) => {
            Err(parser.expected("`and`, `or` or the end (put quotes round a value of several words)"))
        }
        _ => Err(parser.expected("`and`, `or` or the end")),
    }
}

struct Parser<'a> {
    text: &'a str,
    /// Ends with [`Token::End`], which is never passed, so `at` is always within.
    tokens: Vec<Spanned>,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn any(&mut self) -> Result<Filter, FilterError> {
        let mut parts = vec![self.all()?];
        while self.take_if("or", &Token::Or) {
            parts.push(self.all()?);
        }
        Ok(single_or(parts, Filter::Or))
    }

    fn all(&mut self) -> Result<Filter, FilterError> {
        let mut parts = vec![self.term()?];
        while self.take_if("and", &Token::And) {
            parts.push(self.term()?);
        }
        Ok(single_or(parts, Filter::And))
    }

    fn term(&mut self) -> Result<Filter, FilterError> {
        let start = self.at;
        if self.take_if("not", &Token::Not) {
            self.enter(start)?;
            let part = self.term()?;
            self.depth -= 1;
            return Ok(Filter::Not(Box::new(part)));
        }
        if *self.peek() == Token::Open {
            self.advance();
            self.enter(start)?;
            let part = self.any()?;
            self.depth -= 1;
            if *self.peek() != Token::Close {
                return Err(self.expected("`and`, `or` or `)`"));
            }
            self.advance();
            return Ok(part);
        }
        match self.keyword() {
            Some("exists") => {
                self.advance();
                Ok(Filter::Exists(self.field("a field after `exists`")?))
            }
            Some("true") => {
                self.advance();
                Ok(Filter::And(Vec::new()))
            }
            Some("false") => {
                self.advance();
                Ok(Filter::Or(Vec::new()))
            }
            _ => self.comparison(),
        }
    }

    fn comparison(&mut self) -> Result<Filter, FilterError> {
        let field = self.field("a field, `not` or `(`")?;
        let negated = self.take_if("not", &Token::Not);
        let filter = match (self.keyword(), self.peek()) {
            (Some("in"), _) => self.in_list(&field)?,
            (Some("contains"), _) => self.contains(field)?,
            (Some("exists"), _) => {
                self.advance();
                Filter::Exists(field)
            }
            _ if negated => return Err(self.expected("`in`, `contains` or `exists` after `not`")),
            (_, Token::Equal) => {
                self.advance();
                self.equal(&field)?
            }
            (_, Token::NotEqual) => {
                self.advance();
                Filter::Not(Box::new(self.equal(&field)?))
            }
            (_, Token::Less) => self.ordered(field, CompareOp::Less)?,
            (_, Token::LessOrEqual) => self.ordered(field, CompareOp::LessOrEqual)?,
            (_, Token::Greater) => self.ordered(field, CompareOp::Greater)?,
            (_, Token::GreaterOrEqual) => self.ordered(field, CompareOp::GreaterOrEqual)?,
            _ => return Err(self.expected("a comparison: = != < <= > >= in, contains or exists")),
        };
        Ok(if negated { Filter::Not(Box::new(filter)) } else { filter })
    }

    fn equal(&mut self, field: &Field) -> Result<Filter, FilterError> {
        let value = self.value(field)?;
        Ok(Filter::Compare { field: field.clone(), op: CompareOp::Equal, value })
    }

    fn ordered(&mut self, field: Field, op: CompareOp) -> Result<Filter, FilterError> {
        if field.is_text() && field != Field::UpdatedAt {
            return Err(self.problem(FilterProblem::NotOrdered { field }));
        }
        self.advance();
        let at = self.at;
        let value = self.value(&field)?;
        if matches!(value, Literal::Bool(_)) {
            return Err(self.problem_at(at, FilterProblem::BoolNotOrdered));
        }
        Ok(Filter::Compare { field, op, value })
    }

    fn contains(&mut self, field: Field) -> Result<Filter, FilterError> {
        if field.is_numeric() {
            return Err(self.problem(FilterProblem::ContainsOnNumber { field }));
        }
        self.advance();
        let value = Literal::Text(self.plain_value()?);
        Ok(Filter::Compare { field, op: CompareOp::Contains, value })
    }

    fn in_list(&mut self, field: &Field) -> Result<Filter, FilterError> {
        self.advance();
        if *self.peek() != Token::Open {
            return Err(self.expected("`(` and the values after `in`"));
        }
        self.advance();
        let mut parts = vec![self.equal(field)?];
        loop {
            match self.peek() {
                Token::Comma => {
                    self.advance();
                    parts.push(self.equal(field)?);
                }
                Token::Close => {
                    self.advance();
                    return Ok(single_or(parts, Filter::Or));
                }
                _ => return Err(self.expected("`,` or `)`")),
            }
        }
    }

    fn field(&mut self, expected: &'static str) -> Result<Field, FilterError> {
        let field = match self.peek() {
            Token::Name(name) => field_from(name),
            Token::Word if self.keyword().is_none() => field_from(self.source()),
            Token::Word => {
                return Err(self.expected("a field (put a name that is a keyword in backticks)"));
            }
            _ => return Err(self.expected(expected)),
        };
        self.advance();
        Ok(field)
    }

    /// A value as `field` holds them. A word is what the field holds: `id = 007` is text, `price = 007` a number;
    /// attributes hold anything, so there a word that reads as a number or as true or false is one.
    fn value(&mut self, field: &Field) -> Result<Literal, FilterError> {
        let at = self.at;
        let bare = *self.peek() == Token::Word;
        let text = self.plain_value()?;
        if field.is_numeric() {
            return match parse_number(&text).filter(|_| bare) {
                Some(number) => Ok(Literal::Number(number)),
                None => {
                    let (field, found) = (field.clone(), self.describe(at));
                    Err(self.problem_at(at, FilterProblem::NeedsNumber { field, found }))
                }
            };
        }
        if !bare || field.is_text() {
            return Ok(Literal::Text(text));
        }
        Ok(match (keyword(&text), parse_number(&text)) {
            (Some("true"), _) => Literal::Bool(true),
            (Some("false"), _) => Literal::Bool(false),
            (_, Some(number)) => Literal::Number(number),
            _ => Literal::Text(text),
        })
    }

    /// A word or quoted text, as written.
    fn plain_value(&mut self) -> Result<String, FilterError> {
        let value = match self.peek() {
            Token::Text(text) => text.clone(),
            Token::Word if matches!(self.keyword(), None | Some("true" | "false")) => {
                self.source().to_owned()
            }
            Token::Word => return Err(self.expected("a value (put a value that is a keyword in quotes)")),
            Token::Name(_) => return Err(self.expected("a value (in quotes; backticks are for names)")),
            _ => return Err(self.expected("a value")),
        };
        self.advance();
        Ok(value)
    }

    fn peek(&self) -> &Token {
        &self.tokens[self.at].token
    }

    fn advance(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    /// The current token's text.
    fn source(&self) -> &'a str {
        let Spanned { start, end, .. } = self.tokens[self.at];
        &self.text[start..end]
    }

    fn keyword(&self) -> Option<&'static str> {
        if *self.peek() == Token::Word { keyword(self.source()) } else { None }
    }

    /// Passes the current token if it is the keyword `word` or the sign `sign`.
    fn take_if(&mut self, word: &str, sign: &Token) -> bool {
        let taken = self.peek() == sign || self.keyword() == Some(word);
        if taken {
            self.advance();
        }
        taken
    }

    /// Goes one level deeper, for the token number `at`.
    fn enter(&mut self, at: usize) -> Result<(), FilterError> {
        self.depth += 1;
        if self.depth > MAX_FILTER_DEPTH {
            return Err(self.problem_at(at, FilterProblem::TooDeep { limit: MAX_FILTER_DEPTH }));
        }
        Ok(())
    }

    fn expected(&self, expected: &'static str) -> FilterError {
        let found = self.describe(self.at);
        self.problem(FilterProblem::Expected { expected, found })
    }

    /// What stands at token number `at`, shortened.
    fn describe(&self, at: usize) -> String {
        const SHOWN: usize = 30;
        let Spanned { token, start, end } = &self.tokens[at];
        if *token == Token::End {
            return "the end of the filter".to_owned();
        }
        let source = &self.text[*start..*end];
        let shown: String =
            source.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
        format!("`{shown}{}`", if shown.len() < source.len() { "…" } else { "" })
    }

    fn problem(&self, problem: FilterProblem) -> FilterError {
        self.problem_at(self.at, problem)
    }

    fn problem_at(&self, at: usize, problem: FilterProblem) -> FilterError {
        FilterError::new(self.text, problem, self.tokens[at].start, self.tokens[at].end)
    }
}

/// The only part itself, or `join` of all of them.
fn single_or(mut parts: Vec<Filter>, join: fn(Vec<Filter>) -> Filter) -> Filter {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            join(parts)
        }
    }
}

/// The finite number that `word` is, in ordinary or full-width digits: `3`, `-2.5`, `.5`, `1e3`.
fn parse_number(word: &str) -> Option<f64> {
    let word = narrow_text(word);
    // Rust also reads `inf` and `nan`, which are words here.
    let digits = word.trim_start_matches(['+', '-']);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    word.parse().ok().filter(|number: &f64| number.is_finite())
}
