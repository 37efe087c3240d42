//! Predicates on columns and on key-value tables. Each writes a condition that is never unknown.

use stele_domain::search::{Comparison, Direction, DocumentPath, Predicate};
use stele_domain::{Error, Result};

use super::builder::Sql;

/// A column of the searched entity.
#[derive(Clone, Copy)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) optional: bool,
}

impl Column {
    pub(super) const fn required(name: &'static str) -> Column {
        Column { name, optional: false }
    }

    /// A column that may be NULL: a predicate on it is false then, except `IsNull`.
    pub(super) const fn optional(name: &'static str) -> Column {
        Column { name, optional: true }
    }
}

/// An attribute of the searched entity: its column and what that holds.
#[derive(Clone, Copy)]
pub(super) enum Attributed {
    Text(Column),
    Integer(Column),
}

impl Attributed {
    pub(super) fn test<'v>(self, sql: &mut Sql<'v>, predicate: &'v Predicate) -> Result<()> {
        match self {
            Attributed::Text(column) => text(sql, column, predicate),
            Attributed::Integer(column) => integer(sql, column, predicate),
        }
    }

    /// An order clause: what lacks the attribute comes last in both directions.
    pub(super) fn order(self, sql: &mut Sql<'_>, direction: Direction) {
        let (Attributed::Text(column) | Attributed::Integer(column)) = self;
        sql.push(column.name).direction(direction);
        if column.optional {
            sql.push(" NULLS LAST");
        }
    }
}

/// A table with a row a key, owned by the searched entity.
#[derive(Clone, Copy)]
pub(super) struct KeyedTable {
    pub(super) name: &'static str,
    /// The column that points at the owner.
    pub(super) owner: &'static str,
    /// What it is equal to for the row at hand.
    pub(super) is: &'static str,
}

/// Begins a subquery that is tested row by row, and its ends. `EXISTS` would say the same, but either engine may turn
/// that into a join or a hash table of the whole subquery, and leave the order that a walk is about.
pub(super) const ANY: &str = "(SELECT TRUE FROM ";
pub(super) const IS_SOME: &str = " LIMIT 1) IS TRUE";
pub(super) const IS_NONE: &str = " LIMIT 1) IS NOT TRUE";

/// A predicate on a column of text.
pub(super) fn text<'v>(sql: &mut Sql<'v>, column: Column, predicate: &'v Predicate) -> Result<()> {
    guarded(sql, column, predicate, |sql, column| match predicate {
        Predicate::Text(comparison, value) => {
            sql.push(column).push(operator(*comparison)).bind(value);
            Ok(())
        }
        Predicate::Like { pattern, ignore_case: false } => {
            sql.push(column).push(" LIKE ").bind(pattern).like_suffix();
            Ok(())
        }
        Predicate::Like { pattern, ignore_case: true } => {
            // Both engines fold only ASCII letters here: SQLite always, PostgreSQL in the collation "C".
            sql.push("lower(").push(column).push(") LIKE ").bind(pattern.to_ascii_lowercase()).like_suffix();
            Ok(())
        }
        Predicate::Contains(part) => {
            sql.begin_contains().push("lower(").push(column).push("), ").bind(part.to_ascii_lowercase()).push(") > 0");
            Ok(())
        }
        Predicate::Matches(expression) => {
            sql.push(column).matches_operator().bind(expression);
            Ok(())
        }
        Predicate::In(values) => {
            sql.push(column).push(" ").is_one_of_texts(values);
            Ok(())
        }
        Predicate::NotIn(values) => {
            sql.push("NOT (").push(column).push(" ").is_one_of_texts(values).push(")");
            Ok(())
        }
        Predicate::Number(..) => Err(Error::invalid("a text cannot be compared with a number")),
        Predicate::IsNull | Predicate::IsNotNull => null_test(sql, column, predicate),
    })
}

/// A predicate on a column of integers. Texts are read as decimal integers; what is none is equal to nothing.
pub(super) fn integer<'v>(sql: &mut Sql<'v>, column: Column, predicate: &'v Predicate) -> Result<()> {
    let parsed = |values: &[String]| values.iter().filter_map(|value| value.parse::<i64>().ok()).collect::<Vec<_>>();
    guarded(sql, column, predicate, |sql, column| match predicate {
        Predicate::Number(comparison, number) => {
            compare_integer(sql, column, *comparison, *number);
            Ok(())
        }
        Predicate::Text(comparison, value) => {
            match (value.parse::<i64>(), comparison) {
                (Ok(value), _) => sql.push(column).push(operator(*comparison)).bind(value),
                (Err(_), Comparison::NotEqual) => sql.push("TRUE"),
                (Err(_), _) => sql.push("FALSE"),
            };
            Ok(())
        }
        Predicate::In(values) => {
            sql.push(column).push(" ").is_one_of_ints(parsed(values));
            Ok(())
        }
        Predicate::NotIn(values) => {
            sql.push("NOT (").push(column).push(" ").is_one_of_ints(parsed(values)).push(")");
            Ok(())
        }
        Predicate::Like { .. } | Predicate::Contains(_) | Predicate::Matches(_) => {
            Err(Error::invalid("a number cannot be compared with a pattern"))
        }
        Predicate::IsNull | Predicate::IsNotNull => null_test(sql, column, predicate),
    })
}

