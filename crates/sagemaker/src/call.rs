//! A request on its way to a handler.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use serde_json::Value;
use stele_app::{Admission, App, Ctx, Script};
use stele_domain::canonical::canonical;
use stele_domain::id::Timestamp;
use stele_domain::record::Tag;
use stele_domain::resource::Document;

use crate::error::{Failure, Result};
use crate::shapes::{self, Operation};
use crate::{Server, arn};

/// A request that fits the shape of its operation.
pub(crate) struct Call {
    pub(crate) app: App,
    pub(crate) ctx: Ctx,
    pub(crate) operation: &'static Operation,
    pub(crate) name: &'static str,
    pub(crate) input: Document,
    pub(crate) region: String,
    pub(crate) account: Arc<str>,
}

/// What came with a request from before it reached the script.
pub(crate) struct Asked {
    pub(crate) request_id: String,
    pub(crate) admission: Option<Admission>,
}

impl Call {
    /// Makes the context of a request that the login lets in, before its body is looked at.
    pub(crate) async fn admit(
        server: &Server,
        name: &'static str,
        headers: &HeaderMap,
        body: &[u8],
        asked: Asked,
    ) -> Result<Call> {
        let Asked { request_id, admission } = asked;
        let ctx = server.app.at_home(server.app.admit(admission, Script::Sagemaker, request_id)?).await?;
        let operation = shapes::operation(name).ok_or_else(|| unknown(name))?;
        let input = match body.iter().all(u8::is_ascii_whitespace) {
            true => Document::new(),
            false => match serde_json::from_slice(body) {
                Ok(Value::Object(input)) => input,
                Ok(_) => return Err(Failure::serialization("The request must be a JSON object")),
                Err(error) => return Err(Failure::serialization(format!("The request is not JSON: {error}"))),
            },
        };
        let input = shapes::check(operation, input)?;
        let account = server.app.account_number(&ctx, &server.account).into();
        Ok(Call { app: server.app.clone(), ctx, operation, name, input, region: region(headers), account })
    }

    /// The ARN of a thing, in the region that the client asks for.
    pub(crate) fn arn(&self, kind: &str, rest: &str) -> String {
        format!("arn:aws:sagemaker:{}:{}:{kind}/{rest}", self.region, self.account)
    }

    pub(crate) fn has(&self, member: &str) -> bool {
        self.input.contains_key(member)
    }

    pub(crate) fn text(&self, member: &str) -> Option<&str> {
        self.input.get(member).and_then(Value::as_str)
    }

    /// A text that the shape requires.
    pub(crate) fn required(&self, member: &str) -> &str {
        self.text(member).unwrap_or_default()
    }

    pub(crate) fn int(&self, member: &str) -> Option<i64> {
        self.input.get(member).and_then(Value::as_i64)
    }

    pub(crate) fn flag(&self, member: &str) -> Option<bool> {
        self.input.get(member).and_then(Value::as_bool)
    }

    /// A list of texts.
    pub(crate) fn texts(&self, member: &str) -> Vec<String> {
        let items = self.input.get(member).and_then(Value::as_array);
        items.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    pub(crate) fn map(&self, member: &str) -> Option<&Document> {
        self.input.get(member).and_then(Value::as_object)
    }

    pub(crate) fn time(&self, member: &str) -> Option<Timestamp> {
        self.input.get(member).and_then(Value::as_f64).map(timestamp)
    }

    /// The name that a member means, which is a name or an ARN of the kind.
    pub(crate) fn name_in(&self, member: &str, kind: &str) -> String {
        arn::name_in(self.required(member), kind, &self.account).to_owned()
    }

    /// The tags of a request that makes something.
    pub(crate) fn tags(&self) -> Result<Vec<Tag>> {
        let given = self.input.get("Tags").and_then(Value::as_array);
        given
            .into_iter()
            .flatten()
            .map(|tag| {
                let part = |name: &str| tag.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                let tag = Tag { key: part("Key"), value: part("Value") };
                if tag.key.starts_with("aws:") || tag.key.starts_with("stele.") {
                    return Err(Failure::validation(format!("The tag key '{}' is reserved.", tag.key)));
                }
                Ok(tag)
            })
            .collect()
    }

    /// The request without the members named, as it is kept for later answers.
    pub(crate) fn kept(&self, without: &[&str]) -> Document {
        kept(&self.input, without)
    }

    /// What the request asks for, as one text whatever order its client wrote it in, without the members named.
    pub(crate) fn asks(&self, without: &[&str]) -> String {
        asks(&self.input, without)
    }
}

fn kept(input: &Document, without: &[&str]) -> Document {
    input.iter().filter(|(name, _)| !without.contains(&name.as_str())).map(|(n, v)| (n.clone(), v.clone())).collect()
}

fn asks(input: &Document, without: &[&str]) -> String {
    canonical(&Value::Object(kept(input, without)))
}

pub(crate) fn unknown(operation: &str) -> Failure {
    let shown: String = operation.chars().take(100).collect();
    Failure::new("UnknownOperationException", format!("This server does not offer the operation '{shown}'."))
}

pub(crate) fn timestamp(seconds: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "a cast of floats saturates, which is what is wanted")]
    Timestamp((seconds * 1000.0).round() as i64)
}

/// The region in the scope of the signature: `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
fn region(headers: &HeaderMap) -> String {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let scope = authorization.split_once("Credential=").map_or("", |(_, scope)| scope);
    let scope = scope.split([',', ' ']).next().unwrap_or_default();
    let region = scope.split('/').rev().nth(2).unwrap_or_default();
    let is_region = (1..=32).contains(&region.len())
        && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if is_region { region.to_owned() } else { "us-east-1".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_comes_from_the_scope_of_the_signature() {
        let read = |authorization: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, authorization.parse().unwrap());
            region(&headers)
        };
        let signature = "AWS4-HMAC-SHA256 Credential=AK/20261125/eu-west-1/sagemaker/aws4_request, SignedHeaders=host, \
                         Signature=00";
        assert_eq!(read(signature), "eu-west-1");
        assert_eq!(read("AWS4-HMAC-SHA256 Credential=AK/20261125/<x>/sagemaker/aws4_request"), "us-east-1");
        assert_eq!(read("Bearer x"), "us-east-1");
    }
}
