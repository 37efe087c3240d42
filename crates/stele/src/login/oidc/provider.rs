//! The provider: what it says of itself, and what it says of a user.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreProviderMetadata};
use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    TokenResponse,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use stele_app::Vouched;

use super::settings::OidcOptions;

/// The longest answer of a provider, in bytes.
const MOST_ANSWER: usize = 1024 * 1024;
/// How many device codes may be asked about at once.
const MOST_AT_ONCE: usize = 8;
const TIMEOUT: Duration = Duration::from_secs(15);
/// How long what a provider says of itself counts, its keys among it.
const METADATA_LIFE: Duration = Duration::from_secs(10 * 60);

type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// An identity provider and what this server is to it.
pub(crate) struct Provider {
    options: OidcOptions,
    issuer: IssuerUrl,
    client_id: String,
    pub(super) public_url: url::Url,
    http: reqwest::Client,
    /// Anybody may ask for device codes, and the provider is not to be flooded with that.
    turns: tokio::sync::Semaphore,
    known: tokio::sync::Mutex<Option<(tokio::time::Instant, std::sync::Arc<Known>)>>,
}

/// What the provider has said of itself.
struct Known {
    client: Client,
    token_endpoint: Option<String>,
    userinfo_endpoint: Option<String>,
    device_endpoint: Option<String>,
}

/// What a login in progress must remember.
pub(super) struct Begun {
    pub(super) address: url::Url,
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
}

/// What a person is to do on another device.
#[derive(Debug, Deserialize)]
pub(super) struct Device {
    pub(super) device_code: String,
    pub(super) user_code: String,
    pub(super) verification_uri: String,
    pub(super) verification_uri_complete: Option<String>,
    pub(super) expires_in: u64,
    pub(super) interval: Option<u64>,
}

/// What came of asking whether a person has done so.
pub(super) enum Polled {
    Pending,
    Refused,
    Vouched(Vouched),
}

