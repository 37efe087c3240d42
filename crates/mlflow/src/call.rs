//! A request on its way to a handler, and the answers that most handlers give.

use std::collections::HashMap;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use serde::Serialize;
use stele_app::{Admission, App, Ctx, RequestId, Script};

use crate::MOST_JSON;
use crate::error::{Failure, Result, json_response};
use crate::input::Input;

/// What anybody may ask.
const OPEN: [&str; 4] = ["/health", "/version", "/api/3.0/mlflow/server-info", "/ajax-api/3.0/mlflow/server-info"];

/// A request that has been let in, before its body is read.
pub(crate) struct Call {
    pub(crate) app: App,
    pub(crate) ctx: Ctx,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) query: Option<String>,
    pub(crate) path: HashMap<String, String>,
    pub(crate) body: Body,
}

impl Call {
    /// Makes the context of a request that the login lets in.
    pub(crate) async fn admit(request: Request, app: App) -> Result<Call> {
        let (mut parts, body) = request.into_parts();
        let workspace = crate::workspaces::wanted(&parts.uri, &parts.headers, app.workspaces_enabled())?;
        let path = RawPathParams::from_request_parts(&mut parts, &())
            .await
            .map_err(|error| Failure::invalid(format!("The path is not readable: {error}")))?
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let request_id = app.request_id(parts.extensions.remove::<RequestId>());
        let ctx = match app.admit(parts.extensions.remove::<Admission>(), Script::Mlflow, request_id.clone()) {
            // Load balancers and clients ask these before they know who they are.
            Err(_) if OPEN.contains(&parts.uri.path()) => app.anonymous(Script::Mlflow, request_id),
            admitted => match workspace {
                Some(workspace) => app.enter(admitted?, &workspace).await?,
                None => admitted?,
            },
        };
        let query = parts.uri.query().map(str::to_owned);
        Ok(Call { app, ctx, method: parts.method, headers: parts.headers, query, path, body })
    }

    /// The whole body, which must be smaller than [`MOST_JSON`].
    pub(crate) async fn bytes(&mut self) -> Result<Bytes> {
        let body = std::mem::take(&mut self.body);
        axum::body::to_bytes(body, MOST_JSON).await.map_err(|error| {
            Failure::invalid(format!("The request body cannot be read or is larger than {MOST_JSON} bytes: {error}"))
        })
    }

    /// A part of the path, decoded once, such as `model_id`.
    pub(crate) fn path(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    /// The query string as a message, for calls whose body is something else.
    pub(crate) fn query(&mut self) -> Result<Input> {
        let query = self.query.as_deref().unwrap_or("");
        Ok(Input::parse_query(query, std::mem::take(&mut self.path)))
    }

    /// The request as a message.
    pub(crate) async fn input(&mut self) -> Result<Input> {
        let body = self.bytes().await?;
        self.read(&body)
    }

    /// The request, whose body was read already, as a message.
    pub(crate) fn read(&mut self, body: &[u8]) -> Result<Input> {
        let path = std::mem::take(&mut self.path);
        Input::parse(&self.method, &self.headers, self.query.as_deref(), body, path)
    }
}

/// Renders what a handler gives back as JSON.
pub(crate) fn reply(body: &impl Serialize) -> Result<Response> {
    let body = serde_json::to_vec(body).map_err(|error| stele_domain::Error::internal(error.to_string()))?;
    Ok(json_response(StatusCode::OK, body))
}

/// The answer of calls that have nothing to say.
pub(crate) fn empty() -> Result<Response> {
    Ok(json_response(StatusCode::OK, "{}"))
}
