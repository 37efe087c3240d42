//! The events of MLflow's webhooks: which of the record's events they are, and the body that tells of one.

use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};
use stele_domain::id::Timestamp;
use stele_domain::registry::PROMPT_TAG;
use stele_domain::webhook::{self, Subscription};

/// One event of MLflow: a record's action on a model or version that is, or is not, a prompt.
pub(super) struct Event {
    /// `entity.action`
    pub(super) name: &'static str,
    action: &'static str,
    prompt: bool,
}

macro_rules! events {
    ($($name:literal = $action:literal $(on $prompt:ident)?;)+) => {
        const EVENTS: &[Event] =
            &[$(Event { name: $name, action: $action, prompt: events!(@prompt $($prompt)?) }),+];
    };
    (@prompt) => { false };
    (@prompt prompts) => { true };
}

events! {
    "registered_model.created" = "model.create";
    "model_version.created" = "model-version.create";
    "model_version_tag.set" = "model-version.tag";
    "model_version_tag.deleted" = "model-version.untag";
    "model_version_alias.created" = "model.alias.set";
    "model_version_alias.deleted" = "model.alias.delete";
    "prompt.created" = "model.create" on prompts;
    "prompt_version.created" = "model-version.create" on prompts;
    "prompt_tag.set" = "model.tag" on prompts;
    "prompt_tag.deleted" = "model.untag" on prompts;
    "prompt_version_tag.set" = "model-version.tag" on prompts;
    "prompt_version_tag.deleted" = "model-version.untag" on prompts;
    "prompt_alias.created" = "model.alias.set" on prompts;
    "prompt_alias.deleted" = "model.alias.delete" on prompts;
    // Of the AI gateway, which this server does not have: it never happens.
    "budget_policy.exceeded" = "budget-policy.exceed";
}

/// The names and numbers of MLflow's enums.
pub(super) const ENTITIES: &[(&str, i64)] = &[
    ("REGISTERED_MODEL", 1),
    ("MODEL_VERSION", 2),
    ("MODEL_VERSION_TAG", 3),
    ("MODEL_VERSION_ALIAS", 4),
    ("PROMPT", 5),
    ("PROMPT_VERSION", 6),
    ("PROMPT_TAG", 7),
    ("PROMPT_VERSION_TAG", 8),
    ("PROMPT_ALIAS", 9),
    ("BUDGET_POLICY", 10),
];
pub(super) const ACTIONS: &[(&str, i64)] =
    &[("CREATED", 1), ("UPDATED", 2), ("DELETED", 3), ("SET", 4), ("EXCEEDED", 5)];

const PROMPT_TEXT_TAG: &str = "mlflow.prompt.text";
const PROMPT_TYPE_TAG: &str = "_mlflow_prompt_type";

pub(super) fn named(name: &str) -> Option<&'static Event> {
    EVENTS.iter().find(|event| event.name == name)
}

pub(super) fn find(entity: &str, action: &str) -> Option<&'static Event> {
    EVENTS.iter().find(|event| event.name.split_once('.') == Some((entity, action)))
}

/// What can happen to an entity, in the order of the alphabet.
pub(super) fn actions_of(entity: &str) -> impl Iterator<Item = &'static str> {
    let mut actions: Vec<&str> = EVENTS
        .iter()
        .filter_map(|event| event.name.split_once('.'))
        .filter(|(of, _)| *of == entity)
        .map(|(_, action)| action)
        .collect();
    actions.sort_unstable();
    actions.into_iter()
}

/// MLflow's event for one of the record.
pub(super) fn of(event: &webhook::Event) -> Option<&'static Event> {
    let state = if event.after.is_null() { &event.before } else { &event.after };
    let prompt = state["prompt"] == true;
    EVENTS.iter().find(|known| known.action == event.action && known.prompt == prompt)
}

/// The event's name and the body that tells of it.
pub(super) fn translate(event: &webhook::Event) -> Option<(String, String)> {
    let known = of(event)?;
    let state = if event.after.is_null() { &event.before } else { &event.after };
    let (model, number) = event.object.rsplit_once('/').unwrap_or((&event.object, ""));
    let data = match known.action {
        "model.create" => json!({
            "name": event.object,
            "tags": tags(state),
            "description": state["description"].as_str().unwrap_or_default(),
        }),
        "model-version.create" if known.prompt => json!({
            "name": model,
            "version": number,
            "template": state["tags"][PROMPT_TEXT_TAG],
            "tags": tags(state),
            "description": given(&state["description"]),
        }),
        "model-version.create" => json!({
            "name": model,
            "version": number,
            "source": state["source"],
            "run_id": given(&state["run"]),
            "tags": tags(state),
            "description": given(&state["description"]),
        }),
        "model.tag" => json!({ "name": event.object, "key": state["key"], "value": state["value"] }),
        "model.untag" => json!({ "name": event.object, "key": state["key"] }),
        "model-version.tag" => {
            json!({ "name": model, "version": number, "key": state["key"], "value": state["value"] })
        }
        "model-version.untag" => json!({ "name": model, "version": number, "key": state["key"] }),
        "model.alias.set" => json!({
            "name": event.object,
            "alias": state["alias"],
            "version": state["version"].to_string(),
        }),
        "model.alias.delete" => json!({ "name": event.object, "alias": state["alias"] }),
        _ => return None,
    };
    Some((known.name.to_owned(), body(known, data, event.at)))
}

