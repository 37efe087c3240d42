//! How a page of runs is found without looking at all of them.
//!
//! There are three ways, and the cheapest is taken:
//!
//! - from a *candidate*: a required predicate with an index (a metric in a range, a param or tag with a value) that
//!   few runs fulfil. Those runs are fetched, tested against the whole filter, and sorted.
//! - in *order*: the index of the first order key is walked, each run is tested, and the walk ends with the page.
//!   Where a run may lack the key this takes a walk for each part of the result: runs with a value, NaN, without.
//! - the *whole*: all runs of the experiments are tested and sorted. For orders without an index.
//!
//! When `m` of `n` runs match, a walk in order meets a page of `p` after about `p * n / m` runs, and a candidate costs
//! about `m`. So a candidate is worth it up to `sqrt(p * n)` matches, and matches are counted in the index up to that.

use stele_domain::Result;
use stele_domain::authz::Visibility;
use stele_domain::record::RunInfo;
use stele_domain::search::{
    Attribute, Comparison, Direction, Field, Order, Page, Predicate, Presences, RunSearch, Window,
};

use super::builder::Sql;
use super::predicate::{self, KeyedTable};
use super::run_candidate::{Required, in_experiments, required};
use super::runs::{self, PARAMS, SERIES, TAGS};
use crate::Tx;
use crate::engine::params;
use crate::run::{RUN_COLUMNS, run_info};

/// The most required predicates whose matches are counted.
const MOST_COUNTED: usize = 8;

/// Where the rows of a statement come from.
#[derive(Clone, Copy)]
pub(super) enum Source<'s> {
    Whole,
    Candidate(Required<'s>),
    Walk(Walk<'s>, Part),
}

/// An index in the order that is wanted.
#[derive(Clone, Copy)]
pub(super) enum Walk<'s> {
    Start(Direction),
    Metric(&'s str, Direction),
    /// By a param or tag.
    Text(KeyedTable, &'s str, Direction),
}

/// A part of the result whose runs are in the order of an index, after one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    WithValue,
    NotANumber,
    Without,
}

/// What a statement gives: runs, or how many there are.
#[derive(Clone, Copy)]
pub(super) enum Output {
    Rows(Window),
    Count,
}

pub(super) fn search(tx: &mut Tx, visible: Visibility, search: &RunSearch) -> Result<Page<RunInfo>> {
    if search.experiments.is_empty() {
        return Ok(Page::empty());
    }
    let walk = walk(search);
    let source = match best_candidate(tx, search, walk.is_some())? {
        Candidate::NothingMatches => return Ok(Page::empty()),
        Candidate::Worthwhile(required) => Source::Candidate(required),
        Candidate::None => match walk {
            Some(walk) => return walk_parts(tx, visible, search, walk),
            None => Source::Whole,
        },
    };
    at_once(tx, visible, search, source)
}

/// A page from one statement.
pub(super) fn at_once(tx: &mut Tx, visible: Visibility, search: &RunSearch, source: Source) -> Result<Page<RunInfo>> {
    let window = search.query.window;
    let (sql, values) = statement(Sql::new(tx.engine()), visible, search, source, Output::Rows(window))?.finish();
    Ok(Page::of(tx.query(&sql, &values, run_info)?, window))
}

enum Candidate<'s> {
    None,
    NothingMatches,
    Worthwhile(Required<'s>),
}

fn best_candidate<'s>(tx: &mut Tx, search: &'s RunSearch, can_walk: bool) -> Result<Candidate<'s>> {
    const RUNS: &str = "SELECT COALESCE(MAX(id), 0) FROM run";
    let indexed: Vec<Required> = required(&search.query.filter).into_iter().filter(|test| test.has_index()).collect();
    if indexed.is_empty() {
        return Ok(Candidate::None);
    }
    // Ids are given in sequence, so the greatest bounds the number of runs.
    let runs = tx.query_one(RUNS, params![], |row| row.int(0))?;
    let wanted = search.query.window.offset.saturating_add(search.query.window.limit);
    let mut fewest = if can_walk { runs.saturating_mul(wanted).isqrt() } else { runs / 2 };
    let mut best = Candidate::None;
    for test in indexed.into_iter().take(MOST_COUNTED) {
        let mut sql = Sql::new(tx.engine());
        sql.push("SELECT COUNT(*) FROM (");
        test.select(&mut sql, search)?;
        sql.push(" LIMIT ").bind(fewest + 1).push(") AS matching");
        let (sql, values) = sql.finish();
        let matches = tx.query_one(&sql, &values, |row| row.int(0))?;
        if matches == 0 {
            return Ok(Candidate::NothingMatches);
        }
        if matches <= fewest {
            fewest = matches;
            best = Candidate::Worthwhile(test);
        }
    }
    Ok(best)
}

