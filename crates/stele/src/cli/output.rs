//! What commands print: data on standard output, as tables for people and JSON for programs; talk on standard error.

use std::io::{self, IsTerminal, Write};

use console::{Term, style};
use serde::Serialize;

use super::human;
use super::table::Table;

/// Where a command prints to, and how.
pub(crate) struct Output {
    json: bool,
    /// The columns of the terminal; `None` when standard output is no terminal, so that nothing is cut.
    width: Option<usize>,
}

impl Output {
    pub(crate) fn new(json: bool) -> Output {
        let term = Term::stdout();
        let width = io::stdout().is_terminal().then(|| usize::from(term.size().1));
        Output { json, width }
    }

    /// Whether a program reads the output, which then has to be one JSON document.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// The columns that there are, when somebody looks.
    pub(crate) fn width(&self) -> Option<usize> {
        self.width
    }

    /// Prints one JSON document.
    pub(crate) fn json(&self, document: &impl Serialize) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, document).map_err(io::Error::from)?;
        writeln!(out)?;
        out.flush()?;
        Ok(())
    }

    /// Prints text as it is; no line end is added.
    pub(crate) fn text(&self, text: &str) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()?;
        Ok(())
    }

    pub(crate) fn table(&self, table: &Table) -> anyhow::Result<()> {
        self.text(&table.render(self.width))
    }

    /// A table of all the things of a kind that there are; says so if there are none.
    pub(crate) fn all(&self, table: &Table, thing: &str) -> anyhow::Result<()> {
        self.table(table)?;
        if table.is_empty() {
            self.say(format_args!("there are no {} to show", human::plural(thing)));
        }
        Ok(())
    }

    /// Says on standard error what was done or is missing; a program that reads JSON is spared.
    pub(crate) fn say(&self, text: impl std::fmt::Display) {
        if !self.json {
            eprintln!("{text}");
        }
    }

    /// Says that something was done: `deleted run 7f..`.
    pub(crate) fn done(&self, text: impl std::fmt::Display) {
        self.say(format_args!("{} {text}", style("done:").for_stderr().green().bold()));
    }

    #[allow(dead_code, reason = "what imports leave out is told so")]
    /// Says, even to a program, that not all went as asked.
    pub(crate) fn warn(&self, text: impl std::fmt::Display) {
        eprintln!("{} {text}", style("warning:").for_stderr().yellow().bold());
    }
}
