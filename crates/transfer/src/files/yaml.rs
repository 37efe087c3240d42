//! The YAML that MLflow writes. A plain scalar stays the text that it was written as: PyYAML writes some texts without
//! quotes, such as the digest 12e45678, that newer rules of YAML take for numbers.

use std::path::Path;

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::Value;
use stele_domain::{Error, Result};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Yaml {
    Null,
    Text(String),
    /// A text without quotes, which may mean something else.
    Plain(String),
    List(Vec<Yaml>),
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    /// Reads a file; nothing when there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Yaml>> {
        match std::fs::read_to_string(path) {
            Ok(text) => Yaml::parse(&text)
                .map(Some)
                .map_err(|error| Error::invalid(format!("{} cannot be read: {error}", path.display()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(super::unreadable(path, &error)),
        }
    }

    pub(super) fn parse(text: &str) -> Result<Yaml, String> {
        // Open collections, with the key that waits for a value in the innermost ones.
        let mut open: Vec<(Yaml, Option<String>)> = Vec::new();
        let mut root = Yaml::Null;
        for event in Parser::new_from_str(text) {
            let (event, _) = event.map_err(|error| error.to_string())?;
            let done = match event {
                Event::Scalar(text, style, ..) => {
                    let is_null = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                    match style {
                        _ if is_null => Yaml::Null,
                        ScalarStyle::Plain => Yaml::Plain(text.into_owned()),
                        _ => Yaml::Text(text.into_owned()),
                    }
                }
                Event::SequenceStart(..) => {
                    open.push((Yaml::List(Vec::new()), None));
                    continue;
                }
                Event::MappingStart(..) => {
                    open.push((Yaml::Map(Vec::new()), None));
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                    Some((done, _)) => done,
                    None => continue,
                },
                Event::Alias(_) => return Err("it has aliases, which MLflow does not write".to_owned()),
                _ => continue,
            };
            match open.last_mut() {
                None => root = done,
                Some((Yaml::List(items), _)) => items.push(done),
                Some((Yaml::Map(fields), key)) => match key.take() {
                    Some(key) => fields.push((key, done)),
                    None => *key = Some(done.into_text().unwrap_or_default()),
                },
                Some(_) => return Err("a scalar holds something".to_owned()),
            }
        }
        Ok(root)
    }

    fn get(&self, field: &str) -> Option<&Yaml> {
        match self {
            Yaml::Map(fields) => fields.iter().find(|(name, _)| name == field).map(|(_, value)| value),
            _ => None,
        }
    }

    fn into_text(self) -> Option<String> {
        match self {
            Yaml::Text(text) | Yaml::Plain(text) => Some(text),
            _ => None,
        }
    }

    /// As JSON, where texts without quotes are what PyYAML writes so: numbers and truth values.
    pub(super) fn to_json(&self) -> Value {
        match self {
            Yaml::Null => Value::Null,
            Yaml::Text(text) => text.clone().into(),
            Yaml::Plain(text) => match text.as_str() {
                "true" => true.into(),
                "false" => false.into(),
                number if number.starts_with(|first: char| first.is_ascii_digit() || first == '-') => {
                    let whole = number.parse::<i64>().ok().map(Value::from);
                    whole.or_else(|| number.parse::<f64>().ok().map(Value::from)).unwrap_or_else(|| number.into())
                }
                text => text.into(),
            },
            Yaml::List(items) => items.iter().map(Yaml::to_json).collect(),
            Yaml::Map(fields) => {
                Value::Object(fields.iter().map(|(key, value)| (key.clone(), value.to_json())).collect())
            }
        }
    }

    /// The text in a field; nothing when it is absent or null.
    pub(super) fn opt_text(&self, field: &str) -> Option<String> {
        self.get(field).cloned().and_then(Yaml::into_text)
    }

    pub(super) fn text(&self, field: &str) -> String {
        self.opt_text(field).unwrap_or_default()
    }

    pub(super) fn int(&self, field: &str) -> Option<i64> {
        self.opt_text(field)?.parse().ok()
    }

    /// The fields of a map with texts in it.
    pub(super) fn texts(&self, field: &str) -> Vec<(String, String)> {
        match self.get(field) {
            Some(Yaml::Map(fields)) => {
                fields.iter().map(|(key, value)| (key.clone(), value.clone().into_text().unwrap_or_default())).collect()
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_mlflow_writes_is_read() {
        let yaml = Yaml::parse(
            "artifact_uri: /m/0/a/artifacts\nend_time: null\nexperiment_id: '0'\nrun_id: 12e45678\ndigest: 08912345\n\
             name: \"two\\nlines \\xE9\"\nstart_time: 1700000000000\nstatus: 3\ntags: []\ndescription: 'it''s\n\n  long'\n\
             nested: {a: b, c: ''}\n",
        )
        .unwrap();
        assert_eq!(yaml.text("artifact_uri"), "/m/0/a/artifacts");
        assert_eq!(yaml.opt_text("end_time"), None);
        assert_eq!(yaml.text("experiment_id"), "0");
        assert_eq!(yaml.text("run_id"), "12e45678");
        assert_eq!(yaml.text("digest"), "08912345");
        assert_eq!(yaml.text("name"), "two\nlines é");
        assert_eq!(yaml.int("start_time"), Some(1_700_000_000_000));
        assert_eq!(yaml.text("description"), "it's\nlong");
        assert_eq!(yaml.texts("nested"), [("a".to_owned(), "b".to_owned()), ("c".to_owned(), String::new())]);
    }

    #[test]
    fn texts_without_quotes_are_what_they_mean_where_it_matters() {
        let yaml =
            Yaml::parse("a: 0.25\nb: '007'\nc: true\nd: [x, 3, 1.0e-07]\ne: null\nf: 2026-11-29T04:00:00\n").unwrap();
        let expected = serde_json::json!({
            "a": 0.25, "b": "007", "c": true, "d": ["x", 3, 1e-7], "e": null, "f": "2026-11-29T04:00:00",
        });
        assert_eq!(yaml.to_json(), expected);
    }

    #[test]
    fn what_is_no_yaml_is_refused() {
        assert!(Yaml::parse("a: [").is_err());
        assert!(Yaml::parse("a: *b").is_err());
    }
}
