//! How events are told: each format has its words and its way to prove who is telling.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use stele_domain::webhook::{Event, WebhookFormat};
use stele_domain::{Error, Result};

/// What to send.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The event's name as webhooks subscribe to it.
    pub event: String,
    pub body: String,
}

/// Words an event, given the id of its delivery; none for events that the format has not.
pub type Translate = Arc<dyn Fn(&Event, &str) -> Option<Told> + Send + Sync>;

/// How a format words events.
#[derive(Clone)]
pub struct Translation {
    pub translate: Translate,
    pub content_type: &'static str,
    /// Headers that are always the same.
    pub headers: &'static [(&'static str, &'static str)],
    pub proof: Proof,
}

/// What a receiver knows the sender by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Headers with the id of a delivery, the seconds since 1970, and the signature by the secret, if there is one.
    Signed { id_header: &'static str, timestamp_header: &'static str, signature_header: &'static str, key: KeyText },
    /// The secret itself, as a bearer's token.
    Bearer,
    /// The URL is the secret.
    Url,
}

/// How the text of a secret is a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyText {
    Plain,
    /// `whsec_` and base64, as the Standard Webhooks have it.
    Standard,
}

/// The headers of the Standard Webhooks.
pub const STANDARD_WEBHOOKS: Proof = Proof::Signed {
    id_header: "webhook-id",
    timestamp_header: "webhook-timestamp",
    signature_header: "webhook-signature",
    key: KeyText::Standard,
};

/// The translation of each format that this server tells events in.
pub type Translations = HashMap<WebhookFormat, Translation>;

const PREFIX: &str = "whsec_";

impl KeyText {
    pub(super) fn key(self, secret: &str) -> Result<Vec<u8>> {
        match self {
            KeyText::Plain => Ok(secret.as_bytes().to_vec()),
            KeyText::Standard => {
                let decoded = secret.strip_prefix(PREFIX).and_then(|text| STANDARD.decode(text).ok());
                decoded.filter(|key| (24..=64).contains(&key.len())).ok_or_else(|| {
                    Error::invalid("the secret of a webhook must be whsec_ and the base64 of 24 to 64 random bytes")
                })
            }
        }
    }
}

/// Refuses a secret that cannot prove anything in a format, and a lack of one where it is needed.
pub(super) fn check_secret(format: WebhookFormat, secret: Option<&str>) -> Result<()> {
    match (format, secret) {
        (WebhookFormat::Cloudevents | WebhookFormat::Eventbridge, Some(secret)) => {
            KeyText::Standard.key(secret).map(|_| ())
        }
        (WebhookFormat::Github, None) => {
            Err(Error::invalid("a webhook of format github needs a token of GitHub's as its secret"))
        }
        (WebhookFormat::Github, Some(token)) if !token.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err(Error::invalid("the token has characters that no header can carry"))
        }
        (WebhookFormat::Slack, Some(_)) => {
            Err(Error::invalid("a webhook of format slack has no secret: its URL is the secret"))
        }
        _ => Ok(()),
    }
}
