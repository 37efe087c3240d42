//! Where browsers and commands log in: `/oauth/login`, `/oauth/callback`, `/oauth/logout`, `/oauth/device`.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use stele_app::{App, Refusal, SESSION_LIFE, SecretKey};

use super::provider::{Begun, Device, Polled, Provider};
use crate::client_address::ClientAddress;
use crate::login::{COOKIE, credentials};

/// What everything here lies below.
pub(crate) const PATH: &str = "/oauth";
/// The cookie of a login in progress.
const BEGUN: &str = "stele_login";
/// How long a login may take.
const MOST_SECONDS: i64 = 600;
/// What a sealed login in progress is bound to.
const SEALED_FOR: &str = "oidc-login";

#[derive(Clone)]
struct Login {
    app: App,
    provider: Arc<Provider>,
    key: SecretKey,
}

pub(crate) fn router(app: App, provider: Arc<Provider>, key: SecretKey) -> Router {
    Router::new()
        .route(&format!("{PATH}/login"), get(begin))
        .route(&format!("{PATH}/callback"), get(end))
        .route(&format!("{PATH}/logout"), post(logout))
        .route(&format!("{PATH}/device"), post(device))
        .route(&format!("{PATH}/device/token"), post(device_token))
        .with_state(Login { app, provider, key })
}

#[derive(Serialize, Deserialize)]
struct Remembered {
    state: String,
    nonce: String,
    verifier: String,
    next: String,
    at: i64,
}

#[derive(Deserialize)]
struct Next {
    next: Option<String>,
}

async fn begin(State(login): State<Login>, Query(Next { next }): Query<Next>) -> Response {
    let next = next.filter(|next| is_here(next)).unwrap_or_else(|| "/".to_owned());
    let Begun { address, state, nonce, verifier } = match login.provider.begin().await {
        Ok(begun) => begun,
        Err(error) => return unanswered(&error),
    };
    let remembered = Remembered { state, nonce, verifier, next, at: login.app.now().0 };
    let sealed = serde_json::to_string(&remembered).ok().and_then(|text| login.key.seal(SEALED_FOR, &text).ok());
    let Some(sealed) = sealed else { return refused(&Refusal::Internal("a login cannot be sealed".to_owned())) };
    let cookie = login.cookie(BEGUN, &URL_SAFE_NO_PAD.encode(sealed), PATH, MOST_SECONDS);
    ([(header::SET_COOKIE, cookie)], Redirect::to(address.as_str())).into_response()
}

#[derive(Deserialize)]
struct Back {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
}

async fn end(State(login): State<Login>, headers: HeaderMap, Query(back): Query<Back>) -> Response {
    let remembered = credentials::cookie(&headers, BEGUN).and_then(|sealed| login.opened(sealed));
    let (Some(Remembered { state, nonce, verifier, next, at: _ }), Some(given)) = (remembered, &back.state) else {
        return told(StatusCode::BAD_REQUEST, "this login was not begun here, or took too long; begin it again");
    };
    // Somebody else's login must not become this browser's.
    if !constant_time_equal(&state, given) {
        return told(StatusCode::BAD_REQUEST, "this login was not begun here; begin it again");
    }
    let Some(code) = back.code.filter(|_| back.error.is_none()) else {
        return told(StatusCode::UNAUTHORIZED, "the identity provider did not let you in");
    };
    let vouched = match login.provider.end(code, verifier, nonce).await {
        Ok(vouched) => vouched,
        Err(error) => return unanswered(&error),
    };
    match login.app.login_vouched(vouched).await {
        Ok(session) => {
            let session = login.cookie(COOKIE, &session, "/", SESSION_LIFE / 1000);
            let begun = login.cookie(BEGUN, "", PATH, 0);
            let mut response = Redirect::to(&login.at(&next)).into_response();
            for cookie in [session, begun] {
                if let Ok(cookie) = cookie.parse() {
                    response.headers_mut().append(header::SET_COOKIE, cookie);
                }
            }
            response
        }
        Err(refusal) => refused(&refusal),
    }
}

