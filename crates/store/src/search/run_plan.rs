//! How a page of runs is found without looking at all of them.
//!
//! There are three ways, and the cheapest is taken:
//!
//! - from a *candidate*: a required predicate with an index (a metric in a range, a param or tag with a value) that
//!   few runs fulfil. Those runs are fetched, tested against the whole filter, and sorted.
//! - in *order*: the index of the first order key is walked, each run is tested, and the walk ends with the page.
//!   Where a run may lack the key this takes a walk for each part of the result: runs with a value, NaN, without.
//!   A candidate that is too large to fetch may still be worth a set of row ids, which spares most runs the test.
//! - the *whole*: all runs of the experiments are tested and sorted. For orders without an index.
//!
//! When `m` of `n` runs match, a walk meets a page of `p` after about `p * n / m` runs, and at worst after all. The
//! costs, measured on SQLite with a million runs: one to step over a run or to put it in a set, twenty-odd to fetch
//! and test it. So first each candidate is counted up to a few runs, which are fetched if there are no more. Else the
//! whole filter is tested on a sample of runs, and if that says that a walk will be short, it is taken. Only then are
//! matches counted on in the index, up to where a set costs more than it spares.
//!
//! A search that goes on from the end of a page begins its walk at that position in the index (`sort`), so that a deep
//! page costs what the first one does.

use stele_domain::Result;
use stele_domain::authz::Visibility;
use stele_domain::record::RunInfo;
use stele_domain::search::{Page, RunSearch, Window};

use super::builder::Sql;
use super::run_candidate::{Required, in_experiments, required};
use super::run_statement::{Output, Source, Walk, parts, statement, walk};
use super::{runs, sort};
use crate::Tx;
use crate::engine::params;
use crate::run::run_info;

/// What it costs to fetch and test a run, when stepping over one in an index costs 1.
const FETCH: i64 = 20;

/// As far as candidates are counted before anything else is done.
const FEW: i64 = 2_000;

/// So few runs are walked without a sample, which would cost as much.
const SMALL: i64 = 5_000;

/// Runs that are tested to learn how many of all match, and the fewest of them in the searched experiments that say so.
const SAMPLE: u64 = 200;
const TELLING: i64 = 30;

/// The most runs in a walk that is taken without counting more.
const SHORT_WALK: i64 = 20_000;

/// The most required predicates whose matches are counted.
const MOST_COUNTED: usize = 8;

pub(super) fn search(tx: &mut Tx, visible: Visibility, search: &RunSearch) -> Result<Page<RunInfo>> {
    if search.experiments.is_empty() {
        return Ok(Page::empty());
    }
    let walk = walk(search);
    let mut page = match (best_candidate(tx, visible, search, walk.is_some())?, walk) {
        (Candidate::NothingMatches, _) => Ok(Page::empty()),
        (Candidate::Few(required), _) => at_once(tx, visible, search, Source::Candidate(required)),
        (Candidate::Some(required), Some(walk)) => walk_parts(tx, visible, search, walk, Some(required)),
        (Candidate::None, Some(walk)) => walk_parts(tx, visible, search, walk, None),
        (Candidate::Some(_) | Candidate::None, None) => at_once(tx, visible, search, Source::Whole),
    }?;
    if let Some(last) = page.items.last().filter(|_| page.more) {
        page.end = Some(sort::position_of(tx, search, last.row)?);
    }
    Ok(page)
}

/// The window as far as the position that the search goes on from leaves it.
fn window(search: &RunSearch) -> Result<Window> {
    let Window { offset, limit } = search.query.window;
    let is_after = sort::position(search.after.as_ref(), &sort::terms(search)?).is_some();
    Ok(Window { offset: if is_after { 0 } else { offset }, limit })
}

/// A page from one statement.
pub(super) fn at_once(tx: &mut Tx, visible: Visibility, search: &RunSearch, source: Source) -> Result<Page<RunInfo>> {
    let window = window(search)?;
    let (sql, values) = statement(Sql::new(tx.engine()), visible, search, source, Output::Rows(window))?.finish();
    Ok(Page::of(tx.query(&sql, &values, run_info)?, window))
}

