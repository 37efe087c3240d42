use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use stele_domain::{Error, Kind, Result};
use url::Url;

/// Speaks to an MLflow server. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    login: Option<Login>,
}

#[derive(Clone)]
enum Login {
    Token(String),
    Password(String, String),
}

/// One thing in a folder of artifacts.
pub(crate) struct Served {
    pub(crate) name: String,
    pub(crate) is_folder: bool,
}

/// How often a request is tried that a busy server did not answer.
const TRIES: u32 = 4;
/// The most bytes of one answer.
const MOST_BYTES: usize = 256 << 20;

impl Client {
    /// The login is in the URL, or in the variables that MLflow's own client reads.
    pub(crate) fn new(url: &Url) -> Result<Client> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let mut base = url.clone();
        let login = if base.username().is_empty() {
            let password = variable("MLFLOW_TRACKING_USERNAME").zip(variable("MLFLOW_TRACKING_PASSWORD"));
            let password = password.map(|(user, password)| Login::Password(user, password));
            password.or_else(|| variable("MLFLOW_TRACKING_TOKEN").map(Login::Token))
        } else {
            Some(Login::Password(base.username().to_owned(), base.password().unwrap_or_default().to_owned()))
        };
        // Only URLs that cannot have a login refuse to lose it.
        let _ = base.set_username("").and_then(|()| base.set_password(None));
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_secs(300))
            .build()
            .map_err(|error| Error::internal(format!("cannot make an HTTP client: {error}")))?;
        Ok(Client { http, base, login })
    }

    /// One call of the REST API: a GET with its fields in the query, or a POST. A path that begins with a slash is a whole
    /// one, and others are below the second version of the API.
    pub(super) async fn call(&self, method: Method, path: &str, fields: &Value) -> Result<Value> {
        let body = self.file(method, path, fields).await?;
        serde_json::from_str(&body)
            .map_err(|error| Error::invalid(format!("{path} of {} answers no JSON: {error}", self.base)))
    }

    /// As [`Client::call`], for what is read otherwise.
    pub(super) async fn file(&self, method: Method, path: &str, fields: &Value) -> Result<String> {
        let url = match path.strip_prefix('/') {
            Some(whole) => self.url(whole)?,
            None => self.url(&format!("api/2.0/mlflow/{path}"))?,
        };
        let mut wait = Duration::from_millis(500);
        for attempt in 1.. {
            let request = if method == Method::GET {
                self.http.get(with_query(&url, &query(fields)))
            } else {
                let request = self.http.request(method.clone(), url.clone());
                request.header("content-type", "application/json").body(fields.to_string())
            };
            let answer = self.send(request, path).await;
            match answer {
                Err(Error::Unavailable { .. }) if attempt < TRIES => {
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                }
                other => return other,
            }
        }
        Err(Error::internal("a request was tried no times"))
    }

    async fn send(&self, request: RequestBuilder, path: &str) -> Result<String> {
        let response = self.login(request).send().await.map_err(|error| self.gone(&error))?;
        let status = response.status();
        let body = response.bytes().await.map_err(|error| self.gone(&error))?;
        if status.is_success() && body.len() <= MOST_BYTES {
            return String::from_utf8(body.into())
                .map_err(|_| Error::invalid(format!("{path} of {} answers no text", self.base)));
        }
        let message = String::from_utf8_lossy(&body[..body.len().min(500)]).into_owned();
        Err(match status {
            StatusCode::NOT_FOUND => Error::not_found(Kind::Workspace, path),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Error::Unauthenticated {
                message: format!(
                    "{} wants a login: put it into the URL, or into MLFLOW_TRACKING_USERNAME and \
                     MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
                    self.base
                ),
            },
            StatusCode::TOO_MANY_REQUESTS => self.busy(&status, &message),
            status if status.is_server_error() => self.busy(&status, &message),
            status => Error::invalid(format!("{path} of {} answers {status}: {message}", self.base)),
        })
    }

    /// Visits the pages of a search; `items` is the field that has them.
    pub(super) async fn pages(
        &self,
        method: Method,
        path: &str,
        mut fields: Value,
        items: &str,
        mut visit: impl FnMut(&[Value]) -> Result<()>,
    ) -> Result<()> {
        loop {
            let answer = self.call(method.clone(), path, &fields).await?;
            visit(super::list(&answer, items))?;
            match super::optional(&answer, "next_page_token").filter(|token| !token.is_empty()) {
                Some(token) => fields["page_token"] = token.into(),
                None => return Ok(()),
            }
        }
    }

    /// What is directly in a folder below the artifact route.
    pub(crate) async fn artifacts(&self, path: &str) -> Result<Vec<Served>> {
        let url = self.url("api/2.0/mlflow-artifacts/artifacts")?;
        let request = self.http.get(with_query(&url, &[("path".to_owned(), path.to_owned())]));
        let answer = self.send(request, "mlflow-artifacts/artifacts").await?;
        let answer: Value = serde_json::from_str(&answer)
            .map_err(|error| Error::invalid(format!("{} lists artifacts in no JSON: {error}", self.base)))?;
        let files = super::list(&answer, "files").iter();
        Ok(files
            .map(|file| Served { name: super::text(file, "path"), is_folder: file["is_dir"].as_bool() == Some(true) })
            .collect())
    }

    /// Opens a file below the artifact route: its length, if the server says so, and its bytes.
    pub(crate) async fn artifact(
        &self,
        path: &str,
    ) -> Result<(Option<u64>, impl Stream<Item = Result<Bytes, reqwest::Error>> + Send + use<>)> {
        let mut url = self.url("api/2.0/mlflow-artifacts/artifacts")?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path.split('/'));
        }
        let response = self.login(self.http.get(url)).send().await.map_err(|error| self.gone(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(self.busy(&status, path));
        }
        Ok((response.content_length(), response.bytes_stream().boxed()))
    }

    fn login(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.login {
            None => request,
            Some(Login::Token(token)) => request.bearer_auth(token),
            Some(Login::Password(user, password)) => request.basic_auth(user, Some(password)),
        }
    }

    fn url(&self, path: &str) -> Result<Url> {
        let base = format!("{}/{path}", self.base.as_str().trim_end_matches('/'));
        Url::parse(&base).map_err(|error| Error::invalid(format!("'{base}' is no URL: {error}")))
    }

    fn gone(&self, error: &reqwest::Error) -> Error {
        let mut message = format!("{} does not answer: {error}", self.base);
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            message = format!("{message}: {error}");
            cause = error.source();
        }
        Error::Unavailable { message }
    }

    fn busy(&self, status: &StatusCode, message: &str) -> Error {
        Error::Unavailable { message: format!("{} answers {status}: {message}", self.base) }
    }
}

fn with_query(url: &Url, fields: &[(String, String)]) -> Url {
    let mut url = url.clone();
    url.query_pairs_mut().extend_pairs(fields);
    url
}

fn query(fields: &Value) -> Vec<(String, String)> {
    let fields = fields.as_object().into_iter().flatten();
    fields
        .filter_map(|(name, value)| match value {
            Value::String(text) => Some((name.clone(), text.clone())),
            Value::Number(number) => Some((name.clone(), number.to_string())),
            _ => None,
        })
        .collect()
}
