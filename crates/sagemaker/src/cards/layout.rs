//! Breaks text into lines and lines into pages. Lengths are points, from the top left corner.

use ttf_parser::Face;

pub(super) const WIDTH: f32 = 595.0;
pub(super) const HEIGHT: f32 = 842.0;
pub(super) const MARGIN: f32 = 56.0;

/// How far the deepest part of a card is set in, in steps.
const DEEPEST: usize = 8;
const STEP: f32 = 12.0;
const LABELS: f32 = 150.0;
const LEAST_LABEL: f32 = 84.0;
const BODY: f32 = 9.5;
const SPACING: f32 = 1.4;

/// The most pages of a document.
const MOST_PAGES: usize = 500;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Text,
    Quiet,
    Title,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mark {
    Text { x: f32, baseline: f32, size: f32, is_bold: bool, ink: Ink, text: String },
    Line { x: f32, y: f32, width: f32 },
}

/// A title that waits for what stands below it, since no title is the last line of a page.
struct Heading {
    text: String,
    x: f32,
    size: f32,
    ink: Ink,
    above: f32,
    below: f32,
    is_underlined: bool,
}

/// What stands on the pages.
pub(super) struct Layout<'f> {
    waiting: Vec<Heading>,
    regular: Face<'f>,
    bold: Face<'f>,
    pages: Vec<Vec<Mark>>,
    y: f32,
}

