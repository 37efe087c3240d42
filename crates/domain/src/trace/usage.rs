//! Tokens that language models read and wrote for a trace, and what they cost.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

/// Counts of tokens, each only when it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokens {
    pub input: Option<i64>,
    pub output: Option<i64>,
    pub total: Option<i64>,
    pub cache_read: Option<i64>,
    pub cache_creation: Option<i64>,
}

/// Costs in US dollars, each only when it is known.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Costs {
    pub input: Option<f64>,
    pub output: Option<f64>,
    pub total: Option<f64>,
}

impl Tokens {
    const KEYS: [&str; 5] =
        ["input_tokens", "output_tokens", "total_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"];

    /// Reads a document as MLflow writes it, e.g. `{"input_tokens": 3}`. What is no whole number is left out.
    pub fn of_json(value: &Value) -> Tokens {
        let count = |key: &str| {
            let value = value.get(key)?;
            value.as_i64().or_else(|| value.as_f64().and_then(whole))
        };
        let [input, output, total, cache_read, cache_creation] = Tokens::KEYS.map(count);
        Tokens { input, output, total, cache_read, cache_creation }
    }

    /// The document, or none when nothing is known.
    pub fn to_json(self) -> Option<Value> {
        let Tokens { input, output, total, cache_read, cache_creation } = self;
        let counts = [input, output, total, cache_read, cache_creation];
        document(Tokens::KEYS.into_iter().zip(counts.map(|count| count.map(Value::from))))
    }
}

impl Costs {
    const KEYS: [&str; 3] = ["input_cost", "output_cost", "total_cost"];

    /// Reads a document as MLflow writes it, e.g. `{"total_cost": 0.01}`.
    pub fn of_json(value: &Value) -> Costs {
        let [input, output, total] = Costs::KEYS.map(|key| value.get(key)?.as_f64().filter(|cost| cost.is_finite()));
        Costs { input, output, total }
    }

    /// The document, or none when nothing is known.
    pub fn to_json(self) -> Option<Value> {
        let Costs { input, output, total } = self;
        document(Costs::KEYS.into_iter().zip([input, output, total].map(|cost| cost.map(Value::from))))
    }
}

fn document<'k>(entries: impl Iterator<Item = (&'k str, Option<Value>)>) -> Option<Value> {
    let fields: Map<String, Value> =
        entries.filter_map(|(key, value)| value.map(|value| (key.to_owned(), value))).collect();
    (!fields.is_empty()).then_some(Value::Object(fields))
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
fn whole(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() < 9.0e15).then_some(value as i64)
}

/// A span with what it says was used, by itself and the spans below it.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    pub span: String,
    pub parent: Option<String>,
    pub tokens: Option<Tokens>,
    pub costs: Option<Costs>,
}

/// The tokens of all spans. A span that has counts speaks for those below it, whose counts it includes.
pub fn total_tokens(spans: &[Measured]) -> Tokens {
    let add = |total: Option<i64>, part: Option<i64>| match (total, part) {
        (Some(total), Some(part)) => Some(total.saturating_add(part)),
        (total, part) => total.or(part),
    };
    speakers(spans, |span| span.tokens).into_iter().fold(Tokens::default(), |total, part| Tokens {
        input: add(total.input, Some(part.input.unwrap_or(0))),
        output: add(total.output, Some(part.output.unwrap_or(0))),
        total: add(total.total, Some(part.total.unwrap_or(0))),
        cache_read: add(total.cache_read, part.cache_read),
        cache_creation: add(total.cache_creation, part.cache_creation),
    })
}

/// The costs of all spans, as [`total_tokens`] adds up tokens.
pub fn total_costs(spans: &[Measured]) -> Costs {
    let add = |total: Option<f64>, part: Option<f64>| Some(total.unwrap_or(0.0) + part.unwrap_or(0.0));
    speakers(spans, |span| span.costs).into_iter().fold(Costs::default(), |total, part| Costs {
        input: add(total.input, part.input),
        output: add(total.output, part.output),
        total: add(total.total, part.total),
    })
}

/// What the spans say that have something to say and that no span above speaks for. A span whose parent is not there is
/// a root; spans that are each other's parents are below none, and say nothing.
fn speakers<T>(spans: &[Measured], says: impl Fn(&Measured) -> Option<T>) -> Vec<T> {
    let known: HashSet<&str> = spans.iter().map(|span| span.span.as_str()).collect();
    let mut below: HashMap<&str, Vec<&Measured>> = HashMap::new();
    let mut open: Vec<&Measured> = Vec::new();
    for span in spans {
        match span.parent.as_deref().filter(|parent| known.contains(parent)) {
            Some(parent) => below.entry(parent).or_default().push(span),
            None => open.push(span),
        }
    }
    let mut said = Vec::new();
    while let Some(span) = open.pop() {
        match says(span) {
            Some(part) => said.push(part),
            None => open.extend(below.get(span.span.as_str()).into_iter().flatten()),
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(id: &str, parent: Option<&str>, input: Option<i64>) -> Measured {
        let tokens = input.map(|input| Tokens { input: Some(input), ..Tokens::default() });
        Measured { span: id.to_owned(), parent: parent.map(str::to_owned), tokens, costs: None }
    }

    #[test]
    fn a_span_with_counts_speaks_for_those_below_it() {
        let spans = [
            span("a", None, None),
            span("b", Some("a"), Some(5)),
            span("c", Some("b"), Some(3)),
            span("d", Some("a"), Some(7)),
        ];
        assert_eq!(total_tokens(&spans).input, Some(12));
        let looped = [span("a", Some("b"), None), span("b", Some("a"), None), span("c", Some("a"), Some(1))];
        assert_eq!(total_tokens(&looped), Tokens::default(), "below no root");
        assert_eq!(total_tokens(&[span("a", Some("gone"), Some(1))]).input, Some(1));
        assert_eq!(total_tokens(&[span("a", None, None)]), Tokens::default());
    }
}
