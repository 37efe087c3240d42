use std::collections::HashMap;

use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use stele_app::{App, Ctx, RequestId, Script};
use stele_domain::Error;

use super::Result;
use super::problem::Problem;

/// A request that has been let in.
pub(super) struct Call {
    pub(super) app: App,
    pub(super) ctx: Ctx,
    path: HashMap<String, String>,
    query: String,
}

impl Call {
    /// Makes the context of a request. Without authentication everybody is the local owner.
    pub(super) async fn admit(request: Request, app: App) -> Result<Call> {
        let (mut parts, _) = request.into_parts();
        let path = RawPathParams::from_request_parts(&mut parts, &())
            .await
            .map_err(|error| Problem::invalid(format!("the path is not readable: {error}")))?
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let request_id =
            parts.extensions.remove::<RequestId>().map_or_else(|| app.new_request_id(), |RequestId(id)| id);
        let ctx = app.local_owner(Script::Native, request_id);
        Ok(Call { app, ctx, path, query: parts.uri.query().unwrap_or_default().to_owned() })
    }

    /// A part of the path, decoded once, such as `run_id`.
    pub(super) fn path(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    /// The query string, whose parameters must be among `known`.
    pub(super) fn query(&self, known: &[&str]) -> Result<Query> {
        let mut parameters = HashMap::new();
        for (name, value) in url::form_urlencoded::parse(self.query.as_bytes()) {
            if !known.contains(&name.as_ref()) {
                let known = known.join(", ");
                return Err(Problem::invalid(format!("there is no query parameter '{name}' here; there are: {known}")));
            }
            if parameters.insert(name.to_string(), value.into_owned()).is_some() {
                return Err(Problem::invalid(format!("the query parameter '{name}' is given twice")));
            }
        }
        Ok(Query { parameters })
    }
}

pub(super) struct Query {
    parameters: HashMap<String, String>,
}

impl Query {
    pub(super) fn required(&mut self, name: &str) -> Result<String> {
        let value = self.parameters.remove(name).filter(|value| !value.is_empty());
        value.ok_or_else(|| Problem::invalid(format!("the query parameter '{name}' is required")))
    }

    pub(super) fn int(&self, name: &str) -> Result<Option<i64>> {
        let Some(value) = self.parameters.get(name) else { return Ok(None) };
        let parsed = value.parse().map(Some);
        parsed.map_err(|_| Problem::invalid(format!("the query parameter '{name}' must be an integer, not '{value}'")))
    }
}

/// Renders what a handler gives back.
pub(super) fn reply(body: &impl Serialize) -> Result<Response> {
    let body = serde_json::to_vec(body).map_err(|error| Error::internal(error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}
