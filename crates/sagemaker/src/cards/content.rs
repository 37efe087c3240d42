//! The content of a model card, in the order of its published schema, as headings, fields and tables.

use serde_json::{Map, Value};
use stele_domain::canonical::canonical;

use super::layout::Layout;

/// The parts of a card and what people call them. Others follow under their own names.
const SECTIONS: [(&str, &str); 6] = [
    ("model_overview", "Model overview"),
    ("intended_uses", "Intended uses"),
    ("business_details", "Business details"),
    ("training_details", "Training details"),
    ("evaluation_details", "Evaluation details"),
    ("additional_information", "Additional information"),
];

/// What comes first of a part, in this order; JSON objects have none.
const FIRST: [&str; 16] = [
    "name",
    "type",
    "value",
    "model_name",
    "model_version",
    "model_description",
    "problem_type",
    "algorithm_type",
    "model_creator",
    "model_owner",
    "purpose_of_model",
    "intended_uses",
    "risk_rating",
    "explanations_for_risk_rating",
    "objective_function",
    "training_observations",
];

/// The most columns of a table that fit on a page, of texts and of numbers.
const MOST_COLUMNS: usize = 5;
const MOST_NARROW_COLUMNS: usize = 10;

pub(super) fn write(content: &Map<String, Value>, layout: &mut Layout) {
    let known = SECTIONS.into_iter().filter_map(|(key, title)| Some((title.to_owned(), content.get(key)?)));
    let is_other = |key: &str| !SECTIONS.iter().any(|(known, _)| *known == key);
    let mut others: Vec<(&String, &Value)> = content.iter().filter(|(key, _)| is_other(key)).collect();
    others.sort_unstable_by_key(|(key, _)| key.as_str());
    let others = others.into_iter().map(|(key, value)| (spoken(key), value));
    for (title, value) in known.chain(others) {
        layout.section(&title);
        part(value, 0, layout);
    }
}

fn part(value: &Value, depth: usize, layout: &mut Layout) {
    match value {
        Value::Object(members) => {
            ordered(members).into_iter().for_each(|(key, value)| member(&spoken(key), value, depth, layout));
        }
        Value::Array(items) => list("", items, depth, layout),
        other => layout.paragraph(&text(other), depth),
    }
}

/// Fields before parts with parts of their own.
fn ordered(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut members: Vec<(&String, &Value)> = members.iter().collect();
    members.sort_unstable_by_key(|(key, value)| (is_nested(value), rank(key), key.as_str()));
    members
}

fn rank(key: &str) -> usize {
    FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len())
}

fn is_nested(value: &Value) -> bool {
    match value {
        Value::Object(_) => true,
        Value::Array(items) => items.iter().any(Value::is_object),
        _ => false,
    }
}

fn member(label: &str, value: &Value, depth: usize, layout: &mut Layout) {
    match value {
        Value::Object(_) => {
            layout.heading(label, depth);
            part(value, depth + 1, layout);
        }
        Value::Array(items) if is_nested(value) => list(label, items, depth, layout),
        other => layout.field(label, &text(other), depth),
    }
}

/// Things of one form are a table; others stand one below the other, each under its name.
fn list(label: &str, items: &[Value], depth: usize, layout: &mut Layout) {
    // The parts of a section stand right below its title.
    let below = if label.is_empty() { depth } else { depth + 1 };
    if !label.is_empty() {
        layout.heading(label, depth);
    }
    // Those of one form are together in a table, such as the metrics with one value among charts.
    let (flat, others): (Vec<(usize, &Value)>, Vec<_>) = items.iter().enumerate().partition(|(_, item)| is_flat(item));
    let flat: Vec<&Value> = flat.into_iter().map(|(_, item)| item).collect();
    let others = match table(&flat) {
        Some((columns, rows)) => {
            layout.table(&columns, &rows, depth);
            others
        }
        None => items.iter().enumerate().collect(),
    };
    for (index, item) in others {
        let Value::Object(members) = item else {
            layout.paragraph(&text(item), below);
            continue;
        };
        let name = members.get("name").and_then(Value::as_str).map_or_else(|| format!("{}", index + 1), str::to_owned);
        layout.heading(&name, below);
        let chart = chart(members);
        let is_drawn = |key: &str| chart.is_some() && ["value", "x_axis_name", "y_axis_name"].contains(&key);
        for (key, value) in ordered(members).into_iter().filter(|(key, _)| *key != "name" && !is_drawn(key)) {
            member(&spoken(key), value, below + 1, layout);
        }
        if let Some((columns, rows)) = chart {
            layout.table(&columns, &rows, below + 1);
        }
    }
}

