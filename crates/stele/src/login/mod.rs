//! Who asks: what a request brings to prove it becomes an [`Admission`], which the scripts let it in by, or refuse it in
//! the words that their clients expect. Nothing is refused here but pages and numbers that belong to no script.

mod credentials;
pub(crate) mod oidc;
mod sigv4;

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use stele_app::{Admission, App, Refusal, looks_like_token};
use stele_domain::authz::Principal;

use self::credentials::Credentials;
use crate::client_address::ClientAddress;

/// The other end of the connection that a request comes by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The name of the cookie that holds a browser's session.
pub(crate) const COOKIE: &str = "stele_session";

/// Finds out who asks. Without authentication it is the local owner, whatever the request brings.
pub(crate) async fn identify(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut request, admission) = match app.authentication_refreshed().await {
        Ok(false) => (request, Admission::Admitted(Principal::LocalOwner)),
        Ok(true) => {
            let (request, proved) = prove(&app, request).await;
            (request, proved.map_or_else(Admission::Refused, Admission::Admitted))
        }
        Err(error) => (request, Admission::Refused(error.into())),
    };
    request.extensions_mut().insert(admission);
    next.run(request).await
}

/// For commands that open the record themselves: whoever may read its files owns it.
pub(crate) async fn as_local_owner(mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Admission::Admitted(Principal::LocalOwner));
    next.run(request).await
}

/// Where a browser logs in that has not, if there is an identity provider: the path in front of everything.
#[derive(Debug, Clone)]
pub(crate) struct LoginPage(pub(crate) Option<String>);

/// Refuses pages and numbers to whom is not let in; people are sent to where they log in.
pub(crate) async fn required(State(LoginPage(page)): State<LoginPage>, request: Request, next: Next) -> Response {
    let refusal = match request.extensions().get::<Admission>() {
        Some(Admission::Admitted(_)) => return next.run(request).await,
        Some(Admission::Refused(refusal)) => refusal.clone(),
        None => Refusal::Missing,
    };
    let accepts = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let is_person = request.method() == Method::GET && accepts.contains("text/html");
    match page {
        Some(prefix) if is_person && matches!(refusal, Refusal::Missing | Refusal::Unknown) => {
            let wanted = request.uri().path_and_query().map_or("/", |wanted| wanted.as_str());
            let next: String = url::form_urlencoded::byte_serialize(wanted.as_bytes()).collect();
            Redirect::to(&format!("{prefix}{}/login?next={next}", oidc::PATH)).into_response()
        }
        _ => refused(&refusal),
    }
}

async fn prove(app: &App, mut request: Request) -> (Request, Result<Principal, Refusal>) {
    let address = request.extensions().get::<ClientAddress>().map(|ClientAddress(address)| *address);
    let credentials = Credentials::of(&request);
    let proved = match credentials {
        Err(refusal) => Err(app.wrong(address, refusal)),
        Ok(Credentials::Nothing) => Err(Refusal::Missing),
        Ok(Credentials::Basic { name, password }) if looks_like_token(&password) => {
            // Clients that only know of names and passwords send some name with a token.
            let name = Some(name.as_str()).filter(|name| !matches!(*name, "" | "token"));
            app.login_token(&password, name, address).await
        }
        Ok(Credentials::Basic { name, password }) => app.login_password(&name, &password, address).await,
        Ok(Credentials::Bearer(token)) => app.login_token(&token, None, address).await,
        Ok(Credentials::Session(session)) => app.login_session(&session).await,
        Ok(Credentials::Signature(claim)) => {
            let (signed, proved) = sigv4::check(app, request, &claim, address).await;
            request = signed;
            proved
        }
    };
    (request, proved)
}

/// For people with a browser, which asks for a name and password.
fn refused(refusal: &Refusal) -> Response {
    let status = match refusal {
        Refusal::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
        Refusal::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::UNAUTHORIZED,
    };
    let mut response = (status, refusal.message()).into_response();
    let headers = response.headers_mut();
    match refusal {
        Refusal::TooMany { seconds } => {
            headers.insert(header::RETRY_AFTER, (*seconds).into());
        }
        Refusal::Internal(cause) => {
            response.extensions_mut().insert(stele_app::Undisclosed(cause.clone()));
        }
        _ if status == StatusCode::UNAUTHORIZED => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"stele\""));
        }
        _ => {}
    }
    response
}

#[cfg(test)]
mod tests;
