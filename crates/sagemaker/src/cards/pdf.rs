//! A model card as a PDF document.

use krilla::Document;
use krilla::color::rgb;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::Metadata;
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::Fill;
use krilla::surface::Surface;
use krilla::text::{Font, TextDirection};
use serde_json::{Map, Value};
use ttf_parser::Face;

use super::content;
use super::layout::{HEIGHT, Ink, Layout, MARGIN, Mark, WIDTH};

/// What is told of a card besides its content.
pub(super) struct Card {
    pub(super) name: String,
    pub(super) version: i64,
    pub(super) status: String,
    pub(super) times: Times,
    pub(super) content: Map<String, Value>,
}

/// When what happened to a card, as people write it.
pub(super) struct Times {
    pub(super) created: String,
    /// Of the version.
    pub(super) changed: String,
    pub(super) exported: String,
}

/// Sets a card on pages of A4; says why it cannot.
pub(super) fn render(card: &Card) -> Result<Vec<u8>, String> {
    let Card { name, version, status, times: Times { created, changed, exported }, content: parts } = card;
    let (regular, bold) = (dejavu::sans::regular(), dejavu::sans::bold());
    let face = |bytes| Face::parse(bytes, 0).map_err(|error| format!("a font cannot be read: {error}"));
    let font = |bytes: &'static [u8]| Font::new(bytes.into(), 0).ok_or("a font cannot be used");
    let mut layout = Layout::new(face(regular)?, face(bold)?);
    layout.title(name, &format!("Model card, version {version}"));
    let facts = [("Status", status), ("Created", created), ("Last modified", changed), ("Exported", exported)];
    facts.into_iter().for_each(|(label, value)| layout.field(label, value, 0));
    content::write(parts, &mut layout);
    let pages = layout.pages()?;
    let (regular, bold) = (font(regular)?, font(bold)?);
    let mut document = Document::new();
    document.set_metadata(Metadata::new().title(format!("{name}, version {version}")).language("en".to_owned()));
    let count = pages.len();
    for (number, marks) in (1..).zip(&pages) {
        let settings = PageSettings::from_wh(WIDTH, HEIGHT).ok_or("a page has no size")?;
        let mut page = document.start_page_with(settings);
        let mut surface = page.surface();
        for mark in marks {
            draw(&mut surface, mark, &regular, &bold);
        }
        let text = format!("{name}, version {version}, page {number} of {count}");
        let (x, baseline) = (MARGIN, HEIGHT - MARGIN / 2.0);
        let foot = Mark::Text { x, baseline, size: 7.5, is_bold: false, ink: Ink::Quiet, text };
        draw(&mut surface, &foot, &regular, &bold);
        surface.finish();
        page.finish();
    }
    document.finish().map_err(|error| format!("the document cannot be written: {error:?}"))
}

fn draw(surface: &mut Surface<'_>, mark: &Mark, regular: &Font, bold: &Font) {
    match mark {
        Mark::Text { x, baseline, size, is_bold, ink, text } => {
            surface.set_fill(Some(fill(*ink)));
            let font = if *is_bold { bold } else { regular };
            let at = Point::from_xy(*x, *baseline);
            surface.draw_text(at, font.clone(), *size, text, false, TextDirection::Auto);
        }
        Mark::Line { x, y, width } => {
            surface.set_fill(Some(fill(Ink::Quiet)));
            let mut path = PathBuilder::new();
            if let Some(line) = Rect::from_xywh(*x, *y, *width, 0.6) {
                path.push_rect(line);
            }
            if let Some(path) = path.finish() {
                surface.draw_path(&path);
            }
        }
    }
}

fn fill(ink: Ink) -> Fill {
    let paint = match ink {
        Ink::Text => rgb::Color::new(33, 37, 41),
        Ink::Quiet => rgb::Color::new(108, 117, 125),
        Ink::Title => rgb::Color::new(28, 59, 99),
    };
    Fill { paint: paint.into(), opacity: NormalizedF32::ONE, rule: Default::default() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn card(content: Value) -> Card {
        let content = content.as_object().cloned().unwrap();
        let times = Times { created: "then".to_owned(), changed: "later".to_owned(), exported: "today".to_owned() };
        Card { name: "churn".to_owned(), version: 3, status: "Approved".to_owned(), times, content }
    }

    #[test]
    fn content_of_any_form_becomes_pages() {
        let long = "word ".repeat(20_000);
        let wide = "x".repeat(5_000);
        let mut deep = json!("deep");
        for _ in 0..60 {
            deep = json!({ "inside": [deep, { "name": "n", "more": { "a": 1 } }] });
        }
        for content in [
            json!({}),
            json!({ "model_overview": long, "other": [wide, null, true, 1.5, [[1, 2], [3, 4]]] }),
            json!({ "evaluation_details": [{ "name": "e", "metric_groups": [{ "name": "g",
                "metric_data": [{ "name": "auc", "type": "number", "value": 0.9 }] }] }] }),
            json!({ "business_details": { "x": "日本 \u{7} עברית ελληνικά" } }),
            deep,
        ] {
            let bytes = render(&card(content)).unwrap();
            assert!(bytes.starts_with(b"%PDF-"));
        }
    }

    #[test]
    fn the_order_of_members_is_not_that_of_pages() {
        let read = |text: &str| render(&card(serde_json::from_str(text).unwrap())).unwrap();
        let one = read(
            r#"{"z": {"b": 1, "a": {"y": 1, "x": [{"q": 1, "p": {"n": 1, "m": 2}}]}}, "model_overview": {"d": 1, "c": 2},
                "k": [{"u": 1, "t": 2}, {"s": 3}], "additional_information": "x"}"#,
        );
        let other = read(
            r#"{"additional_information": "x", "k": [{"t": 2, "u": 1}, {"s": 3}], "model_overview": {"c": 2, "d": 1},
                "z": {"a": {"x": [{"p": {"m": 2, "n": 1}, "q": 1}], "y": 1}, "b": 1}}"#,
        );
        assert!(one == other);
    }

    #[test]
    fn a_card_of_too_many_pages_is_refused() {
        let lines = "a\n".repeat(40_000);
        assert!(render(&card(json!({ "x": lines }))).unwrap_err().contains("more than 500 pages"));
    }
}
