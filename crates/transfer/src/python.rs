//! JSON as Python's `json.dumps` writes it with sorted keys, byte for byte, for what is told by its hash.

use serde_json::Value;

/// Writes a value: a space after each comma and colon, keys in order, and nothing but ASCII.
pub(crate) fn json(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(value) => text.push_str(&float(value)),
            None => text.push_str(&number.to_string()),
        },
        Value::String(value) => write_text(value, text),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index > 0 { ", " } else { "" });
                write(item, text);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| key.as_str());
            text.push('{');
            for (index, (key, value)) in fields.into_iter().enumerate() {
                text.push_str(if index > 0 { ", " } else { "" });
                write_text(key, text);
                text.push_str(": ");
                write(value, text);
            }
            text.push('}');
        }
    }
}

fn write_text(value: &str, text: &mut String) {
    text.push('"');
    for letter in value.chars() {
        match letter {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            ' '..='~' => text.push(letter),
            other => {
                let mut units = [0; 2];
                for unit in other.encode_utf16(&mut units) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    text.push('"');
}

/// The shortest digits that read back, in exponents below 1e-4 and from 1e16 on.
fn float(value: f64) -> String {
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if value == 0.0 || (-4..16).contains(&exponent) {
        let plain = format!("{value}");
        return if plain.contains('.') { plain } else { format!("{plain}.0") };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_as_python_does() {
        // What CPython 3.11 prints for the same values.
        for (value, expected) in [
            (json!({ "b": 1, "a": [null, true] }), r#"{"a": [null, true], "b": 1}"#),
            (json!("é\u{1f600}\"\\\n\u{7f}\u{1}"), r#""\u00e9\ud83d\ude00\"\\\n\u007f\u0001""#),
            (json!([0.0, -0.0, 1.0, 0.1, 1e-4, 1.5e-5, 1e-7]), "[0.0, -0.0, 1.0, 0.1, 0.0001, 1.5e-05, 1e-07]"),
            (
                json!([1e15, 1e16, 1.25e22, 1e100, 123456789.125]),
                "[1000000000000000.0, 1e+16, 1.25e+22, 1e+100, 123456789.125]",
            ),
            (json!(18_446_744_073_709_551_615_u64), "18446744073709551615"),
        ] {
            assert_eq!(json(&value), expected);
        }
    }
}
