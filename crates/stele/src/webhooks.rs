//! What is set about webhooks, under Stele's names or MLflow's.

use std::time::Duration;

use clap::{ArgAction, Args};
use stele_app::{SecretKey, WebhookSettings};

#[derive(Args)]
#[command(next_help_heading = "Webhooks")]
pub(crate) struct WebhookOptions {
    /// Schemes of the URLs that webhooks may be sent to
    #[arg(
        long = "webhook-allowed-schemes",
        env = "STELE_WEBHOOK_ALLOWED_SCHEMES",
        value_delimiter = ',',
        default_value = "https",
        value_name = "SCHEME"
    )]
    schemes: Vec<String>,

    /// Whether webhooks may be sent to private addresses
    #[arg(
        long = "webhook-allow-private-ips",
        env = "STELE_WEBHOOK_ALLOW_PRIVATE_IPS",
        action = ArgAction::Set,
        num_args = 0..=1,
        default_value = "false",
        default_missing_value = "true",
        value_parser = switch,
        value_name = "BOOL"
    )]
    private_ips: bool,

    /// Seconds that a receiver may take to answer
    #[arg(
        long = "webhook-request-timeout",
        env = "STELE_WEBHOOK_REQUEST_TIMEOUT",
        default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..=300),
        value_name = "SECONDS"
    )]
    timeout: u64,

    /// How often a delivery is tried again
    #[arg(
        long = "webhook-request-max-retries",
        env = "STELE_WEBHOOK_REQUEST_MAX_RETRIES",
        default_value_t = 8,
        value_parser = clap::value_parser!(u32).range(..=100),
        value_name = "COUNT"
    )]
    retries: u32,
}

impl WebhookOptions {
    pub(crate) fn settings(&self, key: SecretKey) -> WebhookSettings {
        let WebhookOptions { schemes, private_ips, timeout, retries } = self;
        WebhookSettings {
            schemes: schemes.iter().map(|scheme| scheme.trim().to_ascii_lowercase()).collect(),
            private_addresses: *private_ips,
            timeout: Duration::from_secs(*timeout),
            retries: *retries,
            key,
        }
    }
}

fn switch(text: &str) -> Result<bool, &'static str> {
    match text {
        "true" | "True" | "1" => Ok(true),
        "false" | "False" | "0" => Ok(false),
        _ => Err("expected true or false"),
    }
}