/// The tags that its maker gave, without those that make it a prompt.
fn tags(state: &Value) -> Map<String, Value> {
    let mut tags = state["tags"].as_object().cloned().unwrap_or_default();
    if state["prompt"] == true {
        tags.retain(|key, _| ![PROMPT_TAG, PROMPT_TEXT_TAG, PROMPT_TYPE_TAG].contains(&key.as_str()));
    }
    tags
}

/// An empty text as null.
fn given(value: &Value) -> Value {
    if value == "" { Value::Null } else { value.clone() }
}

/// What a receiver gets.
pub(super) fn body(event: &Event, data: Value, at: Timestamp) -> String {
    let (entity, action) = event.name.split_once('.').unwrap_or_default();
    let time = DateTime::from_timestamp_millis(at.0).unwrap_or_default();
    let time = time.to_rfc3339_opts(SecondsFormat::Micros, false);
    json!({ "entity": entity, "action": action, "timestamp": time, "data": data }).to_string()
}

impl Event {
    pub(super) fn subscription(&self) -> Subscription {
        Subscription { event: self.name.to_owned(), action: self.action.to_owned() }
    }

    /// Data like that of a real event, for tests of webhooks.
    pub(super) fn example(&self) -> Value {
        let (name, what) = if self.prompt { ("example_prompt", "prompt") } else { ("example_model", "model") };
        let tags = json!({ "example_key": "example_value" });
        match self.action {
            "model.create" if self.prompt => {
                json!({ "name": name, "tags": tags, "description": "An example prompt" })
            }
            "model.create" => json!({ "name": name, "tags": tags, "description": "An example registered model" }),
            "model-version.create" if self.prompt => json!({
                "name": name,
                "version": "1",
                "template": "Hello {{name}}!",
                "tags": tags,
                "description": "An example prompt version",
            }),
            "model-version.create" => json!({
                "name": name,
                "version": "1",
                "source": "models:/123",
                "run_id": "abcd1234abcd5678",
                "tags": tags,
                "description": format!("An example {what} version"),
            }),
            "model.tag" => json!({ "name": name, "key": "example_key", "value": "example_value" }),
            "model.untag" => json!({ "name": name, "key": "example_key" }),
            "model-version.tag" => {
                json!({ "name": name, "version": "1", "key": "example_key", "value": "example_value" })
            }
            "model-version.untag" => json!({ "name": name, "version": "1", "key": "example_key" }),
            "model.alias.set" => json!({ "name": name, "alias": "example_alias", "version": "1" }),
            "model.alias.delete" => json!({ "name": name, "alias": "example_alias" }),
            _ => json!({
                "budget_policy_id": "bp-abc123",
                "budget_unit": "USD",
                "budget_amount": 100.0,
                "current_spend": 105.5,
                "duration_unit": "MONTHS",
                "duration_value": 1,
                "target_scope": "ENDPOINT",
                "workspace": "default",
                "target_value": "ep-abc123",
                "window_start": 1_704_067_200_000_i64,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use stele_domain::id::WorkspaceId;

    use super::*;

    fn told(action: &str, object: &str, before: Value, after: Value) -> Option<(String, Value)> {
        let event = webhook::Event {
            workspace: WorkspaceId(1),
            action: action.to_owned(),
            object: object.to_owned(),
            before,
            after,
            at: Timestamp(1_700_000_000_123),
            by: "ada".to_owned(),
            script: "mlflow".to_owned(),
            subject: None,
            version: Value::Null,
        };
        translate(&event).map(|(name, body)| (name, serde_json::from_str(&body).unwrap()))
    }

    #[test]
    fn every_event_is_one_that_subscribers_may_hear_of() {
        for event in EVENTS.iter().filter(|event| event.action != "budget-policy.exceed") {
            assert!(stele_domain::event::name_of(event.action).is_some(), "{}", event.action);
        }
    }

    #[test]
    fn a_version_is_told_of_as_mlflow_does() {
        let after = json!({ "source": "s3://x", "run": "", "description": "", "tags": { "a": "b" }, "prompt": false });
        let (name, body) = told("model-version.create", "m.1/7", Value::Null, after).unwrap();
        assert_eq!(name, "model_version.created");
        let data = json!({ "name": "m.1", "version": "7", "source": "s3://x", "run_id": null, "tags": { "a": "b" },
            "description": null });
        let expected = json!({ "entity": "model_version", "action": "created",
            "timestamp": "2023-11-14T22:13:20.123000+00:00", "data": data });
        assert_eq!(body, expected);
    }

    #[test]
    fn what_happens_to_prompts_is_told_in_other_words() {
        let before = json!({ "alias": "a", "version": 1, "prompt": true });
        assert_eq!(told("model.alias.delete", "p", before, Value::Null).unwrap().0, "prompt_alias.deleted");
        let tags = json!({ PROMPT_TAG: "true", PROMPT_TEXT_TAG: "Hi", "x": "y" });
        let (name, body) =
            told("model-version.create", "p/1", Value::Null, json!({ "tags": tags, "prompt": true })).unwrap();
        assert_eq!((name.as_str(), &body["data"]["template"]), ("prompt_version.created", &json!("Hi")));
        assert_eq!(body["data"]["tags"], json!({ "x": "y" }));
    }

    #[test]
    fn tags_of_models_that_are_no_prompts_are_not_told() {
        assert_eq!(told("model.tag", "m", Value::Null, json!({ "key": "k", "value": "v", "prompt": false })), None);
    }
}