/// A form of a page of this server; the guard refuses those of others.
async fn logout(State(login): State<Login>, headers: HeaderMap) -> Response {
    if let Some(session) = credentials::cookie(&headers, COOKIE)
        && let Err(error) = login.app.session_end(session).await
    {
        return refused(&error.into());
    }
    ([(header::SET_COOKIE, login.cookie(COOKIE, "", "/", 0))], Redirect::to(&login.at("/"))).into_response()
}

async fn device(State(login): State<Login>, from: Option<axum::Extension<ClientAddress>>) -> Response {
    let address = from.map(|axum::Extension(ClientAddress(address))| address);
    // Each asks the provider for something, so nobody may do it without end.
    if let too_many @ Refusal::TooMany { .. } = login.app.wrong(address, Refusal::Missing) {
        return refused(&too_many);
    }
    match login.provider.device().await {
        Ok(Device { device_code, user_code, verification_uri, verification_uri_complete, expires_in, interval }) => {
            Json(json!({
                "device_code": device_code,
                "user_code": user_code,
                "verification_uri": verification_uri,
                "verification_uri_complete": verification_uri_complete,
                "expires_in": expires_in,
                "interval": interval.unwrap_or(5),
            }))
            .into_response()
        }
        Err(error) => unanswered(&error),
    }
}

#[derive(Deserialize)]
struct DeviceCode {
    device_code: String,
}

async fn device_token(State(login): State<Login>, Json(DeviceCode { device_code }): Json<DeviceCode>) -> Response {
    match login.provider.poll(&device_code).await {
        Ok(Polled::Pending) => (StatusCode::ACCEPTED, Json(json!({ "pending": true }))).into_response(),
        Ok(Polled::Refused) => told(StatusCode::UNAUTHORIZED, "the identity provider did not let you in"),
        Ok(Polled::Vouched(vouched)) => match login.app.token_vouched(vouched).await {
            Ok(made) => Json(json!({
                "account": made.record.account, "id": made.record.id, "token": made.token,
            }))
            .into_response(),
            Err(refusal) => refused(&refusal),
        },
        Err(error) => unanswered(&error),
    }
}

impl Login {
    fn cookie(&self, name: &str, value: &str, path: &str, seconds: i64) -> String {
        let secure = if self.provider.is_secure() { "; Secure" } else { "" };
        let root = self.provider.public_url.path().trim_end_matches('/');
        let path = if path == "/" { format!("{root}/") } else { format!("{root}{path}") };
        format!("{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
    }

    /// A path of this server as browsers ask for it.
    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.provider.public_url.path().trim_end_matches('/'))
    }

    fn opened(&self, sealed: &str) -> Option<Remembered> {
        let text = self.key.open(SEALED_FOR, &URL_SAFE_NO_PAD.decode(sealed).ok()?).ok()?;
        let remembered: Remembered = serde_json::from_str(&text).ok()?;
        (0..MOST_SECONDS * 1000).contains(&(self.app.now().0 - remembered.at)).then_some(remembered)
    }
}

/// Whether a path is one of this server, and no address of another that only looks like a path.
fn is_here(next: &str) -> bool {
    next.starts_with('/') && !next.starts_with("//") && !next.contains('\\') && !next.chars().any(char::is_control)
}

fn constant_time_equal(one: &str, other: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(one.as_bytes(), other.as_bytes()).is_ok()
}

fn unanswered(error: &anyhow::Error) -> Response {
    tracing::warn!(error = format!("{error:#}"), "a login through the identity provider failed");
    told(StatusCode::BAD_GATEWAY, "the login through the identity provider failed; the server's log says why")
}

fn refused(refusal: &Refusal) -> Response {
    match refusal {
        Refusal::Unknown => told(StatusCode::FORBIDDEN, "this account is not let in here"),
        other => crate::login::refused(other),
    }
}

fn told(status: StatusCode, text: &'static str) -> Response {
    (status, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_nowhere_else() {
        for here in ["/", "/mlflow/?a=b#/x", "/oauth/x"] {
            assert!(is_here(here), "{here}");
        }
        for elsewhere in ["", "//evil.example", "/\\evil.example", "https://evil.example", "evil", "/a\r\nb: c"] {
            assert!(!is_here(elsewhere), "{elsewhere}");
        }
    }
}
