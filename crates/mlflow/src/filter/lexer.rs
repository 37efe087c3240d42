use stele_domain::{Error, Result};

/// What a piece of a filter is. `text` of a [`Token`] always is the source, quotes included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A word, or parts joined by dots of which each is a word or quoted: ``metrics.`a b` ``, `"Run name"`, `AND`.
    Identifier,
    /// `'...'`. A `"..."` is an [`TokenKind::Identifier`]: it names a key or is a value, by where it stands.
    Text,
    Number,
    /// A run of `< > = ~ !`, known or not.
    Operator,
    OpenParenthesis,
    CloseParenthesis,
    Comma,
    Semicolon,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind,
    pub(super) text: &'a str,
    /// Byte offset in the source.
    pub(super) start: usize,
}

impl<'a> Token<'a> {
    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// A keyword is a bare word, so a quoted `` `and` `` or a dotted `metrics.and` never is one.
    pub(super) fn is_keyword(&self, keyword: &str) -> bool {
        self.kind == TokenKind::Identifier && self.text.eq_ignore_ascii_case(keyword)
    }

    /// The contents of a string literal in either kind of quotes.
    pub(super) fn string(&self) -> Option<&'a str> {
        let text = self.text;
        let quoted = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        match self.kind {
            TokenKind::Text => quoted('\''),
            TokenKind::Identifier => quoted('"'),
            _ => None,
        }
    }
}

/// Why lexing stopped: a quote without its partner, at this byte offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UnclosedQuote(pub(super) usize);

/// Splits the source into tokens in one pass; whitespace is dropped.
pub(super) fn tokens(source: &str) -> Result<Vec<Token<'_>>, UnclosedQuote> {
    let mut tokens = Vec::new();
    let mut start = 0;
    while let Some(first) = source[start..].chars().next() {
        if first.is_whitespace() {
            start += first.len_utf8();
            continue;
        }
        let (kind, end) = token_at(source, start, first)?;
        tokens.push(Token { kind, text: &source[start..end], start });
        start = end;
    }
    Ok(tokens)
}

/// An `Invalid` error whose message ends with the position of `start` in characters, counted from 1.
pub(super) fn error_at(source: &str, start: usize, message: &str) -> Error {
    let position = source[..start].chars().count() + 1;
    Error::invalid(format!("{message} at position {position}"))
}

/// The text as an error message may quote it: whole, unless it is very long.
pub(super) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 200;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

fn token_at(source: &str, start: usize, first: char) -> Result<(TokenKind, usize), UnclosedQuote> {
    let one = start + first.len_utf8();
    let single = |kind| Ok((kind, one));
    match first {
        '(' => single(TokenKind::OpenParenthesis),
        ')' => single(TokenKind::CloseParenthesis),
        ',' => single(TokenKind::Comma),
        ';' => single(TokenKind::Semicolon),
        '<' | '>' | '=' | '~' | '!' => {
            let is_operator = |c: char| matches!(c, '<' | '>' | '=' | '~' | '!');
            Ok((TokenKind::Operator, end_of_run(source, start, is_operator)))
        }
        '\'' => Ok((TokenKind::Text, end_of_quoted(source, start)?)),
        '`' | '"' => Ok((TokenKind::Identifier, end_of_identifier(source, start)?)),
        _ => match end_of_number(source, start) {
            Some(end) => Ok((TokenKind::Number, end)),
            None if is_word(first) => Ok((TokenKind::Identifier, end_of_identifier(source, start)?)),
            None => single(TokenKind::Other),
        },
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn end_of_run(source: &str, start: usize, belongs: impl Fn(char) -> bool) -> usize {
    source[start..].find(|c| !belongs(c)).map_or(source.len(), |length| start + length)
}

/// The end of a decimal number with optional sign, fraction and exponent; a word such as `1_000` or `0x1F` is none.
fn end_of_number(source: &str, start: usize) -> Option<usize> {
    let is_digit = |c: char| c.is_ascii_digit();
    let unsigned = if source[start..].starts_with('-') { start + 1 } else { start };
    let whole = end_of_run(source, unsigned, is_digit);
    let mut end = whole;
    if source[whole..].starts_with('.') {
        end = end_of_run(source, whole + 1, is_digit);
        if whole == unsigned && end == whole + 1 {
            return None;
        }
    } else if whole == unsigned {
        return None;
    }
    if source[end..].starts_with(['e', 'E']) {
        let sign = usize::from(source[end + 1..].starts_with(['-', '+']));
        let exponent = end_of_run(source, end + 1 + sign, is_digit);
        if exponent > end + 1 + sign {
            end = exponent;
        }
    }
    let followed_by_word = source[end..].starts_with(is_word);
    (!followed_by_word).then_some(end)
}

fn end_of_identifier(source: &str, start: usize) -> Result<usize, UnclosedQuote> {
    let mut end = end_of_identifier_part(source, start)?;
    while source[end..].starts_with('.') {
        let part = end + 1;
        let next = end_of_identifier_part(source, part)?;
        if next == part {
            break;
        }
        end = next;
    }
    Ok(end)
}

/// Gives `start` back when no part begins there.
fn end_of_identifier_part(source: &str, start: usize) -> Result<usize, UnclosedQuote> {
    match source[start..].chars().next() {
        Some('`' | '"' | '\'') => end_of_quoted(source, start),
        Some(c) if is_word(c) => Ok(end_of_index(source, end_of_run(source, start, is_word))),
        _ => Ok(start),
    }
}

/// MLflow takes `metrics.loss[0]` for a key without quotes.
fn end_of_index(source: &str, start: usize) -> usize {
    let Some(inside) = source[start..].strip_prefix('[') else { return start };
    let length = end_of_run(inside, 0, is_word);
    if length > 0 && inside[length..].starts_with(']') { start + length + 2 } else { start }
}

/// A quote that is doubled, or escaped by a backslash (not in backticks), does not end the literal, unless the
/// literal would then never end: `'C:\'` is the text `C:\`.
fn end_of_quoted(source: &str, start: usize) -> Result<usize, UnclosedQuote> {
    let bytes = source.as_bytes();
    let quote = bytes[start];
    let mut last_resort = None;
    let mut at = start + 1;
    while at < bytes.len() {
        let next = bytes.get(at + 1).copied();
        if bytes[at] == b'\\' && quote != b'`' && next == Some(quote) {
            last_resort = Some(at + 2);
            at += 2;
        } else if bytes[at] == quote && next == Some(quote) {
            last_resort = Some(at + 1);
            at += 2;
        } else if bytes[at] == quote {
            return Ok(at + 1);
        } else {
            at += 1;
        }
    }
    last_resort.ok_or(UnclosedQuote(start))
}
