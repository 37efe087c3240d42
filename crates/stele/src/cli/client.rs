//! The way to the record: a server, through the native API, or the local data folder when no server runs. Both answer
//! the same requests, since the second is the server's own router, called without a socket.

mod file;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use clap::Args;
use reqwest::Url;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use stele_store::DatabaseUrl;
use tower::ServiceExt;

pub(crate) use self::file::{Outgoing, save};
use super::Failure;
use crate::api;
use crate::beacon::Beacon;
use crate::guard::Guard;
use crate::place::Place;

/// Where a server is by default.
const USUAL_SERVER: &str = "http://127.0.0.1:5000";

/// The longest answer to a login, in bytes.
const MOST_LOGIN: usize = 64 * 1024;

/// The longest JSON answer, in bytes.
const MOST_JSON: usize = 512 * 1024 * 1024;

#[derive(Args)]
pub(crate) struct Connection {
    /// URL of the server to ask [default: the one that runs over DATA, else DATA itself, else http://127.0.0.1:5000]
    #[arg(long, env = "STELE_SERVER", value_name = "URL", help_heading = "Which record")]
    server: Option<String>,

    /// Token to log in with; rather a variable than a flag, which other users of the machine can see [default: that of
    /// `stele login`]
    #[arg(long, env = "STELE_TOKEN", hide_env_values = true, value_name = "TOKEN", help_heading = "Which record")]
    token: Option<String>,

    /// Workspace to be in, where the server lets requests into several [default: `default`]
    #[arg(long, env = "STELE_WORKSPACE", value_name = "NAME", help_heading = "Which record")]
    in_workspace: Option<String>,

    /// PEM file with certificates to trust, besides those that the system does
    #[arg(long, env = "STELE_CA", value_name = "FILE", help_heading = "Which record")]
    ca: Option<PathBuf>,

    #[command(flatten)]
    place: Place,
}

pub(crate) struct Client {
    way: Way,
    workspace: Option<HeaderValue>,
}

enum Way {
    Remote { http: reqwest::Client, base: Url, login: Option<HeaderValue> },
    Local(Router),
}

/// What goes with a request.
pub(crate) enum Payload {
    Nothing,
    Json(Value),
    File(Outgoing),
}

#[derive(Deserialize)]
struct Greeting {
    name: String,
    instance: String,
}

#[derive(Deserialize)]
struct Problem {
    code: String,
    detail: String,
}

impl Connection {
    /// Finds the record, or makes one in the data folder if there is none.
    pub(crate) async fn open_or_make(&self) -> Result<Client> {
        match self.open().await {
            Err(error) if Failure::is_unreachable(&error) && self.server.is_none() => self.local().await,
            found => found,
        }
    }

    /// Finds the record.
    pub(crate) async fn open(&self) -> Result<Client> {
        let client = self.find().await?;
        let workspace = self.in_workspace.as_deref().map(HeaderValue::from_str).transpose();
        let workspace = workspace.map_err(|_| Failure::usage("the name of the workspace cannot be sent"))?;
        Ok(Client { workspace, ..client })
    }

    async fn local(&self) -> Result<Client> {
        Client::local(&self.place, self.in_workspace.is_some()).await
    }

    fn remote(&self, server: &str) -> Result<Client> {
        Client::remote(server, self.ca.as_deref())
    }

    async fn find(&self) -> Result<Client> {
        if let Some(server) = &self.server {
            let client = self.remote(server)?;
            client.greet().await?;
            return client.with_token(self.token.as_deref());
        }
        if let Some(beacon) = Beacon::seen(&self.place.data) {
            let client = self.remote(&beacon.url)?;
            // A server that was killed leaves its beacon, and another one may have its port.
            if client.greet().await.is_ok_and(|greeting| greeting.instance == beacon.instance) {
                return client.with_token(self.token.as_deref());
            }
        }
        let database = self.place.database_url()?;
        let is_there = match &database {
            DatabaseUrl::Sqlite(path) => path.exists(),
            DatabaseUrl::Postgres(_) => true,
        };
        if is_there {
            return self.local().await;
        }
        // Whoever names a place does not mean the server of another one.
        if self.place.is_named() {
            return Err(Failure::unreachable(format!("there is no record at {database}, and no server runs over it"))
                .hint("`stele serve` with the same --data makes it; or say where a server is with --server URL")
                .into());
        }
        let client = self.remote(USUAL_SERVER)?;
        match client.greet().await {
            Ok(_) => client.with_token(self.token.as_deref()),
            Err(_) => Err(Failure::unreachable(format!(
                "no server answers at {USUAL_SERVER}, and there is no record at {database}"
            ))
            .hint("start a server with `stele serve`, or say where one is with --server URL or STELE_SERVER")
            .into()),
        }
    }
}

