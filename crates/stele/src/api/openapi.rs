//! The OpenAPI document, made from the table of routes and the types that the routes take and give.

use std::collections::BTreeMap;

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::call::{Call, reply};
use super::problem::ProblemDto;
use super::route::{Content, Kind, Parameter, Route, SchemaOf};
use super::routes::routes;
use super::{ROOT, Result};

pub(super) async fn get(_call: Call) -> Result<Response> {
    reply(&document(&routes()))
}

pub(super) fn document(routes: &[Route]) -> Value {
    let mut schemas = BTreeMap::new();
    let problem = reference(SchemaOf::of::<ProblemDto>(), &mut schemas);
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for route in routes {
        let item = paths.entry(format!("{ROOT}/{}", route.path)).or_default();
        item.insert(route.method.as_str().to_ascii_lowercase(), operation(route, &problem, &mut schemas));
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Stele",
            "summary": "One record of a team's machine-learning work, in its own words.",
            "description": "Times are milliseconds since 1970. A number that JSON cannot hold is a text: \"NaN\", \
                \"Infinity\" or \"-Infinity\". Unknown and repeated query parameters are refused. Filters and orders \
                are written in MLflow's language.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache 2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": { "schemas": schemas },
    });
    // Types are written in the order of their members; the document is read by key, and compared as a text.
    document.sort_all_objects();
    document
}

fn operation(route: &Route, problem: &Value, schemas: &mut BTreeMap<String, Value>) -> Value {
    let in_path = route.path_parameters().map(|name| {
        json!({
            "name": name, "in": "path", "required": true, "description": path_parameter(name),
            "schema": { "type": "string" },
        })
    });
    let parameters: Vec<Value> = in_path.chain(route.query.iter().map(query_parameter)).collect();
    let mut responses = Map::new();
    let answer = match content(route.gives, schemas) {
        Some(content) => ("200", json!({ "description": "Done.", "content": content })),
        None if route.path == "openapi.json" => {
            ("200", json!({ "description": "This document.", "content": { "application/json": {} } }))
        }
        None => ("204", json!({ "description": "Done." })),
    };
    responses.insert(answer.0.to_owned(), answer.1);
    let refusal = json!({
        "description": "Refused; the code says why.",
        "content": { "application/problem+json": { "schema": problem } },
    });
    responses.insert("default".to_owned(), refusal);
    let tag = route.path.split('/').next().unwrap_or_default();
    let mut operation = json!({
        "operationId": route.name, "summary": route.says, "tags": [tag], "responses": responses,
    });
    if !parameters.is_empty() {
        operation["parameters"] = json!(parameters);
    }
    if let Some(content) = content(route.takes, schemas) {
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
    operation
}

fn content(content: Content, schemas: &mut BTreeMap<String, Value>) -> Option<Value> {
    match content {
        Content::Nothing => None,
        Content::File => Some(json!({ "application/octet-stream": {} })),
        Content::Json(schema) => Some(json!({ "application/json": { "schema": reference(schema, schemas) } })),
    }
}

/// A reference to a schema, which is put among the others with all that it refers to.
fn reference(SchemaOf { name, schema, parts }: SchemaOf, schemas: &mut BTreeMap<String, Value>) -> Value {
    let name = name().into_owned();
    let mut found = Vec::new();
    parts(&mut found);
    found.push((name.clone(), schema()));
    for (name, schema) in found {
        schemas.entry(name).or_insert_with(|| json!(schema));
    }
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn query_parameter(Parameter { name, kind, required, says }: &Parameter) -> Value {
    let schema = match kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Integer { least: i64::MIN, most: i64::MAX } => json!({ "type": "integer", "format": "int64" }),
        Kind::Integer { least, most } => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::OneOf(values) => json!({ "type": "string", "enum": values }),
    };
    json!({ "name": name, "in": "query", "required": required, "description": says, "schema": schema })
}

fn path_parameter(name: &str) -> &'static str {
    match name {
        "experiment_id" => "The id of an experiment, a decimal number.",
        "run_id" => "The id of a run.",
        "model_id" => "The id of a logged model.",
        "model" => "The name of a registered model.",
        "version" => "The number of a version, counted from 1.",
        "alias" => "An alias of a registered model.",
        "account" => "The name of an account.",
        "group" => "The name of a group.",
        "grant_id" => "The id of a granted role.",
        "token_id" => "The id of a token, which is not the token.",
        "key_id" => "The id of an access key.",
        "webhook_id" => "The id of a webhook.",
        "delivery_id" => "The id of a delivery to a webhook.",
        "gate" => "The name of a gate.",
        "policy" => "The name of a policy.",
        _ => "",
    }
}
