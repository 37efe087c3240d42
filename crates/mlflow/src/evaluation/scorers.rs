use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};
use stele_app::ScorersOf;
use stele_domain::evaluation::{OnlineScoring, ScorerVersion};
use stele_domain::id::ExperimentId;
use stele_domain::{Error, Kind};

use super::parse;
use crate::call::{Call, empty, reply};
use crate::error::{Failure, Result};
use crate::filter::traces;
use crate::input::{Input, float, invalid_value, missing};
use crate::python::type_name;
use crate::validate::{self, experiment_id};

/// Options of a language model's client that say where its requests go.
const DESTINATIONS: &[&str] = &["api_base", "base_url", "custom_llm_provider", "fallbacks", "model_list"];
/// The longest name, as long as MLflow's column for it.
const MOST_NAME: usize = 256;

pub(crate) async fn register(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let experiment = input.required_text("experiment_id")?;
    let name = input.required_text("name")?;
    let definition = input.required_text("serialized_scorer")?;
    check_definition(&definition)?;
    if name.trim().is_empty() {
        return Err(Failure::invalid("Scorer name cannot be empty or contain only whitespace."));
    }
    validate::length("name", &name, MOST_NAME)?;
    let experiment = experiment_id(&experiment)?;
    let version = call.app.scorer_register(&call.ctx, experiment, name, definition).await?;
    let ScorerVersion { scorer, experiment, name, number, definition, created_at } = version;
    reply(&json!({
        "version": number,
        "scorer_id": scorer,
        "experiment_id": experiment.to_string(),
        "name": name,
        "serialized_scorer": definition,
        "creation_time": created_at.0,
    }))
}

pub(crate) async fn list(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let one = input.text("experiment_id")?.filter(|id| !id.is_empty());
    let some = input.has("experiment_ids")?;
    let of = match (one, some) {
        (Some(_), true) => {
            return Err(Failure::invalid(
                "Cannot specify both 'experiment_id' and 'experiment_ids'. Use 'experiment_ids' to scope the query to \
                 multiple experiments, or 'experiment_id' to scope it to a single experiment.",
            ));
        }
        (Some(id), false) => ScorersOf::One(experiment_id(&id)?),
        (None, true) => {
            let ids = input.texts("experiment_ids")?;
            ScorersOf::Some(ids.iter().map(|id| experiment_id(id)).collect::<Result<_>>()?)
        }
        (None, false) => ScorersOf::All,
    };
    reply_versions(call.app.scorers_list(&call.ctx, of).await?)
}

pub(crate) async fn versions(mut call: Call) -> Result<Response> {
    let (experiment, name) = named(&call.input().await?)?;
    let versions = call.app.scorer_versions(&call.ctx, experiment, name).await;
    reply_versions(versions.map_err(|error| absent(error, experiment, None))?)
}

pub(crate) async fn get(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let (experiment, name) = named(&input)?;
    let number = input.int("version")?;
    let versions = call.app.scorer_versions(&call.ctx, experiment, name.clone()).await;
    let versions = versions.map_err(|error| absent(error, experiment, None))?;
    let found = versions.into_iter().rfind(|version| number.is_none_or(|number| version.number == number));
    let Some(version) = found else {
        return Err(absent(Error::not_found(Kind::Scorer, name), experiment, number));
    };
    reply(&json!({ "scorer": ScorerDto::from(version) }))
}

pub(crate) async fn delete(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let (experiment, name) = named(&input)?;
    let number = input.int("version")?;
    let deleted = call.app.scorer_delete(&call.ctx, experiment, name, number).await;
    deleted.map_err(|error| absent(error, experiment, number))?;
    empty()
}

pub(crate) async fn online_configs(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let scorers = input.texts("scorer_ids")?;
    if scorers.is_empty() {
        return Err(missing("scorer_ids"));
    }
    let configs = call.app.online_scorings(&call.ctx, scorers).await?;
    let configs: Vec<OnlineConfigDto> = configs.into_iter().map(OnlineConfigDto::from).collect();
    reply(&json!({ "configs": configs }))
}

