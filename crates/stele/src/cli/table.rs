//! Tables without lines: a dim heading, columns as wide as their widest cell. Where the terminal is too narrow, the
//! columns that may shrink are cut with `…`; ids never are, since a cut id cannot be copied.

use console::{Alignment, Style, measure_text_width, pad_str, truncate_str};

use super::human;

/// Between two columns.
const GAP: &str = "  ";

/// What a column that shrinks keeps at least.
const LEAST: usize = 4;

/// What it has to keep before columns that can be spared give way.
const TELLING: usize = 12;

pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// One column: its heading, and how its cells stand.
#[derive(Clone)]
pub(crate) struct Column {
    title: String,
    alignment: Alignment,
    shrinks: bool,
    /// Left out where the terminal is too narrow for all.
    spare: bool,
}

impl Column {
    /// For ids and other things that must stay whole.
    pub(crate) fn whole(title: impl Into<String>) -> Column {
        Column { title: human::harmless(&title.into()), alignment: Alignment::Left, shrinks: false, spare: false }
    }

    /// For names and texts, which are cut when the terminal is narrow, and left out when all of them are empty.
    pub(crate) fn text(title: impl Into<String>) -> Column {
        Column { shrinks: true, ..Column::whole(title) }
    }

    pub(crate) fn number(title: impl Into<String>) -> Column {
        Column { alignment: Alignment::Right, ..Column::whole(title) }
    }

    /// The same for what can be done without: it is left out where texts would be cut to little, the last first.
    #[must_use]
    pub(crate) fn spare(self) -> Column {
        Column { spare: true, ..self }
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
        if self.rows.is_empty() {
            return self.lines(width);
        }
        let mut table = self.compact();
        while let Some(width) = width
            && table.least_width() > width
            && let Some(spare) = table.columns.iter().rposition(|column| column.spare)
        {
            table = table.only(|index| index != spare);
        }
        table.lines(width)
    }

    fn lines(&self, width: Option<usize>) -> String {
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

    /// Without the columns of texts that are all empty.
    fn compact(&self) -> Table {
        self.only(|index| !self.columns[index].shrinks || self.rows.iter().any(|row| !row[index].text.is_empty()))
    }

    fn only(&self, keeps: impl Fn(usize) -> bool) -> Table {
        let kept: Vec<usize> = (0..self.columns.len()).filter(|index| keeps(*index)).collect();
        let columns = kept.iter().map(|index| self.columns[*index].clone()).collect();
        let rows = self.rows.iter().map(|row| kept.iter().map(|index| row[*index].clone()).collect()).collect();
        Table { columns, rows }
    }

    /// How wide the table is when no text is cut to less than one can tell it by.
    fn least_width(&self) -> usize {
        let least = |(width, column): (usize, &Column)| if column.shrinks { width.min(TELLING) } else { width };
        let widths: usize = self.widths(None).into_iter().zip(&self.columns).map(least).sum();
        widths + GAP.len() * self.columns.len().saturating_sub(1)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[[&str; 4]]) -> Table {
        let columns = [Column::whole("ID"), Column::text("NAME"), Column::number("SIZE"), Column::text("TAGS")];
        let mut table = Table::new(columns);
        for row in rows {
            table.row(row.map(Cell::from));
        }
        table
    }

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        let shown = table(&[["a1", "short", "5", "x"], ["b22", "a longer name", "1234", ""]]).render(None);
        assert_eq!(
            console::strip_ansi_codes(&shown),
            "ID   NAME           SIZE  TAGS\na1   short             5  x\nb22  a longer name  1234\n"
        );
    }

    #[test]
    fn ids_stay_whole_where_names_are_cut() {
        let shown = table(&[["0123456789", "a longer name", "1", "many tags that are long"]]).render(Some(30));
        let shown = console::strip_ansi_codes(&shown).into_owned();
        assert!(shown.lines().all(|line| measure_text_width(line) <= 30), "{shown}");
        assert!(shown.contains("0123456789") && shown.contains('…'), "{shown}");
    }

    #[test]
    fn what_can_be_spared_gives_way_before_texts_are_cut_to_little() {
        let columns =
            [Column::whole("ID"), Column::text("NAME"), Column::whole("FROM").spare(), Column::number("N").spare()];
        let mut table = Table::new(columns);
        table.row(["0123456789", "a name that is long", "127.0.0.1", "12345"].map(Cell::from));
        let heading = |width| {
            let shown = table.render(Some(width));
            assert!(console::strip_ansi_codes(&shown).lines().all(|line| measure_text_width(line) <= width), "{shown}");
            let line = console::strip_ansi_codes(&shown).lines().next().map(str::to_owned).unwrap_or_default();
            line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(heading(80), ["ID", "NAME", "FROM", "N"]);
        assert_eq!(heading(42), ["ID", "NAME", "FROM", "N"]);
        assert_eq!(heading(41), ["ID", "NAME", "FROM"]);
        assert_eq!(heading(34), ["ID", "NAME"]);
        assert_eq!(heading(20), ["ID", "NAME"]);
    }

    #[test]
    fn wide_characters_count_twice_and_empty_columns_are_left_out() {
        let shown = table(&[["1", "日本", "1", ""], ["2", "a", "2", ""]]).render(None);
        assert_eq!(console::strip_ansi_codes(&shown), "ID  NAME  SIZE\n1   日本     1\n2   a        2\n");
        assert_eq!(console::strip_ansi_codes(&table(&[]).render(None)), "ID  NAME  SIZE  TAGS\n");
    }
}
