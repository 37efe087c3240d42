//! Arguments: literals with variables in their places, and whether they are what the schema asks for.

use graphql_parser::query::{Type, Value as Literal, VariableDefinition};
use serde_json::{Map, Value};

use super::Text;
use super::schema::{Given, Input, Scalar};
use crate::python::to_repr;

/// The values of an operation's variables: those given, or their defaults.
pub(super) fn read(
    definitions: &[VariableDefinition<'static, Text>],
    mut given: Map<String, Value>,
) -> Result<Map<String, Value>, Vec<String>> {
    let mut values = Map::new();
    let mut errors = Vec::new();
    for VariableDefinition { name, var_type, default_value, .. } in definitions {
        let value = match (given.remove(name), default_value) {
            (Some(value), _) => value,
            (None, Some(default)) => literal(default, &Map::new()),
            (None, None) if matches!(var_type, Type::NonNullType(_)) => {
                errors.push(format!("Variable '${name}' of required type '{var_type}' was not provided."));
                continue;
            }
            (None, None) => continue,
        };
        if value.is_null() && matches!(var_type, Type::NonNullType(_)) {
            errors.push(format!("Variable '${name}' of non-null type '{var_type}' must not be null."));
            continue;
        }
        values.insert(name.clone(), value);
    }
    if errors.is_empty() { Ok(values) } else { Err(errors) }
}

/// An argument as the fields of a REST message, under their names there.
pub(super) fn argument(
    given: Given,
    value: &Literal<'static, Text>,
    variables: &Map<String, Value>,
) -> Result<Value, Vec<String>> {
    let from = match value {
        Literal::Variable(name) => Some(name.as_str()),
        _ => None,
    };
    let read = literal(value, variables);
    match given {
        Given::Text => match read {
            Value::String(_) | Value::Null => Ok(read),
            other => Err(vec![not_a_text(from, "", &other)]),
        },
        Given::Message(input) => match read {
            Value::Object(fields) => message(input, fields, from),
            Value::Null => Ok(Value::Null),
            other => Err(vec![format!("{}Expected type '{}' to be a mapping.", prefix(from, "", &other), input.name)]),
        },
    }
}

fn message(input: &Input, fields: Map<String, Value>, from: Option<&str>) -> Result<Value, Vec<String>> {
    let whole = Value::Object(fields.clone());
    let mut message = Map::new();
    let mut errors = Vec::new();
    for (name, value) in fields {
        let Some((_, scalar)) = input.fields.iter().find(|(field, _)| *field == name) else {
            errors.push(format!("{}Field '{name}' is not defined by type '{}'.", prefix(from, "", &whole), input.name));
            continue;
        };
        match coerce(*scalar, value, from, &name) {
            Ok(Value::Null) => {}
            Ok(value) => {
                message.insert(snake_case(&name), value);
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(Value::Object(message)) } else { Err(errors) }
}

fn coerce(scalar: Scalar, value: Value, from: Option<&str>, place: &str) -> Result<Value, String> {
    match (scalar, value) {
        (_, Value::Null) => Ok(Value::Null),
        (Scalar::Text, value @ Value::String(_)) => Ok(value),
        (Scalar::Text, other) => Err(not_a_text(from, place, &other)),
        // One text may stand for a list of it.
        (Scalar::Texts, Value::String(text)) => Ok(Value::from(vec![text])),
        (Scalar::Texts, Value::Array(items)) => match items.iter().find(|item| !item.is_string() && !item.is_null()) {
            None => Ok(items.into_iter().filter(|item| !item.is_null()).collect()),
            Some(other) => Err(not_a_text(from, place, other)),
        },
        (Scalar::Texts, other) => Err(not_a_text(from, place, &other)),
        (Scalar::Int, value) => match value.as_i64().and_then(|number| i32::try_from(number).ok()) {
            Some(number) => Ok(number.into()),
            None => Err(format!(
                "{}Int cannot represent non-integer value: {}",
                prefix(from, place, &value),
                to_repr(&value)
            )),
        },
        (Scalar::Long, value) => match crate::input::int(&value) {
            Some(number) => Ok(number.into()),
            None => Err(format!("{}Expected type 'LongString', got {}.", prefix(from, place, &value), to_repr(&value))),
        },
        (Scalar::View, Value::String(name)) if ["ACTIVE_ONLY", "DELETED_ONLY", "ALL"].contains(&name.as_str()) => {
            Ok(name.into())
        }
        (Scalar::View, other) => Err(format!(
            "{}Value {} does not exist in 'MlflowViewType' enum.",
            prefix(from, place, &other),
            to_repr(&other)
        )),
    }
}

fn not_a_text(from: Option<&str>, place: &str, value: &Value) -> String {
    format!("{}String cannot represent a non string value: {}", prefix(from, place, value), to_repr(value))
}

/// Where a variable's value is wrong.
fn prefix(from: Option<&str>, place: &str, value: &Value) -> String {
    let Some(name) = from else { return String::new() };
    let at = if place.is_empty() { String::new() } else { format!(" at '{name}.{place}'") };
    format!("Variable '${name}' got invalid value {}{at}; ", to_repr(value))
}

pub(super) fn literal(value: &Literal<'static, Text>, variables: &Map<String, Value>) -> Value {
    match value {
        Literal::Variable(name) => variables.get(name).cloned().unwrap_or(Value::Null),
        Literal::Int(number) => number.as_i64().into(),
        Literal::Float(number) => (*number).into(),
        Literal::String(text) => text.as_str().into(),
        Literal::Boolean(value) => (*value).into(),
        Literal::Null => Value::Null,
        Literal::Enum(name) => name.as_str().into(),
        Literal::List(items) => items.iter().map(|item| literal(item, variables)).collect(),
        Literal::Object(fields) => {
            fields.iter().map(|(name, field)| (name.clone(), literal(field, variables))).collect::<Map<_, _>>().into()
        }
    }
}

/// `runId` as `run_id`.
pub(super) fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
