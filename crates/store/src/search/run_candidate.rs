//! Required predicates that an index answers on its own.

use std::collections::BTreeSet;

use stele_domain::Result;
use stele_domain::search::{
    Attribute, Comparison, DatasetField, Field, Filter, Predicate, Presences, RunSearch, Searched,
};

use super::builder::Sql;
use super::predicate::{self, Column};
use super::runs::{STATUS_RANK, status_rank};

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
            (
                Field::Metric(_) | Field::Attribute(Attribute::StartTime | Attribute::EndTime),
                Predicate::Number(comparison, number),
            ) => *comparison != Comparison::NotEqual && !number.is_nan(),
            (
                Field::Param(_) | Field::Tag(_) | Field::Attribute(Attribute::Name),
                Predicate::Like { pattern, ignore_case: false },
            ) => !literal_prefix(pattern).is_empty(),
            (
                Field::Param(_) | Field::Tag(_),
                Predicate::Text(Comparison::Equal, _) | Predicate::In(_) | Predicate::IsNotNull,
            )
            | (Field::Metric(_), Predicate::IsNotNull)
            | (
                Field::Attribute(Attribute::Id | Attribute::Name | Attribute::User | Attribute::Status)
                | Field::Dataset(DatasetField::Name),
                Predicate::Text(Comparison::Equal, _) | Predicate::In(_),
            ) => true,
            _ => false,
        }
    }

    /// Whether it is this part of a filter, and not only one that reads the same.
    pub(super) fn is(self, part: &Filter) -> bool {
        matches!(part, Filter::Test(field, predicate)
            if std::ptr::eq(field, self.field) && std::ptr::eq(predicate, self.predicate))
    }

    /// Whether all runs that [`Required::select`] gives fulfil the predicate.
    pub(super) fn is_exact(self) -> bool {
        matches!(self.field, Field::Metric(_) | Field::Param(_) | Field::Tag(_))
            && !matches!(self.predicate, Predicate::Like { .. })
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
            Field::Param(key) => self.select_text(sql, search, "run_param", key),
            Field::Tag(key) => self.select_text(sql, search, "run_tag", key),
            Field::Dataset(_) => {
                sql.push(
                    "SELECT DISTINCT edge.target_id AS run_id FROM dataset JOIN edge ON edge.source_kind = 'artifact_version' \
                     AND edge.source_id = dataset.id AND edge.kind = 'consumed' AND edge.target_kind = 'run' WHERE ",
                );
                in_experiments(sql, "dataset.experiment_id", search);
                sql.push(" AND ");
                predicate::text(sql, Column::required("dataset.name"), self.predicate)?;
            }
            // No index knows them, see has_index.
            Field::Document(_) | Field::Trace(_) => select_runs(sql, search),
            Field::Attribute(Attribute::Name) => {
                select_runs(sql, search);
                self.text_range(sql, "name");
            }
            Field::Attribute(Attribute::User) => {
                select_runs(sql, search);
                sql.push(" AND ");
                predicate::text(sql, Column::required("user_name"), self.predicate)?;
            }
            Field::Attribute(Attribute::StartTime) => {
                select_runs(sql, search);
                sql.push(" AND ");
                predicate::integer(sql, Column::optional("started_at"), self.predicate)?;
            }
            Field::Attribute(Attribute::EndTime) => {
                select_runs(sql, search);
                sql.push(" AND ");
                predicate::integer(sql, Column::optional("ended_at"), self.predicate)?;
            }
            Field::Attribute(Attribute::Status) => {
                select_runs(sql, search);
                sql.push(" AND ").push(STATUS_RANK).push(" ").is_one_of_ints(self.ranks());
            }
            Field::Attribute(_) | Field::MetricOnDataset { .. } => {
                sql.push("SELECT id AS run_id FROM run WHERE ");
                predicate::text(sql, Column::required("public_id"), self.predicate)?;
            }
        }
        Ok(())
    }

    /// The ranks of the statuses that a predicate with an index allows.
    fn ranks(self) -> BTreeSet<i64> {
        match self.predicate {
            Predicate::Text(_, status) => BTreeSet::from([status_rank(status)]),
            Predicate::In(statuses) => statuses.iter().map(|status| status_rank(status)).collect(),
            _ => BTreeSet::new(),
        }
    }

    fn select_text(self, sql: &mut Sql<'s>, search: &'s RunSearch, table: &'static str, key: &'s str) {
        sql.push("SELECT run_id FROM ").push(table).push(" WHERE ");
        in_experiments(sql, "experiment_id", search);
        sql.push(" AND key = ").bind(key);
        self.text_range(sql, "value");
    }

    /// By the index over a column of texts.
    fn text_range(self, sql: &mut Sql<'s>, column: &'static str) {
        match self.predicate {
            Predicate::Text(_, value) => {
                sql.push(" AND ").indexed(column).push(" = ").bind_indexed(value);
                if sql.is_cut(value) {
                    sql.push(" AND ").push(column).push(" = ").bind(value);
                }
            }
            Predicate::In(values) => {
                sql.push(" AND ").indexed(column).push(" ").is_one_of_indexed(values);
                if values.iter().any(|value| sql.is_cut(value)) {
                    sql.push(" AND ").push(column).push(" ").is_one_of_texts(values);
                }
            }
            Predicate::Like { pattern, .. } => {
                let prefix = literal_prefix(pattern);
                sql.push(" AND ").indexed(column).push(" >= ").bind(prefix);
                if let Some(after) = first_after_prefix(prefix) {
                    sql.push(" AND ").indexed(column).push(" < ").bind(after);
                }
            }
            Predicate::Number(..)
            | Predicate::Contains(_)
            | Predicate::Matches(_)
            | Predicate::NotIn(_)
            | Predicate::IsNull
            | Predicate::IsNotNull => {}
        }
    }
}

/// The rank that all runs of the result have, when the filter requires one.
pub(super) fn only_rank(search: &RunSearch) -> Option<i64> {
    let is_by_status = |test: &Required| *test.field == Field::Attribute(Attribute::Status) && test.has_index();
    let ranks = required(&search.query.filter).into_iter().find(is_by_status)?.ranks();
    ranks.first().copied().filter(|_| ranks.len() == 1)
}

/// Begins a select of the runs that an index of runs has.
fn select_runs<'s>(sql: &mut Sql<'s>, search: &'s RunSearch) {
    sql.push("SELECT run.id AS run_id FROM run WHERE ");
    in_experiments(sql, "experiment_id", search);
    sql.push(match search.presences {
        Presences::Active => " AND presence = 'active'",
        Presences::Deleted => " AND presence = 'deleted'",
        // These indexes begin with the presence.
        Presences::All => " AND presence IN ('active', 'deleted')",
    });
}

/// `column` is one of the searched experiments. One experiment is compared directly, so that an index stays in order.
pub(super) fn in_experiments<'s>(sql: &mut Sql<'s>, column: &'static str, search: &'s RunSearch) {
    match &search.experiments {
        Searched::Workspace(workspace) => {
            sql.push(column).push(" IN (SELECT id FROM experiment WHERE workspace_id = ");
            sql.bind(*workspace).push(" AND presence = 'active')")
        }
        Searched::Among(experiments) => match experiments[..] {
            [experiment] => sql.push(column).push(" = ").bind(experiment),
            _ => sql.push(column).push(" ").is_one_of_ints(experiments.iter().map(|experiment| experiment.0)),
        },
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
pub(crate) fn first_after_prefix(prefix: &str) -> Option<String> {
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
