use anyhow::Result;
use clap::Args;

use crate::cli::Failure;

#[derive(Args, Clone)]
#[command(next_help_heading = "Identity provider")]
pub(crate) struct OidcOptions {
    /// URL of an OpenID Connect provider that people log in through
    #[arg(long, env = "STELE_OIDC_ISSUER", value_name = "URL", requires = "oidc_client_id")]
    pub(super) oidc_issuer: Option<String>,

    /// What the provider knows this server by
    #[arg(long, env = "STELE_OIDC_CLIENT_ID", value_name = "ID")]
    pub(super) oidc_client_id: Option<String>,

    /// The secret of that client, if it has one; rather a variable than a flag
    #[arg(long, env = "STELE_OIDC_CLIENT_SECRET", hide_env_values = true, value_name = "SECRET")]
    pub(super) oidc_client_secret: Option<String>,

    /// What the provider is asked for, besides openid
    #[arg(
        long,
        env = "STELE_OIDC_SCOPES",
        value_delimiter = ',',
        default_value = "profile,email",
        value_name = "SCOPE"
    )]
    pub(super) oidc_scopes: Vec<String>,

    /// The claim that holds the names of a user's groups
    #[arg(long, env = "STELE_OIDC_GROUPS_CLAIM", default_value = "groups", value_name = "CLAIM")]
    pub(super) oidc_groups_claim: String,

    /// URL that browsers reach this server by, with the path in front of everything [default: where it listens]
    #[arg(long, env = "STELE_PUBLIC_URL", value_name = "URL")]
    pub(super) public_url: Option<String>,
}

impl OidcOptions {
    /// The URL that browsers are sent back to, and whether they speak TLS.
    pub(super) fn public_url(&self, listening: &str) -> Result<url::Url> {
        let text = self.public_url.as_deref().unwrap_or(listening);
        let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        url.ok_or_else(|| {
            Failure::usage(format!("'{text}' is not the URL of a server"))
                .hint("a URL such as --public-url https://stele.example.org")
                .into()
        })
    }
}
