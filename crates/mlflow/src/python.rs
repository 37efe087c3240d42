//! Values as Python prints them, for texts that MLflow's clients and tests match.

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

/// `json.dumps` of a value: a space after each comma and colon, everything else than ASCII escaped.
pub(crate) fn json_dumps(value: &serde_json::Value) -> String {
    use serde_json::Value;
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
    fn json_has_spaces_and_ascii_only() {
        assert_eq!(
            json_dumps(&json!({ "é": [1, null, { "a": "𝄞" }] })),
            r#"{"\u00e9": [1, null, {"a": "\ud834\udd1e"}]}"#
        );
    }
}
