//! Executes checked operations: one REST call a root field, from whose answer the selection picks.

use std::collections::HashMap;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::Response;
use graphql_parser::query::{Directive, Selection, SelectionSet};
use serde_json::{Map, Value, json};
use stele_app::{App, Ctx};

use super::schema::{Kind, Object};
use super::variables::{argument, literal, snake_case};
use super::{Fragments, Operation, Text, spread};
use crate::call::Call;
use crate::error::{Failure, Result};
use crate::{MOST_JSON, artifacts, experiments, inputs, metrics, runs, search};

/// A root field to answer: under which name, by which call with which message, and what of the answer is wanted.
pub(super) struct Root {
    key: String,
    field: &'static str,
    kind: Option<Kind>,
    type_name: &'static str,
    message: Value,
    picks: Vec<Pick>,
}

/// One field of an answer: its name in the answer to the query, and what it is.
struct Pick {
    key: String,
    what: What,
}

enum What {
    /// `__typename`
    TypeName(&'static str),
    Field {
        name: &'static str,
        kind: Kind,
        picks: Vec<Pick>,
    },
}

/// Turns the selections of an operation into what there is to do. The document has been checked.
pub(super) fn plan<'a>(
    operation: &Operation<'a>,
    fragments: &Fragments<'a>,
    variables: &Map<String, Value>,
) -> Result<Vec<Root>, Vec<String>> {
    let scope = Scope { fragments, variables };
    let mut roots = Vec::new();
    for group in scope.fields(operation.root, &[operation.selection]) {
        let Some(field) = operation.root.field(group.name) else {
            roots.push(Root {
                key: group.key.to_owned(),
                field: "__typename",
                kind: None,
                type_name: operation.root.name,
                message: Value::Null,
                picks: Vec::new(),
            });
            continue;
        };
        let mut message = Value::Null;
        if let Some((name, given)) = field.argument
            && let Some((_, value)) = group.arguments.iter().find(|(argument, _)| argument == name)
        {
            message = argument(given, value, variables)?;
        }
        let picks = field.kind.object().map(|object| scope.picks(object, &group.sets)).unwrap_or_default();
        roots.push(Root {
            key: group.key.to_owned(),
            field: field.name,
            kind: Some(field.kind),
            type_name: operation.root.name,
            message,
            picks,
        });
    }
    Ok(roots)
}

struct Scope<'s, 'a> {
    fragments: &'s Fragments<'a>,
    variables: &'s Map<String, Value>,
}

/// All selections of one field under one name, which are answered as one.
struct Group<'a> {
    key: &'a str,
    name: &'a str,
    arguments: &'a [(String, graphql_parser::query::Value<'static, Text>)],
    sets: Vec<&'a SelectionSet<'static, Text>>,
}

