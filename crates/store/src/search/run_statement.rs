//! The statement of a page of runs: where its rows come from, which of them it gives, and in which order.

use stele_domain::Result;
use stele_domain::authz::Visibility;
use stele_domain::search::{
    Attribute, Comparison, Direction, Field, Order, Predicate, Presences, RunSearch, SortValue, Window,
};

use super::builder::Sql;
use super::predicate::{self, KeyedTable};
use super::run_candidate::{in_experiments, only_rank, required};
use super::run_set::Set;
use super::runs::{self, PARAMS, RANKS, SERIES, STATUS_RANK, TAGS};
use super::sort::{self, Term};
use crate::run::RUN_COLUMNS;

/// Where the rows of a statement come from.
#[derive(Clone, Copy)]
pub(super) enum Source<'s, 'p> {
    Whole,
    Candidate(&'p Set<'s>),
    /// Only among the runs of a set, if one is given.
    Walk(Walk<'s>, Part, Option<&'p Set<'s>>),
}

/// An index in the order that is wanted.
#[derive(Clone, Copy)]
pub(super) enum Walk<'s> {
    Start(Direction),
    End(Direction),
    /// By how the runs went, those of one status after the other.
    Status(Direction),
    Name(Direction),
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
    /// Runs whose status has this rank.
    Rank(i64),
}

/// What a statement gives: runs, or how many there are.
#[derive(Clone, Copy)]
pub(super) enum Output {
    Rows(Window),
    Count,
}

/// The index that has the runs in the wanted order, if there is one.
pub(super) fn walk(search: &RunSearch) -> Option<Walk<'_>> {
    search.experiments.only()?;
    match search.query.order_by.first() {
        None => of_one_presence(search, Walk::Start(Direction::Descending)),
        Some(Order { field, direction }) => match field {
            Field::Attribute(Attribute::StartTime) => of_one_presence(search, Walk::Start(*direction)),
            Field::Attribute(Attribute::EndTime) => of_one_presence(search, Walk::End(*direction)),
            Field::Attribute(Attribute::Status) => of_one_presence(search, Walk::Status(*direction)),
            Field::Attribute(Attribute::Name) => of_one_presence(search, Walk::Name(*direction)),
            Field::Metric(key) => Some(Walk::Metric(key, *direction)),
            Field::Param(key) => Some(Walk::Text(PARAMS, key, *direction)),
            Field::Tag(key) => Some(Walk::Text(TAGS, key, *direction)),
            Field::Attribute(_)
            | Field::Dataset(_)
            | Field::Document(_)
            | Field::Trace(_)
            | Field::MetricOnDataset { .. } => None,
        },
    }
}

/// The indexes of runs hold those of each presence apart.
fn of_one_presence<'s>(search: &RunSearch, walk: Walk<'s>) -> Option<Walk<'s>> {
    (search.presences != Presences::All).then_some(walk)
}

/// The parts of a walk in order, without those that the filter leaves empty.
pub(super) fn parts(search: &RunSearch, walk: Walk, position: Option<&[SortValue]>) -> Vec<Part> {
    let all: Vec<Part> = match walk {
        Walk::Start(Direction::Descending) if position.is_none() => vec![Part::Whole],
        Walk::Name(_) => vec![Part::Whole],
        Walk::Start(_) | Walk::End(_) | Walk::Text(..) => vec![Part::WithValue, Part::Without],
        Walk::Metric(..) => vec![Part::WithValue, Part::NotANumber, Part::Without],
        Walk::Status(Direction::Ascending) => RANKS.map(Part::Rank).collect(),
        Walk::Status(Direction::Descending) => RANKS.rev().map(Part::Rank).collect(),
    };
    let first = position.map_or(all[0], |position| part_of(walk, position));
    let required = required(&search.query.filter);
    let needs_value = required.iter().any(|test| walk.is_by(test.field) && *test.predicate != Predicate::IsNull);
    let needs_number = required.iter().any(|test| walk.is_by(test.field) && range(test.predicate).is_some());
    all.into_iter()
        .skip_while(|part| *part != first)
        .filter(|part| match part {
            Part::Whole | Part::WithValue | Part::Rank(_) => true,
            Part::NotANumber => !needs_number,
            Part::Without => !needs_value,
        })
        .collect()
}

