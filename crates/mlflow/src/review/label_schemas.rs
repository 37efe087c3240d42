use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};
use stele_app::NewLabelSchema;
use stele_domain::review::{LabelInput, LabelKind, LabelSchema, LabelSchemaChange};
use stele_domain::{Error, Kind};

use super::{page, token};
use crate::call::{Call, empty, reply};
use crate::error::{Code, Failure, Result};
use crate::input::Input;
use crate::validate::experiment_id;

const DEFAULT: i64 = 100;
const KINDS: &[(&str, i64, Option<LabelKind>)] = &[
    ("LABEL_SCHEMA_TYPE_UNSPECIFIED", 0, None),
    ("FEEDBACK", 1, Some(LabelKind::Feedback)),
    ("EXPECTATION", 2, Some(LabelKind::Expectation)),
];

pub(crate) async fn create(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let experiment = input.required_text("experiment_id")?;
    let name = input.required_text("name")?;
    let kind = input.named("type", KINDS)?.flatten().ok_or_else(|| {
        Failure::invalid("Label schema `type` must be one of FEEDBACK or EXPECTATION; got proto enum value 0.")
    })?;
    let answered = input.message("input")?.unwrap_or_else(Input::empty);
    let new = NewLabelSchema {
        experiment: experiment_id(&experiment)?,
        name,
        kind,
        input: label_input(&answered)?,
        instruction: input.text("instruction")?,
        has_comment: input.bool("enable_comment")?.unwrap_or(false),
    };
    let created = call.app.label_schema_create(&call.ctx, new).await;
    reply_schema(created.map_err(|error| taken(error, &experiment))?)
}

pub(crate) async fn get(mut call: Call) -> Result<Response> {
    let id = call.input().await?.required_text("schema_id")?;
    reply_schema(call.app.label_schema_get(&call.ctx, id).await?)
}

pub(crate) async fn get_by_name(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let experiment = experiment_id(&input.required_text("experiment_id")?)?;
    let name = input.required_text("name")?;
    let found = call.app.label_schema_by_name(&call.ctx, experiment, name).await.map_err(|error| match error {
        Error::NotFound { kind: Kind::LabelSchema, id } => {
            Failure::not_found(format!("Label schema with name '{id}' not found for experiment '{experiment}'."))
        }
        other => other.into(),
    })?;
    reply_schema(found)
}

pub(crate) async fn list(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let experiment = experiment_id(&input.required_text("experiment_id")?)?;
    let window = page(&input, DEFAULT)?;
    let found = call.app.label_schemas_list(&call.ctx, experiment, window).await?;
    let schemas: Vec<LabelSchemaDto> = found.items.into_iter().map(LabelSchemaDto::from).collect();
    let mut answer = json!({ "next_page_token": token(window, found.more) });
    if !schemas.is_empty() {
        answer["label_schemas"] = json!(schemas);
    }
    reply(&answer)
}

pub(crate) async fn update(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let id = input.required_text("schema_id")?;
    let change = LabelSchemaChange {
        name: input.text("name")?,
        instruction: input.text("instruction")?,
        has_comment: input.bool("enable_comment")?,
        input: input.message("input")?.map(|answered| label_input(&answered)).transpose()?,
    };
    let updated = call.app.label_schema_update(&call.ctx, id, change).await;
    reply_schema(updated.map_err(|error| taken(error, ""))?)
}

/// What is not there need not be deleted, as those are told who see the workspace.
pub(crate) async fn delete(mut call: Call) -> Result<Response> {
    let id = call.input().await?.required_text("schema_id")?;
    call.app.label_schema_delete(&call.ctx, id).await?;
    empty()
}

/// How a question is answered, which is one of four messages.
fn label_input(input: &Input) -> Result<LabelInput> {
    let mut found = Vec::new();
    if let Some(message) = input.message("pass_fail")? {
        found.push(LabelInput::PassFail {
            positive: message.text("positive_label")?.unwrap_or_default(),
            negative: message.text("negative_label")?.unwrap_or_default(),
        });
    }
    if let Some(message) = input.message("categorical")? {
        found.push(LabelInput::Categorical {
            options: message.texts("options")?,
            multi_select: message.bool("multi_select")?.unwrap_or(false),
        });
    }
    if let Some(message) = input.message("numeric")? {
        found.push(LabelInput::Numeric { min: message.float("min_value")?, max: message.float("max_value")? });
    }
    if let Some(message) = input.message("text")? {
        found.push(LabelInput::Text { max_length: message.int("max_length")? });
    }
    match found.pop() {
        Some(only) if found.is_empty() => Ok(only),
        one_of_several => {
            let got = if one_of_several.is_some() { "several of them" } else { "an empty oneof" };
            Err(Failure::invalid(format!(
                "Label schema `input` must have exactly one of `pass_fail`, `categorical`, `numeric`, or `text` set; \
                 got {got}."
            )))
        }
    }
}

fn taken(error: Error, experiment: &str) -> Failure {
    match error {
        Error::AlreadyExists { kind: Kind::LabelSchema, id } => {
            let place =
                if experiment.is_empty() { "its experiment".to_owned() } else { format!("experiment '{experiment}'") };
            Failure::new(
                Code::ResourceAlreadyExists,
                format!("Label schema with name '{id}' already exists for {place}."),
            )
        }
        other => other.into(),
    }
}

fn reply_schema(schema: LabelSchema) -> Result<Response> {
    reply(&json!({ "label_schema": LabelSchemaDto::from(schema) }))
}

#[derive(Serialize)]
struct LabelSchemaDto {
    schema_id: String,
    experiment_id: String,
    name: String,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instruction: Option<String>,
    enable_comment: bool,
    input: Value,
    created_at: i64,
    last_updated_at: i64,
    is_default: bool,
}

impl From<LabelSchema> for LabelSchemaDto {
    fn from(schema: LabelSchema) -> LabelSchemaDto {
        let LabelSchema {
            id,
            experiment,
            name,
            kind,
            input,
            instruction,
            has_comment,
            is_default,
            created_at,
            updated_at,
        } = schema;
        LabelSchemaDto {
            schema_id: id,
            experiment_id: experiment.to_string(),
            name,
            r#type: match kind {
                LabelKind::Feedback => "FEEDBACK",
                LabelKind::Expectation => "EXPECTATION",
            },
            instruction,
            enable_comment: has_comment,
            input: input_json(input),
            created_at: created_at.0,
            last_updated_at: updated_at.0,
            is_default,
        }
    }
}

/// A bound that is not set is left out, since 0 would be one.
fn input_json(input: LabelInput) -> Value {
    match input {
        LabelInput::PassFail { positive, negative } => {
            json!({ "pass_fail": { "positive_label": positive, "negative_label": negative } })
        }
        LabelInput::Categorical { options, multi_select } => {
            json!({ "categorical": { "options": options, "multi_select": multi_select } })
        }
        LabelInput::Numeric { min, max } => json!({ "numeric": present([("min_value", min), ("max_value", max)]) }),
        LabelInput::Text { max_length } => json!({ "text": present([("max_length", max_length)]) }),
    }
}

fn present<T: Into<Value>, const N: usize>(fields: [(&str, Option<T>); N]) -> Value {
    let present = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
    Value::Object(present.collect())
}