impl Provider {
    /// The provider that is configured, if one is.
    pub(crate) fn configured(options: &OidcOptions, listening: &str) -> Result<Option<Provider>> {
        let (Some(issuer), Some(client_id)) = (&options.oidc_issuer, &options.oidc_client_id) else { return Ok(None) };
        let issuer = IssuerUrl::new(issuer.clone()).with_context(|| format!("'{issuer}' is not a URL"))?;
        // A redirect could lead anywhere, and no provider needs one here.
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT).build()?;
        Ok(Some(Provider {
            issuer,
            client_id: client_id.clone(),
            public_url: options.public_url(listening)?,
            options: options.clone(),
            http,
            turns: tokio::sync::Semaphore::new(MOST_AT_ONCE),
            known: tokio::sync::Mutex::default(),
        }))
    }

    pub(super) fn is_secure(&self) -> bool {
        self.public_url.scheme() == "https"
    }

    async fn known(&self) -> Result<std::sync::Arc<Known>> {
        let mut known = self.known.lock().await;
        if let Some((at, known)) = &*known
            && at.elapsed() < METADATA_LIFE
        {
            return Ok(std::sync::Arc::clone(known));
        }
        let http = self.http();
        let metadata = CoreProviderMetadata::discover_async(self.issuer.clone(), &http)
            .await
            .with_context(|| format!("the identity provider {} does not say what it offers", self.issuer.as_str()))?;
        // The crate does not read where device codes come from.
        let address = self.issuer.join(".well-known/openid-configuration")?;
        let more: Map<String, Value> = serde_json::from_slice(&self.send(self.http.get(address)).await?.1)?;
        let text = |name: &str| more.get(name).and_then(Value::as_str).map(str::to_owned);
        let secret = self.options.oidc_client_secret.clone().map(ClientSecret::new);
        let back = format!("{}{}/callback", self.public_url.as_str().trim_end_matches('/'), super::PATH);
        let client = CoreClient::from_provider_metadata(metadata, ClientId::new(self.client_id.clone()), secret)
            .set_redirect_uri(RedirectUrl::new(back)?);
        let fresh = std::sync::Arc::new(Known {
            client,
            token_endpoint: text("token_endpoint"),
            userinfo_endpoint: text("userinfo_endpoint"),
            device_endpoint: text("device_authorization_endpoint"),
        });
        *known = Some((tokio::time::Instant::now(), std::sync::Arc::clone(&fresh)));
        Ok(fresh)
    }

    /// Where a browser is sent, and what is to be remembered meanwhile.
    pub(super) async fn begin(&self) -> Result<Begun> {
        let known = self.known().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let mut request = known.client.authorize_url(flow, CsrfToken::new_random, Nonce::new_random);
        for scope in &self.options.oidc_scopes {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (address, state, nonce) = request.set_pkce_challenge(challenge).url();
        Ok(Begun {
            address,
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
        })
    }

    /// Who came back with a code.
    pub(super) async fn end(&self, code: String, verifier: String, nonce: String) -> Result<Vouched> {
        let (known, http) = (self.known().await?, self.http());
        let answer = known
            .client
            .exchange_code(AuthorizationCode::new(code))?
            .set_pkce_verifier(PkceCodeVerifier::new(verifier))
            .request_async(&http)
            .await
            .context("the identity provider does not take the code")?;
        let token = answer.id_token().context("the identity provider gave no ID token")?;
        token.claims(&known.client.id_token_verifier(), &Nonce::new(nonce)).context("the ID token is not good")?;
        self.vouched(&known, token, answer.access_token().secret()).await
    }

    /// What a person is to do who logs in at a command.
    pub(super) async fn device(&self) -> Result<Device> {
        let known = self.known().await?;
        let endpoint = known.device_endpoint.as_ref().context("the identity provider has no device codes")?;
        let scopes = format!("openid {}", self.options.oidc_scopes.join(" "));
        let (ok, answer) = self.post(endpoint, &[("scope", &scopes)]).await?;
        if !ok {
            bail!("the identity provider gives no device code: {}", told(&answer));
        }
        serde_json::from_slice(&answer).context("the device code of the identity provider cannot be read")
    }

    /// Whether a person has done it.
    pub(super) async fn poll(&self, device_code: &str) -> Result<Polled> {
        #[derive(Deserialize)]
        struct Answer {
            id_token: String,
            access_token: String,
        }
        let known = self.known().await?;
        let endpoint = known.token_endpoint.as_ref().context("the identity provider has no tokens")?;
        let form = [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", device_code)];
        let (ok, answer) = self.post(endpoint, &form).await?;
        if !ok {
            return Ok(match told(&answer).as_str() {
                "authorization_pending" | "slow_down" => Polled::Pending,
                _ => Polled::Refused,
            });
        }
        let Answer { id_token, access_token } =
            serde_json::from_slice(&answer).context("the identity provider gave no ID token")?;
        let token = CoreIdToken::from_str(&id_token).context("the ID token cannot be read")?;
        // Nobody was sent away with a nonce; the code itself came from the provider.
        let no_nonce = |_: Option<&Nonce>| Ok(());
        token.claims(&known.client.id_token_verifier(), no_nonce).context("the ID token is not good")?;
        Ok(Polled::Vouched(self.vouched(&known, &token, &access_token).await?))
    }

    /// What an ID token whose signature, issuer, audience and time are good says of a user, and what the provider says
    /// besides if that lacks the groups.
    async fn vouched(&self, known: &Known, token: &CoreIdToken, access_token: &str) -> Result<Vouched> {
        let text = token.to_string();
        let payload = text.split('.').nth(1).context("the ID token has no payload")?;
        let mut claims: Map<String, Value> = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?;
        let subject = claim(&claims, "sub").context("the ID token has no subject")?;
        let groups = self.options.oidc_groups_claim.as_str();
        let whole = claims.contains_key(groups) && claims.contains_key("preferred_username");
        if let (false, Some(endpoint)) = (whole, &known.userinfo_endpoint) {
            let (ok, answer) = self.send(self.http.get(endpoint).bearer_auth(access_token)).await?;
            let more: Map<String, Value> = if ok { serde_json::from_slice(&answer)? } else { Map::new() };
            if claim(&more, "sub").as_ref() == Some(&subject) {
                for (name, value) in more {
                    claims.entry(name).or_insert(value);
                }
            }
        }
        let name = ["preferred_username", "email", "sub"].iter().find_map(|name| claim(&claims, name));
        let groups = claims
            .get(groups)
            .and_then(Value::as_array)
            .map(|groups| groups.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        Ok(Vouched {
            issuer: self.issuer.as_str().to_owned(),
            subject,
            name: name.unwrap_or_default(),
            display_name: claim(&claims, "name").unwrap_or_default(),
            groups,
        })
    }

    /// Sends a form as this client.
    async fn post(&self, endpoint: &str, form: &[(&str, &str)]) -> Result<(bool, Vec<u8>)> {
        let _turn = self.turns.acquire().await?;
        let body = {
            let mut body = url::form_urlencoded::Serializer::new(String::new());
            body.extend_pairs(form).append_pair("client_id", &self.client_id).finish()
        };
        let mut request = self.http.post(endpoint);
        if let Some(secret) = &self.options.oidc_client_secret {
            let plain = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            request = request.basic_auth(plain(&self.client_id), Some(plain(secret)));
        }
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        self.send(request).await
    }

    /// Whether the answer is a good one, and its body.
    async fn send(&self, request: reqwest::RequestBuilder) -> Result<(bool, Vec<u8>)> {
        let answer = request.header("accept", "application/json").send().await;
        let answer = answer.context("the identity provider does not answer")?;
        let ok = answer.status().is_success();
        let body = axum::body::to_bytes(axum::body::Body::new(reqwest::Body::from(answer)), MOST_ANSWER).await;
        Ok((ok, body.context("the answer of the identity provider cannot be read")?.to_vec()))
    }

    /// The client that the crate sends its requests with.
    fn http(&self) -> impl Fn(HttpRequest) -> futures::future::BoxFuture<'static, Result<HttpResponse, Unanswered>> {
        let http = self.http.clone();
        move |request: HttpRequest| {
            let http = http.clone();
            Box::pin(async move {
                let (head, body) = request.into_parts();
                let sent = http
                    .request(head.method, head.uri.to_string())
                    .headers(head.headers)
                    .body(body)
                    .send()
                    .await
                    .map_err(|error| Unanswered(error.to_string()))?;
                let (head, body) = axum::http::Response::<reqwest::Body>::from(sent).into_parts();
                let body = axum::body::to_bytes(axum::body::Body::new(body), MOST_ANSWER)
                    .await
                    .map_err(|error| Unanswered(error.to_string()))?;
                Ok(HttpResponse::from_parts(head, body.to_vec()))
            })
        }
    }
}

#[derive(Debug)]
struct Unanswered(String);

impl std::fmt::Display for Unanswered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unanswered {}

fn claim(claims: &Map<String, Value>, name: &str) -> Option<String> {
    claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The code of an error of OAuth.
fn told(answer: &[u8]) -> String {
    let error: Option<Map<String, Value>> = serde_json::from_slice(answer).ok();
    error.and_then(|error| claim(&error, "error")).unwrap_or_default()
}
