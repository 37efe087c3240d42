use stele_domain::Result;
use stele_domain::authz::Visibility;
use stele_domain::search::{Direction, DocumentPath, Field, Filter, Predicate, Window};

use crate::engine::{EngineKind, Value, list};

/// A statement under construction: text of this program, and values from outside, which are only ever bound.
pub(super) struct Sql<'v> {
    engine: EngineKind,
    text: String,
    values: Vec<Value<'v>>,
}

/// The characters of a text that the indexes of PostgreSQL hold.
const INDEXED: usize = 100;

impl EngineKind {
    /// What the indexes over texts hold of a text.
    fn indexed(self, text: &str) -> &str {
        match self {
            EngineKind::Sqlite => text,
            EngineKind::Postgres => text.char_indices().nth(INDEXED).map_or(text, |(end, _)| &text[..end]),
        }
    }
}

/// Whether there may be more of a text than an index of PostgreSQL holds.
pub(super) fn is_long(text: &str) -> bool {
    text.chars().nth(INDEXED - 1).is_some()
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

    /// A select of numbers.
    pub(super) fn select_ints(&mut self, items: impl IntoIterator<Item = i64>) -> &mut Sql<'v> {
        self.values.push(list(items));
        self.text.push_str(&self.engine.select_ints(self.values.len()));
        self
    }

    pub(super) fn is_one_of_texts(&mut self, items: &[String]) -> &mut Sql<'v> {
        self.values.push(list(items.iter().map(String::as_str)));
        self.text.push_str(&self.engine.is_one_of_texts(self.values.len()));
        self
    }

    /// What the indexes over texts hold of a column.
    pub(super) fn indexed(&mut self, column: &'static str) -> &mut Sql<'v> {
        match self.engine {
            EngineKind::Sqlite => self.push(column),
            EngineKind::Postgres => self.push("substr(").push(column).push(", 1, 100)"),
        }
    }

    /// Binds what the indexes over texts hold of a text.
    pub(super) fn bind_indexed(&mut self, text: &'v str) -> &mut Sql<'v> {
        self.bind(self.engine.indexed(text))
    }

    /// As [`Sql::is_one_of_texts`], by what the indexes over texts hold of each.
    pub(super) fn is_one_of_indexed(&mut self, items: &[String]) -> &mut Sql<'v> {
        let engine = self.engine;
        self.values.push(list(items.iter().map(|item| engine.indexed(item))));
        self.text.push_str(&engine.is_one_of_texts(self.values.len()));
        self
    }

    /// Whether the indexes may hold less than the whole of a text.
    pub(super) fn is_cut(&self, text: &str) -> bool {
        self.engine == EngineKind::Postgres && is_long(text)
    }

    /// Writes an order by a column in the order of the index over it.
    pub(super) fn in_indexed_order(&mut self, column: &'static str, direction: Direction) -> &mut Sql<'v> {
        self.indexed(column).direction(direction);
        if self.engine == EngineKind::Postgres {
            self.push(", ").push(column).direction(direction);
        }
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

    /// Requires, for those who do not see the whole workspace, that `column` is an experiment that they see.
    pub(super) fn experiment_seen(&mut self, visible: &Visibility, column: &'static str) -> &mut Sql<'v> {
        let Some(experiments) = visible.extent().experiments() else { return self };
        self.push(column).push(" ").is_one_of_ints(experiments.iter().map(|id| id.0)).push(" AND ")
    }

    /// As [`Sql::experiment_seen`], for a column with the name of a model.
    pub(super) fn model_seen(&mut self, visible: &Visibility, column: &'static str) -> &mut Sql<'v> {
        let Some(models) = visible.extent().models() else { return self };
        self.push(column).push(" ").is_one_of_texts(models).push(" AND ")
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
