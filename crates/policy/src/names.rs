//! Which names of models and experiments a rule goes by, so that a new name is no way out of it.

use serde_json::Value;
use stele_domain::Kind;

/// What a rule may compare names with. It is more than it does compare with, since which texts are names is not looked for.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Names {
    /// Names of models, as entities have them.
    models: Vec<String>,
    texts: Vec<String>,
    patterns: Vec<Pattern>,
    /// The text of a rule that was not looked into.
    unread: Option<String>,
}

/// Parts of a `like`; nothing stands for any characters.
type Pattern = Vec<Option<String>>;

impl Names {
    /// Those of a rule in Cedar's JSON.
    pub(crate) fn of(rule: &Value) -> Names {
        let mut names = Names::default();
        let mut looks_at_names = false;
        for part in [&rule["resource"], &rule["conditions"]] {
            names.take(part, &mut looks_at_names);
        }
        if !looks_at_names {
            names.texts.clear();
            names.patterns.clear();
        }
        names
    }

    pub(crate) fn unread(text: String) -> Names {
        Names { unread: Some(text), ..Names::default() }
    }

    fn take(&mut self, value: &Value, looks_at_names: &mut bool) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| self.take(value, looks_at_names)),
            Value::Object(object) => {
                match (object.get("type").and_then(Value::as_str), object.get("id").and_then(Value::as_str)) {
                    (Some("Model"), Some(id)) => self.models.push(id.to_owned()),
                    (Some("ModelVersion"), Some(id)) => {
                        self.models.extend(id.split_once('/').map(|of| of.0.to_owned()))
                    }
                    _ => {}
                }
                if let Some(Value::String(text)) = object.get("Value") {
                    self.texts.push(text.clone());
                }
                if let Some(parts) = object.get("pattern").and_then(Value::as_array) {
                    self.patterns.push(pattern(parts));
                }
                let is_of_principal = object.get("left").is_some_and(|left| left["Var"] == "principal");
                *looks_at_names |= object.get("attr").is_some_and(|name| name == "name") && !is_of_principal;
                object.values().for_each(|value| self.take(value, looks_at_names));
            }
            _ => {}
        }
    }

    /// Whether the rule may say something else of a thing when it is called otherwise.
    pub(crate) fn tell_apart(&self, kind: Kind, one: &str, other: &str) -> bool {
        let differs = |is: &dyn Fn(&str) -> bool| is(one) != is(other);
        let is_model = kind == Kind::Model && self.models.iter().any(|model| differs(&|name| name == model));
        is_model
            || self.texts.iter().any(|text| differs(&|name| name == text))
            || self.patterns.iter().any(|pattern| differs(&|name| is_like(name, pattern)))
            || self.unread.as_ref().is_some_and(|text| {
                let says = |name: &str| text.contains(&format!("{name:?}"));
                says(one) || says(other) || (text.contains(".name") && text.contains("like"))
            })
    }
}

fn pattern(parts: &[Value]) -> Pattern {
    let mut pattern = Pattern::new();
    for part in parts {
        let literal = part.get("Literal").and_then(Value::as_str);
        match (pattern.last_mut(), literal) {
            // Each character may come as a literal of its own.
            (Some(Some(before)), Some(literal)) => before.push_str(literal),
            (_, literal) => pattern.push(literal.map(str::to_owned)),
        }
    }
    pattern
}

/// Whether a text has the parts of a pattern one after the other. Of what follows a gap the first place that fits leaves the
/// most for the rest.
fn is_like(text: &str, pattern: &[Option<String>]) -> bool {
    let Some((last, parts)) = pattern.split_last() else { return text.is_empty() };
    let (mut rest, mut has_gap) = (text, false);
    for part in parts {
        let Some(literal) = part else {
            has_gap = true;
            continue;
        };
        let found = if has_gap {
            rest.split_once(literal.as_str()).map(|(_, rest)| rest)
        } else {
            rest.strip_prefix(literal.as_str())
        };
        let Some(found) = found else { return false };
        (rest, has_gap) = (found, false);
    }
    match last {
        None => true,
        Some(literal) if has_gap => rest.ends_with(literal.as_str()),
        Some(literal) => rest == literal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tells(rule: &str) -> impl Fn(&str, &str) -> bool {
        let rule = cedar_policy::Policy::parse(None, rule).unwrap();
        let names = Names::of(&rule.to_json().unwrap());
        move |one, other| names.tell_apart(Kind::Model, one, other)
    }

    #[test]
    fn rules_tell_things_apart_by_the_names_that_they_speak_of() {
        let forms = [
            r#"forbid (principal, action, resource == Model::"credit");"#,
            r#"forbid (principal, action, resource in Model::"credit");"#,
            r#"forbid (principal, action, resource == ModelVersion::"credit/3");"#,
            r#"forbid (principal, action, resource) when { resource.model == Model::"credit" };"#,
            r#"forbid (principal, action, resource) when { resource in [Model::"x", Model::"credit"] };"#,
            r#"forbid (principal, action, resource) when { resource.model.name == "credit" };"#,
            r#"forbid (principal, action, resource) unless { ["credit", "x"].contains(resource.name) };"#,
            r#"forbid (principal, action, resource) when { resource.name like "cred*" };"#,
            r#"forbid (principal, action, resource) when { resource.model.name like "*c*e*dit" };"#,
        ];
        for form in forms {
            let tells = tells(form);
            assert!(tells("credit", "toy") && tells("toy", "credit"), "{form}");
            assert!(!tells("toy", "toys"), "{form}");
        }
        let others = [
            r#"forbid (principal == User::"credit", action, resource) when { principal.name == "credit" };"#,
            r#"forbid (principal, action, resource) when { context has new_name && context.new_name like "cred*" };"#,
            r#"forbid (principal, action, resource) when { resource.hasTag("credit") };"#,
            r#"forbid (principal, action, resource in Workspace::"credit");"#,
        ];
        for other in others {
            assert!(!tells(other)("credit", "toy"), "{other}");
        }
        let like = tells(r#"forbid (principal, action, resource) when { resource.name like "team-*" };"#);
        assert!(!like("team-a", "team-b") && like("team-a", "a") && like("a", "team-b"));
    }

    #[test]
    fn of_a_rule_that_is_not_looked_into_its_text_says() {
        let names = Names::unread(r#"forbid (principal, action, resource == Model::"credit");"#.to_owned());
        assert!(names.tell_apart(Kind::Model, "credit", "toy") && names.tell_apart(Kind::Model, "toy", "credit"));
        assert!(!names.tell_apart(Kind::Model, "toy", "toys"));
    }
}
