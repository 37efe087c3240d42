//! Predicates that few traces fulfil, and that an index answers on its own: those few are then looked at instead of
//! all traces from the newest on.

use stele_domain::Result;
use stele_domain::search::{Attribute, Comparison, Field, Predicate, TraceField, TraceSearch};

use super::builder::Sql;
use super::run_candidate::{Required, required};
use super::traces::in_experiments;
use crate::Tx;

/// How many traces are few enough to be looked at one by one and sorted.
const FEW: i64 = 2_000;
/// How many predicates are tried.
const TRIED: usize = 4;

/// The predicate of a search that the fewest traces fulfil, if those are few.
pub(super) fn few<'s>(tx: &mut Tx, search: &'s TraceSearch) -> Result<Option<Required<'s>>> {
    let mut best: Option<(i64, Required<'s>)> = None;
    for candidate in required(&search.query.filter).into_iter().filter(|it| has_index(*it)).take(TRIED) {
        let mut sql = Sql::new(tx.engine());
        sql.push("SELECT COUNT(*) FROM (");
        select(candidate, &mut sql, search)?;
        sql.push(" LIMIT ").bind(best.map_or(FEW, |(count, _)| count)).push(") AS few");
        let (sql, values) = sql.finish();
        let count = tx.query_one(&sql, &values, |row| row.int(0))?;
        if count < best.map_or(FEW, |(count, _)| count) {
            best = Some((count, candidate));
        }
    }
    Ok(best.map(|(_, candidate)| candidate))
}

fn has_index(required: Required) -> bool {
    let equal = matches!(required.predicate, Predicate::Text(Comparison::Equal, _));
    match required.field {
        Field::Tag(_) | Field::Attribute(Attribute::Name) => equal,
        Field::Trace(field) => match field {
            TraceField::Metadata(_)
            | TraceField::ClientRequestId
            | TraceField::Session
            | TraceField::Run
            | TraceField::Prompt
            | TraceField::SpanName => equal,
            TraceField::Duration
            | TraceField::SpanType
            | TraceField::SpanStatus
            | TraceField::SpanAttribute(_)
            | TraceField::SpanContent
            // Those of a session count for its other traces too.
            | TraceField::Assessment(..)
            | TraceField::Issue => false,
        },
        _ => false,
    }
}

/// Selects, as `trace_id`, the traces that fulfil the predicate; some perhaps more than once.
pub(super) fn select<'s>(required: Required<'s>, sql: &mut Sql<'s>, search: &'s TraceSearch) -> Result<()> {
    let Predicate::Text(_, value) = required.predicate else { return Ok(()) };
    match required.field {
        Field::Tag(key) => keyed(sql, search, "trace_tag", key, value),
        Field::Trace(TraceField::Metadata(key)) => keyed(sql, search, "trace_metadata", key, value),
        Field::Trace(TraceField::SpanName) => {
            sql.push("SELECT trace_id FROM span WHERE ");
            in_experiments(sql, "experiment_id", search);
            equal(sql, "name", value);
        }
        Field::Trace(TraceField::Run) => {
            sql.push("SELECT id AS trace_id FROM trace WHERE source_run = ").bind(value);
            sql.push(" UNION ALL SELECT trace_id FROM trace_link WHERE kind = 'run' AND target = ").bind(value);
        }
        Field::Trace(TraceField::Prompt) => {
            sql.push("SELECT trace_id FROM trace_link WHERE kind = 'prompt' AND target = ").bind(value);
        }
        Field::Trace(TraceField::Session) => {
            of_trace(sql, search);
            sql.push(" AND session = ").bind(value);
        }
        Field::Trace(TraceField::ClientRequestId) => {
            of_trace(sql, search);
            sql.push(" AND client_request_id = ").bind(value);
        }
        // The name, as has_index says.
        _ => {
            of_trace(sql, search);
            // Says what the index leaves out.
            sql.push(" AND name IS NOT NULL");
            equal(sql, "name", value);
        }
    }
    Ok(())
}

fn of_trace<'s>(sql: &mut Sql<'s>, search: &'s TraceSearch) {
    sql.push("SELECT id AS trace_id FROM trace WHERE ");
    in_experiments(sql, "experiment_id", search);
}

fn keyed<'s>(sql: &mut Sql<'s>, search: &'s TraceSearch, table: &'static str, key: &'s str, value: &'s str) {
    sql.push("SELECT trace_id FROM ").push(table).push(" WHERE ");
    in_experiments(sql, "experiment_id", search);
    sql.push(" AND key = ").bind(key);
    equal(sql, "value", value);
}

/// By the index over a column of texts.
fn equal<'s>(sql: &mut Sql<'s>, column: &'static str, value: &'s str) {
    sql.push(" AND ").indexed(column).push(" = ").bind_indexed(value);
    if sql.is_cut(value) {
        sql.push(" AND ").push(column).push(" = ").bind(value);
    }
}
