use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use stele_app::{Admission, App, Ctx, RequestId, Script};
use stele_domain::Error;

use super::problem::Problem;
use super::route::{Kind, Parameter, Route};
use super::{Result, State};

/// The largest JSON body, in bytes.
const MOST_JSON: usize = 1024 * 1024;

/// The header that names the workspace which a request is in, unless it is `default`.
pub(crate) const WORKSPACE: &str = "stele-workspace";

/// The route that anybody may ask.
const OPEN: &str = "get_server";

/// A request that has been let in.
pub(super) struct Call {
    pub(super) app: App,
    pub(super) ctx: Ctx,
    pub(super) account: Arc<str>,
    pub(super) instance: Arc<str>,
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) query: Query,
    path: HashMap<String, String>,
    /// A body by itself cannot be shared between threads, and a call is lent across awaits.
    body: Mutex<Body>,
}

impl Call {
    /// Makes the context of a request that the login lets in, and reads what every route reads.
    pub(super) async fn admit(request: Request, state: State, route: &Route) -> Result<Call> {
        let (mut parts, body) = request.into_parts();
        let State { app, account, instance } = state;
        let request_id = app.request_id(parts.extensions.remove::<RequestId>());
        let ctx = match app.admit(parts.extensions.remove::<Admission>(), Script::Native, request_id.clone()) {
            // By it a command finds a server, before it knows who it is there.
            Err(_) if route.name == OPEN => app.anonymous(Script::Native, request_id),
            admitted => match workspace(&parts.headers)? {
                Some(workspace) => app.enter(admitted?, workspace).await?,
                None => admitted?,
            },
        };
        let path: HashMap<String, String> = RawPathParams::from_request_parts(&mut parts, &())
            .await
            .map_err(|error| Problem::invalid(format!("the path is not readable: {error}")))?
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        if path.values().any(|value| value.contains('\0')) {
            return Err(Problem::invalid("the path contains a NUL character"));
        }
        let query = Query::parse(parts.uri.query().unwrap_or_default(), route.query)?;
        Ok(Call {
            app,
            ctx,
            account,
            instance,
            method: parts.method,
            headers: parts.headers,
            query,
            path,
            body: Mutex::new(body),
        })
    }

    /// A part of the path, decoded once, such as `run_id`; empty if the route has none of this name.
    pub(super) fn path(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    /// A part of the path that is a number counted from 1, such as `version`.
    pub(super) fn path_number(&self, name: &str) -> Result<i64> {
        let text = self.path(name);
        let number = text.parse().ok().filter(|number| *number > 0);
        number.ok_or_else(|| Problem::invalid(format!("'{text}' in the path is not a number from 1")))
    }

    pub(super) fn take_body(&mut self) -> Body {
        std::mem::take(self.body.get_mut().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the body, a JSON document.
    pub(super) async fn json<T: DeserializeOwned>(&mut self) -> Result<T> {
        let kind = self.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        // A page of a stranger can make a browser send other types without asking first.
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
            let detail = format!("the body must be of type application/json, not '{kind}'");
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
        }
        let body = to_bytes(self.take_body(), MOST_JSON)
            .await
            .map_err(|_| Problem::invalid(format!("the body broke off or is larger than {MOST_JSON} bytes")))?;
        serde_json::from_slice(&body).map_err(|error| Problem::invalid(format!("the body cannot be read: {error}")))
    }
}

/// The workspace that a request wants to be in, if it names one.
fn workspace(headers: &HeaderMap) -> Result<Option<&str>> {
    let Some(value) = headers.get(WORKSPACE) else { return Ok(None) };
    let name = value.to_str().map_err(|_| Problem::invalid(format!("the header {WORKSPACE} is not a name")))?;
    Ok(Some(name.trim()).filter(|name| !name.is_empty()))
}

/// The query parameters of a request, each of a kind that its route declares.
#[derive(Debug, PartialEq)]
pub(super) struct Query {
    parameters: BTreeMap<String, String>,
}

impl Query {
    fn parse(raw: &str, known: &[Parameter]) -> Result<Query> {
        let mut parameters = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(raw.as_bytes()) {
            let Some(parameter) = known.iter().find(|parameter| parameter.name == name) else {
                return Err(unknown(&name, known));
            };
            check(parameter, &value)?;
            if parameters.insert(name.to_string(), value.into_owned()).is_some() {
                return Err(Problem::invalid(format!("the query parameter '{name}' is given twice")));
            }
        }
        parameters.retain(|_, value| !value.is_empty());
        for Parameter { name, .. } in known.iter().filter(|parameter| parameter.required) {
            if !parameters.contains_key(*name) {
                return Err(Problem::invalid(format!("the query parameter '{name}' is required")));
            }
        }
        Ok(Query { parameters })
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    pub(super) fn int(&self, name: &str) -> Option<i64> {
        // That it is a number has been checked.
        self.text(name)?.parse().ok()
    }

    /// The parts of a list that is written with commas; those between backticks or quotes do not count.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let mut parts = vec![String::new()];
        let mut quote = None;
        for character in self.text(name).unwrap_or_default().chars() {
            match (character, quote) {
                (',', None) => {
                    parts.push(String::new());
                    continue;
                }
                ('`' | '"', None) => quote = Some(character),
                (_, Some(open)) if open == character => quote = None,
                _ => {}
            }
            if let Some(part) = parts.last_mut() {
                part.push(character);
            }
        }
        parts.iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn check(Parameter { name, kind, .. }: &Parameter, value: &str) -> Result<()> {
    match kind {
        _ if value.contains('\0') => {
            Err(Problem::invalid(format!("the query parameter '{name}' contains a NUL character")))
        }
        Kind::Integer { least, most } => match value.parse::<i64>() {
            Ok(number) if (*least..=*most).contains(&number) => Ok(()),
            Ok(_) => Err(Problem::invalid(format!("the query parameter '{name}' must be between {least} and {most}"))),
            Err(_) => Err(Problem::invalid(format!("the query parameter '{name}' must be an integer, not '{value}'"))),
        },
        Kind::OneOf(values) if !values.contains(&value) => {
            let values = values.join(", ");
            Err(Problem::invalid(format!("the query parameter '{name}' must be one of {values}, not '{value}'")))
        }
        Kind::OneOf(_) | Kind::Text => Ok(()),
    }
}

fn unknown(name: &str, known: &[Parameter]) -> Problem {
    let known: Vec<&str> = known.iter().map(|parameter| parameter.name).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Problem::invalid(format!("there is no query parameter '{name}' here; there are: {known}"))
}

/// Renders what a handler gives back.
pub(super) fn reply(body: &impl Serialize) -> Result<Response> {
    let body = serde_json::to_vec(body).map_err(|error| Error::internal(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// That it is done, and there is nothing to tell.
pub(super) fn done() -> Result<Response> {
    Ok(StatusCode::NO_CONTENT.into_response())
}
