//! Sets of runs that indexes know, which spare a search the test of all others.

use stele_domain::Result;
use stele_domain::search::{Filter, RunSearch};

use super::builder::Sql;
use super::run_candidate::Required;
use super::runs;
use crate::Tx;

/// The runs that fulfil some required predicates.
pub(super) enum Set<'s> {
    /// One predicate, which the statement that needs the set selects by.
    Of(Required<'s>),
    /// Several, read beforehand, with the row ids in ascending order.
    Both { tests: Vec<Required<'s>>, runs: Vec<i64> },
}

impl<'s> Set<'s> {
    /// The runs that fulfil all of `tests`, of which there is at least one.
    pub(super) fn make(tx: &mut Tx, search: &'s RunSearch, tests: &[Required<'s>]) -> Result<Set<'s>> {
        if let [test] = tests {
            return Ok(Set::Of(*test));
        }
        let mut runs: Option<Vec<i64>> = None;
        for test in tests {
            let mut sql = Sql::new(tx.engine());
            test.select(&mut sql, search)?;
            let (sql, values) = sql.finish();
            let found = tx.query(&sql, &values, |row| row.int(0))?;
            runs = Some(match runs {
                None => found,
                Some(before) => {
                    let before = Bits::of(&before);
                    found.into_iter().filter(|run| before.contains(*run)).collect()
                }
            });
        }
        let mut runs = runs.unwrap_or_default();
        runs.sort_unstable();
        Ok(Set::Both { tests: tests.to_vec(), runs })
    }

    fn tests(&self) -> &[Required<'s>] {
        match self {
            Set::Of(test) => std::slice::from_ref(test),
            Set::Both { tests, .. } => tests,
        }
    }

    /// Whether runs that fulfil `tests` need no other test to fulfil `filter`.
    fn covers(tests: &[Required], filter: &Filter) -> bool {
        match filter {
            Filter::All => true,
            Filter::And(parts) => parts.iter().all(|part| Set::covers(tests, part)),
            Filter::Test(..) => tests.iter().any(|test| test.is_exact() && test.is(filter)),
            Filter::Or(_) | Filter::Not(_) => false,
        }
    }

    /// Writes what the filter asks of a run that is in the set.
    pub(super) fn rest_of_filter(&self, sql: &mut Sql<'s>, filter: &'s Filter) -> Result<()> {
        match filter {
            _ if Set::covers(self.tests(), filter) => {
                sql.push("TRUE");
            }
            Filter::And(parts) => {
                sql.push("(");
                for (index, part) in parts.iter().enumerate() {
                    sql.push(if index > 0 { " AND " } else { "" });
                    self.rest_of_filter(sql, part)?;
                }
                sql.push(")");
            }
            _ => sql.filter(filter, runs::test)?,
        }
        Ok(())
    }

    /// Writes a condition that `column` is in the set, as the reader of an index looks it up.
    pub(super) fn contains(&self, sql: &mut Sql<'s>, column: &'static str, search: &'s RunSearch) -> Result<()> {
        // Without the `IS TRUE` either engine may drive the statement from the set, out of order.
        sql.push("(").push(column).push(" IN (");
        match self {
            Set::Of(test) => test.select(sql, search)?,
            Set::Both { runs, .. } => {
                sql.select_ints(runs.iter().copied());
            }
        }
        sql.push(")) IS TRUE");
        Ok(())
    }
}

/// A set of row ids, a bit each.
struct Bits(Vec<u64>);

impl Bits {
    fn of(rows: &[i64]) -> Bits {
        let greatest = rows.iter().copied().max().unwrap_or(0);
        let mut words = vec![0; place(greatest).0 + 1];
        for row in rows {
            let (word, bit) = place(*row);
            words[word] |= bit;
        }
        Bits(words)
    }

    fn contains(&self, row: i64) -> bool {
        let (word, bit) = place(row);
        self.0.get(word).is_some_and(|found| found & bit != 0)
    }
}

/// The word of a row id, and its bit there. Row ids are positive and given in sequence.
fn place(row: i64) -> (usize, u64) {
    let row = usize::try_from(row).unwrap_or(0);
    (row / 64, 1 << (row % 64))
}