/// A predicate on the text value under `key` in a key-value table.
pub(super) fn keyed_text<'v>(
    sql: &mut Sql<'v>,
    table: KeyedTable,
    key: &'v str,
    predicate: &'v Predicate,
) -> Result<()> {
    keyed(sql, table, key, predicate, |sql| text(sql, Column::required("item.value"), predicate))
}

/// A predicate on a row under `key`, by columns `value` and `is_nan`.
pub(super) fn keyed_number<'v>(
    sql: &mut Sql<'v>,
    table: KeyedTable,
    key: &'v str,
    predicate: &'v Predicate,
) -> Result<()> {
    keyed(sql, table, key, predicate, |sql| number(sql, "item.is_nan", "item.value", predicate))
}

/// Whether there is a row under `key` that fulfils `test`, or for `IsNull` whether there is none at all.
pub(super) fn keyed<'v>(
    sql: &mut Sql<'v>,
    table: KeyedTable,
    key: &'v str,
    predicate: &'v Predicate,
    test: impl FnOnce(&mut Sql<'v>) -> Result<()>,
) -> Result<()> {
    sql.push(ANY).push(table.name).push(" AS item WHERE item.").push(table.owner).push(" = ");
    sql.push(table.is).push(" AND item.key = ").bind(key);
    if !matches!(predicate, Predicate::IsNull | Predicate::IsNotNull) {
        sql.push(" AND ");
        test(sql)?;
    }
    sql.push(if *predicate == Predicate::IsNull { IS_NONE } else { IS_SOME });
    Ok(())
}

/// A predicate on the text at `path` inside the document in `column`. Numbers and booleans count by their text.
pub(super) fn document<'v>(
    sql: &mut Sql<'v>,
    column: &'static str,
    path: &'v DocumentPath,
    predicate: &'v Predicate,
) -> Result<()> {
    sql.push(ANY).push("(SELECT ").text_in_document(column, path).push(" AS value) AS item WHERE ");
    text(sql, Column::optional("item.value"), predicate)?;
    sql.push(IS_SOME);
    Ok(())
}

/// An order clause by the text at `path` inside the document in `column`; what lacks it comes last.
pub(super) fn document_order<'v>(
    sql: &mut Sql<'v>,
    column: &'static str,
    path: &'v DocumentPath,
    direction: Direction,
) {
    sql.text_in_document(column, path).direction(direction).push(" NULLS LAST");
}

/// A comparison of a stored metric value. One that is not a number differs from every number and is in no order.
pub(super) fn number<'v>(
    sql: &mut Sql<'v>,
    is_nan: &'static str,
    value: &'static str,
    predicate: &'v Predicate,
) -> Result<()> {
    let Predicate::Number(comparison, number) = predicate else {
        return Err(Error::invalid("a metric can only be compared with a number"));
    };
    match (comparison, number.is_nan()) {
        (Comparison::NotEqual, true) => sql.push("TRUE"),
        (_, true) => sql.push("FALSE"),
        (Comparison::NotEqual, false) => {
            sql.push("(").push(is_nan).push(" = 1 OR ").push(value).push(" <> ").bind(*number).push(")")
        }
        (_, false) => sql.push(is_nan).push(" = 0 AND ").push(value).push(operator(*comparison)).bind(*number),
    };
    Ok(())
}

pub(super) fn operator(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => " = ",
        Comparison::NotEqual => " <> ",
        Comparison::Greater => " > ",
        Comparison::GreaterOrEqual => " >= ",
        Comparison::Less => " < ",
        Comparison::LessOrEqual => " <= ",
    }
}

fn guarded<'v>(
    sql: &mut Sql<'v>,
    column: Column,
    predicate: &Predicate,
    test: impl FnOnce(&mut Sql<'v>, &'static str) -> Result<()>,
) -> Result<()> {
    if !column.optional || matches!(predicate, Predicate::IsNull | Predicate::IsNotNull) {
        return test(sql, column.name);
    }
    sql.push("(").push(column.name).push(" IS NOT NULL AND ");
    test(sql, column.name)?;
    sql.push(")");
    Ok(())
}

fn null_test<'v>(sql: &mut Sql<'v>, column: &'static str, predicate: &Predicate) -> Result<()> {
    sql.push(column).push(if *predicate == Predicate::IsNull { " IS NULL" } else { " IS NOT NULL" });
    Ok(())
}

/// Compares a column of integers with any double, without rounding either.
fn compare_integer(sql: &mut Sql<'_>, column: &'static str, comparison: Comparison, number: f64) {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    // The first double above every i64; its negative is the least i64.
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    let decided = if number.is_nan() {
        Some(comparison == NotEqual)
    } else if number >= BEYOND {
        Some(matches!(comparison, Less | LessOrEqual | NotEqual))
    } else if number < -BEYOND {
        Some(matches!(comparison, Greater | GreaterOrEqual | NotEqual))
    } else if number.fract() != 0.0 && matches!(comparison, Equal | NotEqual) {
        Some(comparison == NotEqual)
    } else {
        None
    };
    if let Some(decided) = decided {
        sql.push(if decided { "TRUE" } else { "FALSE" });
        return;
    }
    let comparison = match comparison {
        _ if number.fract() == 0.0 => comparison,
        Greater | GreaterOrEqual => Greater,
        Less | LessOrEqual => LessOrEqual,
        Equal | NotEqual => comparison,
    };
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked and the fraction cut off")]
    let whole = number.floor() as i64;
    sql.push(column).push(operator(comparison)).bind(whole);
}
