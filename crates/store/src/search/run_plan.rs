//! How a page of runs is found without looking at all of them.
//!
//! A required predicate with an index (a metric in a range, a param or tag with a value) gives a *set* of runs
//! (`run_set`). There are these ways, and the cheapest is taken:
//!
//! - *fetch*: the runs of a set are fetched, tested against what else the filter asks for, and sorted.
//! - *walk*: the index of the first order key is walked, each run is tested, and the walk ends with the page. Where a
//!   run may lack the key this takes a walk for each part of the result: runs with a value, NaN, without. A set spares
//!   most runs the test.
//! - *by value*: where many runs share the param or tag that sorts, those of one value after the other, each in the order
//!   that comes next.
//! - the *whole*: all runs of the experiments are tested and sorted. For orders without an index.
//!
//! When `m` of `n` runs match, a walk meets a page of `p` after about `p * n / m` runs, and at worst after all. What the
//! ways cost follows from that and from the shares of runs that fulfil each predicate: small ones are counted in the
//! index, others estimated by a sample of runs.
//!
//! A search that goes on from the end of a page begins its walk at that position in the index (`sort`), so that a deep
//! page costs what the first one does.

use stele_domain::Result;
use stele_domain::authz::{Extent, Visibility};
use stele_domain::record::RunInfo;
use stele_domain::search::{
    Comparison, Direction, Field, Filter, Order, Page, Predicate, RunSearch, Searched, SortPosition, SortValue, Window,
};

use super::builder::{Sql, is_long};
use super::run_candidate::{Required, in_experiments, required};
use super::run_set::Set;
use super::run_statement::{Output, Source, Walk, parts, statement, walk};
use super::{runs, sort};
use crate::Tx;
use crate::engine::params;
use crate::run::run_info;

/// As far as sets are counted before anything else is done.
const FEW: i64 = 2_000;

/// So few runs are walked without a sample, which would cost as much.
const SMALL: i64 = 5_000;

/// Runs that are tested to learn how many of all match, and the fewest of them in the searched experiments that say so.
const SAMPLE: u64 = 200;
const TELLING: i64 = 30;

/// The most runs in a walk that is taken without looking further.
const SHORT_WALK: f64 = 500.0;

/// The most required predicates that are looked at.
const MOST_COUNTED: usize = 8;

/// What things cost, in microseconds, measured on SQLite with a million runs: to take a run from an index into a set, to
/// step over one in an index with a look into a set, to fetch a run, and to test it against one predicate.
const TAKE: f64 = 0.15;
const STEP: f64 = 0.5;
const FETCH: f64 = 4.0;
const TEST: f64 = 6.0;

/// A value that more runs than this share is a group of its own, and so many groups are looked at before the index is
/// walked instead.
const GROUP: i64 = 2_000;
const MOST_GROUPS: usize = 20;

pub(super) fn search(tx: &mut Tx, visible: &Visibility, search: &RunSearch) -> Result<Page<RunInfo>> {
    if visible.extent() != &Extent::Whole {
        // Every statement of the plan is about these alone.
        let experiments = match (&search.experiments, visible.extent().experiments()) {
            (Searched::Among(experiments), _) => Searched::Among(visible.among(experiments)),
            (Searched::Workspace(_), Some(_)) => Searched::Among(tx.experiments_active(visible, None)?),
            (Searched::Workspace(workspace), None) => Searched::Workspace(*workspace),
        };
        return search_all(tx, visible, &RunSearch { experiments, ..search.clone() });
    }
    search_all(tx, visible, search)
}

fn search_all(tx: &mut Tx, visible: &Visibility, search: &RunSearch) -> Result<Page<RunInfo>> {
    if search.experiments == Searched::default() {
        return Ok(Page::empty());
    }
    let mut page = match walk(search) {
        Some(Walk::Text(..)) => by_value(tx, visible, search, GROUP)?,
        walk => found(tx, visible, search, walk)?,
    };
    if let Some(last) = page.items.last().filter(|_| page.more) {
        page.end = Some(sort::position_of(tx, search, last.row)?);
    }
    Ok(page)
}

/// A page in the cheapest of the ways that need no groups.
fn found<'s>(
    tx: &mut Tx,
    visible: &Visibility,
    search: &'s RunSearch,
    walk: Option<Walk<'s>>,
) -> Result<Page<RunInfo>> {
    match (way(tx, visible, search, walk.is_some())?, walk) {
        (Way::Nothing, _) => Ok(Page::empty()),
        (Way::Fetch(set), _) => at_once(tx, visible, search, Source::Candidate(&set)),
        (Way::Walk(set), Some(walk)) => walk_parts(tx, visible, search, walk, set.as_ref()),
        (Way::Walk(_), None) => at_once(tx, visible, search, Source::Whole),
    }
}

