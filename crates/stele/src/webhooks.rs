//! What the environment says about webhooks, under Stele's names or MLflow's.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use stele_app::{SecretKey, WebhookSettings};

/// The file in the data folder that holds the key of secrets, unless the environment has it.
const KEY_FILE: &str = "secret.key";

pub(crate) fn settings(data: &Path) -> Result<WebhookSettings> {
    let key = match variable("STELE_SECRET_KEY") {
        Some(text) => SecretKey::from_text(&text).context("STELE_SECRET_KEY cannot be used")?,
        None => SecretKey::from_file(&data.join(KEY_FILE))?,
    };
    let schemes = either("ALLOWED_SCHEMES").unwrap_or_else(|| "https".to_owned());
    Ok(WebhookSettings {
        schemes: schemes.split(',').map(|scheme| scheme.trim().to_ascii_lowercase()).collect(),
        private_addresses: match either("ALLOW_PRIVATE_IPS").as_deref() {
            None | Some("false" | "False" | "0") => false,
            Some("true" | "True" | "1") => true,
            Some(other) => bail!("STELE_WEBHOOK_ALLOW_PRIVATE_IPS must be true or false, not '{other}'"),
        },
        timeout: Duration::from_secs(number("REQUEST_TIMEOUT", 30)?.clamp(1, 300)),
        retries: u32::try_from(number("REQUEST_MAX_RETRIES", 8)?.min(100)).unwrap_or(8),
        key,
    })
}

fn number(name: &str, default: u64) -> Result<u64> {
    let Some(text) = either(name) else { return Ok(default) };
    text.parse().with_context(|| format!("STELE_WEBHOOK_{name} must be a number, not '{text}'"))
}

fn either(name: &str) -> Option<String> {
    variable(&format!("STELE_WEBHOOK_{name}")).or_else(|| variable(&format!("MLFLOW_WEBHOOK_{name}")))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