impl<'f> Layout<'f> {
    pub(super) fn new(regular: Face<'f>, bold: Face<'f>) -> Layout<'f> {
        Layout { waiting: Vec::new(), regular, bold, pages: vec![Vec::new()], y: MARGIN }
    }

    /// The pages, unless they are too many.
    pub(super) fn pages(mut self) -> Result<Vec<Vec<Mark>>, String> {
        self.write_headings(0.0);
        match self.pages.len() > MOST_PAGES {
            true => Err(format!("the card has more than {MOST_PAGES} pages")),
            false => Ok(self.pages),
        }
    }

    pub(super) fn title(&mut self, title: &str, below: &str) {
        self.text(title, MARGIN, WIDTH - 2.0 * MARGIN, 20.0, true, Ink::Title);
        self.y += 4.0;
        self.text(below, MARGIN, WIDTH - 2.0 * MARGIN, BODY, false, Ink::Quiet);
        self.y += 6.0;
    }

    pub(super) fn section(&mut self, title: &str) {
        // One without anything in it is said all the same.
        self.write_headings(0.0);
        let (text, x, size, ink) = (title.to_owned(), MARGIN, 13.0, Ink::Title);
        self.waiting.push(Heading { text, x, size, ink, above: 14.0, below: 6.0, is_underlined: true });
    }

    pub(super) fn heading(&mut self, title: &str, depth: usize) {
        let (text, x, size, ink) = (title.to_owned(), indent(depth), 10.0, Ink::Text);
        self.waiting.push(Heading { text, x, size, ink, above: 5.0, below: 1.0, is_underlined: false });
    }

    /// Writes the titles that wait, on the page that has room for them and for what comes next, or on a new one.
    fn write_headings(&mut self, next: f32) {
        let waiting = std::mem::take(&mut self.waiting);
        let height = |heading: &Heading| {
            let lines = self.broken(&heading.text, WIDTH - MARGIN - heading.x, heading.size, true).len();
            (0..lines).map(|_| heading.size * SPACING).sum::<f32>() + heading.above + heading.below
        };
        let whole: f32 = waiting.iter().map(height).sum();
        if !waiting.is_empty() {
            self.make_room(whole + next);
        }
        for Heading { text, x, size, ink, above, below, is_underlined } in waiting {
            // Nothing stands above the first line of a page.
            if self.y > MARGIN {
                self.y += above;
            }
            self.text(&text, x, WIDTH - MARGIN - x, size, true, ink);
            if is_underlined {
                self.line();
            }
            self.y += below;
        }
    }

    pub(super) fn paragraph(&mut self, text: &str, depth: usize) {
        self.write_headings(BODY * SPACING);
        let x = indent(depth);
        self.text(text, x, WIDTH - MARGIN - x, BODY, false, Ink::Text);
        self.y += 2.0;
    }

    /// A label with its value beside it.
    pub(super) fn field(&mut self, label: &str, value: &str, depth: usize) {
        self.write_headings(BODY * SPACING);
        let x = indent(depth);
        let value = if value.is_empty() { "–" } else { value };
        // Values stand below each other, as long as there is room for labels.
        let values = (MARGIN + LABELS).max(x + LEAST_LABEL);
        self.row(&[label, value], &[x, values], &[values - x - 8.0, WIDTH - MARGIN - values], Ink::Quiet, false);
        self.y += 2.0;
    }

    pub(super) fn table(&mut self, columns: &[String], rows: &[Vec<String>], depth: usize) {
        let left = indent(depth);
        let widths = self.widths(columns, rows, WIDTH - MARGIN - left);
        let mut x = left;
        let mut places = Vec::with_capacity(widths.len());
        for width in &widths {
            places.push(x);
            x += width;
        }
        let inner: Vec<f32> = widths.iter().map(|width| width - 8.0).collect();
        fn texts(row: &[String]) -> Vec<&str> {
            row.iter().map(String::as_str).collect()
        }
        self.write_headings(BODY * SPACING * 2.0 + 6.0);
        self.y += 2.0;
        let mut page = 0;
        for row in rows {
            // The columns are named again on each page.
            self.make_room(BODY * SPACING * 2.0 + 4.0);
            if page != self.pages.len() {
                self.row(&texts(columns), &places, &inner, Ink::Text, true);
                self.line_from(left);
                self.y += 3.0;
                page = self.pages.len();
            }
            self.row(&texts(row), &places, &inner, Ink::Text, false);
            self.y += 1.0;
        }
        self.y += 4.0;
    }

    /// Columns as wide as their longest text wants, cut down together when that is too much.
    fn widths(&self, columns: &[String], rows: &[Vec<String>], room: f32) -> Vec<f32> {
        let mut wanted: Vec<f32> = columns.iter().map(|column| self.width(column, BODY, true)).collect();
        for row in rows {
            for (wanted, cell) in wanted.iter_mut().zip(row) {
                let longest = cell.lines().map(|line| self.width(line, BODY, false)).fold(0.0, f32::max);
                *wanted = wanted.max(longest);
            }
        }
        for wanted in &mut wanted {
            *wanted = (*wanted + 12.0).clamp(48.0, room * 0.6);
        }
        let whole: f32 = wanted.iter().sum();
        let scale = if whole > room { room / whole } else { 1.0 };
        wanted.into_iter().map(|wanted| wanted * scale).collect()
    }

    /// Cells beside each other, which go on together on the next page.
    fn row(&mut self, cells: &[&str], places: &[f32], widths: &[f32], first: Ink, is_bold: bool) {
        let lines: Vec<Vec<String>> =
            cells.iter().zip(widths).map(|(cell, width)| self.broken(cell, *width, BODY, is_bold)).collect();
        let most = lines.iter().map(Vec::len).max().unwrap_or(0);
        for number in 0..most {
            self.make_room(BODY * SPACING);
            let baseline = self.y + BODY;
            for (column, (lines, x)) in lines.iter().zip(places).enumerate() {
                let Some(text) = lines.get(number).filter(|text| !text.is_empty()) else { continue };
                let ink = if column == 0 { first } else { Ink::Text };
                self.mark(Mark::Text { x: *x, baseline, size: BODY, is_bold, ink, text: text.clone() });
            }
            self.y += BODY * SPACING;
        }
    }

    fn text(&mut self, text: &str, x: f32, width: f32, size: f32, is_bold: bool, ink: Ink) {
        for text in self.broken(text, width, size, is_bold) {
            self.make_room(size * SPACING);
            self.mark(Mark::Text { x, baseline: self.y + size, size, is_bold, ink, text });
            self.y += size * SPACING;
        }
    }

    fn line(&mut self) {
        self.line_from(MARGIN);
    }

    fn line_from(&mut self, x: f32) {
        self.mark(Mark::Line { x, y: self.y, width: WIDTH - MARGIN - x });
    }

    fn make_room(&mut self, height: f32) {
        if self.y + height > HEIGHT - MARGIN && self.y > MARGIN {
            // Beyond the most pages nothing is kept, and the document is refused.
            if self.pages.len() <= MOST_PAGES {
                self.pages.push(Vec::new());
            }
            self.y = MARGIN;
        }
    }

    fn mark(&mut self, mark: Mark) {
        if self.pages.len() <= MOST_PAGES
            && let Some(page) = self.pages.last_mut()
        {
            page.push(mark);
        }
    }

    /// Lines of at most a width, broken between words, and inside of words that are wider.
    fn broken(&self, text: &str, width: f32, size: f32, is_bold: bool) -> Vec<String> {
        let mut lines = Vec::new();
        for paragraph in text.lines() {
            let mut line = String::new();
            for word in paragraph.split_whitespace() {
                let word: String = word.chars().map(|c| self.shown(c, is_bold)).collect();
                let joined = if line.is_empty() { word.clone() } else { format!("{line} {word}") };
                if self.width(&joined, size, is_bold) <= width {
                    line = joined;
                    continue;
                }
                if !line.is_empty() {
                    lines.push(std::mem::take(&mut line));
                }
                let mut used = 0.0;
                for c in word.chars() {
                    let advance = self.advance(c, size, is_bold);
                    if used + advance > width && !line.is_empty() {
                        lines.push(std::mem::take(&mut line));
                        used = 0.0;
                    }
                    line.push(c);
                    used += advance;
                }
            }
            lines.push(line);
        }
        lines
    }

    /// The character, or the one that stands for what the fonts do not have.
    fn shown(&self, c: char, is_bold: bool) -> char {
        match self.face(is_bold).glyph_index(c) {
            Some(_) if !c.is_control() => c,
            _ => '\u{fffd}',
        }
    }

    fn width(&self, text: &str, size: f32, is_bold: bool) -> f32 {
        text.chars().map(|c| self.advance(c, size, is_bold)).sum()
    }

    fn advance(&self, c: char, size: f32, is_bold: bool) -> f32 {
        let face = self.face(is_bold);
        let advance = face.glyph_index(c).and_then(|glyph| face.glyph_hor_advance(glyph)).unwrap_or(0);
        f32::from(advance) * size / f32::from(face.units_per_em())
    }

    fn face(&self, is_bold: bool) -> &Face<'f> {
        if is_bold { &self.bold } else { &self.regular }
    }
}

fn indent(depth: usize) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "it is at most eight")]
    let steps = depth.min(DEEPEST) as f32;
    MARGIN + steps * STEP
}