/// The certificates in a PEM file.
fn trusted(file: &Path) -> Result<Vec<reqwest::Certificate>> {
    let read = std::fs::read(file).map_err(anyhow::Error::from);
    let found = read.and_then(|pem| Ok(reqwest::Certificate::from_pem_bundle(&pem)?));
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(Failure::usage(format!("there is no certificate in {}", file.display())).into()),
        Err(error) => {
            Err(Failure::usage(format!("the certificates in {} cannot be read: {error}", file.display())).into())
        }
    }
}

/// The instance of the server at a URL.
pub(crate) async fn instance_at(url: &str, ca: Option<&Path>) -> Result<String> {
    Ok(Client::remote(url, ca)?.greet().await?.instance)
}

impl Client {
    fn remote(server: &str, ca: Option<&Path>) -> Result<Client> {
        let refuse = |why: &str| {
            Failure::usage(format!("'{server}' is not the URL of a server: {why}"))
                .hint("a URL such as --server http://127.0.0.1:5000")
        };
        let mut base = Url::parse(server).map_err(|error| refuse(&error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(refuse("it does not begin with http:// or https:// and a host").into());
        }
        base.set_query(None);
        base.set_fragment(None);
        let near = base.host_str().is_some_and(|host| {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
        });
        // Transfers may take long, so only connecting has a limit.
        let mut http = reqwest::Client::builder().connect_timeout(Duration::from_secs(10));
        if near {
            http = http.no_proxy();
        }
        if let Some(file) = ca {
            http = http.tls_certs_merge(trusted(file)?);
        }
        let http = http.build().context("cannot prepare to talk to a server")?;
        Ok(Client { way: Way::Remote { http, base, login: None }, workspace: None })
    }

    /// Logs in with a token that is given, or else with the one that was kept for the server.
    fn with_token(mut self, given: Option<&str>) -> Result<Client> {
        let server = self.server();
        if let (Way::Remote { login, .. }, Some(server)) = (&mut self.way, server) {
            let token = match given {
                Some(token) => Some(token.to_owned()),
                None => super::login::saved_token(&server)?,
            };
            if let Some(token) = token {
                let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
                    .map_err(|_| Failure::usage("the token cannot be sent: it is none that a server has made"))?;
                value.set_sensitive(true);
                *login = Some(value);
            }
        }
        Ok(self)
    }

    /// Logs in with a name and password.
    pub(super) fn with_basic(mut self, name: &str, password: &str) -> Client {
        use base64::Engine;

        if let Way::Remote { login, .. } = &mut self.way {
            let pair = base64::engine::general_purpose::STANDARD.encode(format!("{name}:{password}"));
            *login = HeaderValue::from_str(&format!("Basic {pair}")).ok();
        }
        self
    }

    /// Asks the server for something of a login, at a path outside of the API. Gives the status and the document.
    pub(super) async fn log_in(&self, path: &str, document: &Value) -> Result<(StatusCode, Value)> {
        let Way::Remote { http, base, .. } = &self.way else { return Err(Failure::usage("no server runs").into()) };
        let address = format!("{}{path}", base.as_str().trim_end_matches('/'));
        let request = http.post(address).header(header::CONTENT_TYPE, "application/json").body(document.to_string());
        let answer = Response::from(request.send().await.map_err(|error| self.no_answer(&error))?).map(Body::new);
        let status = answer.status();
        let body = to_bytes(answer.into_body(), MOST_LOGIN).await.context("the answer broke off")?;
        match serde_json::from_slice(&body) {
            Ok(document) if status.is_success() => Ok((status, document)),
            _ if status == StatusCode::NOT_FOUND => Err(Failure::new("this server has no identity provider")
                .hint("`stele login --user NAME` logs in with a password")
                .into()),
            _ => Err(Failure::new(super::human::harmless(&String::from_utf8_lossy(&body))).into()),
        }
    }

    /// The URL of the server, if it is one.
    pub(super) fn server(&self) -> Option<String> {
        match &self.way {
            Way::Remote { base, .. } => Some(base.as_str().trim_end_matches('/').to_owned()),
            Way::Local(_) => None,
        }
    }

    async fn local(place: &Place, with_workspaces: bool) -> Result<Client> {
        let app = place.open().await.map_err(|error| {
            Failure::unreachable(format!("no server is found, and the record cannot be opened: {error:#}"))
                .hint("if a server has it open, say where with --server URL; `stele doctor` looks for other reasons")
        })?;
        app.enable_access_keys(place.secret_key()?);
        if with_workspaces {
            app.enable_workspaces();
        }
        let router = crate::serve::router(app, stele_sagemaker::DEFAULT_ACCOUNT, Guard::default(), "local");
        Ok(Client { way: Way::Local(router), workspace: None })
    }

    async fn greet(&self) -> Result<Greeting> {
        let greeting: Result<Greeting> = self.get(&["server"], &[]).await;
        match greeting {
            Ok(greeting) if greeting.name == "stele" => Ok(greeting),
            Err(error) if Failure::is_unreachable(&error) => Err(error),
            _ => Err(Failure::unreachable(format!("what answers at {} is not a Stele server", self.shown()))
                .hint("say where one is with --server URL or STELE_SERVER")
                .into()),
        }
    }

    fn shown(&self) -> String {
        match &self.way {
            Way::Remote { base, .. } => base.as_str().trim_end_matches('/').to_owned(),
            Way::Local(_) => "the local record".to_owned(),
        }
    }

    /// Reads the JSON document at a path, which is given in parts.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, &str)]) -> Result<T> {
        self.ask(Method::GET, path, query, Payload::Nothing).await
    }

