use stele_domain::Result;
use stele_domain::search::{Direction, DocumentPath, Field, Filter, Predicate, Window};

use crate::engine::{EngineKind, Value, list};

/// A statement under construction: text of this program, and values from outside, which are only ever bound.
pub(super) struct Sql<'v> {
    engine: EngineKind,
    text: String,
    values: Vec<Value<'v>>,
}

/// Writes one predicate on one field.
pub(super) type WriteTest<'v> = fn(&mut Sql<'v>, &'v Field, &'v Predicate) -> Result<()>;

impl<'v> Sql<'v> {
    pub(super) fn new(engine: EngineKind) -> Sql<'v> {
        Sql { engine, text: String::with_capacity(512), values: Vec::new() }
    }

    /// The text and the values to bind to it.
    pub(super) fn finish(self) -> (String, Vec<Value<'v>>) {
        (self.text, self.values)
    }

    pub(super) fn push(&mut self, text: &'static str) -> &mut Sql<'v> {
        self.text.push_str(text);
        self
    }

    /// The name of the table joined for the order clause at `index`.
    pub(super) fn alias(&mut self, index: usize) -> &mut Sql<'v> {
        self.text.push_str("order_");
        self.text.push_str(&index.to_string());
        self
    }

    pub(super) fn bind(&mut self, value: impl Into<Value<'v>>) -> &mut Sql<'v> {
        self.values.push(value.into());
        self.text.push('$');
        self.text.push_str(&self.values.len().to_string());
        self
    }

    pub(super) fn is_one_of_ints(&mut self, items: impl IntoIterator<Item = i64>) -> &mut Sql<'v> {
        self.values.push(list(items));
        self.text.push_str(&self.engine.is_one_of_ints(self.values.len()));
        self
    }

    pub(super) fn is_one_of_texts(&mut self, items: &[String]) -> &mut Sql<'v> {
        self.values.push(list(items.iter().map(String::as_str)));
        self.text.push_str(&self.engine.is_one_of_texts(self.values.len()));
        self
    }

    /// Begins a condition on whether a text, whose SQL comes next, has another inside; see [`Sql::end_of_contains`].
    pub(super) fn begin_contains(&mut self) -> &mut Sql<'v> {
        self.push(match self.engine {
            EngineKind::Sqlite => "instr(",
            EngineKind::Postgres => "strpos(",
        })
    }

    /// Between a text and a regular expression.
    pub(super) fn matches_operator(&mut self) -> &mut Sql<'v> {
        self.push(match self.engine {
            EngineKind::Sqlite => " REGEXP ",
            EngineKind::Postgres => " ~ ",
        })
    }

    /// The text at `path` inside the document in `column`, or NULL.
    pub(super) fn text_in_document(&mut self, column: &'static str, path: &'v DocumentPath) -> &mut Sql<'v> {
        let DocumentPath(names) = path;
        match self.engine {
            EngineKind::Sqlite => {
                // Quotes have no escape in such a path, so what has one finds nothing.
                let steps: String = names.iter().map(|name| format!(".\"{}\"", name.replace('"', ""))).collect();
                self.push("CAST(json_extract(").push(column).push(", ").bind(format!("${steps}")).push(") AS TEXT)")
            }
            EngineKind::Postgres => {
                let steps = names.join("\u{1f}");
                self.push("(CAST(").push(column).push(" AS jsonb) #>> string_to_array(CAST(").bind(steps);
                self.push(" AS text), chr(31))) COLLATE \"C\"")
            }
        }
    }

    pub(super) fn like_suffix(&mut self) -> &mut Sql<'v> {
        self.text.push_str(self.engine.like_suffix());
        self
    }

    pub(super) fn direction(&mut self, direction: Direction) -> &mut Sql<'v> {
        self.push(match direction {
            Direction::Ascending => " ASC",
            Direction::Descending => " DESC",
        })
    }

    /// One row more than the window holds, which tells whether there is a next page.
    pub(super) fn window(&mut self, window: Window) -> &mut Sql<'v> {
        self.push(" LIMIT ").bind(window.limit + 1);
        if window.offset > 0 {
            self.push(" OFFSET ").bind(window.offset);
        }
        self
    }

    /// A condition that is true or false, never unknown, as long as those of `test` are.
    pub(super) fn filter(&mut self, filter: &'v Filter, test: WriteTest<'v>) -> Result<()> {
        match filter {
            Filter::All => self.push("TRUE"),
            Filter::And(parts) if parts.is_empty() => self.push("TRUE"),
            Filter::Or(parts) if parts.is_empty() => self.push("FALSE"),
            Filter::And(parts) => return self.joined(parts, " AND ", test),
            Filter::Or(parts) => return self.joined(parts, " OR ", test),
            Filter::Not(part) => {
                self.push("NOT (");
                self.filter(part, test)?;
                self.push(")")
            }
            Filter::Test(field, predicate) => return test(self, field, predicate),
        };
        Ok(())
    }

    fn joined(&mut self, parts: &'v [Filter], operator: &'static str, test: WriteTest<'v>) -> Result<()> {
        self.push("(");
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                self.push(operator);
            }
            self.filter(part, test)?;
        }
        self.push(")");
        Ok(())
    }
}