/// Scorers judge by themselves through MLflow's AI gateway only, which this server does not have, so that all that can
/// be asked for is that one does not.
pub(crate) async fn set_online_config(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let experiment = input.required_text("experiment_id")?;
    let name = input.required_text("name")?;
    let rate = input.value("sample_rate")?.filter(|rate| rate != "").ok_or_else(|| missing("sample_rate"))?;
    let filter = match input.value("filter_string")? {
        None => None,
        Some(Value::String(filter)) => Some(filter),
        Some(other) => {
            let reason = format!("Value was of type '{}'. Expected type 'str' or None.", type_name(&other));
            return Err(Failure::invalid(invalid_value("filter_string", &other, &reason)));
        }
    };
    let Some(sample_rate) = float(&rate) else {
        return Err(Failure::invalid(format!("sample_rate must be a number, got {}", type_name(&rate))));
    };
    if !(0.0..=1.0).contains(&sample_rate) {
        return Err(Failure::invalid(format!("sample_rate must be between 0.0 and 1.0, got {sample_rate:?}")));
    }
    if let Some(filter) = &filter {
        traces::parse_filter(filter)?;
    }
    let experiment = experiment_id(&experiment)?;
    if sample_rate > 0.0 {
        let versions = call.app.scorer_versions(&call.ctx, experiment, name.clone()).await;
        versions.map_err(|error| absent(error, experiment, None))?;
        return Err(Failure::invalid(format!(
            "Scorer '{name}' does not use a gateway model. Automatic evaluation is only supported for scorers that \
             use gateway models."
        )));
    }
    let set = call.app.online_scoring_set(&call.ctx, experiment, name, sample_rate, filter).await;
    let config = set.map_err(|error| absent(error, experiment, None))?;
    reply(&json!({ "config": OnlineConfigDto::from(config) }))
}

fn named(input: &Input) -> Result<(ExperimentId, String)> {
    let experiment = input.required_text("experiment_id")?;
    let name = input.required_text("name")?;
    Ok((experiment_id(&experiment)?, name))
}

fn reply_versions(versions: Vec<ScorerVersion>) -> Result<Response> {
    let scorers: Vec<ScorerDto> = versions.into_iter().map(ScorerDto::from).collect();
    if scorers.is_empty() { empty() } else { reply(&json!({ "scorers": scorers })) }
}

fn absent(error: Error, experiment: ExperimentId, number: Option<i64>) -> Failure {
    match error {
        Error::NotFound { kind: Kind::Scorer, id } => {
            let version = number.map_or_else(String::new, |number| format!(" and version {number}"));
            Failure::not_found(format!("Scorer with name '{id}'{version} not found for experiment {experiment}."))
        }
        other => other.into(),
    }
}

/// Refuses what would run code or choose hosts wherever a scorer is made whole again.
fn check_definition(text: &str) -> Result<()> {
    let Ok(definition) = parse("serialized_scorer", text) else {
        return Err(Failure::invalid("serialized_scorer must be valid JSON"));
    };
    if has_code(&definition) {
        return Err(Failure::invalid(
            "Custom scorer registration (using @scorer decorator) is disabled by default: a scorer with code of its \
             own would run wherever it is loaded. Keep such scorers in your source code repository, or use built-in \
             scorers or make_judge() scorers.",
        ));
    }
    check_third_party(&definition)?;
    if !definition.is_object() {
        return Err(Failure::invalid("serialized_scorer must be a JSON object"));
    }
    match model(&definition) {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(model)) if model.trim().is_empty() => {
            Err(Failure::invalid("Scorer model cannot be empty or contain only whitespace."))
        }
        Some(Value::String(model)) => match model.strip_prefix("gateway:/").map(|name| name.trim_start_matches('/')) {
            Some(endpoint) if !endpoint.is_empty() => {
                Err(Failure::not_found(format!("GatewayEndpoint not found (name='{endpoint}')")))
            }
            _ => Ok(()),
        },
        Some(other) => Err(Failure::invalid(format!("Scorer model must be a string, got {}.", type_name(other)))),
    }
}