    /// Sends a request that is answered with a JSON document.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        payload: Payload,
    ) -> Result<T> {
        let answer = self.send(method, path, query, payload).await?;
        let body = to_bytes(answer.into_body(), MOST_JSON).await.context("the answer broke off")?;
        serde_json::from_slice(&body).map_err(|error| {
            let shown = self.shown();
            Failure::new(format!("the answer of {shown} cannot be read: {error}"))
                .hint(format!("see whether {shown} is a Stele server of version {}", env!("CARGO_PKG_VERSION")))
                .into()
        })
    }

    /// Sends a request; an answer that refuses it is an error.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        payload: Payload,
    ) -> Result<Response<Body>> {
        let reads = method == Method::GET;
        let answer = match &self.way {
            Way::Remote { http, base, login } => {
                let url = url(base, path, query)?;
                let mut request = http.request(method, url);
                if let Some(login) = login {
                    request = request.header(header::AUTHORIZATION, login.clone());
                }
                if let Some(workspace) = &self.workspace {
                    request = request.header(api::WORKSPACE, workspace.clone());
                }
                let request = match payload {
                    Payload::Nothing => request,
                    Payload::Json(document) => {
                        request.header(header::CONTENT_TYPE, "application/json").body(document.to_string())
                    }
                    Payload::File(file) => {
                        request.header(header::CONTENT_LENGTH, file.size).body(reqwest::Body::wrap(file.into_body()))
                    }
                };
                let answer = request.send().await.map_err(|error| self.no_answer(&error))?;
                Response::from(answer).map(Body::new)
            }
            Way::Local(router) => {
                let url = url(&Url::parse("http://local")?, path, query)?;
                let mut request = Request::builder().method(method).uri(&url[url::Position::BeforePath..]);
                if let Some(workspace) = &self.workspace {
                    request = request.header(api::WORKSPACE, workspace.clone());
                }
                let request = match payload {
                    Payload::Nothing => request.body(Body::empty()),
                    Payload::Json(document) => {
                        request.header(header::CONTENT_TYPE, "application/json").body(Body::from(document.to_string()))
                    }
                    Payload::File(file) => {
                        request.header(header::CONTENT_LENGTH, file.size).body(Body::new(file.into_body()))
                    }
                };
                router.clone().oneshot(request?).await?
            }
        };
        if answer.status().is_success() { Ok(answer) } else { Err(self.refusal(path, reads, answer).await) }
    }

    fn no_answer(&self, error: &reqwest::Error) -> Failure {
        use std::error::Error;

        let mut cause: &dyn Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        Failure::unreachable(format!("{} does not answer: {cause}", self.shown()))
            .hint("see that the server runs, or say where it is with --server URL or STELE_SERVER")
    }

    async fn refusal(&self, path: &[&str], reads: bool, answer: Response<Body>) -> anyhow::Error {
        const MOST: usize = 64 * 1024;

        let status = answer.status();
        let body = to_bytes(answer.into_body(), MOST).await.unwrap_or_default();
        let Ok(Problem { code, detail }) = serde_json::from_slice(&body) else {
            return Failure::new(format!("{} answered {status}", self.shown()))
                .hint("see whether it is a Stele server, and what a proxy in front of it does")
                .into();
        };
        let hint = hint(&code, &detail, path, reads);
        let failure = match code.as_str() {
            "not_found" => Failure::not_found(detail),
            "unavailable" => Failure::unreachable(detail),
            "gate_failed" => Failure::gate(detail),
            _ if status == StatusCode::BAD_REQUEST => Failure::usage(detail),
            _ => Failure::new(detail),
        };
        let failure = failure.problem(code);
        match hint {
            Some(hint) => failure.hint(hint).into(),
            None => failure.into(),
        }
    }
}

