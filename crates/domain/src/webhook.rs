//! Webhooks: addresses outside that are told of events.

use serde_json::Value;

use crate::id::{DeliveryRow, Timestamp, WebhookRow, WorkspaceId};
use crate::lifecycle::text_enum;

#[derive(Debug, Clone, PartialEq)]
pub struct Webhook {
    pub row: WebhookRow,
    /// A UUID with hyphens.
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub url: String,
    pub format: WebhookFormat,
    /// Sealed; only who has the server's key can sign with it.
    pub secret: Option<Vec<u8>>,
    pub status: WebhookStatus,
    pub subscriptions: Vec<Subscription>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a webhook wants to hear of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subscription {
    /// In the words of the script that the webhook was made through, such as `prompt.created`.
    pub event: String,
    /// The record's action that may be this event, such as `model.create`.
    pub action: String,
}

text_enum! {
    /// The words in which a webhook is told.
    WebhookFormat {
        Mlflow = "mlflow",
        Cloudevents = "cloudevents",
        Slack = "slack",
        Github = "github",
        Eventbridge = "eventbridge",
    }
}

text_enum! {
    /// Whether a webhook is told anything.
    WebhookStatus { Active = "active", Disabled = "disabled" }
}

text_enum! {
    /// What became of telling a webhook of an event.
    DeliveryStatus { Pending = "pending", Sent = "sent", Failed = "failed", Skipped = "skipped" }
}

/// An event as it happened to the record.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Where it happened.
    pub workspace: WorkspaceId,
    pub action: String,
    /// The public id or name of what it happened to.
    pub object: String,
    pub before: Value,
    pub after: Value,
    pub at: Timestamp,
    /// Who did it, and through which script.
    pub by: String,
    pub script: String,
    /// The lasting id of the model that it is about, if it is about one.
    pub subject: Option<String>,
    /// Of an event of a version: the version after it.
    pub version: Value,
}

/// One event on its way to one webhook, or as it ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    pub row: DeliveryRow,
    /// The same in every attempt, so that a receiver can tell a repetition.
    pub id: String,
    pub event: Event,
    pub status: DeliveryStatus,
    pub attempts: i64,
    pub next_at: Timestamp,
    pub response_status: Option<i64>,
    pub error: Option<String>,
    pub finished_at: Option<Timestamp>,
}

/// How an attempt to deliver ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver answered with this status.
    Answered(u16),
    /// It asked for patience (429) or failed (5xx); it may have said for how long, in milliseconds.
    Refused { status: u16, retry_after_ms: Option<i64> },
    /// It could not be reached.
    Unreachable(String),
    /// It must not be reached, now or later.
    Forbidden(String),
    /// The webhook did not ask for this event.
    Unwanted,
}

/// The longest wait before another attempt, whatever the receiver asks for.
const MOST_WAIT_MS: i64 = 60 * 60 * 1000;
/// The longest wait that doubling leads to.
const MOST_BACKOFF_MS: i64 = 60 * 1000;

impl Delivery {
    /// The delivery after another attempt. What may pass is tried again, one second later, then two, four and so on,
    /// and given up after `most_attempts`.
    #[must_use]
    pub fn after(mut self, outcome: Outcome, most_attempts: i64, now: Timestamp) -> Delivery {
        self.attempts += 1;
        let exponent = u32::try_from(self.attempts - 1).unwrap_or(0).min(16);
        let backoff = (1000_i64 << exponent).min(MOST_BACKOFF_MS);
        self.response_status = None;
        self.error = None;
        let wait = match outcome {
            Outcome::Answered(status) => {
                self.response_status = Some(status.into());
                self.status = if status < 300 { DeliveryStatus::Sent } else { DeliveryStatus::Failed };
                None
            }
            Outcome::Refused { status, retry_after_ms } => {
                self.response_status = Some(status.into());
                Some(retry_after_ms.unwrap_or(backoff).clamp(0, MOST_WAIT_MS))
            }
            Outcome::Unreachable(error) => {
                self.error = Some(error);
                Some(backoff)
            }
            Outcome::Forbidden(error) => {
                self.error = Some(error);
                self.status = DeliveryStatus::Failed;
                None
            }
            Outcome::Unwanted => {
                self.attempts -= 1;
                self.status = DeliveryStatus::Skipped;
                None
            }
        };
        match wait {
            Some(wait) if self.attempts < most_attempts => self.next_at = Timestamp(now.0 + wait),
            Some(_) => self.status = DeliveryStatus::Failed,
            None => {}
        }
        self.finished_at = (self.status != DeliveryStatus::Pending).then_some(now);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending() -> Delivery {
        let event = Event {
            workspace: WorkspaceId(1),
            action: "model.create".to_owned(),
            object: "m".to_owned(),
            before: Value::Null,
            after: Value::Null,
            at: Timestamp(0),
            by: String::new(),
            script: String::new(),
            subject: None,
            version: Value::Null,
        };
        Delivery {
            row: DeliveryRow(1),
            id: "d".to_owned(),
            event,
            status: DeliveryStatus::Pending,
            attempts: 0,
            next_at: Timestamp(0),
            response_status: None,
            error: None,
            finished_at: None,
        }
    }

    #[test]
    fn what_may_pass_is_tried_again_later_and_later_and_then_given_up() {
        let mut delivery = pending();
        for wait in [1_000, 2_000, 4_000] {
            delivery = delivery.after(Outcome::Refused { status: 503, retry_after_ms: None }, 4, Timestamp(100));
            assert_eq!((delivery.status, delivery.next_at), (DeliveryStatus::Pending, Timestamp(100 + wait)));
        }
        delivery = delivery.after(Outcome::Unreachable("closed".to_owned()), 4, Timestamp(9));
        assert_eq!((delivery.status, delivery.finished_at), (DeliveryStatus::Failed, Some(Timestamp(9))));
        assert_eq!(delivery.error.as_deref(), Some("closed"));
    }

    #[test]
    fn a_receiver_may_ask_for_patience_within_bounds() {
        let asked = |ms| pending().after(Outcome::Refused { status: 429, retry_after_ms: Some(ms) }, 4, Timestamp(0));
        assert_eq!(asked(30_000).next_at, Timestamp(30_000));
        assert_eq!(asked(i64::MAX).next_at, Timestamp(MOST_WAIT_MS));
        assert_eq!(asked(-5).next_at, Timestamp(0));
    }

    #[test]
    fn answers_and_refusals_for_good_end_it() {
        for (outcome, status) in [
            (Outcome::Answered(204), DeliveryStatus::Sent),
            (Outcome::Answered(404), DeliveryStatus::Failed),
            (Outcome::Forbidden("private".to_owned()), DeliveryStatus::Failed),
            (Outcome::Unwanted, DeliveryStatus::Skipped),
        ] {
            assert_eq!(pending().after(outcome, 4, Timestamp(1)).status, status);
        }
    }
}