/// The index that has the runs in the wanted order, if there is one.
pub(super) fn walk(search: &RunSearch) -> Option<Walk<'_>> {
    if search.experiments.len() != 1 {
        return None;
    }
    match search.query.order_by.first() {
        None => start_walk(search, Direction::Descending),
        Some(Order { field, direction }) => match field {
            Field::Attribute(Attribute::StartTime) => start_walk(search, *direction),
            Field::Metric(key) => Some(Walk::Metric(key, *direction)),
            Field::Param(key) => Some(Walk::Text(PARAMS, key, *direction)),
            Field::Tag(key) => Some(Walk::Text(TAGS, key, *direction)),
            Field::Attribute(_) | Field::Dataset(_) | Field::MetricOnDataset { .. } => None,
        },
    }
}

/// The index by start holds the runs of each presence apart.
fn start_walk(search: &RunSearch, direction: Direction) -> Option<Walk<'static>> {
    (search.presences != Presences::All).then_some(Walk::Start(direction))
}

/// The parts of a walk in order, without those that the filter leaves empty.
pub(super) fn parts(search: &RunSearch, walk: Walk) -> Vec<Part> {
    let all: &[Part] = match walk {
        Walk::Start(Direction::Descending) => &[Part::Whole],
        Walk::Start(Direction::Ascending) | Walk::Text(..) => &[Part::WithValue, Part::Without],
        Walk::Metric(..) => &[Part::WithValue, Part::NotANumber, Part::Without],
    };
    let required = required(&search.query.filter);
    let needs_value = required.iter().any(|test| walk.is_by(test.field) && *test.predicate != Predicate::IsNull);
    let needs_number = required.iter().any(|test| walk.is_by(test.field) && range(test.predicate).is_some());
    all.iter()
        .copied()
        .filter(|part| match part {
            Part::Whole | Part::WithValue => true,
            Part::NotANumber => !needs_number,
            Part::Without => !needs_value,
        })
        .collect()
}

/// A page from a statement for each part of a walk, as far as they are needed.
pub(super) fn walk_parts(tx: &mut Tx, visible: Visibility, search: &RunSearch, walk: Walk) -> Result<Page<RunInfo>> {
    let window = search.query.window;
    let mut offset = window.offset;
    let mut infos: Vec<RunInfo> = Vec::new();
    let parts = parts(search, walk);
    for (index, part) in parts.iter().enumerate() {
        let source = Source::Walk(walk, *part);
        let rest = Window { offset, limit: window.limit - infos.len() as i64 };
        let (sql, values) = statement(Sql::new(tx.engine()), visible, search, source, Output::Rows(rest))?.finish();
        let found = tx.query(&sql, &values, run_info)?;
        if !found.is_empty() {
            offset = 0;
        } else if offset > 0 && index + 1 < parts.len() {
            let (sql, values) = statement(Sql::new(tx.engine()), visible, search, source, Output::Count)?.finish();
            offset -= tx.query_one(&sql, &values, |row| row.int(0))?;
        }
        infos.extend(found);
        if infos.len() as i64 > window.limit {
            break;
        }
    }
    Ok(Page::of(infos, window))
}

pub(super) fn statement<'s>(
    mut sql: Sql<'s>,
    visible: Visibility,
    search: &'s RunSearch,
    source: Source<'s>,
    output: Output,
) -> Result<Sql<'s>> {
    if let Source::Candidate(required) = source {
        sql.push("WITH candidate AS MATERIALIZED (");
        required.select(&mut sql, search)?;
        sql.push(") ");
    }
    match output {
        Output::Rows(_) => sql.push("SELECT ").push(RUN_COLUMNS),
        Output::Count => sql.push("SELECT COUNT(*)"),
    };
    // SQLite joins a CROSS JOIN in the order it is written in.
    match source {
        Source::Candidate(_) => sql.push(" FROM candidate CROSS JOIN run"),
        Source::Walk(Walk::Metric(..), Part::WithValue | Part::NotANumber) => {
            sql.push(" FROM series AS order_0 CROSS JOIN run")
        }
        Source::Walk(Walk::Text(table, ..), Part::WithValue) => {
            sql.push(" FROM ").push(table.name).push(" AS order_0 CROSS JOIN run")
        }
        Source::Whole | Source::Walk(..) => sql.push(" FROM run"),
    };
    let joined = usize::from(matches!(source, Source::Walk(..)));
    if let Output::Rows(_) = output {
        for (index, order) in search.query.order_by.iter().enumerate().skip(joined) {
            runs::order_join(&mut sql, index, order);
        }
    }
    sql.push(" WHERE ");
    match source {
        Source::Whole => {}
        Source::Candidate(_) => {
            sql.push("run.id = candidate.run_id AND ");
        }
        Source::Walk(walk, part) => walk_condition(&mut sql, search, walk, part)?,
    }
    sql.push("run.workspace_id = ").bind(visible.workspace()).push(" AND ");
    in_experiments(&mut sql, "run.experiment_id", search);
    sql.push(" AND ").push(super::presence_condition(search.presences)).push(" AND ");
    sql.filter(&search.query.filter, runs::test)?;
    if let Output::Rows(window) = output {
        order(&mut sql, search, source)?;
        sql.window(window);
    }
    Ok(sql)
}

