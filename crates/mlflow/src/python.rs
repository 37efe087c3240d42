//! Values as Python prints them, for texts that MLflow's clients and tests match.

use serde_json::Value;

/// `repr` of a string: in single quotes, or in double ones when it has single quotes only.
pub(crate) fn repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut printed = String::with_capacity(text.len() + 2);
    printed.push(quote);
    for letter in text.chars() {
        match letter {
            '\\' => printed.push_str("\\\\"),
            '\n' => printed.push_str("\\n"),
            '\r' => printed.push_str("\\r"),
            '\t' => printed.push_str("\\t"),
            letter if letter == quote => {
                printed.push('\\');
                printed.push(letter);
            }
            letter if letter.is_ascii_control() => printed.push_str(&format!("\\x{:02x}", u32::from(letter))),
            letter => printed.push(letter),
        }
    }
    printed.push(quote);
    printed
}

/// `repr` of a list of strings.
pub(crate) fn repr_list(texts: &[String]) -> String {
    let items: Vec<String> = texts.iter().map(|text| repr(text)).collect();
    format!("[{}]", items.join(", "))
}

/// The name of the Python type that a JSON value is read as.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

/// `str` of a value.
pub(crate) fn to_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => to_repr(other),
    }
}

/// `repr` of a value.
pub(crate) fn to_repr(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => repr(text),
        Value::Array(items) => format!("[{}]", items.iter().map(to_repr).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(key, value)| format!("{}: {}", repr(key), to_repr(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
    }
}

/// `json.loads`, but `NaN` and the infinities, which Python writes and JSON does not have, are read as null.
pub(crate) fn json_loads(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text).or_else(|error| {
        let plain = without_nonfinite(text).ok_or(error)?;
        serde_json::from_str(&plain)
    })
}

/// The text with `null` for `NaN`, `Infinity` and `-Infinity` outside of strings; none if there were none.
fn without_nonfinite(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    let (mut in_string, mut found) = (false, false);
    while let Some(letter) = rest.chars().next() {
        let token = ["NaN", "Infinity", "-Infinity"].into_iter().find(|token| !in_string && rest.starts_with(token));
        if let Some(token) = token {
            plain.push_str("null");
            found = true;
            rest = &rest[token.len()..];
            continue;
        }
        let taken = if in_string && letter == '\\' {
            letter.len_utf8() + rest[letter.len_utf8()..].chars().next().map_or(0, char::len_utf8)
        } else {
            in_string ^= letter == '"';
            letter.len_utf8()
        };
        plain.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    found.then_some(plain)
}

/// `json.dumps` of a value: a space after each comma and colon, everything else than ASCII escaped.
pub(crate) fn json_dumps(value: &serde_json::Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(json_dumps).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(key, value)| format!("{}: {}", escaped(&Value::from(key.as_str())), json_dumps(value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        scalar => escaped(scalar),
    }
}

fn escaped(scalar: &serde_json::Value) -> String {
    let mut text = String::new();
    for letter in scalar.to_string().chars() {
        if letter.is_ascii() {
            text.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn strings_print_as_python_prints_them() {
        for (text, printed) in [
            ("a", "'a'"),
            ("it's", "\"it's\""),
            ("x'y\"", "'x\\'y\"'"),
            ("é\n\t\\", "'é\\n\\t\\\\'"),
            ("\u{1}", "'\\x01'"),
        ] {
            assert_eq!(repr(text), printed);
        }
        assert_eq!(repr_list(&["1".to_owned(), "2".to_owned()]), "['1', '2']");
    }

    #[test]
    fn values_print_as_python_prints_them() {
        let value = json!({ "a": [true, null, 1, 1.5, "x"] });
        assert_eq!(to_text(&value), "{'a': [True, None, 1, 1.5, 'x']}");
        assert_eq!(to_text(&json!("x")), "x");
    }

    #[test]
    fn what_python_writes_for_no_number_is_read_as_null() {
        let text = r#"{"a": NaN, "b": [Infinity, -Infinity, "NaN \" Infinity"], "c": -1}"#;
        assert_eq!(json_loads(text).unwrap(), json!({ "a": null, "b": [null, null, "NaN \" Infinity"], "c": -1 }));
        assert!(json_loads("{NaN").is_err());
    }

    #[test]
    fn json_has_spaces_and_ascii_only() {
        assert_eq!(
            json_dumps(&json!({ "é": [1, null, { "a": "𝄞" }] })),
            r#"{"\u00e9": [1, null, {"a": "\ud834\udd1e"}]}"#
        );
    }
}