/// The language model that a scorer asks.
fn model(definition: &Value) -> Option<&Value> {
    let part = |name: &str| definition.get(name).filter(|part| part.as_object().is_some_and(|part| !part.is_empty()));
    if let Some(judge) = part("instructions_judge_pydantic_data").or_else(|| part("builtin_scorer_pydantic_data")) {
        return judge.get("model");
    }
    if let Some(memory) = part("memory_augmented_judge_data") {
        return memory.get("base_judge").and_then(model);
    }
    part("third_party_scorer_data").and_then(|scorer| scorer.get("model"))
}

fn has_code(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_code),
        Value::Object(fields) => {
            fields.get("call_source").is_some_and(|code| !code.is_null()) || fields.values().any(has_code)
        }
        _ => false,
    }
}

fn check_third_party(value: &Value) -> Result<()> {
    match value {
        Value::Array(items) => items.iter().try_for_each(check_third_party),
        Value::Object(fields) => {
            if let Some(Value::Object(scorer)) = fields.get("third_party_scorer_data") {
                check_options(scorer.get("kwargs").unwrap_or(&Value::Null))?;
            }
            fields.values().try_for_each(check_third_party)
        }
        _ => Ok(()),
    }
}

fn check_options(options: &Value) -> Result<()> {
    if !matches!(options, Value::Null | Value::Object(_)) {
        let found = type_name(options);
        return Err(Failure::invalid(format!("third_party_scorer_data.kwargs must be a JSON object, got {found}.")));
    }
    let found: Vec<String> =
        DESTINATIONS.iter().filter(|name| names(options, name)).map(|name| format!("'{name}'")).collect();
    if found.is_empty() {
        return Ok(());
    }
    Err(Failure::invalid(format!(
        "third_party_scorer_data.kwargs must not contain {}: these options choose where the scorer's LLM client sends \
         requests. Configure the judge endpoint in the provider's environment variables instead.",
        found.join(", ")
    )))
}

/// Whether an option is named anywhere, also as the first of a pair, which Python takes for an entry of a map.
fn names(value: &Value, option: &str) -> bool {
    match value {
        Value::Object(fields) => fields.contains_key(option) || fields.values().any(|nested| names(nested, option)),
        Value::Array(items) => items.iter().any(|item| {
            let pair = item.as_array().filter(|pair| pair.len() == 2).and_then(|pair| pair[0].as_str());
            pair == Some(option) || names(item, option)
        }),
        _ => false,
    }
}

#[derive(Serialize)]
struct ScorerDto {
    experiment_id: i64,
    scorer_name: String,
    scorer_version: i64,
    serialized_scorer: String,
    creation_time: i64,
    scorer_id: String,
}

impl From<ScorerVersion> for ScorerDto {
    fn from(version: ScorerVersion) -> ScorerDto {
        let ScorerVersion { scorer, experiment, name, number, definition, created_at } = version;
        ScorerDto {
            experiment_id: experiment.0,
            scorer_name: name,
            scorer_version: number,
            serialized_scorer: definition,
            creation_time: created_at.0,
            scorer_id: scorer,
        }
    }
}

#[derive(Serialize)]
struct OnlineConfigDto {
    online_scoring_config_id: String,
    scorer_id: String,
    sample_rate: f64,
    experiment_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter_string: Option<String>,
}

impl From<OnlineScoring> for OnlineConfigDto {
    fn from(scoring: OnlineScoring) -> OnlineConfigDto {
        let OnlineScoring { id, scorer, experiment, sample_rate, filter } = scoring;
        OnlineConfigDto {
            online_scoring_config_id: id,
            scorer_id: scorer,
            sample_rate,
            experiment_id: experiment.to_string(),
            filter_string: filter,
        }
    }
}