fn walk_condition<'s>(sql: &mut Sql<'s>, search: &'s RunSearch, walk: Walk<'s>, part: Part) -> Result<()> {
    let (table, key) = match walk {
        Walk::Start(_) => {
            match part {
                Part::WithValue => sql.push("run.started_at IS NOT NULL AND "),
                Part::Without => sql.push("run.started_at IS NULL AND "),
                Part::Whole | Part::NotANumber => sql,
            };
            return Ok(());
        }
        Walk::Metric(key, _) => (SERIES, key),
        Walk::Text(table, key, _) => (table, key),
    };
    if part == Part::Without {
        predicate::keyed(sql, table, key, &Predicate::IsNull, |_| Ok(()))?;
        sql.push(" AND ");
        return Ok(());
    }
    in_experiments(sql, "order_0.experiment_id", search);
    sql.push(" AND order_0.key = ").bind(key);
    if let Walk::Metric(..) = walk {
        sql.push(if part == Part::NotANumber { " AND order_0.is_nan = 1" } else { " AND order_0.is_nan = 0" });
        for test in required(&search.query.filter).iter().filter(|test| walk.is_by(test.field)) {
            if let Some((comparison, number)) = range(test.predicate) {
                sql.push(" AND order_0.value").push(predicate::operator(comparison)).bind(number);
            }
        }
    }
    sql.push(" AND run.id = order_0.run_id AND ");
    Ok(())
}

fn order<'s>(sql: &mut Sql<'s>, search: &'s RunSearch, source: Source<'s>) -> Result<()> {
    sql.push(" ORDER BY ");
    let orders = &search.query.order_by;
    let mut first = 0;
    if let Source::Walk(walk, part) = source {
        first = 1;
        match (walk, part) {
            (Walk::Metric(_, direction), Part::WithValue) => {
                sql.push("order_0.value").direction(direction).push(", ");
            }
            (Walk::Text(_, _, direction), Part::WithValue) => {
                sql.push("substr(order_0.value, 1, 100)").direction(direction);
                sql.push(", order_0.value").direction(direction).push(", ");
            }
            // The direction of the index, read backwards; there is no NULL in this part.
            (Walk::Start(Direction::Ascending), Part::WithValue) => {
                sql.push("run.started_at ASC NULLS FIRST, ");
            }
            (Walk::Start(_), Part::Whole) => {
                sql.push("run.started_at DESC NULLS LAST, ");
            }
            (_, _) => {}
        }
    }
    for (index, order) in orders.iter().enumerate().skip(first) {
        runs::order_term(sql, index, order)?;
        sql.push(", ");
    }
    let walks_by_start = matches!(source, Source::Walk(Walk::Start(_), _));
    if !walks_by_start && !super::is_by(&search.query, Attribute::StartTime) {
        sql.push("run.started_at DESC NULLS LAST, ");
    }
    sql.push("run.public_id");
    Ok(())
}

impl Walk<'_> {
    fn is_by(self, field: &Field) -> bool {
        match (self, field) {
            (Walk::Metric(key, _), Field::Metric(other)) => key == other,
            (Walk::Text(table, key, _), Field::Param(other)) => table.name == PARAMS.name && key == other,
            (Walk::Text(table, key, _), Field::Tag(other)) => table.name == TAGS.name && key == other,
            _ => false,
        }
    }
}

/// A comparison that only numbers fulfil, as a range of an index can answer it.
fn range(predicate: &Predicate) -> Option<(Comparison, f64)> {
    match predicate {
        Predicate::Number(comparison, number) if *comparison != Comparison::NotEqual && !number.is_nan() => {
            Some((*comparison, *number))
        }
        _ => None,
    }
}