pub(super) fn statement<'s>(
    mut sql: Sql<'s>,
    visible: &Visibility,
    search: &'s RunSearch,
    source: Source<'s, '_>,
    output: Output,
) -> Result<Sql<'s>> {
    if let Source::Candidate(Set::Of(required)) = source {
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
        Source::Candidate(Set::Of(_)) => sql.push(" FROM candidate CROSS JOIN run"),
        Source::Walk(Walk::Metric(..), Part::WithValue | Part::NotANumber, _) => {
            sql.push(" FROM series AS order_0 CROSS JOIN run")
        }
        Source::Walk(Walk::Text(table, ..), Part::WithValue, _) => {
            sql.push(" FROM ").push(table.name).push(" AS order_0 CROSS JOIN run")
        }
        Source::Whole | Source::Candidate(Set::Both { .. }) | Source::Walk(..) => sql.push(" FROM run"),
    };
    let terms = &sort::terms(search)?;
    let position = sort::position(search.after.as_ref(), terms);
    let terms = &terms[settled(source)..];
    let joined = usize::from(matches!(source, Source::Walk(..)));
    if let Output::Rows(_) = output {
        for (index, order) in search.query.order_by.iter().enumerate().skip(joined) {
            runs::order_join(&mut sql, index, order);
        }
    }
    sql.push(" WHERE ");
    match source {
        Source::Whole => {}
        Source::Candidate(Set::Of(_)) => {
            sql.push("run.id = candidate.run_id AND ");
        }
        Source::Candidate(Set::Both { runs, .. }) => {
            sql.push("run.id ").is_one_of_ints(runs.iter().copied()).push(" AND ");
        }
        Source::Walk(walk, part, among) => walk_condition(&mut sql, search, walk, part, among)?,
    }
    sql.push("run.workspace_id = ").bind(visible.workspace()).push(" AND ");
    // Else SQLite may walk the experiment instead of looking up the ids.
    let looks_up = matches!(source, Source::Candidate(Set::Both { .. }));
    sql.push(if looks_up { "(" } else { "" });
    in_experiments(&mut sql, "run.experiment_id", search);
    sql.push(" AND ").push(super::presence_condition(search.presences));
    sql.push(if looks_up { ") IS TRUE AND " } else { " AND " });
    if let Some(position) = position
        && holds_position(source, position)
    {
        after_position(&mut sql, terms, &position[settled(source)..], source);
    }
    match source {
        Source::Candidate(set) | Source::Walk(_, _, Some(set)) => set.rest_of_filter(&mut sql, &search.query.filter)?,
        Source::Whole | Source::Walk(_, _, None) => sql.filter(&search.query.filter, runs::test)?,
    }
    if let Output::Rows(window) = output {
        order(&mut sql, terms, source);
        sql.window(window);
    }
    Ok(sql)
}

fn walk_condition<'s>(
    sql: &mut Sql<'s>,
    search: &'s RunSearch,
    walk: Walk<'s>,
    part: Part,
    among: Option<&Set<'s>>,
) -> Result<()> {
    if let Walk::Start(_) = walk
        && let Some(rank) = only_rank(search)
    {
        // The index by status has those of one rank in the order of their start.
        sql.push(STATUS_RANK).push(" = ").bind(rank).push(" AND ");
    }
    match (walk, part) {
        (_, Part::Rank(rank)) => {
            sql.push(STATUS_RANK).push(" = ").bind(rank).push(" AND ");
        }
        // True of every name, and what makes SQLite prefer the index by name to others that are as narrow.
        (Walk::Name(_), _) => {
            sql.indexed("run.name").push(" >= '' AND ");
        }
        (Walk::Start(_) | Walk::End(_), Part::WithValue) => {
            sql.push(time(walk)).push(" IS NOT NULL AND ");
        }
        (Walk::Start(_) | Walk::End(_), Part::Without) => {
            sql.push(time(walk)).push(" IS NULL AND ");
        }
        (Walk::Start(_) | Walk::End(_) | Walk::Status(_), _) => {}
        (Walk::Metric(key, _), Part::Without) => without(sql, SERIES, key)?,
        (Walk::Text(table, key, _), Part::Without) => without(sql, table, key)?,
        (Walk::Metric(key, _) | Walk::Text(_, key, _), _) => {
            in_experiments(sql, "order_0.experiment_id", search);
            sql.push(" AND order_0.key = ").bind(key);
            if let Walk::Metric(..) = walk {
                metric_range(sql, search, walk, part);
            }
            if let Some(among) = among {
                sql.push(" AND ");
                among.contains(sql, "order_0.run_id", search)?;
            }
            sql.push(" AND run.id = order_0.run_id AND ");
            return Ok(());
        }
    }
    if let Some(among) = among {
        among.contains(sql, "run.id", search)?;
        sql.push(" AND ");
    }
    Ok(())
}

fn without<'s>(sql: &mut Sql<'s>, table: KeyedTable, key: &'s str) -> Result<()> {
    predicate::keyed(sql, table, key, &Predicate::IsNull, |_| Ok(()))?;
    sql.push(" AND ");
    Ok(())
}

