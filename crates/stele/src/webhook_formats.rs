//! How events are told: in each format that a webhook may ask for.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};
use stele_app::{App, Proof, STANDARD_WEBHOOKS, Told, Translation, Translations};
use stele_domain::event::name_of;
use stele_domain::webhook::{Event, WebhookFormat};

/// Every translation. SageMaker's documents are in the name of the account that the workspace of an event is; `account` is
/// that of `default`.
pub(crate) fn translations(app: &App, account: &str) -> Translations {
    let (app, account) = (app.clone(), account.to_owned());
    let account_of = Arc::new(move |workspace| app.account_number_of(workspace, &account));
    Translations::from([
        (WebhookFormat::Mlflow, stele_mlflow::webhook_translation()),
        (WebhookFormat::Eventbridge, stele_sagemaker::webhook_translation(account_of)),
        (WebhookFormat::Cloudevents, cloudevents()),
        (WebhookFormat::Slack, slack()),
        (WebhookFormat::Github, github()),
    ])
}

/// CloudEvents 1.0 in the structured mode, signed as the Standard Webhooks have it.
fn cloudevents() -> Translation {
    Translation {
        translate: Arc::new(|event, id| {
            let body = json!({
                "specversion": "1.0",
                "id": id,
                "source": crate::api::ROOT,
                "type": format!("stele.{}", name_of(&event.action)?),
                "subject": event.object,
                "time": time(event),
                "datacontenttype": "application/json",
                "data": data(event)?,
            });
            told(event, &body)
        }),
        content_type: "application/cloudevents+json",
        headers: &[],
        proof: STANDARD_WEBHOOKS,
    }
}

/// An incoming webhook of Slack's, or of what understands the same.
fn slack() -> Translation {
    Translation {
        translate: Arc::new(|event, _| told(event, &json!({ "text": sentence(event)? }))),
        content_type: "application/json",
        headers: &[],
        proof: Proof::Url,
    }
}

/// A `repository_dispatch` that starts workflows in a repository on GitHub.
fn github() -> Translation {
    Translation {
        translate: Arc::new(|event, id| {
            let mut payload = data(event)?;
            payload["id"] = id.into();
            payload["time"] = time(event).into();
            let kind = format!("stele.{}", name_of(&event.action)?);
            told(event, &json!({ "event_type": kind, "client_payload": payload }))
        }),
        content_type: "application/json",
        headers: &[("Accept", "application/vnd.github+json"), ("X-GitHub-Api-Version", "2022-11-28")],
        proof: Proof::Bearer,
    }
}

fn told(event: &Event, body: &Value) -> Option<Told> {
    Some(Told { event: name_of(&event.action)?.to_owned(), body: body.to_string() })
}

fn time(event: &Event) -> String {
    let time = DateTime::from_timestamp_millis(event.at.0).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The model and the number of the version that an event is about.
fn parts(event: &Event) -> (&str, Option<i64>) {
    let version = event.object.rsplit_once('/').and_then(|(model, number)| Some((model, number.parse().ok()?)));
    match version {
        Some((model, number)) if !event.action.starts_with("model.") => (model, Some(number)),
        _ => (&event.object, None),
    }
}

/// GitHub takes at most ten members.
fn data(event: &Event) -> Option<Value> {
    let (model, version) = parts(event);
    Some(json!({
        "event": name_of(&event.action)?,
        "model": model,
        "version": version,
        "before": event.before,
        "after": event.after,
        "state": event.version,
        "by": event.by,
        "script": event.script,
    }))
}

fn sentence(event: &Event) -> Option<String> {
    let (model, version) = parts(event);
    let what = match version {
        Some(version) => format!("version {version} of *{}*", escaped(model)),
        None => format!("*{}*", escaped(model)),
    };
    let text = |state: &Value, member: &str| match &state[member] {
        Value::String(text) => escaped(text),
        Value::Null => "nothing".to_owned(),
        other => escaped(&other.to_string()),
    };
    let (before, after) = (&event.before, &event.after);
    let happened = match name_of(&event.action)? {
        "version.stage" => format!("{what} moved from {} to {}", text(before, "stage"), text(after, "stage")),
        "version.approval" => format!("{what} is {} (was {})", text(after, "approval"), text(before, "approval")),
        "alias.set" => format!("alias {} of {what} points at version {}", text(after, "alias"), text(after, "version")),
        "alias.deleted" => format!("alias {} of {what} was deleted", text(before, "alias")),
        "model.renamed" => format!("*{}* is called {what} now", text(before, "name")),
        name => {
            let verb = name.rsplit_once('.').map_or(name, |(_, verb)| verb);
            format!("{what}: {verb}")
        }
    };
    Some(format!("{happened}, by {} through {}", escaped(&event.by), escaped(&event.script)))
}

/// Slack's three special characters.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use stele_domain::id::{Timestamp, WorkspaceId};

    use super::*;

    fn event(action: &str, object: &str, before: Value, after: Value) -> Event {
        Event {
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
        }
    }

    fn body(translation: &Translation, event: &Event) -> Value {
        serde_json::from_str(&(translation.translate)(event, "e1").unwrap().body).unwrap()
    }

    #[test]
    fn every_event_can_be_told_in_each_native_format() {
        for (name, action) in stele_domain::event::EVENTS {
            let event = event(action, "churn/3", Value::Null, Value::Null);
            for translation in [cloudevents(), slack(), github()] {
                assert_eq!((translation.translate)(&event, "e1").unwrap().event, *name);
            }
            let payload = body(&github(), &event)["client_payload"].as_object().map(serde_json::Map::len);
            assert!(payload <= Some(10), "{name}");
        }
        assert_eq!((slack().translate)(&event("run.create", "r", Value::Null, Value::Null), "e1"), None);
    }

    #[test]
    fn a_stage_is_told_in_the_words_of_each() {
        let moved =
            event("model-version.transition", "a<b/3", json!({ "stage": "staging" }), json!({ "stage": "production" }));
        assert_eq!(
            body(&slack(), &moved)["text"],
            "version 3 of *a&lt;b* moved from staging to production, by ada through mlflow"
        );
        let told = body(&cloudevents(), &moved);
        assert_eq!(
            (&told["type"], &told["subject"], &told["time"], &told["data"]["version"]),
            (&json!("stele.version.stage"), &json!("a<b/3"), &json!("2023-11-14T22:13:20.123Z"), &json!(3))
        );
        assert_eq!(body(&github(), &moved)["event_type"], "stele.version.stage");
    }
}