/// A page of a search whose first order key is a param or tag: as long as more than `many` runs share a value, those of one
/// value after the other, and then a walk.
pub(super) fn by_value(tx: &mut Tx, visible: &Visibility, search: &RunSearch, many: i64) -> Result<Page<RunInfo>> {
    let window = window(search)?;
    let [order] = &search.query.order_by[..] else { return found(tx, visible, search, walk(search)) };
    let mut rest = search.clone();
    rest.after =
        sort::position(search.after.as_ref(), &sort::terms(search)?).map(|position| SortPosition(position.to_vec()));
    let mut infos: Vec<RunInfo> = Vec::new();
    let mut done = None;
    if window.offset == 0 {
        for _ in 0..MOST_GROUPS {
            rest.query.window = Window { offset: 0, limit: window.limit - infos.len() as i64 };
            let Some(value) = next_group(tx, &rest, order, done.as_deref(), many)? else { break };
            let group = group_of(&rest, order, &value);
            let page = found(tx, visible, &group, walk(&group))?;
            infos.extend(page.items);
            if page.more {
                return Ok(Page { more: true, ..Page::of(infos, window) });
            }
            // Nothing of this value comes after those without a start, nor after the last of all ids.
            let end = [SortValue::Text(value.clone()), SortValue::Absent, SortValue::Text(char::MAX.to_string())];
            rest.after = Some(SortPosition(end.to_vec()));
            done = Some(value);
        }
        rest.query.window = Window { offset: 0, limit: window.limit - infos.len() as i64 };
    }
    let page = found(tx, visible, &rest, walk(&rest))?;
    infos.extend(page.items);
    Ok(Page { items: infos, ..page })
}

/// The next value in the order of a search, after `done`, if more than `many` runs share it.
fn next_group(tx: &mut Tx, search: &RunSearch, order: &Order, done: Option<&str>, many: i64) -> Result<Option<String>> {
    let (table, key) = match &order.field {
        Field::Param(key) => ("run_param", key),
        Field::Tag(key) => ("run_tag", key),
        _ => return Ok(None),
    };
    let from = match search.after.as_ref().and_then(|SortPosition(position)| position.first()) {
        Some(SortValue::Text(text)) => Some(text),
        Some(_) => return Ok(None),
        None => None,
    };
    let mut sql = Sql::new(tx.engine());
    sql.push("SELECT ").indexed("value").push(" FROM ").push(table).push(" WHERE ");
    in_experiments(&mut sql, "experiment_id", search);
    sql.push(" AND key = ").bind(key);
    if let Some(from) = from {
        sql.push(" AND ").indexed("value");
        sql.push(match (order.direction, done) {
            (Direction::Ascending, Some(_)) => " > ",
            (Direction::Ascending, None) => " >= ",
            (Direction::Descending, Some(_)) => " < ",
            (Direction::Descending, None) => " <= ",
        });
        sql.bind_indexed(from);
    }
    sql.push(" ORDER BY ").indexed("value").direction(order.direction).push(" LIMIT 1");
    let (sql, values) = sql.finish();
    let Some(value) = tx.query_opt(&sql, &values, |row| row.text(0))? else { return Ok(None) };
    // The index may not hold the rest.
    if is_long(&value) {
        return Ok(None);
    }
    let predicate = Predicate::Text(Comparison::Equal, value.clone());
    let runs = count(tx, search, Required { field: &order.field, predicate: &predicate }, many)?;
    Ok((runs > many).then_some(value))
}

/// The search of the runs with one value, in the order that comes after it.
fn group_of(search: &RunSearch, order: &Order, value: &str) -> RunSearch {
    let has_value = Filter::Test(order.field.clone(), Predicate::Text(Comparison::Equal, value.to_owned()));
    let after = search.after.as_ref().and_then(|SortPosition(position)| match position.split_first() {
        Some((SortValue::Text(at), rest)) if at == value => Some(SortPosition(rest.to_vec())),
        _ => None,
    });
    let mut group = search.clone();
    group.query.filter = Filter::And(vec![has_value, group.query.filter]);
    group.query.order_by = Vec::new();
    group.after = after;
    group
}

/// The window as far as the position that the search goes on from leaves it.
fn window(search: &RunSearch) -> Result<Window> {
    let Window { offset, limit } = search.query.window;
    let is_after = sort::position(search.after.as_ref(), &sort::terms(search)?).is_some();
    Ok(Window { offset: if is_after { 0 } else { offset }, limit })
}

