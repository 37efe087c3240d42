//! Documents that measure a model: the model quality statistics of SageMaker's Model Monitor and the analysis of its
//! Clarify, in their published formats.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::evidence::{Metrics, Slices};

/// What a document says of a model. All of it may be empty, as for a document of constraints.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The name of the data set.
    pub dataset: String,
    /// Its digest; empty where the document says none.
    pub digest: String,
    pub metrics: Metrics,
    pub slices: Slices,
}

const MOST_METRICS: usize = 1_000;
const MOST_SLICES: usize = 200;
const LONGEST_NAME: usize = 500;

/// The parts of an analysis that hold metrics of groups of people.
const OF_FACETS: [&str; 2] = ["pre_training_bias_metrics", "post_training_bias_metrics"];

impl Measured {
    /// Reads a document, or says what is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Measured, String> {
        let document: Value = serde_json::from_slice(bytes).map_err(|error| format!("it is not JSON: {error}"))?;
        let Value::Object(document) = document else { return Err("it is not a JSON object".to_owned()) };
        let mut measured = Measured::default();
        if let Some(Value::Object(dataset)) = document.get("dataset") {
            let text = |key: &str| dataset.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            (measured.dataset, measured.digest) = (text("name"), text("digest"));
            measured.named("the name of the data set", &measured.dataset)?;
            measured.named("the digest of the data set", &measured.digest)?;
        }
        for (section, content) in &document {
            match content {
                Value::Object(facets) if OF_FACETS.contains(&section.as_str()) => measured.facets(section, facets)?,
                Value::Object(metrics) if section.ends_with("_metrics") => measured.statistics(section, metrics)?,
                Value::Object(explanations) if section == "explanations" => measured.explanations(explanations)?,
                _ if section.ends_with("_metrics") => return Err(format!("{section} is not an object")),
                _ => {}
            }
        }
        Ok(measured)
    }

    /// Whether it measures anything.
    pub fn is_empty(&self) -> bool {
        self.metrics.is_empty() && self.slices.is_empty()
    }

    /// `{"auc": {"value": 0.8, "standard_deviation": 0.01}, "confusion_matrix": {"0": {"0": 7, "1": 1}}, ..}`. Curves
    /// have no value and are passed over.
    fn statistics(&mut self, section: &str, metrics: &Map<String, Value>) -> Result<(), String> {
        for (name, content) in metrics {
            match content {
                Value::Object(content) if name == "confusion_matrix" => {
                    for (actual, row) in content {
                        let Value::Object(row) = row else {
                            return Err(format!("row '{actual}' of {section}.{name} is not an object"));
                        };
                        for (predicted, count) in row {
                            self.add(&format!("{name}.{actual}.{predicted}"), count)?;
                        }
                    }
                }
                Value::Object(content) => {
                    if let Some(value) = content.get("value") {
                        self.add(name, value)?;
                    }
                    if let Some(deviation) = content.get("standard_deviation") {
                        self.add(&format!("{name}.standard_deviation"), deviation)?;
                    }
                }
                Value::Number(_) => self.add(name, content)?,
                _ => return Err(format!("{section}.{name} is neither a number nor an object with a value")),
            }
        }
        Ok(())
    }

    /// `{"facets": {"Sex": [{"value_or_threshold": "0", "metrics": [{"name": "DPPL", "value": 0.1}, ..]}]}}`, where each
    /// group is a slice, such as `Sex=0`.
    fn facets(&mut self, section: &str, content: &Map<String, Value>) -> Result<(), String> {
        let facets = content.get("facets").and_then(Value::as_object);
        for (facet, groups) in facets.ok_or_else(|| format!("{section} has no facets"))? {
            let wrong = || format!("facet '{facet}' of {section} is not a list of groups with metrics");
            for group in groups.as_array().ok_or_else(wrong)? {
                let slice = match group.get("value_or_threshold") {
                    Some(Value::String(value)) => format!("{facet}={value}"),
                    Some(value @ Value::Number(_)) => format!("{facet}={value}"),
                    _ => facet.clone(),
                };
                self.named("a slice", &slice)?;
                if !self.slices.contains_key(&slice) && self.slices.len() == MOST_SLICES {
                    return Err(format!("it has more than {MOST_SLICES} slices"));
                }
                for metric in group.get("metrics").and_then(Value::as_array).ok_or_else(wrong)? {
                    let name = metric.get("name").and_then(Value::as_str).ok_or_else(wrong)?;
                    self.named("a metric", name)?;
                    // A metric that could not be computed says why instead.
                    if let Some(value) = number(metric.get("value").unwrap_or(&Value::Null)) {
                        let metrics = self.slices.entry(slice.clone()).or_default();
                        metrics.insert(name.to_owned(), value);
                        if metrics.len() > MOST_METRICS {
                            return Err(format!("slice '{slice}' has more than {MOST_METRICS} metrics"));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// `{"kernel_shap": {"label0": {"global_shap_values": {"Age": 0.1}}}}`.
    fn explanations(&mut self, methods: &Map<String, Value>) -> Result<(), String> {
        let Some(Value::Object(labels)) = methods.get("kernel_shap") else { return Ok(()) };
        for (label, values) in labels {
            let Some(Value::Object(features)) = values.get("global_shap_values") else { continue };
            for (feature, value) in features {
                self.add(&format!("global_shap_values.{label}.{feature}"), value)?;
            }
        }
        Ok(())
    }

    /// Adds a metric of all of the data; one without a finite value is none.
    fn add(&mut self, name: &str, value: &Value) -> Result<(), String> {
        self.named("a metric", name)?;
        if let Some(value) = number(value) {
            self.metrics.insert(name.to_owned(), value);
        }
        if self.metrics.len() > MOST_METRICS {
            return Err(format!("it has more than {MOST_METRICS} metrics"));
        }
        Ok(())
    }

    fn named(&self, what: &str, name: &str) -> Result<(), String> {
        if name.contains('\0') || name.chars().count() > LONGEST_NAME {
            return Err(format!("{what} contains a NUL character or has more than {LONGEST_NAME} characters"));
        }
        Ok(())
    }
}

/// Numbers, also those that are written as text.
fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(document: &Value) -> Result<Measured, String> {
        Measured::read(document.to_string().as_bytes())
    }

    #[test]
    fn statistics_of_each_kind_of_problem_are_metrics() {
        let document = json!({
            "version": 0.0,
            "dataset": { "name": "holdout", "digest": "d1", "item_count": 9 },
            "binary_classification_metrics": {
                "auc": { "value": 0.9, "standard_deviation": "NaN" },
                "recall": { "value": 0.8, "standard_deviation": 0.02 },
                "confusion_matrix": { "0": { "0": 7, "1": 1 }, "1": { "0": 0, "1": 1 } },
                "receiver_operating_characteristic_curve": { "true_positive_rates": [0, 1] },
            },
        });
        let Measured { dataset, digest, metrics, slices } = read(&document).unwrap();
        assert_eq!((dataset.as_str(), digest.as_str(), slices.len()), ("holdout", "d1", 0));
        let expected = [
            ("auc", 0.9),
            ("confusion_matrix.0.0", 7.0),
            ("confusion_matrix.0.1", 1.0),
            ("confusion_matrix.1.0", 0.0),
            ("confusion_matrix.1.1", 1.0),
            ("recall", 0.8),
            ("recall.standard_deviation", 0.02),
        ];
        assert_eq!(metrics, expected.map(|(name, value)| (name.to_owned(), value)).into());
        for kind in ["regression_metrics", "multiclass_classification_metrics"] {
            assert_eq!(read(&json!({ kind: { "mse": { "value": 2 } } })).unwrap().metrics["mse"], 2.0);
        }
    }

    #[test]
    fn groups_of_a_bias_report_are_slices() {
        let group = |metrics: Value| json!([{ "value_or_threshold": "0", "metrics": metrics }]);
        let document = json!({
            "pre_training_bias_metrics": {
                "label": "income",
                "facets": { "Sex": group(json!([{ "name": "CI", "description": "..", "value": 0.3 }])) },
            },
            "post_training_bias_metrics": {
                "facets": { "Sex": group(json!([
                    { "name": "DPPL", "value": -0.1 },
                    { "name": "FT", "value": null, "error": "no unfavored group" },
                ])) },
            },
            "explanations": { "kernel_shap": { "label0": { "global_shap_values": { "Age": 0.2 } } } },
        });
        let measured = read(&document).unwrap();
        let slice: Metrics = [("CI".to_owned(), 0.3), ("DPPL".to_owned(), -0.1)].into();
        assert_eq!(measured.slices, [("Sex=0".to_owned(), slice)].into());
        assert_eq!(measured.metrics["global_shap_values.label0.Age"], 0.2);
    }

    #[test]
    fn what_is_wrong_with_a_document_is_said() {
        let many: Map<String, Value> = (0..1_001).map(|number| (format!("m{number}"), json!(1))).collect();
        for (document, expected) in [
            ("no", "it is not JSON"),
            ("[1]", "it is not a JSON object"),
            (r#"{"regression_metrics": 1}"#, "regression_metrics is not an object"),
            (r#"{"regression_metrics": {"mse": "x"}}"#, "regression_metrics.mse is neither"),
            (r#"{"pre_training_bias_metrics": {}}"#, "has no facets"),
            (r#"{"post_training_bias_metrics": {"facets": {"Sex": {}}}}"#, "facet 'Sex' of post_training"),
            (&json!({ "regression_metrics": many }).to_string(), "more than 1000 metrics"),
            (&"[".repeat(10_000), "it is not JSON"),
        ] {
            let found = Measured::read(document.as_bytes()).unwrap_err();
            assert!(found.contains(expected), "{found}");
        }
        assert!(read(&json!({ "version": 0.0, "constraints": [] })).unwrap().is_empty());
    }
}