/// Without parts that need room of their own.
fn is_flat(item: &Value) -> bool {
    item.as_object().is_some_and(|members| !members.values().any(is_nested) && chart(members).is_none())
}

type Table = (Vec<String>, Vec<Vec<String>>);

/// The values of a metric with names along its axes: a bar a row, or a matrix.
fn chart(members: &Map<String, Value>) -> Option<Table> {
    let values = members.get("value")?.as_array().filter(|values| !values.is_empty())?;
    let names = |axis: &str| members.get(axis).and_then(Value::as_array).filter(|names| !names.is_empty());
    let along = |axis: &str, count: usize| -> Vec<String> {
        let named = names(axis).filter(|names| names.len() == count);
        named.map_or_else(|| (1..=count).map(|n| n.to_string()).collect(), |names| names.iter().map(text).collect())
    };
    if let Some(width) = values[0].as_array().map(Vec::len) {
        let rows = values.iter().map(|row| row.as_array().filter(|row| row.len() == width));
        let rows: Vec<&Vec<Value>> = rows.collect::<Option<_>>()?;
        if !(1..=MOST_NARROW_COLUMNS).contains(&width) || rows.iter().any(|row| row.iter().any(is_part)) {
            return None;
        }
        let columns = [String::new()].into_iter().chain(along("x_axis_name", width)).collect();
        let labels = along("y_axis_name", rows.len());
        let rows =
            labels.into_iter().zip(rows).map(|(label, row)| [label].into_iter().chain(row.iter().map(text)).collect());
        return Some((columns, rows.collect()));
    }
    names("x_axis_name").filter(|names| names.len() == values.len())?;
    if values.iter().any(is_part) {
        return None;
    }
    let axis = members.get("y_axis_name").and_then(Value::as_str).unwrap_or("Value");
    let rows =
        along("x_axis_name", values.len()).into_iter().zip(values).map(|(label, value)| vec![label, text(value)]);
    Some((vec![String::new(), axis.to_owned()], rows.collect()))
}

fn is_part(value: &Value) -> bool {
    value.is_array() || value.is_object()
}

/// The columns and rows of things without further things inside.
fn table(items: &[&Value]) -> Option<Table> {
    let mut keys: Vec<&str> = Vec::new();
    for item in items {
        for (key, value) in ordered(item.as_object()?) {
            if is_nested(value) {
                return None;
            }
            if !keys.contains(&key.as_str()) {
                keys.push(key);
            }
        }
    }
    if keys.is_empty() || keys.len() > MOST_COLUMNS {
        return None;
    }
    keys.sort_by_key(|key| rank(key));
    let cell = |item: &Value, key: &str| item.get(key).map(text).unwrap_or_default();
    let rows = items.iter().map(|item| keys.iter().map(|key| cell(item, key)).collect()).collect();
    Some((keys.into_iter().map(spoken).collect(), rows))
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Array(items) if items.iter().any(Value::is_array) => {
            items.iter().map(text).collect::<Vec<_>>().join("\n")
        }
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(_) => canonical(value),
    }
}

/// `risk_rating` as a person would write it.
fn spoken(key: &str) -> String {
    let words = key.replace('_', " ");
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => words,
    }
}
