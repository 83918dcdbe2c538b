use super::{FilterError, FilterProblem, is_word, narrow};

/// What a filter's text is made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name, value or keyword without quotes; its text is that of its place.
    Word,
    /// A quoted value, without quotes and escapes.
    Text(String),
    /// A name in backticks, without them and escapes.
    Name(String),
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Open,
    Close,
    Comma,
    And,
    Or,
    Not,
    /// Past the last character.
    End,
}

/// A token and its bytes in the text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spanned {
    pub(super) token: Token,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Cuts `text` into tokens; the last is [`Token::End`].
pub(super) fn tokenize(text: &str) -> Result<Vec<Spanned>, FilterError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.take_while(char::is_whitespace);
        let start = lexer.at;
        let token = lexer.token()?;
        let done = token == Token::End;
        tokens.push(Spanned { token, start, end: lexer.at });
        if done {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl Lexer<'_> {
    fn token(&mut self) -> Result<Token, FilterError> {
        let start = self.at;
        let Some(c) = self.take() else { return Ok(Token::End) };
        if is_word(c) {
            self.take_while(is_word);
            return Ok(Token::Word);
        }
        if let Some(closing) = closing_quotes(c) {
            let content = self.quoted(c, start, closing)?;
            return match c {
                '`' if content.is_empty() => {
                    let found = "nothing between the backticks".to_owned();
                    Err(self.error(FilterProblem::Expected { expected: "a field's name", found }, start))
                }
                '`' => Ok(Token::Name(content)),
                _ => Ok(Token::Text(content)),
            };
        }
        Ok(match narrow(c) {
            '(' => Token::Open,
            ')' => Token::Close,
            ',' | '、' => Token::Comma,
            '=' => {
                self.follows('=');
                Token::Equal
            }
            '≠' => Token::NotEqual,
            '≤' => Token::LessOrEqual,
            '≥' => Token::GreaterOrEqual,
            '<' if self.follows('=') => Token::LessOrEqual,
            '<' if self.follows('>') => Token::NotEqual,
            '<' => Token::Less,
            '>' if self.follows('=') => Token::GreaterOrEqual,
            '>' => Token::Greater,
            '!' if self.follows('=') => Token::NotEqual,
            '!' => Token::Not,
            '&' if self.follows('&') => Token::And,
            '|' if self.follows('|') => Token::Or,
            _ => return Err(self.error(FilterProblem::UnexpectedCharacter { character: c }, start)),
        })
    }

    /// The text up to one of the `closing` characters, which is taken as well.
    fn quoted(&mut self, quote: char, start: usize, closing: &'static [char]) -> Result<String, FilterError> {
        let mut content = String::new();
        loop {
            let at = self.at;
            match self.take() {
                None => {
                    self.at = start + quote.len_utf8();
                    let closing = closing[0];
                    return Err(self.error(FilterProblem::UnclosedQuote { quote, closing }, start));
                }
                Some('\\') => match self.take() {
                    Some('n') => content.push('\n'),
                    Some('t') => content.push('\t'),
                    Some('r') => content.push('\r'),
                    Some(c) if c == '\\' || closing_quotes(c).is_some() => content.push(c),
                    Some(character) => {
                        return Err(self.error(FilterProblem::UnknownEscape { character }, at));
                    }
                    None => {}
                },
                Some(c) if closing.contains(&c) => return Ok(content),
                Some(c) => content.push(c),
            }
        }
    }

    fn take(&mut self) -> Option<char> {
        let c = self.text[self.at..].chars().next()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn take_while(&mut self, mut keep: impl FnMut(char) -> bool) {
        let rest = &self.text[self.at..];
        self.at += rest.find(|c| !keep(c)).unwrap_or(rest.len());
    }

    /// Takes `wanted`, narrow or full-width, if it comes next.
    fn follows(&mut self, wanted: char) -> bool {
        let next = self.text[self.at..].chars().next().filter(|&c| narrow(c) == wanted);
        self.at += next.map_or(0, char::len_utf8);
        next.is_some()
    }

    /// A problem with what was taken since `start`.
    fn error(&self, problem: FilterProblem, start: usize) -> FilterError {
        FilterError::new(self.text, problem, start, self.at)
    }
}

/// What closes the quote `c`, if it is one. Input methods turn “ and ” round by themselves, so either closes either.
fn closing_quotes(c: char) -> Option<&'static [char]> {
    Some(match c {
        '"' => &['"'],
        '\'' => &['\''],
        '`' => &['`'],
        '“' | '”' => &['”', '“'],
        '‘' | '’' => &['’', '‘'],
        '＂' => &['＂'],
        '＇' => &['＇'],
        _ => return None,
    })
}
