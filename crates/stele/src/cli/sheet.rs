//! One thing, field by field, under headings.

use std::collections::BTreeMap;
use std::fmt::Write;

use console::{measure_text_width, style, truncate_str};

use super::{human, table::Table};

/// Text that grows: a title, lines of name and value, tables under headings.
pub(super) struct Sheet {
    text: String,
    /// How wide the terminal is.
    width: Option<usize>,
}

impl Sheet {
    pub(super) fn new(width: Option<usize>, title: &str) -> Sheet {
        let title = style(human::harmless(title)).bold();
        Sheet { text: format!("{title}\n"), width }
    }

    /// Lines of name and value; a value that is empty is left out.
    pub(super) fn fields(&mut self, fields: &[(&str, String)]) {
        let given = || fields.iter().filter(|(_, value)| !value.is_empty());
        let width = given().map(|(name, _)| measure_text_width(name)).max().unwrap_or(0);
        for (name, value) in given() {
            self.line(name, value, width, false);
        }
    }

    /// A heading with lines of key and value; nothing if there are none. Long values are cut on a terminal.
    pub(super) fn values(&mut self, heading: &str, values: &BTreeMap<String, String>) {
        if values.is_empty() {
            return;
        }
        self.heading(heading);
        // One long key must not push all values out of sight.
        const WIDEST_KEY: usize = 32;
        let width = values.keys().map(|key| measure_text_width(key)).max().unwrap_or(0).min(WIDEST_KEY);
        for (key, value) in values {
            self.line(key, value, width, true);
        }
    }

    fn line(&mut self, name: &str, value: &str, width: usize, cut: bool) {
        let (name, value) = (human::harmless(name), human::harmless(value));
        let padding = " ".repeat(width.saturating_sub(measure_text_width(&name)));
        let room = self.width.map(|columns| columns.saturating_sub(4 + width.max(measure_text_width(&name))));
        let value = match room {
            Some(room) if cut => truncate_str(&value, room.max(16), "…"),
            _ => value.as_str().into(),
        };
        // Writing to a text cannot fail.
        let _ = writeln!(self.text, "  {}{padding}  {value}", style(name).dim());
    }

    pub(super) fn table(&mut self, heading: &str, table: &Table) {
        if table.is_empty() {
            return;
        }
        self.heading(heading);
        for line in table.render(self.width.map(|columns| columns.saturating_sub(2))).lines() {
            let _ = writeln!(self.text, "  {line}");
        }
    }

    fn heading(&mut self, heading: &str) {
        let _ = writeln!(self.text, "\n{}", style(heading).bold());
    }

    /// A line about what is not shown.
    pub(super) fn remark(&mut self, text: &str) {
        let _ = writeln!(self.text, "\n{}", style(text).dim());
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }
}
