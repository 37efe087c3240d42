//! How MLflow writes down the way in which a question is answered, and reads it.

use serde_json::{Map, Value, json};
use stele_domain::review::LabelInput;

/// Why a thing is not taken that cannot be read.
pub(crate) const UNKNOWN: &str = "they are of a kind, or in a state, that is unknown here";

/// The kind of an input, as MLflow's databases and servers name it, with its fields.
pub(crate) fn input_parts(input: &LabelInput) -> (&'static str, Value) {
    match input {
        LabelInput::PassFail { positive, negative } => {
            ("pass_fail", json!({ "positive_label": positive, "negative_label": negative }))
        }
        LabelInput::Categorical { options, multi_select } => {
            ("categorical", json!({ "options": options, "multi_select": multi_select }))
        }
        LabelInput::Numeric { min, max } => ("numeric", json!({ "min_value": min, "max_value": max })),
        LabelInput::Text { max_length } => ("text", json!({ "max_length": max_length })),
    }
}

/// The reverse of [`input_parts`]; none of a kind that is unknown, or with fields that are not of that kind. Integers of
/// 64 bits may come as texts.
pub(crate) fn input_of_parts(kind: &str, fields: &Map<String, Value>) -> Option<LabelInput> {
    let text = |name: &str| fields.get(name)?.as_str().map(str::to_owned);
    let number = |name: &str| match fields.get(name) {
        None | Some(Value::Null) => Some(None),
        Some(value) => value.as_f64().map(Some),
    };
    match kind {
        "pass_fail" => {
            Some(LabelInput::PassFail { positive: text("positive_label")?, negative: text("negative_label")? })
        }
        "categorical" => {
            let options = fields.get("options")?.as_array()?;
            let options = options.iter().map(|option| option.as_str().map(str::to_owned)).collect::<Option<_>>()?;
            let multi_select = fields.get("multi_select").and_then(Value::as_bool).unwrap_or(false);
            Some(LabelInput::Categorical { options, multi_select })
        }
        "numeric" => Some(LabelInput::Numeric { min: number("min_value")?, max: number("max_value")? }),
        "text" => {
            let max_length = match fields.get("max_length") {
                None | Some(Value::Null) => None,
                Some(Value::String(digits)) => Some(digits.parse().ok()?),
                Some(value) => Some(value.as_i64()?),
            };
            Some(LabelInput::Text { max_length })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_reads_back() {
        for input in [
            LabelInput::PassFail { positive: "yes".to_owned(), negative: "no".to_owned() },
            LabelInput::Categorical { options: vec!["a".to_owned(), "b".to_owned()], multi_select: true },
            LabelInput::Numeric { min: Some(-0.5), max: None },
            LabelInput::Text { max_length: Some(7) },
            LabelInput::Text { max_length: None },
        ] {
            let (kind, fields) = input_parts(&input);
            assert_eq!(input_of_parts(kind, fields.as_object().unwrap()), Some(input));
        }
    }

    #[test]
    fn what_is_no_input_is_told_from_one() {
        let fields = json!({ "options": [1], "positive_label": "yes", "min_value": "low", "max_length": "many" });
        for kind in ["categorical", "pass_fail", "numeric", "text", "categorical_list"] {
            assert_eq!(input_of_parts(kind, fields.as_object().unwrap()), None, "{kind}");
        }
        let digits = json!({ "max_length": "12" });
        assert_eq!(
            input_of_parts("text", digits.as_object().unwrap()),
            Some(LabelInput::Text { max_length: Some(12) })
        );
    }
}
