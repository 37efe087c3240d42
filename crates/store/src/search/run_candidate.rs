//! Required predicates that an index answers on its own.

use stele_domain::Result;
use stele_domain::search::{Attribute, Comparison, DatasetField, Field, Filter, Predicate, RunSearch};

use super::builder::Sql;
use super::predicate::{self, Column};

/// A predicate that every run of the result fulfils.
#[derive(Debug, Clone, Copy)]
pub(super) struct Required<'s> {
    pub(super) field: &'s Field,
    pub(super) predicate: &'s Predicate,
}

/// The predicates that `filter` joins with `And`.
pub(super) fn required(filter: &Filter) -> Vec<Required<'_>> {
    match filter {
        Filter::And(parts) => parts.iter().flat_map(required).collect(),
        Filter::Test(field, predicate) => vec![Required { field, predicate }],
        Filter::All | Filter::Or(_) | Filter::Not(_) => Vec::new(),
    }
}

impl<'s> Required<'s> {
    /// Whether an index knows the runs that fulfil the predicate.
    pub(super) fn has_index(self) -> bool {
        match (self.field, self.predicate) {
            (Field::Metric(_), Predicate::Number(comparison, number)) => {
                *comparison != Comparison::NotEqual && !number.is_nan()
            }
            (Field::Param(_) | Field::Tag(_), Predicate::Like { pattern, ignore_case: false }) => {
                !literal_prefix(pattern).is_empty()
            }
            (
                Field::Param(_) | Field::Tag(_),
                Predicate::Text(Comparison::Equal, _) | Predicate::In(_) | Predicate::IsNotNull,
            )
            | (Field::Metric(_), Predicate::IsNotNull)
            | (
                Field::Attribute(Attribute::Id) | Field::Dataset(DatasetField::Name),
                Predicate::Text(Comparison::Equal, _) | Predicate::In(_),
            ) => true,
            _ => false,
        }
    }

    /// Selects, as `run_id`, the runs of the searched experiments that may fulfil the predicate, each once.
    pub(super) fn select(self, sql: &mut Sql<'s>, search: &'s RunSearch) -> Result<()> {
        match self.field {
            Field::Metric(key) => {
                sql.push("SELECT run_id FROM series WHERE ");
                in_experiments(sql, "experiment_id", search);
                sql.push(" AND key = ").bind(key);
                if *self.predicate != Predicate::IsNotNull {
                    sql.push(" AND ");
                    predicate::number(sql, "is_nan", "value", self.predicate)?;
                }
            }
            Field::Param(key) => self.select_text(sql, search, "run_param", key)?,
            Field::Tag(key) => self.select_text(sql, search, "run_tag", key)?,
            Field::Dataset(_) => {
                sql.push(
                    "SELECT DISTINCT edge.target_id AS run_id FROM dataset JOIN edge ON edge.source_kind = 'artifact_version' \
                     AND edge.source_id = dataset.id AND edge.kind = 'consumed' AND edge.target_kind = 'run' WHERE ",
                );
                in_experiments(sql, "dataset.experiment_id", search);
                sql.push(" AND ");
                predicate::text(sql, Column::required("dataset.name"), self.predicate)?;
            }
            Field::Attribute(_) | Field::MetricOnDataset { .. } => {
                sql.push("SELECT id AS run_id FROM run WHERE ");
                predicate::text(sql, Column::required("public_id"), self.predicate)?;
            }
        }
        Ok(())
    }

    fn select_text(self, sql: &mut Sql<'s>, search: &'s RunSearch, table: &'static str, key: &'s str) -> Result<()> {
        sql.push("SELECT run_id FROM ").push(table).push(" WHERE ");
        in_experiments(sql, "experiment_id", search);
        sql.push(" AND key = ").bind(key);
        // The index holds the first hundred characters of each value.
        match self.predicate {
            Predicate::Text(_, value) => {
                sql.push(" AND substr(value, 1, 100) = ").bind(first_hundred(value)).push(" AND value = ").bind(value);
            }
            Predicate::In(values) => {
                let starts: Vec<String> = values.iter().map(|value| first_hundred(value).to_owned()).collect();
                sql.push(" AND substr(value, 1, 100) ").is_one_of_texts(&starts);
                sql.push(" AND value ").is_one_of_texts(values);
            }
            Predicate::Like { pattern, .. } => {
                let prefix = literal_prefix(pattern);
                sql.push(" AND substr(value, 1, 100) >= ").bind(prefix);
                if let Some(after) = first_after_prefix(prefix) {
                    sql.push(" AND substr(value, 1, 100) < ").bind(after);
                }
            }
            Predicate::Number(..) | Predicate::NotIn(_) | Predicate::IsNull | Predicate::IsNotNull => {}
        }
        Ok(())
    }
}

/// `column` is one of the searched experiments. One experiment is compared directly, so that an index stays in order.
pub(super) fn in_experiments<'s>(sql: &mut Sql<'s>, column: &'static str, search: &'s RunSearch) {
    match search.experiments[..] {
        [experiment] => sql.push(column).push(" = ").bind(experiment),
        _ => sql.push(column).push(" ").is_one_of_ints(search.experiments.iter().map(|experiment| experiment.0)),
    };
}

fn first_hundred(text: &str) -> &str {
    text.char_indices().nth(100).map_or(text, |(end, _)| &text[..end])
}

/// What every match of a pattern begins with, at most a hundred characters of it.
fn literal_prefix(pattern: &str) -> &str {
    first_hundred(pattern.split(['%', '_']).next().unwrap_or(""))
}

/// The least text above every text with this prefix, by code point.
fn first_after_prefix(prefix: &str) -> Option<String> {
    let mut rest = prefix.to_owned();
    while let Some(last) = rest.pop() {
        // After U+D7FF come the surrogates, which no text contains.
        let next = if last == '\u{D7FF}' { Some('\u{E000}') } else { char::from_u32(last as u32 + 1) };
        if let Some(next) = next {
            rest.push(next);
            return Some(rest);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_stop_at_wildcards_and_bound_what_they_start() {
        assert_eq!(literal_prefix("res%net"), "res");
        assert_eq!(literal_prefix("_a"), "");
        assert_eq!(first_after_prefix("ab").as_deref(), Some("ac"));
        assert_eq!(first_after_prefix("a\u{10FFFF}").as_deref(), Some("b"));
        assert_eq!(first_after_prefix("\u{D7FF}").as_deref(), Some("\u{E000}"));
        assert_eq!(first_after_prefix("\u{10FFFF}"), None);
        assert_eq!(first_hundred(&"é".repeat(101)), "é".repeat(100));
    }
}