/// A page from one statement.
pub(super) fn at_once<'s>(
    tx: &mut Tx,
    visible: &Visibility,
    search: &'s RunSearch,
    source: Source<'s, '_>,
) -> Result<Page<RunInfo>> {
    let window = window(search)?;
    let (sql, values) = statement(Sql::new(tx.engine()), visible, search, source, Output::Rows(window))?.finish();
    Ok(Page::of(tx.query(&sql, &values, run_info)?, window))
}

/// How a page is found.
enum Way<'s> {
    Nothing,
    Fetch(Set<'s>),
    Walk(Option<Set<'s>>),
}

fn way<'s>(tx: &mut Tx, visible: &Visibility, search: &'s RunSearch, can_walk: bool) -> Result<Way<'s>> {
    const RUNS: &str = "SELECT COALESCE(MAX(id), 0) FROM run";
    let mut tests: Vec<Required> = required(&search.query.filter);
    tests.retain(|test| test.has_index());
    tests.truncate(MOST_COUNTED);
    if tests.is_empty() {
        return Ok(Way::Walk(None));
    }
    // Ids are given in sequence, so the greatest bounds the number of runs.
    let runs = tx.query_one(RUNS, params![], |row| row.int(0))?;
    let Window { offset, limit } = window(search)?;
    let wanted = as_cost(offset.saturating_add(limit).max(1));
    let mut estimates = Estimates { runs: as_cost(runs), matching: None, sets: Vec::new() };
    for test in tests {
        let matches = count(tx, search, test, FEW)?;
        if matches == 0 {
            return Ok(Way::Nothing);
        }
        estimates.sets.push((test, as_cost(matches)));
    }
    estimates.smallest_first();
    let (fewest, matches) = estimates.sets[0];
    if matches <= as_cost(FEW) && (!can_walk || matches <= estimates.walk_to(wanted)) {
        return Ok(Way::Fetch(Set::Of(fewest)));
    }
    if can_walk && runs <= SMALL {
        return Ok(Way::Walk(None));
    }
    let sampled = sampled(tx, visible, search, runs, &estimates)?;
    if sampled.tested >= TELLING && sampled.matching > 0 {
        estimates.matching = Some(estimates.runs * as_cost(sampled.matching) / as_cost(sampled.tested));
    }
    if can_walk && estimates.matching.is_some() && estimates.walk_to(wanted) <= SHORT_WALK {
        return Ok(Way::Walk(None));
    }
    for ((test, matches), seen) in estimates.sets.iter_mut().zip(sampled.each) {
        // A few hits in a sample say little, but then the matches are soon counted.
        let tells = seen >= TELLING / 4 && sampled.tested >= TELLING;
        *matches = match *matches > as_cost(FEW) {
            true if tells => as_cost(runs) * as_cost(seen) / as_cost(sampled.tested),
            true => as_cost(count(tx, search, *test, runs / 10)?),
            false => *matches,
        };
    }
    estimates.smallest_first();
    cheapest(tx, search, &estimates, wanted, can_walk)
}

/// The cheapest of walking and fetching, with as many sets as are worth it.
fn cheapest<'s>(
    tx: &mut Tx,
    search: &'s RunSearch,
    estimates: &Estimates<'s>,
    wanted: f64,
    can_walk: bool,
) -> Result<Way<'s>> {
    let steps = estimates.walk_to(wanted);
    let whole = if can_walk { steps } else { estimates.runs };
    let all = tests_in(&search.query.filter);
    let (mut least, mut best) = (whole * (FETCH + as_cost(all) * TEST), None);
    let (mut making, mut share) = (0.0, 1.0);
    for (index, (_, matches)) in estimates.sets.iter().enumerate() {
        making += matches * TAKE;
        share *= matches / estimates.runs;
        let tests = &estimates.sets[..=index];
        let exact = tests.iter().filter(|(test, _)| test.is_exact()).count() as i64;
        let fetch = FETCH + as_cost(all - exact) * TEST;
        // Predicates may go together, so that more runs fulfil them than their shares say.
        let found = (share * estimates.runs).max(estimates.matching.unwrap_or(0.0));
        let fetching = making + found * fetch;
        let walking = making + steps * STEP + (steps * share).max(wanted) * fetch;
        if fetching < least {
            (least, best) = (fetching, Some((tests, false)));
        }
        if can_walk && walking < least {
            (least, best) = (walking, Some((tests, true)));
        }
    }
    let Some((tests, walks)) = best else { return Ok(Way::Walk(None)) };
    let tests: Vec<Required> = tests.iter().map(|(test, _)| *test).collect();
    let set = Set::make(tx, search, &tests)?;
    Ok(if walks { Way::Walk(Some(set)) } else { Way::Fetch(set) })
}

/// How many predicates a filter has.
fn tests_in(filter: &Filter) -> i64 {
    match filter {
        Filter::All => 0,
        Filter::And(parts) | Filter::Or(parts) => parts.iter().map(tests_in).sum(),
        Filter::Not(part) => tests_in(part),
        Filter::Test(..) => 1,
    }
}