fn metric_range<'s>(sql: &mut Sql<'s>, search: &'s RunSearch, walk: Walk<'s>, part: Part) {
    sql.push(if part == Part::NotANumber { " AND order_0.is_nan = 1" } else { " AND order_0.is_nan = 0" });
    for test in required(&search.query.filter).iter().filter(|test| walk.is_by(test.field)) {
        if let Some((comparison, number)) = range(test.predicate) {
            sql.push(" AND order_0.value").push(predicate::operator(comparison)).bind(number);
        }
    }
}

fn order(sql: &mut Sql, terms: &[Term], source: Source) {
    sql.push(" ORDER BY ");
    let mut terms = terms;
    if let Source::Walk(walk, part, _) = source {
        let in_index_order = match (walk, part) {
            (Walk::Metric(_, direction), Part::WithValue) => {
                sql.push("order_0.value").direction(direction);
                true
            }
            (Walk::Text(_, _, direction), Part::WithValue) => {
                sql.in_indexed_order("order_0.value", direction);
                true
            }
            // The direction of the index, read backwards; there is no NULL in this part.
            (Walk::Start(Direction::Ascending) | Walk::End(Direction::Ascending), Part::WithValue) => {
                sql.push(time(walk)).push(" ASC NULLS FIRST");
                true
            }
            (Walk::Name(direction), _) => {
                sql.in_indexed_order("run.name", direction);
                true
            }
            (_, _) => false,
        };
        if in_index_order {
            sql.push(", ");
            terms = &terms[1..];
        }
    }
    for (index, term) in terms.iter().enumerate() {
        if index > 0 {
            sql.push(", ");
        }
        sort::order(sql, term);
    }
}

/// How many of the first sort terms are the same for all rows of a source.
fn settled(source: Source) -> usize {
    match source {
        Source::Walk(Walk::Metric(..), Part::WithValue, _) => 1,
        Source::Walk(Walk::Metric(..), Part::NotANumber | Part::Without, _) => 2,
        Source::Walk(_, Part::Without | Part::Rank(_), _) => 1,
        Source::Whole | Source::Candidate(_) | Source::Walk(..) => 0,
    }
}

/// Restricts the rows of a source to those after the position that the search goes on from.
fn after_position<'s>(sql: &mut Sql<'s>, terms: &[Term], position: &'s [SortValue], source: Source<'s, '_>) {
    let Some(first) = position.first() else { return };
    if let Source::Walk(walk, Part::WithValue | Part::Whole, _) = source {
        // What follows says the same and more, but this is what an index begins at.
        match (walk, first) {
            (Walk::Metric(_, direction), _) => {
                sql.push("order_0.value").push(or_after(direction)).bind(first).push(" AND ");
            }
            (Walk::Start(direction) | Walk::End(direction), _) => {
                sql.push(time(walk)).push(or_after(direction)).bind(first).push(" AND ");
            }
            (Walk::Text(_, _, direction), SortValue::Text(text)) => {
                sql.indexed("order_0.value").push(or_after(direction)).bind_indexed(text).push(" AND ");
            }
            (Walk::Name(direction), SortValue::Text(text)) => {
                sql.indexed("run.name").push(or_after(direction)).bind_indexed(text).push(" AND ");
            }
            (Walk::Text(..) | Walk::Name(_) | Walk::Status(_), _) => {}
        }
    }
    sort::after(sql, terms, position);
    // Without this either engine may look up each alternative on its own, out of order.
    sql.push(" IS TRUE AND ");
}

/// The column of a walk by time.
fn time(walk: Walk) -> &'static str {
    if let Walk::End(_) = walk { "run.ended_at" } else { "run.started_at" }
}

fn or_after(direction: Direction) -> &'static str {
    match direction {
        Direction::Ascending => " >= ",
        Direction::Descending => " <= ",
    }
}

/// Whether a position lies among the rows of a source; in the parts of a walk after that one all rows come later.
fn holds_position(source: Source, position: &[SortValue]) -> bool {
    match source {
        Source::Walk(walk, part, _) => part == Part::Whole || part == part_of(walk, position),
        Source::Whole | Source::Candidate(_) => true,
    }
}

/// The part of a walk that a position lies in.
fn part_of(walk: Walk, position: &[SortValue]) -> Part {
    match (walk, position.first()) {
        (Walk::Name(_), _) => Part::Whole,
        (_, None | Some(SortValue::Absent)) => Part::Without,
        (Walk::Metric(..), Some(SortValue::Integer(1))) => Part::NotANumber,
        (Walk::Status(_), Some(SortValue::Integer(rank))) => Part::Rank(*rank),
        (_, Some(_)) => Part::WithValue,
    }
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
