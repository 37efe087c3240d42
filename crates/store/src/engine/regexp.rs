//! SQLite's operator `REGEXP`, which calls a function that it does not bring along.

use regex::{Regex, RegexBuilder};
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::{Connection, Error};

/// The most bytes of a compiled expression.
const LARGEST: usize = 1 << 20;

/// Makes `text REGEXP expression` true where a part of the text fits. It takes time in proportion to the text, whatever
/// the expression.
pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("regexp", 2, flags, |context: &Context| {
        // SQLite keeps what belongs to a constant argument from row to row.
        let expression = context.get_or_create_aux(0, |value| {
            let expression = value.as_str()?;
            RegexBuilder::new(expression)
                .size_limit(LARGEST)
                .build()
                .map_err(Box::<dyn std::error::Error + Send + Sync>::from)
        });
        let expression: std::sync::Arc<Regex> = expression?;
        let text = context.get_raw(1);
        Ok::<_, Error>(text.as_str_or_null()?.is_some_and(|text| expression.is_match(text)))
    })
}