/// What is known of the runs that a search is about.
struct Estimates<'s> {
    /// All runs of the record.
    runs: f64,
    /// Those that fulfil the whole filter.
    matching: Option<f64>,
    /// Those that fulfil each required predicate.
    sets: Vec<(Required<'s>, f64)>,
}

impl Estimates<'_> {
    fn smallest_first(&mut self) {
        self.sets.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    }

    /// How many runs a walk passes until it has met `wanted` that match. Without a sample the predicates are taken to be
    /// independent of each other.
    fn walk_to(&self, wanted: f64) -> f64 {
        let independent = || self.sets.iter().map(|(_, matches)| matches / self.runs).product::<f64>() * self.runs;
        (wanted * self.runs / self.matching.unwrap_or_else(independent)).min(self.runs)
    }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn as_cost(count: i64) -> f64 {
    count as f64
}

/// How many runs an index says fulfil a predicate; one more than `most` when there are more.
fn count<'s>(tx: &mut Tx, search: &'s RunSearch, test: Required<'s>, most: i64) -> Result<i64> {
    let mut sql = Sql::new(tx.engine());
    sql.push("SELECT COUNT(*) FROM (");
    test.select(&mut sql, search)?;
    sql.push(" LIMIT ").bind(most.saturating_add(1)).push(") AS matching");
    let (sql, values) = sql.finish();
    tx.query_one(&sql, &values, |row| row.int(0))
}

/// What a sample of runs says.
struct Sampled {
    tested: i64,
    matching: i64,
    /// How many fulfil each predicate.
    each: Vec<i64>,
}

fn sampled(tx: &mut Tx, visible: &Visibility, search: &RunSearch, runs: i64, estimates: &Estimates) -> Result<Sampled> {
    let tests: Vec<Required> = estimates.sets.iter().map(|(test, _)| *test).collect();
    let (sql, values) = sample(Sql::new(tx.engine()), visible, search, &tests, runs)?.finish();
    tx.query_one(&sql, &values, |row| {
        let each = (0..tests.len()).map(|index| row.int(index + 2)).collect::<Result<Vec<_>>>()?;
        Ok(Sampled { tested: row.int(0)?, matching: row.int(1)?, each })
    })
}

/// Counts the runs of a sample, those of them that match, and those that fulfil each of `tests`.
pub(super) fn sample<'s>(
    mut sql: Sql<'s>,
    visible: &Visibility,
    search: &'s RunSearch,
    tests: &[Required<'s>],
    runs: i64,
) -> Result<Sql<'s>> {
    // Multiples of the golden ratio are spread evenly, and are in step with no pattern in the runs.
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let spread = |n: u64| (u128::from(n.wrapping_mul(GOLDEN)) * u128::from(runs.unsigned_abs())) >> 64;
    let ids = (1..=SAMPLE).map(|n| i64::try_from(spread(n)).unwrap_or(0) + 1);
    sql.push("SELECT COUNT(*)");
    begin_counting(&mut sql);
    sql.filter(&search.query.filter, runs::test)?;
    sql.push(END_COUNTING);
    for test in tests {
        begin_counting(&mut sql);
        runs::test(&mut sql, test.field, test.predicate)?;
        sql.push(END_COUNTING);
    }
    sql.push(" FROM run WHERE run.id ");
    sql.is_one_of_ints(ids).push(" AND run.workspace_id = ").bind(visible.workspace()).push(" AND (");
    in_experiments(&mut sql, "run.experiment_id", search);
    // Without this SQLite may walk the experiment instead of looking up the ids.
    sql.push(" AND ").push(super::presence_condition(search.presences)).push(") IS TRUE");
    Ok(sql)
}

/// Begins a column that counts the rows that fulfil a condition.
fn begin_counting(sql: &mut Sql) {
    sql.push(", CAST(COALESCE(SUM(CASE WHEN ");
}

const END_COUNTING: &str = " THEN 1 ELSE 0 END), 0) AS BIGINT)";

/// A page from a statement for each part of a walk, as far as they are needed.
pub(super) fn walk_parts<'s>(
    tx: &mut Tx,
    visible: &Visibility,
    search: &'s RunSearch,
    walk: Walk<'s>,
    among: Option<&Set<'s>>,
) -> Result<Page<RunInfo>> {
    let window = window(search)?;
    let mut offset = window.offset;
    let mut infos: Vec<RunInfo> = Vec::new();
    let parts = parts(search, walk, sort::position(search.after.as_ref(), &sort::terms(search)?));
    for (index, part) in parts.iter().enumerate() {
        let source = Source::Walk(walk, *part, among);
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
