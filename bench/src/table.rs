//! The one table, as text for people and as Markdown for docs/BENCHMARKS.md.

use std::fmt::Write;

use crate::figure::Figure;

const HEAD: [&str; 10] = [
    "measurement",
    "server or limit",
    "figure",
    "unit",
    "Stele is",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "load/server CPU",
    "notes",
];

/// Puts what belongs together under each other: the measurements in the order in which they first came, and in each
/// the servers before the limits.
pub(crate) fn arrange(figures: &[Figure]) -> Vec<Figure> {
    let mut groups: Vec<(&str, &str)> = Vec::new();
    for figure in figures {
        // Limits of no database in particular stand in each group of their measurement.
        let group = (figure.measurement.as_str(), figure.database);
        if !groups.contains(&group) && !figure.database.is_empty() {
            groups.push(group);
        }
    }
    let alone =
        figures.iter().filter(|figure| groups.iter().all(|(measurement, _)| *measurement != figure.measurement));
    let mut arranged: Vec<Figure> = alone.cloned().collect();
    // Every measurement on SQLite, then every one on PostgreSQL.
    groups.sort_by_key(|(_, database)| *database != "SQLite");
    for (measurement, database) in groups {
        let of_group = |figure: &&Figure| {
            figure.measurement == measurement && (figure.database == database || figure.database.is_empty())
        };
        let (limits, servers): (Vec<_>, Vec<_>) = figures.iter().filter(of_group).partition(|figure| figure.is_limit);
        arranged.extend(servers.into_iter().chain(limits).map(|figure| Figure {
            database: if database == "SQLite" { "SQLite" } else { "PostgreSQL" },
            ..figure.clone()
        }));
    }
    arranged
}

pub(crate) fn text(figures: &[Figure]) -> String {
    let rows = rows(figures, "");
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([HEAD[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let mut out = String::new();
    let mut line = |cells: &[String]| {
        let mut text = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let right = (2..=8).contains(&column) && column != 3;
            let _ = if right {
                write!(text, "{cell:>width$}  ", width = widths[column])
            } else {
                write!(text, "{cell:<width$}  ", width = widths[column])
            };
        }
        out.push_str(text.trim_end());
        out.push('\n');
    };
    line(&HEAD.map(str::to_owned));
    line(&widths.iter().map(|width| "-".repeat(*width)).collect::<Vec<_>>());
    for row in &rows {
        line(row);
    }
    out
}

pub(crate) fn markdown(figures: &[Figure]) -> String {
    let mut out = format!("| {} |\n|{}\n", HEAD.join(" | "), "---|".repeat(HEAD.len()));
    for row in rows(figures, "**") {
        let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    out
}

fn rows(figures: &[Figure], emphasis: &str) -> Vec<Vec<String>> {
    let mut before = ("", "");
    let mut rows = Vec::with_capacity(figures.len());
    for figure in figures {
        let group = (figure.measurement.as_str(), figure.database);
        let first = group != before;
        before = group;
        let title = match (first, figure.database) {
            (false, _) => String::new(),
            (true, "") => format!("{emphasis}{}{emphasis}", figure.measurement),
            (true, database) => format!("{emphasis}{} on {database}{emphasis}", figure.measurement),
        };
        let subject = if figure.is_limit { format!("limit: {}", figure.subject) } else { figure.subject.clone() };
        let latency = |of: fn(&crate::latency::Percentiles) -> f64| {
            figure.latency.as_ref().map_or(String::new(), |l| number(of(l)))
        };
        let share = |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{:.0}%", share * 100.0));
        let cpu = match (figure.load_cpu, figure.server_cpu) {
            (None, None) => String::new(),
            (load, server) => format!("{} / {}", share(load), share(server)),
        };
        let note = if figure.failed { format!("FAILED: {}", figure.note) } else { figure.note.clone() };
        rows.push(vec![
            title,
            subject,
            figure.value.map_or("-".to_owned(), number),
            figure.unit.name().to_owned(),
            advantage(figures, figure),
            latency(|l| l.p50),
            latency(|l| l.p95),
            latency(|l| l.p99),
            cpu,
            note,
        ]);
    }
    rows
}

/// Stele's figure against this one.
fn advantage(figures: &[Figure], figure: &Figure) -> String {
    let stele = figures.iter().find(|other| {
        other.measurement == figure.measurement && other.database == figure.database && other.subject == "Stele"
    });
    match (stele.and_then(|stele| stele.value), figure.value) {
        (Some(ours), Some(theirs)) if figure.subject != "Stele" => {
            let times = figure.unit.advantage(ours, theirs);
            if times.is_finite() { format!("{} x", number(times)) } else { String::new() }
        }
        _ => String::new(),
    }
}

/// A number with three digits that count, and commas.
pub(crate) fn number(value: f64) -> String {
    if value.abs() < 100.0 && value != 0.0 {
        let decimals = (2 - value.abs().log10().floor() as i32).clamp(0, 6) as usize;
        return format!("{value:.decimals$}");
    }
    let digits = format!("{:.0}", value.abs());
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if value < 0.0 { format!("-{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Unit;
    use crate::options::Database;

    #[test]
    fn numbers_are_short() {
        for (value, expected) in [
            (0.0, "0"),
            (0.01234, "0.0123"),
            (1.0, "1.00"),
            (12.34, "12.3"),
            (999.6, "1,000"),
            (1234567.0, "1,234,567"),
        ] {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn limits_stand_below_the_servers_of_every_database() {
        let sqlite = Some(Database::Sqlite);
        let postgres = Some(Database::Postgres);
        let figures = [
            Figure::new("write", sqlite, "Stele", Unit::RequestsPerSecond, 100.0),
            Figure::new("read", sqlite, "Stele", Unit::Milliseconds, 2.0),
            Figure::new("write", sqlite, "Peer", Unit::RequestsPerSecond, 4.0),
            Figure::new("read", sqlite, "Peer", Unit::Milliseconds, 8.0),
            Figure::new("write", postgres, "Stele", Unit::RequestsPerSecond, 50.0),
            Figure::limit("write", None, "hello", Unit::RequestsPerSecond, 200.0),
        ];
        let arranged = arrange(&figures);
        let shape: Vec<(&str, &str, &str, String)> = arranged
            .iter()
            .map(|f| (f.measurement.as_str(), f.database, f.subject.as_str(), advantage(&arranged, f)))
            .collect();
        let expected = [
            ("write", "SQLite", "Stele", ""),
            ("write", "SQLite", "Peer", "25.0 x"),
            ("write", "SQLite", "hello", "0.500 x"),
            ("read", "SQLite", "Stele", ""),
            ("read", "SQLite", "Peer", "4.00 x"),
            ("write", "PostgreSQL", "Stele", ""),
            ("write", "PostgreSQL", "hello", "0.250 x"),
        ];
        let expected: Vec<_> = expected.iter().map(|(m, d, s, a)| (*m, *d, *s, (*a).to_owned())).collect();
        assert_eq!(shape, expected);
    }
}
