//! GraphQL as MLflow's web pages speak it: a projection of answers of the REST calls.
//!
//! A query is parsed, measured against the limits, checked against the schema whole, and then executed: each root
//! field is one REST call, whose JSON answer the selection picks from. What the answer leaves out reads as the default
//! of its type, as it does in MLflow, whose answers are protocol buffers.

mod check;
mod execute;
mod limits;
mod schema;
mod variables;

use axum::http::Method;
use axum::response::Response;
use graphql_parser::query::{Definition, Document, FragmentDefinition, OperationDefinition, Selection, SelectionSet};
use serde_json::{Map, Value, json};

use crate::call::{Call, reply};
use crate::error::Result;
use schema::Object;

type Text = String;
type Fragments<'a> = std::collections::HashMap<&'a str, &'a FragmentDefinition<'static, Text>>;

/// One operation of a document, with what is common to queries and mutations.
struct Operation<'a> {
    root: &'static Object,
    name: Option<&'a str>,
    variables: &'a [graphql_parser::query::VariableDefinition<'static, Text>],
    directives: &'a [graphql_parser::query::Directive<'static, Text>],
    selection: &'a SelectionSet<'static, Text>,
}

/// Errors are part of the answer, whose status is always 200.
pub(crate) async fn graphql(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let source = input.required_text("query")?;
    let operation = input.text("operationName")?.filter(|name| !name.is_empty());
    let variables = match input.value("variables")? {
        Some(Value::Object(variables)) => variables,
        Some(Value::String(text)) if call.method == Method::GET => serde_json::from_str(&text).unwrap_or_default(),
        _ => Map::new(),
    };
    let asker = execute::Asker { app: call.app, ctx: call.ctx };
    let (data, errors) = match answer(&asker, &source, operation.as_deref(), variables).await {
        Ok((data, errors)) => (data, errors),
        Err(errors) => (Value::Null, errors),
    };
    let errors = if errors.is_empty() { Value::Null } else { errors.into() };
    reply(&json!({ "data": data, "errors": errors }))
}

async fn answer(
    asker: &execute::Asker,
    source: &str,
    operation: Option<&str>,
    variables: Map<String, Value>,
) -> Result<(Value, Vec<String>), Vec<String>> {
    let plan = plan(source, operation, variables)?;
    Ok(execute::run(asker, plan).await)
}

/// Everything that can be said without asking the record. Its parts outlive the document that they come from.
fn plan(source: &str, wanted: Option<&str>, variables: Map<String, Value>) -> Result<Vec<execute::Root>, Vec<String>> {
    let document: Document<'static, Text> = graphql_parser::parse_query::<Text>(source)
        .map_err(|error| vec![format!("Syntax Error: {}", one_line(&error))])?
        .into_static();
    let mut operations = Vec::new();
    let mut fragments = Fragments::new();
    for definition in &document.definitions {
        match definition {
            Definition::Operation(operation) => operations.push(read(operation)?),
            Definition::Fragment(fragment) => {
                fragments.insert(fragment.name.as_str(), fragment);
            }
        }
    }
    limits::check(&operations, &fragments)?;
    let errors = check::check(&operations, &fragments);
    if !errors.is_empty() {
        return Err(errors);
    }
    let operation = match (wanted, operations.as_slice()) {
        (None, [only]) => only,
        (None, []) => return Err(vec!["Must provide an operation.".to_owned()]),
        (None, _) => {
            return Err(vec!["Must provide operation name if query contains multiple operations.".to_owned()]);
        }
        (Some(name), operations) => operations
            .iter()
            .find(|operation| operation.name == Some(name))
            .ok_or_else(|| vec![format!("Unknown operation named '{name}'.")])?,
    };
    let variables = variables::read(operation.variables, variables)?;
    execute::plan(operation, &fragments, &variables)
}

fn read<'a>(operation: &'a OperationDefinition<'static, Text>) -> Result<Operation<'a>, Vec<String>> {
    Ok(match operation {
        OperationDefinition::SelectionSet(selection) => {
            Operation { root: &schema::QUERY, name: None, variables: &[], directives: &[], selection }
        }
        OperationDefinition::Query(query) => Operation {
            root: &schema::QUERY,
            name: query.name.as_deref(),
            variables: &query.variable_definitions,
            directives: &query.directives,
            selection: &query.selection_set,
        },
        OperationDefinition::Mutation(mutation) => Operation {
            root: &schema::MUTATION,
            name: mutation.name.as_deref(),
            variables: &mutation.variable_definitions,
            directives: &mutation.directives,
            selection: &mutation.selection_set,
        },
        OperationDefinition::Subscription(_) => {
            return Err(vec!["Schema is not configured to execute subscription operation.".to_owned()]);
        }
    })
}

fn one_line(error: &impl std::fmt::Display) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The selections of a fragment, and the type that it is about when it says one.
fn spread<'a>(
    selection: &'a Selection<'static, Text>,
    fragments: &Fragments<'a>,
) -> Option<(Option<&'a str>, &'a SelectionSet<'static, Text>)> {
    use graphql_parser::query::TypeCondition::On;
    match selection {
        Selection::Field(_) => None,
        Selection::InlineFragment(fragment) => {
            let on = fragment.type_condition.as_ref().map(|On(name)| name.as_str());
            Some((on, &fragment.selection_set))
        }
        Selection::FragmentSpread(spread) => fragments.get(spread.fragment_name.as_str()).map(|fragment| {
            let On(name) = &fragment.type_condition;
            (Some(name.as_str()), &fragment.selection_set)
        }),
    }
}
