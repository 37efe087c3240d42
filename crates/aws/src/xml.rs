//! Answers in XML, written element by element.

use std::fmt::Write;

use chrono::{DateTime, SecondsFormat};
use stele_domain::id::Timestamp;

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// An element under construction.
#[derive(Default)]
pub(crate) struct Xml(String);

impl Xml {
    /// A document of one element; `namespace` may be empty.
    pub(crate) fn document(root: &str, namespace: &str, write: impl FnOnce(&mut Xml)) -> String {
        let mut inner = Xml::default();
        write(&mut inner);
        let Xml(inner) = inner;
        match namespace {
            "" => format!("{DECLARATION}<{root}>{inner}</{root}>"),
            _ => format!("{DECLARATION}<{root} xmlns=\"{namespace}\">{inner}</{root}>"),
        }
    }

    pub(crate) fn text(&mut self, name: &str, value: impl std::fmt::Display) -> &mut Xml {
        let _ = write!(self.0, "<{name}>{}</{name}>", escaped(&value.to_string()));
        self
    }

    pub(crate) fn text_if(&mut self, name: &str, value: Option<impl std::fmt::Display>) -> &mut Xml {
        if let Some(value) = value {
            self.text(name, value);
        }
        self
    }

    pub(crate) fn element(&mut self, name: &str, write: impl FnOnce(&mut Xml)) -> &mut Xml {
        let _ = write!(self.0, "<{name}>");
        write(self);
        let _ = write!(self.0, "</{name}>");
        self
    }

    /// An element with text written as it is.
    pub(crate) fn raw(&mut self, text: &str) -> &mut Xml {
        self.0.push_str(text);
        self
    }
}

/// Text as XML can hold it. Characters that it cannot hold at all are replaced; clients that have such ask for keys in
/// the encoding of URLs.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\r' => escaped.push_str("&#13;"),
            '\t' | '\n' => escaped.push(character),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(character),
        }
    }
    escaped
}

/// `2026-11-28T20:00:00.000Z`
pub(crate) fn time(at: Timestamp) -> String {
    DateTime::from_timestamp_millis(at.0).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}
