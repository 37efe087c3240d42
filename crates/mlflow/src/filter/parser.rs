use stele_domain::search::{Comparison, Filter};
use stele_domain::{Error, Result};

use super::lexer::{self, Token, TokenKind, UnclosedQuote, error_at, excerpt};
use super::{MAX_COMPARISONS, MAX_DEPTH, MAX_LENGTH, MAX_LIST_VALUES};

/// How one search reads its filters.
#[derive(Clone, Copy)]
pub(super) struct Grammar {
    pub(super) wording: Wording,
    /// Gives a comparison its meaning, or says why it has none.
    pub(super) test: fn(&Clause<'_>) -> Result<Filter>,
}

/// MLflow has two parsers, whose messages for a filter that is not a list of comparisons differ.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wording {
    Clauses,
    FilterString,
}

/// One comparison as it was written: `key comparator value`.
pub(super) struct Clause<'a> {
    pub(super) source: &'a str,
    pub(super) key: Token<'a>,
    pub(super) comparator: Comparator<'a>,
    pub(super) value: Value<'a>,
}

impl Clause<'_> {
    pub(super) fn key_error(&self, message: &str) -> Error {
        error_at(self.source, self.key.start, message)
    }

    pub(super) fn value_error(&self, message: &str) -> Error {
        let start = match &self.value {
            Value::Absent => self.key.start,
            Value::Literal(token) => token.start,
            Value::List { start, .. } => *start,
        };
        error_at(self.source, start, message)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparator<'a> {
    Order(Comparison),
    Like,
    ILike,
    In,
    NotIn,
    IsNull,
    IsNotNull,
    /// Something in a comparator's place that no search knows, such as `==`, `~` or `NOT LIKE`.
    Unknown(&'a str),
}

pub(super) enum Value<'a> {
    /// After `IS NULL` and `IS NOT NULL`.
    Absent,
    /// A string, a number or a bare word.
    Literal(Token<'a>),
    List {
        start: usize,
        text: &'a str,
        values: Vec<String>,
    },
}

impl<'a> Value<'a> {
    /// The value as it was written, for error messages.
    pub(super) fn text(&self) -> &'a str {
        match self {
            Value::Absent => "NULL",
            Value::Literal(token) => token.text,
            Value::List { text, .. } => text,
        }
    }
}

/// Parses a filter; the empty one selects everything.
///
/// # Errors
/// `Invalid`, when the filter does not follow the grammar, exceeds a bound, or `grammar.test` refuses a comparison.
pub(super) fn parse(source: &str, grammar: Grammar) -> Result<Filter> {
    if source.is_empty() {
        return Ok(Filter::All);
    }
    if source.len() > MAX_LENGTH {
        return Err(Error::invalid(format!(
            "Invalid filter: it is {} bytes long, the limit is {MAX_LENGTH}",
            source.len()
        )));
    }
    let tokens = lexer::tokens(source).map_err(|unclosed| unclosed_quote(source, grammar.wording, unclosed))?;
    if tokens.is_empty() {
        return Err(Error::invalid(format!("Invalid filter '{}'. Could not be parsed.", excerpt(source))));
    }
    if tokens.iter().all(|token| token.is_keyword("AND")) {
        return Ok(Filter::All);
    }
    let mut parser = Parser { source, grammar, tokens, next: 0, depth: 0, comparisons: 0 };
    let filter = parser.disjunction()?;
    match parser.peek() {
        None => Ok(filter),
        Some(token) => Err(parser.unexpected(token)),
    }
}

struct Parser<'a> {
    source: &'a str,
    grammar: Grammar,
    tokens: Vec<Token<'a>>,
    next: usize,
    depth: usize,
    comparisons: usize,
}

impl<'a> Parser<'a> {
    fn disjunction(&mut self) -> Result<Filter> {
        let mut arms = vec![self.conjunction()?];
        while self.accept_keyword("OR") {
            arms.push(self.conjunction()?);
        }
        Ok(one_or(arms, Filter::Or))
    }