impl<'a> Scope<'_, 'a> {
    fn picks(&self, object: &'static Object, sets: &[&'a SelectionSet<'static, Text>]) -> Vec<Pick> {
        let groups = self.fields(object, sets).into_iter();
        groups
            .filter_map(|group| {
                let what = match object.field(group.name) {
                    None if group.name == "__typename" => What::TypeName(object.name),
                    None => return None,
                    Some(field) => {
                        let inner = field.kind.object();
                        let picks = inner.map(|inner| self.picks(inner, &group.sets)).unwrap_or_default();
                        What::Field { name: field.name, kind: field.kind, picks }
                    }
                };
                Some(Pick { key: group.key.to_owned(), what })
            })
            .collect()
    }

    fn fields(&self, object: &'static Object, sets: &[&'a SelectionSet<'static, Text>]) -> Vec<Group<'a>> {
        let mut groups: Vec<Group<'a>> = Vec::new();
        for set in sets {
            self.gather(object, set, &mut groups);
        }
        groups
    }

    fn gather(&self, object: &'static Object, set: &'a SelectionSet<'static, Text>, groups: &mut Vec<Group<'a>>) {
        for selection in &set.items {
            let directives = match selection {
                Selection::Field(field) => &field.directives,
                Selection::FragmentSpread(spread) => &spread.directives,
                Selection::InlineFragment(fragment) => &fragment.directives,
            };
            if !self.wanted(directives) {
                continue;
            }
            if let Selection::Field(field) = selection {
                let key = field.alias.as_deref().unwrap_or(&field.name);
                match groups.iter_mut().find(|group| group.key == key) {
                    Some(group) => group.sets.push(&field.selection_set),
                    None => groups.push(Group {
                        key,
                        name: &field.name,
                        arguments: &field.arguments,
                        sets: vec![&field.selection_set],
                    }),
                }
            } else if let Some((on, inner)) = spread(selection, self.fragments)
                && on.is_none_or(|on| on == object.name)
            {
                self.gather(object, inner, groups);
            }
        }
    }

    fn wanted(&self, directives: &[Directive<'static, Text>]) -> bool {
        directives.iter().all(|directive| {
            let condition = directive.arguments.iter().find(|(name, _)| name == "if");
            let condition = condition.map(|(_, value)| literal(value, self.variables) == Value::Bool(true));
            match directive.name.as_str() {
                "include" => condition != Some(false),
                "skip" => condition != Some(true),
                _ => true,
            }
        })
    }
}

/// The answer with what went wrong; a root field that failed is null.
pub(super) async fn run(asker: &Asker, roots: Vec<Root>) -> (Value, Vec<String>) {
    let mut data = Map::new();
    let mut errors = Vec::new();
    for root in roots {
        let value = match root.kind {
            None => Value::from(root.type_name),
            Some(kind) => match resolve(asker, &root).await {
                Ok(answer) => pick(kind, Some(answer), &root.picks),
                Err(failure) => {
                    // The answer's status is 200, so nobody else would log it.
                    if let Some(cause) = failure.undisclosed() {
                        tracing::error!(cause, field = root.field, "a part of a GraphQL request failed");
                    }
                    errors.push(failure.message().to_owned());
                    Value::Null
                }
            },
        };
        data.insert(root.key, value);
    }
    (data.into(), errors)
}

async fn resolve(asker: &Asker, root: &Root) -> Result<Value> {
    let message = &root.message;
    match root.field {
        "test" => return Ok(json!({ "output": message })),
        "testMutation" => return Ok(Value::Null),
        _ if message.is_null() => return Err(Failure::invalid("missing 1 required positional argument: 'input'")),
        _ => {}
    }
    let mut answer = match root.field {
        "mlflowGetExperiment" => ask(asker, message, experiments::get).await?,
        "mlflowGetMetricHistoryBulkInterval" => ask(asker, message, metrics::history_bulk_interval).await?,
        "mlflowGetRun" => ask(asker, message, runs::get).await?,
        "mlflowListArtifacts" => ask(asker, message, artifacts::list_of_run).await?,
        "mlflowSearchModelVersions" => ask(asker, message, search::registry::search_versions).await?,
        "mlflowSearchRuns" => ask(asker, message, search::runs::search).await?,
        "mlflowSearchDatasets" => ask(asker, message, inputs::search_datasets).await?,
        other => return Err(stele_domain::Error::internal(format!("the query field {other} has no answer")).into()),
    };
    for pick in &root.picks {
        let What::Field { name: name @ ("run" | "runs"), picks, .. } = &pick.what else { continue };
        let mut found: Vec<&mut Value> = match answer.get_mut(*name) {
            Some(Value::Array(runs)) => runs.iter_mut().collect(),
            Some(run) => vec![run],
            None => continue,
        };
        if picks.iter().any(|pick| pick.is("experiment")) {
            join_experiments(asker, &mut found).await?;
        }
        if picks.iter().any(|pick| pick.is("modelVersions")) {
            join_versions(asker, &mut found).await?;
        }
    }
    Ok(answer)
}

impl Pick {
    fn is(&self, field: &str) -> bool {
        matches!(&self.what, What::Field { name, .. } if *name == field)
    }
}

/// Who asks, of what.
pub(super) struct Asker {
    pub(super) app: App,
    pub(super) ctx: Ctx,
}

/// Asks a REST call as if the message had come to it.
async fn ask<F>(asker: &Asker, message: &Value, handler: impl FnOnce(Call) -> F) -> Result<Value>
where
    F: Future<Output = Result<Response>>,
{
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let inner = Call {
        app: asker.app.clone(),
        ctx: asker.ctx.clone(),
        method: Method::POST,
        headers,
        query: None,
        path: HashMap::new(),
        body: Body::from(message.to_string()),
    };
    let unreadable = |error: &dyn std::fmt::Display| stele_domain::Error::internal(format!("an answer: {error}"));
    let answer = handler(inner).await?;
    let bytes = axum::body::to_bytes(answer.into_body(), 16 * MOST_JSON).await.map_err(|e| unreadable(&e))?;
    serde_json::from_slice(&bytes).map_err(|e| unreadable(&e).into())
}

async fn join_experiments(asker: &Asker, runs: &mut [&mut Value]) -> Result<()> {
    let mut known: HashMap<String, Value> = HashMap::new();
    for run in runs {
        let id = text_at(run, "experiment_id");
        let experiment = match known.get(&id) {
            Some(experiment) => experiment.clone(),
            None => {
                let mut answer = ask(asker, &json!({ "experiment_id": &id }), experiments::get).await?;
                let experiment = answer["experiment"].take();
                known.insert(id, experiment.clone());
                experiment
            }
        };
        run["experiment"] = experiment;
    }
    Ok(())
}

async fn join_versions(asker: &Asker, runs: &mut [&mut Value]) -> Result<()> {
    /// Well below what one filter may list.
    const AT_ONCE: usize = 1_000;
    for runs in runs.chunks_mut(AT_ONCE) {
        let ids: Vec<String> = runs.iter().map(|run| text_at(run, "run_id")).collect();
        // An id with a quote cannot be written in a filter, and is none of this server's making.
        let listed: Vec<String> =
            ids.iter().filter(|id| !id.contains(['\'', '\\'])).map(|id| format!("'{id}'")).collect();
        if listed.is_empty() {
            continue;
        }
        let filter = format!("run_id IN ({})", listed.join(", "));
        let mut answer = ask(asker, &json!({ "filter": filter }), search::registry::search_versions).await?;
        let versions = answer.get_mut("model_versions").map(Value::take);
        for version in versions.as_ref().and_then(Value::as_array).into_iter().flatten() {
            let of = version["run_id"].as_str();
            for (run, _) in runs.iter_mut().zip(&ids).filter(|(_, id)| Some(id.as_str()) == of) {
                match run.get_mut("model_versions").and_then(Value::as_array_mut) {
                    Some(versions) => versions.push(version.clone()),
                    None => run["model_versions"] = json!([version]),
                }
            }
        }
    }
    Ok(())
}

fn text_at(run: &Value, field: &str) -> String {
    run["info"][field].as_str().unwrap_or_default().to_owned()
}

/// Shapes a value of an answer as its type says.
fn pick(kind: Kind, value: Option<Value>, picks: &[Pick]) -> Value {
    let value = value.filter(|value| !value.is_null());
    match kind {
        Kind::Text => value.unwrap_or_else(|| "".into()),
        Kind::Texts => value.unwrap_or_else(|| json!([])),
        Kind::Flag => value.unwrap_or(Value::Bool(false)),
        Kind::Named(_, first) => value.unwrap_or_else(|| first.into()),
        Kind::Double => value.map_or(json!(0.0), |value| if value.is_number() { value } else { Value::Null }),
        Kind::Long => match value {
            None => "0".into(),
            Some(Value::String(text)) => text.into(),
            Some(other) => other.to_string().into(),
        },
        Kind::Maybe(_) if value.is_none() => Value::Null,
        Kind::One(_) | Kind::Maybe(_) => fields(value, picks),
        Kind::Many(_) => match value {
            Some(Value::Array(items)) => items.into_iter().map(|item| fields(Some(item), picks)).collect(),
            _ => json!([]),
        },
    }
}

fn fields(value: Option<Value>, picks: &[Pick]) -> Value {
    let mut given = match value {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let mut picked = Map::new();
    for (index, Pick { key, what }) in picks.iter().enumerate() {
        let value = match what {
            What::TypeName(name) => Value::from(*name),
            What::Field { name, kind, picks: inner } => {
                let again = picks[index + 1..].iter().any(|later| later.is(name));
                let stored = snake_case(name);
                let value = if again { given.get(&stored).cloned() } else { given.remove(&stored) };
                pick(*kind, value, inner)
            }
        };
        picked.insert(key.clone(), value);
    }
    picked.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(query: &str, answer: Value) -> Value {
        let roots = super::super::plan(query, None, Map::new()).unwrap();
        let root = &roots[0];
        pick(root.kind.unwrap(), Some(answer), &root.picks)
    }

    #[test]
    fn what_is_left_out_reads_as_the_default_of_its_type() {
        let query = "{ mlflowGetRun(input: {}) { apiError { code } run { info { runId endTime status }
            data { metrics { value } } outputs { modelOutputs { step } } } } }";
        let run = json!({ "run": { "info": { "run_id": "r" }, "data": { "metrics": [{ "value": "NaN" }, {}] } } });
        let expected = json!({ "apiError": null, "run": {
            "info": { "runId": "r", "endTime": "0", "status": "RUNNING" },
            "data": { "metrics": [{ "value": null }, { "value": 0.0 }] },
            "outputs": { "modelOutputs": [] },
        } });
        assert_eq!(picked(query, run), expected);
    }

    #[test]
    fn aliases_fragments_and_repeated_fields_are_one_answer() {
        let query = "query Q { mlflowGetExperiment(input: {}) { ...F experiment { other: name } __typename } }
            fragment F on MlflowGetExperimentResponse { experiment { name ... on MlflowExperiment { creationTime } } }";
        let experiment = json!({ "experiment": { "name": "x", "creation_time": 9_007_199_254_740_993_i64 } });
        let expected = json!({
            "experiment": { "name": "x", "other": "x", "creationTime": "9007199254740993" },
            "__typename": "MlflowGetExperimentResponse",
        });
        assert_eq!(picked(query, experiment), expected);
    }

    #[test]
    fn documents_that_the_schema_does_not_allow_are_told_whole() {
        let refusal = |query: &str| super::super::plan(query, None, Map::new()).err().unwrap_or_default();
        assert_eq!(
            refusal("{ test(inputString: \"x\", y: 1) { nope output { z } } }"),
            [
                "Unknown argument 'y' on field 'Query.test'.",
                "Cannot query field 'nope' on type 'Test'.",
                "Field 'output' must not have a selection since type 'String' has no subfields.",
            ]
        );
        assert_eq!(refusal("{ ...F } fragment F on Query { ...F }"), ["Cannot spread fragment 'F' within itself."]);
        let nested = "{ mlflowGetRun(input: {}) { ...F } }
            fragment F on MlflowGetRunResponse { run { experiment { ...G } } } fragment G on MlflowExperiment { x { ...G } }";
        assert_eq!(refusal(nested), ["Query exceeds maximum depth of 10"]);
        assert!(refusal("{ a")[0].starts_with("Syntax Error: "));
    }
}