enum Candidate<'s> {
    None,
    NothingMatches,
    /// Few enough to fetch them all.
    Few(Required<'s>),
    /// Few enough to keep their row ids.
    Some(Required<'s>),
}

fn best_candidate<'s>(
    tx: &mut Tx,
    visible: Visibility,
    search: &'s RunSearch,
    can_walk: bool,
) -> Result<Candidate<'s>> {
    const RUNS: &str = "SELECT COALESCE(MAX(id), 0) FROM run";
    let indexed: Vec<Required> = required(&search.query.filter).into_iter().filter(|test| test.has_index()).collect();
    if indexed.is_empty() {
        return Ok(Candidate::None);
    }
    // Ids are given in sequence, so the greatest bounds the number of runs.
    let runs = tx.query_one(RUNS, params![], |row| row.int(0))?;
    let Window { offset, limit } = window(search)?;
    let wanted = offset.saturating_add(limit);
    let counted = &indexed[..indexed.len().min(MOST_COUNTED)];
    let mut fewest: Option<(Required, i64)> = None;
    let mut share = 1.0;
    for test in counted {
        let matches = count(tx, search, *test, FEW)?;
        if matches == 0 {
            return Ok(Candidate::NothingMatches);
        }
        share *= share_of(matches, runs);
        if matches <= FEW && fewest.is_none_or(|(_, fewest)| matches < fewest) {
            fewest = Some((*test, matches));
        }
    }
    if let Some((test, matches)) = fewest
        && (!can_walk || matches <= walk_to(wanted, share, runs))
    {
        return Ok(Candidate::Few(test));
    }
    if can_walk
        && (runs <= SMALL || expected_walk(tx, visible, search, runs, wanted)?.is_some_and(|steps| steps <= SHORT_WALK))
    {
        return Ok(Candidate::None);
    }
    // A set of `m` is worth it while `m` is less than the cost of testing `wanted * runs / m` runs.
    let most = if can_walk { runs.saturating_mul(wanted).saturating_mul(FETCH).isqrt() } else { runs / 2 };
    let mut best: Option<(Required, i64)> = None;
    let mut share = 1.0;
    for test in counted {
        let matches = count(tx, search, *test, most)?;
        share *= share_of(matches, runs);
        if matches <= most && best.is_none_or(|(_, fewest)| matches < fewest) {
            best = Some((*test, matches));
        }
    }
    let Some((test, matches)) = best else { return Ok(Candidate::None) };
    let is_few = !can_walk || matches.saturating_mul(FETCH) <= walk_to(wanted, share, runs);
    Ok(if is_few { Candidate::Few(test) } else { Candidate::Some(test) })
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn share_of(matches: i64, runs: i64) -> f64 {
    matches as f64 / runs as f64
}

/// How many runs a walk passes until it has met `wanted` that match, if the given share of all do.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "an estimate")]
fn walk_to(wanted: i64, share: f64, runs: i64) -> i64 {
    ((wanted as f64 / share) as i64).min(runs)
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

/// How many runs a walk passes until it has met `wanted` that match, by a sample; none when that does not tell.
fn expected_walk(tx: &mut Tx, visible: Visibility, search: &RunSearch, runs: i64, wanted: i64) -> Result<Option<i64>> {
    let (sql, values) = sample(Sql::new(tx.engine()), visible, search, runs)?.finish();
    let (matching, tested) = tx.query_one(&sql, &values, |row| Ok((row.int(0)?, row.int(1)?)))?;
    let tells = tested >= TELLING && matching > 0;
    Ok(tells.then(|| wanted.saturating_mul(tested) / matching))
}

/// Counts the runs of a sample that match, and all of them.
pub(super) fn sample<'s>(mut sql: Sql<'s>, visible: Visibility, search: &'s RunSearch, runs: i64) -> Result<Sql<'s>> {
    // Multiples of the golden ratio are spread evenly, and are in step with no pattern in the runs.
    const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
    let spread = |n: u64| (u128::from(n.wrapping_mul(GOLDEN)) * u128::from(runs.unsigned_abs())) >> 64;
    let ids = (1..=SAMPLE).map(|n| i64::try_from(spread(n)).unwrap_or(0) + 1);
    sql.push("SELECT CAST(COALESCE(SUM(CASE WHEN ");
    sql.filter(&search.query.filter, runs::test)?;
    sql.push(" THEN 1 ELSE 0 END), 0) AS BIGINT), COUNT(*) FROM run WHERE run.id ");
    sql.is_one_of_ints(ids).push(" AND run.workspace_id = ").bind(visible.workspace()).push(" AND (");
    in_experiments(&mut sql, "run.experiment_id", search);
    // Without this SQLite may walk the experiment instead of looking up the ids.
    sql.push(" AND ").push(super::presence_condition(search.presences)).push(") IS TRUE");
    Ok(sql)
}

/// A page from a statement for each part of a walk, as far as they are needed.
pub(super) fn walk_parts<'s>(
    tx: &mut Tx,
    visible: Visibility,
    search: &'s RunSearch,
    walk: Walk<'s>,
    among: Option<Required<'s>>,
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