    fn conjunction(&mut self) -> Result<Filter> {
        let mut items = Vec::new();
        let mut pending_and = None;
        while let Some(token) = self.peek() {
            if token.is_keyword("AND") {
                pending_and = Some(token);
                self.next += 1;
                continue;
            }
            if token.is_keyword("OR") || matches!(token.kind, TokenKind::CloseParenthesis | TokenKind::Semicolon) {
                if let Some(and) = pending_and {
                    return Err(self.unexpected(and));
                }
                break;
            }
            let opens_group = token.kind == TokenKind::OpenParenthesis || token.is_keyword("NOT");
            if opens_group && pending_and.is_none() && !items.is_empty() {
                return Err(self.unexpected(token));
            }
            items.push(self.unary()?);
            pending_and = None;
        }
        if items.is_empty() {
            return Err(match self.peek() {
                Some(token) => self.unexpected(token),
                None => self.ended_early(),
            });
        }
        Ok(one_or(items, Filter::And))
    }

    fn unary(&mut self) -> Result<Filter> {
        let Some(token) = self.peek() else { return Err(self.ended_early()) };
        let negated = token.is_keyword("NOT");
        if !negated && token.kind != TokenKind::OpenParenthesis {
            return self.comparison();
        }
        self.next += 1;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message = format!("Invalid filter: nested deeper than {MAX_DEPTH} levels");
            return Err(error_at(self.source, token.start, &message));
        }
        let filter = if negated {
            Filter::Not(Box::new(self.unary()?))
        } else {
            let inner = self.disjunction()?;
            match self.take() {
                Some(closing) if closing.kind == TokenKind::CloseParenthesis => inner,
                Some(other) => return Err(self.unexpected(other)),
                None => return Err(self.unexpected(token)),
            }
        };
        self.depth -= 1;
        Ok(filter)
    }

    fn comparison(&mut self) -> Result<Filter> {
        let Some(mut key) = self.take() else { return Err(self.ended_early()) };
        self.comparisons += 1;
        if self.comparisons > MAX_COMPARISONS {
            let message = format!("Invalid filter: more than {MAX_COMPARISONS} comparisons");
            return Err(error_at(self.source, key.start, &message));
        }
        if key.kind != TokenKind::Identifier {
            let compared = self.peek().is_some_and(|token| token.kind == TokenKind::Operator);
            let is_literal = matches!(key.kind, TokenKind::Text | TokenKind::Number);
            return Err(if compared && is_literal {
                self.not_a_key(key.start, key.end())
            } else {
                self.unexpected(key)
            });
        }
        if self.grammar.wording == Wording::FilterString {
            key = self.extended_key(key);
        }
        let comparator = self.comparator(key)?;
        let value = match comparator {
            Comparator::IsNull | Comparator::IsNotNull => Value::Absent,
            Comparator::In | Comparator::NotIn => self.list(key)?,
            _ => self.literal(key)?,
        };
        (self.grammar.test)(&Clause { source: self.source, key, comparator, value })
    }

    /// The grammar of logged models takes `metrics.val/loss` and `params.a-b` for keys without quotes.
    fn extended_key(&mut self, key: Token<'a>) -> Token<'a> {
        let mut end = key.end();
        while let Some(token) = self.peek()
            && token.start == end
            && matches!(token.kind, TokenKind::Other | TokenKind::Number | TokenKind::Identifier)
        {
            end = token.end();
            self.next += 1;
        }
        Token { text: &self.source[key.start..end], ..key }
    }

    fn comparator(&mut self, key: Token<'a>) -> Result<Comparator<'a>> {
        let Some(token) = self.take() else { return Err(self.unexpected(key)) };
        let comparator = match token.kind {
            TokenKind::Operator => symbol(token.text),
            TokenKind::Identifier => self.comparator_word(token).ok_or_else(|| self.unexpected(key))?,
            TokenKind::Other | TokenKind::Number if token.start == key.end() => {
                let rest = &self.source[key.start..];
                let length = rest.find(|c: char| c.is_whitespace() || "<>=~!".contains(c)).unwrap_or(rest.len());
                return Err(self.not_a_key(key.start, key.start + length));
            }
            _ => return Err(self.unexpected(key)),
        };
        Ok(comparator)
    }

    fn comparator_word(&mut self, first: Token<'a>) -> Option<Comparator<'a>> {
        if first.is_keyword("LIKE") {
            return Some(Comparator::Like);
        }
        if first.is_keyword("ILIKE") {
            return Some(Comparator::ILike);
        }
        if first.is_keyword("IN") {
            return Some(Comparator::In);
        }
        if first.is_keyword("RLIKE") || first.is_keyword("REGEXP") {
            return Some(Comparator::Unknown(first.text));
        }
        if first.is_keyword("IS") {
            let negated = self.accept_keyword("NOT");
            let null = self.accept_keyword("NULL");
            return null.then_some(if negated { Comparator::IsNotNull } else { Comparator::IsNull });
        }
        if first.is_keyword("NOT") {
            let second = self.take()?;
            if second.is_keyword("IN") {
                return Some(Comparator::NotIn);
            }
            if second.is_keyword("LIKE") || second.is_keyword("ILIKE") {
                return Some(Comparator::Unknown(&self.source[first.start..second.end()]));
            }
        }
        None
    }

    fn literal(&mut self, key: Token<'a>) -> Result<Value<'a>> {
        let Some(token) = self.take() else { return Err(self.unexpected(key)) };
        let reserved = ["TRUE", "FALSE", "NULL", "AND", "OR", "NOT"].iter().any(|word| token.is_keyword(word));
        match token.kind {
            TokenKind::Identifier | TokenKind::Text | TokenKind::Number if !reserved => Ok(Value::Literal(token)),
            _ => Err(self.unexpected(token)),
        }
    }

    fn list(&mut self, key: Token<'a>) -> Result<Value<'a>> {
        let start = match self.take() {
            Some(open) if open.kind == TokenKind::OpenParenthesis => open.start,
            Some(other) => return Err(self.unexpected(other)),
            None => return Err(self.unexpected(key)),
        };
        let mut values = Vec::new();
        let mut comma_due = false;
        let end = loop {
            let Some(token) = self.take() else { return Err(self.unexpected(key)) };
            match token.kind {
                TokenKind::CloseParenthesis => break token.end(),
                TokenKind::Comma if comma_due => comma_due = false,
                TokenKind::Text | TokenKind::Identifier | TokenKind::Number if !comma_due => {
                    values.push(unescape(token.string().ok_or_else(|| self.list_error(token, DIFFERENT_TYPE))?));
                    comma_due = true;
                }
                _ => return Err(self.list_error(token, ILL_FORMED)),
            }
            if values.len() > MAX_LIST_VALUES {
                let message = format!("Invalid filter: more than {MAX_LIST_VALUES} values in a list");
                return Err(error_at(self.source, start, &message));
            }
        };
        if values.is_empty() {
            let message = format!("{LIST} expected a non-empty list of string values, but got empty list");
            return Err(error_at(self.source, start, &message));
        }
        Ok(Value::List { start, text: &self.source[start..end], values })
    }

    fn list_error(&self, token: Token<'_>, problem: &str) -> Error {
        error_at(self.source, token.start, &format!("{LIST} {problem}: '{}'", excerpt(token.text)))
    }

    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.next).copied()
    }

    fn take(&mut self) -> Option<Token<'a>> {
        let token = self.peek();
        self.next += usize::from(token.is_some());
        token
    }

    fn accept_keyword(&mut self, keyword: &str) -> bool {
        let accepted = self.peek().is_some_and(|token| token.is_keyword(keyword));
        self.next += usize::from(accepted);
        accepted
    }

    fn unexpected(&self, token: Token<'_>) -> Error {
        let more_follows = self.tokens.last().is_some_and(|last| last.start > token.start);
        if token.kind == TokenKind::Semicolon && more_follows {
            let message = match self.grammar.wording {
                Wording::Clauses => format!(
                    "Search filter contained multiple expression '{}'. Provide AND-ed expression list.",
                    excerpt(self.source)
                ),
                Wording::FilterString => {
                    // Quoted as Python does.
                    let quote = if self.source.contains('\'') && !self.source.contains('"') { '"' } else { '\'' };
                    let source = excerpt(self.source);
                    format!("Invalid filter string: {quote}{source}{quote}. Expected a single SQL expression.")
                }
            };
            return Error::invalid(message);
        }
        syntax_error(self.source, self.grammar.wording, token.start, token.text)
    }

    fn ended_early(&self) -> Error {
        match self.tokens.last() {
            Some(last) => syntax_error(self.source, self.grammar.wording, last.start, last.text),
            None => syntax_error(self.source, self.grammar.wording, 0, self.source),
        }
    }

    fn not_a_key(&self, start: usize, end: usize) -> Error {
        let found = &self.source[start..end];
        match self.grammar.wording {
            Wording::Clauses => {
                let message = format!("Invalid comparison clause. Expected 'Identifier' found '{}'", excerpt(found));
                error_at(self.source, start, &message)
            }
            Wording::FilterString => syntax_error(self.source, self.grammar.wording, start, found),
        }
    }
}

const LIST: &str = "While parsing a list in the query,";
const DIFFERENT_TYPE: &str = "expected string value, punctuation, or whitespace, but got different type in list";
const ILL_FORMED: &str = "expected a non-empty list of string values, but got ill-formed list.";

fn unclosed_quote(source: &str, wording: Wording, UnclosedQuote(start): UnclosedQuote) -> Error {
    syntax_error(source, wording, start, &source[start..])
}

fn syntax_error(source: &str, wording: Wording, start: usize, found: &str) -> Error {
    let found = excerpt(found);
    let message = match wording {
        Wording::Clauses => format!("Invalid clause(s) in filter string: '{found}'"),
        Wording::FilterString => format!(
            "Invalid filter string: '{}'. Expected a list of comparisons separated by 'AND' \
             (e.g. 'metrics.loss > 0.1 AND params.lr = 0.01'), found '{found}'",
            excerpt(source)
        ),
    };
    error_at(source, start, &message)
}

fn symbol(text: &str) -> Comparator<'_> {
    match text {
        "=" => Comparator::Order(Comparison::Equal),
        "!=" => Comparator::Order(Comparison::NotEqual),
        ">" => Comparator::Order(Comparison::Greater),
        ">=" => Comparator::Order(Comparison::GreaterOrEqual),
        "<" => Comparator::Order(Comparison::Less),
        "<=" => Comparator::Order(Comparison::LessOrEqual),
        _ => Comparator::Unknown(text),
    }
}

fn one_or(mut filters: Vec<Filter>, join: fn(Vec<Filter>) -> Filter) -> Filter {
    match filters.len() {
        1 => filters.remove(0),
        _ => join(filters),
    }
}

/// MLflow reads lists as Python tuples, so that these escapes mean in a list what they mean in Python.
fn unescape(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            decoded.push(character);
            continue;
        }
        match characters.next() {
            Some(escaped @ ('\\' | '\'' | '"')) => decoded.push(escaped),
            Some('n') => decoded.push('\n'),
            Some('t') => decoded.push('\t'),
            Some('r') => decoded.push('\r'),
            Some(other) => decoded.extend(['\\', other]),
            None => decoded.push('\\'),
        }
    }
    decoded
}
