use std::net::IpAddr;

use clap::Args;

use crate::login::oidc::OidcOptions;
use crate::operations::Operations;
use crate::place::Place;
use crate::webhooks::WebhookOptions;

#[derive(Args)]
pub(crate) struct Serve {
    /// Address to listen on; others than loopback once `stele auth init` has turned authentication on
    #[arg(long, env = "STELE_HOST", default_value = "127.0.0.1", value_parser = host)]
    pub(crate) host: IpAddr,

    /// Port to listen on; 0 takes any free one
    #[arg(long, env = "STELE_PORT", default_value_t = 5000)]
    pub(crate) port: u16,

    #[command(flatten)]
    pub(crate) place: Place,

    /// How long deleted things are kept before they are freed with their files, such as 30d [default: until `stele gc`]
    #[arg(long, env = "STELE_TRASH_RETENTION", value_name = "AGE", value_parser = crate::place::age)]
    pub(crate) trash_retention: Option<std::time::Duration>,

    /// The twelve digits of the account in whose name SageMaker clients are answered
    #[arg(long, env = "STELE_ACCOUNT", default_value = stele_sagemaker::DEFAULT_ACCOUNT, value_parser = account, value_name = "ID")]
    pub(crate) account: String,

    /// Whether requests may be in other workspaces than `default`
    #[arg(long, env = "STELE_WORKSPACES")]
    pub(crate) workspaces: bool,

    /// Host names, besides loopback and private addresses, under which browsers may reach the server
    #[arg(long, env = "STELE_ALLOWED_HOSTS", value_delimiter = ',', value_name = "HOST")]
    pub(crate) allowed_hosts: Vec<String>,

    /// Origins, besides loopback, whose pages may change things
    #[arg(long, env = "STELE_ALLOWED_ORIGINS", value_delimiter = ',', value_name = "ORIGIN")]
    pub(crate) allowed_origins: Vec<String>,

    #[command(flatten)]
    pub(crate) oidc: OidcOptions,

    #[command(flatten)]
    pub(crate) webhooks: WebhookOptions,

    #[command(flatten)]
    pub(crate) operations: Operations,
}

fn account(text: &str) -> Result<String, String> {
    match text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(text.to_owned()),
        false => Err("expected twelve digits".to_owned()),
    }
}

/// An address, or `localhost`.
fn host(text: &str) -> Result<IpAddr, String> {
    match text {
        "localhost" => Ok(IpAddr::from([127, 0, 0, 1])),
        address => address.parse().map_err(|_| "expected an IP address or localhost".to_owned()),
    }
}
