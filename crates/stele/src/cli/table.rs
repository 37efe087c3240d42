//! Tables without lines: a dim heading, columns as wide as their widest cell. Where the terminal is too narrow, the
//! columns that may shrink are cut with `…`; ids never are, since a cut id cannot be copied.

use console::{Alignment, Style, measure_text_width, pad_str, truncate_str};

use super::human;

/// Between two columns.
const GAP: &str = "  ";

/// What a column that shrinks keeps at least.
const LEAST: usize = 8;

pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// One column: its heading, and how its cells stand.
pub(crate) struct Column {
    title: String,
    alignment: Alignment,
    shrinks: bool,
}

impl Column {
    /// For ids and other things that must stay whole.
    pub(crate) fn whole(title: impl Into<String>) -> Column {
        Column { title: human::harmless(&title.into()), alignment: Alignment::Left, shrinks: false }
    }

    /// For names and texts, which are cut when the terminal is narrow.
    pub(crate) fn text(title: impl Into<String>) -> Column {
        Column { shrinks: true, ..Column::whole(title) }
    }

    pub(crate) fn number(title: impl Into<String>) -> Column {
        Column { alignment: Alignment::Right, ..Column::whole(title) }
    }
}

/// One cell: a line of text, possibly in a colour.
#[derive(Clone)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// What a client stored is cleaned, so that it cannot steer the terminal.
    pub(crate) fn styled(text: impl AsRef<str>, style: Style) -> Cell {
        Cell { text: human::harmless(text.as_ref()), style }
    }

    /// For what matters less.
    pub(crate) fn dim(text: impl AsRef<str>) -> Cell {
        Cell::styled(text, Style::new().dim())
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell::styled(text, Style::new())
    }
}

impl Table {
    pub(crate) fn new(columns: impl IntoIterator<Item = Column>) -> Table {
        Table { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row of as many cells as there are columns.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How wide the table is when nothing is cut.
    pub(crate) fn natural_width(&self) -> usize {
        let widths = self.widths(None);
        widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1)
    }

    /// The table as text, for a terminal of `width` columns or for a file.
    pub(crate) fn render(&self, width: Option<usize>) -> String {
        let widths = self.widths(width);
        let titles: Vec<Cell> = self.columns.iter().map(|column| Cell::dim(&column.title)).collect();
        let mut text = String::new();
        for row in std::iter::once(&titles).chain(&self.rows) {
            text.push_str(&self.line(row, &widths));
            text.push('\n');
        }
        text
    }

    fn line(&self, row: &[Cell], widths: &[usize]) -> String {
        let last = row.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or(0);
        let mut line = String::new();
        for (index, ((column, cell), width)) in self.columns.iter().zip(row).zip(widths).take(last + 1).enumerate() {
            if index > 0 {
                line.push_str(GAP);
            }
            let shown = truncate_str(&cell.text, *width, "…");
            let ends_line = index == last && column.alignment == Alignment::Left;
            let width = if ends_line { 0 } else { *width };
            line.push_str(&cell.style.apply_to(pad_str(&shown, width, column.alignment, None)).to_string());
        }
        line
    }

    fn widths(&self, most: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(|column| measure_text_width(&column.title)).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(measure_text_width(&cell.text));
            }
        }
        let Some(most) = most else { return widths };
        let gaps = GAP.len() * widths.len().saturating_sub(1);
        // The widest gives way first, so that short texts stay whole.
        while widths.iter().sum::<usize>() + gaps > most {
            let shrinking = widths.iter_mut().zip(&self.columns).filter(|(_, column)| column.shrinks);
            match shrinking.map(|(width, _)| width).max_by_key(|width| **width) {
                Some(widest) if *widest > LEAST => *widest -= 1,
                _ => break,
            }
        }
        widths
    }
}
