//! One text for equal JSON values. Objects keep the order in which they were written, which means nothing.

use serde_json::Value;

/// JSON with the keys of every object in order, without spaces.
pub fn canonical(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(key, _)| key.as_str());
            let fields: Vec<String> = fields
                .iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical(value)))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_keys_means_nothing() {
        let read = |text: &str| canonical(&serde_json::from_str(text).unwrap());
        let one = read(r#"{"b": [{"y": 1, "x": "\"é"}, 2.5], "a": {"d": null, "c": true}}"#);
        assert_eq!(one, r#"{"a":{"c":true,"d":null},"b":[{"x":"\"é","y":1},2.5]}"#);
        assert_eq!(read(r#"{"a": {"c": true, "d": null}, "b": [{"x": "\"é", "y": 1}, 2.5]}"#), one);
        assert_ne!(read("[1, 2]"), read("[2, 1]"));
    }
}