/// What may mend a refusal; `reads` says that the request would have changed nothing.
fn hint(code: &str, detail: &str, path: &[&str], reads: bool) -> Option<&'static str> {
    // It may be missing on the way to what the path ends with: the run of an artifact, the model of a version.
    let is_about = |thing: &str| detail.starts_with(thing);
    Some(match (code, path) {
        ("not_found", ["experiments", ..]) => {
            "`stele experiments list --with-deleted` shows the experiments that there are, and those in the trash"
        }
        ("already_exists", ["experiments"]) => {
            "one in the trash keeps its name too; `stele experiments list --with-deleted` shows it"
        }
        ("not_found", _) if is_about("run '") => "`stele runs list` shows the runs that there are",
        ("not_found", _) if is_about("model ") => {
            "`stele models list` and `stele models versions NAME` show what there is"
        }
        ("not_found", ["runs" | "logged-models" | "models", .., "artifacts"] | [.., "artifacts", "file"]) => {
            "`stele artifacts ls` shows what is there"
        }
        ("not_found", ["runs" | "run-comparison", ..]) => "`stele runs list` shows the runs that there are",
        ("not_found", ["webhooks", ..]) => "`stele webhooks list` shows the webhooks that there are",
        ("not_found", ["webhook-deliveries", ..]) => "`stele webhooks deliveries` shows what there is",
        ("not_found", ["models", ..]) => "`stele models list` and `stele models versions NAME` show what there is",
        ("unauthenticated", _) => "`stele login` logs in at a server; STELE_TOKEN or --token has a token",
        ("not_found", ["accounts", "local-owner", ..]) => {
            "without a login this is nobody's account; --account NAME says whose is meant"
        }
        ("not_found", ["accounts", ..]) => "`stele auth users list` shows the accounts that there are",
        ("not_found", ["groups", ..]) => "`stele auth groups list` shows the groups that there are",
        ("not_found", ["grants", ..]) => "`stele auth grants list` shows the roles that are held",
        ("forbidden", _) => "`stele whoami` says who you are here, and what you may do",
        ("invalid", _) if reads && detail.contains("order_by") => {
            "orders look like \"metrics.loss ASC, start_time DESC\""
        }
        ("invalid", ["runs"]) if reads => "conditions look like \"metrics.loss < 0.3 AND params.optimizer = 'adam'\"",
        ("invalid", ["experiments" | "models"]) if reads => {
            "conditions look like \"name LIKE 'a%' AND tags.team = 'growth'\""
        }
        ("internal", _) => "the log of the server says more; `stele doctor` looks at what it stands on",
        ("unavailable", _) => "`stele doctor` looks at what the server stands on",
        _ => return None,
    })
}

fn url(base: &Url, path: &[&str], query: &[(&str, &str)]) -> Result<Url> {
    let mut url = base.clone();
    {
        let mut parts = url.path_segments_mut().map_err(|()| anyhow::anyhow!("{base} cannot have a path"))?;
        parts.pop_if_empty().extend(api::ROOT.split('/').filter(|part| !part.is_empty())).extend(path);
    }
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_into_urls_as_one_part() {
        let base = Url::parse("https://ml.example.org/stele/").unwrap();
        let url = url(&base, &["models", "a b/c?d", "versions"], &[("filter", "name = 'x&y'")]).unwrap();
        assert_eq!(
            url.as_str(),
            "https://ml.example.org/stele/api/stele/v1/models/a%20b%2Fc%3Fd/versions?filter=name+%3D+%27x%26y%27"
        );
    }

    #[test]
    fn what_is_no_url_of_a_server_is_refused() {
        for text in ["", "localhost:5000", "ftp://host/", "http://", "/tmp/stele"] {
            assert!(Client::remote(text, None).is_err(), "{text}");
        }
    }
}
