//! One attempt to tell a webhook something.

use std::fmt::Write;
use std::sync::OnceLock;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, Response, StatusCode, redirect};
use stele_domain::id::Timestamp;
use stele_domain::webhook::{Outcome, Webhook};
use stele_domain::{Error, Result};

use super::address::{self, PublicOnly};
use super::{Proof, Translation, WebhookSettings, WebhookTest};
use crate::SecretKey;

/// How much of an answer a test shows.
const MOST_SHOWN: usize = 16 * 1024;

pub(super) struct Sender {
    settings: WebhookSettings,
    /// Made when it is first needed, since reading the system's certificates takes a while.
    client: OnceLock<Client>,
}

/// What to send.
pub(super) struct Message<'a> {
    pub(super) translation: &'a Translation,
    pub(super) delivery_id: &'a str,
    pub(super) body: &'a str,
}

impl Sender {
    pub(super) fn new(settings: WebhookSettings) -> Sender {
        Sender { settings, client: OnceLock::new() }
    }

    pub(super) fn key(&self) -> &SecretKey {
        &self.settings.key
    }

    /// The first attempt counts.
    pub(super) fn most_attempts(&self) -> i64 {
        i64::from(self.settings.retries) + 1
    }

    pub(super) fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    pub(super) async fn check(&self, url: &str) -> Result<()> {
        address::check(url, &self.settings.schemes, self.settings.private_addresses).await
    }

    /// Sends a message and says how that ended.
    pub(super) async fn send(&self, webhook: &Webhook, message: &Message<'_>, now: Timestamp) -> Outcome {
        match self.attempt(webhook, message, now).await {
            Ok(response) => outcome(&response),
            Err(outcome) => outcome,
        }
    }

    /// Sends a message up to four times, a second apart and then twice that and so on, as long as that may help.
    pub(super) async fn test(
        &self,
        webhook: &Webhook,
        message: &Message<'_>,
        now: impl Fn() -> Timestamp,
    ) -> WebhookTest {
        let mut attempt = 0;
        loop {
            let answered = self.attempt(webhook, message, now()).await;
            let retry = match &answered {
                Ok(response) => matches!(outcome(response), Outcome::Refused { .. }),
                Err(outcome) => matches!(outcome, Outcome::Unreachable(_)),
            };
            if retry && attempt < self.settings.retries.min(3) {
                tokio::time::sleep(Duration::from_secs(1 << attempt)).await;
                attempt += 1;
                continue;
            }
            return match answered {
                Ok(response) => {
                    let status = response.status().as_u16();
                    WebhookTest::Answered { status, body: beginning(response).await }
                }
                Err(Outcome::Unreachable(error) | Outcome::Forbidden(error)) => WebhookTest::Failed { error },
                Err(other) => WebhookTest::Failed { error: format!("{other:?}") },
            };
        }
    }

    async fn attempt(&self, webhook: &Webhook, message: &Message<'_>, now: Timestamp) -> Result<Response, Outcome> {
        // What was allowed when the webhook was made need not be any more.
        self.check(&webhook.url).await.map_err(|error| {
            let text = error.to_string();
            if text.starts_with("Cannot resolve") { Outcome::Unreachable(text) } else { Outcome::Forbidden(text) }
        })?;
        let client = self.client().map_err(|error| Outcome::Unreachable(error.to_string()))?;
        let Translation { translate: _, content_type, headers, proof } = message.translation;
        let sealed = webhook.secret.as_ref();
        let secret = sealed.map(|sealed| self.key().open(&webhook.id, sealed)).transpose();
        let secret = secret.map_err(|error| Outcome::Unreachable(error.to_string()))?;
        let mut request = client.post(&webhook.url).header("Content-Type", *content_type);
        for (name, value) in *headers {
            request = request.header(*name, *value);
        }
        match (*proof, secret) {
            (Proof::Signed { id_header, timestamp_header, signature_header, key }, secret) => {
                let seconds = now.0.div_euclid(1000).to_string();
                request = request.header(id_header, message.delivery_id).header(timestamp_header, &seconds);
                if let Some(secret) = secret {
                    let key = key.key(&secret).map_err(|error| Outcome::Forbidden(error.to_string()))?;
                    let signature = signature(&key, message.delivery_id, &seconds, message.body);
                    request = request.header(signature_header, signature);
                }
            }
            (Proof::Bearer, Some(secret)) => request = request.bearer_auth(secret),
            (Proof::Bearer | Proof::Url, _) => {}
        }
        request.body(message.body.to_owned()).send().await.map_err(unreachable)
    }

    fn client(&self) -> Result<&Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // Without proxies, which would resolve names by themselves, and without following whereto it is sent on.
        let mut builder = Client::builder()
            .user_agent(concat!("stele/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(self.settings.timeout);
        if !self.settings.private_addresses {
            builder = builder.dns_resolver(PublicOnly);
        }
        let client = builder.build().map_err(|e| Error::internal(format!("cannot prepare for webhooks: {e}")))?;
        Ok(self.client.get_or_init(|| client))
    }
}

/// `v1,` and the base64 of the HMAC-SHA256 of id, time and body, as the Standard Webhooks have it.
fn signature(key: &[u8], id: &str, seconds: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let tag = hmac::sign(&key, format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(tag))
}

fn outcome(response: &Response) -> Outcome {
    let status = response.status();
    if status != StatusCode::TOO_MANY_REQUESTS && !status.is_server_error() {
        return Outcome::Answered(status.as_u16());
    }
    let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
    let seconds = header.and_then(|text| text.trim().parse::<i64>().ok());
    Outcome::Refused { status: status.as_u16(), retry_after_ms: seconds.map(|seconds| seconds.saturating_mul(1000)) }
}

/// The beginning of an answer; a receiver may send without end.
async fn beginning(mut response: Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await
        && bytes.len() < MOST_SHOWN
    {
        bytes.extend_from_slice(&chunk);
    }
    bytes.truncate(MOST_SHOWN);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Why nobody answered, without the address, which is not for everybody who reads of deliveries.
fn unreachable(error: reqwest::Error) -> Outcome {
    Outcome::Unreachable(whole(&error.without_url()))
}

/// An error with its causes, which say what went wrong.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let _ = write!(text, ": {inner}");
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_the_standard() {
        // python: base64.b64encode(hmac.new(b"s3", b"id.5.{}", "sha256").digest())
        assert_eq!(signature(b"s3", "id", "5", "{}"), "v1,bRqtuuHG+pUHlO3uCDkXeCeAh1xBbdSgr5Uk1QbCiok=");
    }
}
