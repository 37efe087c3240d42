//! Trials, which are groups of runs, and trial components, which are the record's runs.

use serde_json::{Value, json};
use stele_app::{Component, ComponentChange, NewComponent, NewResource};
use stele_domain::id::LoggedModelId;
use stele_domain::lifecycle::RunStatus;
use stele_domain::record::{Dataset, DatasetInput, Param, Run};
use stele_domain::resource::{Document, TrialOfRun};
use stele_domain::search::{Attribute, Comparison, Field, Filter, Predicate, RunSearch, Searched};
use stele_domain::{Error, Kind};

use crate::call::Call;
use crate::error::{Failure, Result};
use crate::kinds::TRIAL;
use crate::paging::{equals, test};
use crate::render::{self, cut, put};
use crate::resources::{named, resource_page};
use crate::{experiments, lineage_group, metrics, shapes};

pub(crate) const COMPONENT: &str = stele_domain::lineage::RUN;
/// Of an input or output of a component.
const LONGEST_ARTIFACT_NAME: usize = 128;
const LONGEST_ARTIFACT: usize = 2_048;

// Trials -----------------------------------------------------------------------------------------------------

pub(crate) async fn create_trial(call: Call) -> Result<Value> {
    let name = call.required("TrialName").to_owned();
    let experiment = experiments::open(&call, call.required("ExperimentName")).await?;
    let new = NewResource {
        kind: TRIAL.path,
        name: Some(name.clone()),
        experiment: Some(experiment.id),
        document: call.kept(&["TrialName", "ExperimentName", "Tags"]),
        tags: call.tags()?,
    };
    call.app.resource_create(&call.ctx, new).await.map_err(call.about(&TRIAL, &name))?;
    Ok(json!({ "TrialArn": call.arn(TRIAL.path, &name) }))
}

pub(crate) async fn delete_trial(call: Call) -> Result<Value> {
    let name = call.required("TrialName").to_owned();
    let about = call.about(&TRIAL, &name);
    call.app.resource_delete(&call.ctx, TRIAL.path, name.clone()).await.map_err(|error| match error {
        Error::WrongState { .. } => Failure::validation(format!(
            "Trial '{name}' cannot be deleted: all trial components must be disassociated from it first."
        )),
        other => about(other),
    })?;
    Ok(json!({ "TrialArn": call.arn(TRIAL.path, &name) }))
}

pub(crate) async fn list_trials(call: Call) -> Result<Value> {
    let mut filters = Vec::new();
    if let Some(name) = call.text("ExperimentName") {
        let experiment = experiments::open(&call, name).await?;
        filters.push(equals(Attribute::ExperimentId, experiment.name));
    }
    if let Some(name) = call.text("TrialComponentName") {
        let component = open(&call, name).await?;
        let trials = component.trials.into_iter().map(|of| named(&of.trial)).collect();
        filters.push(Filter::Or(trials));
    }
    let query = call.list_query(filters)?;
    resource_page(&call, &TRIAL, query).await
}

pub(crate) async fn associate(call: Call) -> Result<Value> {
    let (component, trial) = ends(&call).await?;
    call.app.trial_add_run(&call.ctx, trial.clone(), component.clone()).await?;
    Ok(both_arns(&call, &component, &trial))
}

pub(crate) async fn disassociate(call: Call) -> Result<Value> {
    let (component, trial) = ends(&call).await?;
    call.app.trial_remove_run(&call.ctx, trial.clone(), component.clone()).await?;
    Ok(both_arns(&call, &component, &trial))
}

async fn ends(call: &Call) -> Result<(String, String)> {
    let trial = call.required("TrialName").to_owned();
    call.app.resource_get(&call.ctx, TRIAL.path, trial.clone()).await.map_err(call.about(&TRIAL, &trial))?;
    let component = call.required("TrialComponentName").to_owned();
    open(call, &component).await?;
    Ok((component, trial))
}

fn both_arns(call: &Call, component: &str, trial: &str) -> Value {
    json!({ "TrialComponentArn": call.arn(COMPONENT, component), "TrialArn": call.arn(TRIAL.path, trial) })
}

// Trial components -------------------------------------------------------------------------------------------

/// What the record understands of a component; the rest is kept as it came.
const UNDERSTOOD: [&str; 8] =
    ["TrialComponentName", "DisplayName", "StartTime", "EndTime", "Parameters", "ParametersToRemove", "Tags", "Status"];

pub(crate) async fn create(call: Call) -> Result<Value> {
    let name = call.required("TrialComponentName").to_owned();
    let mut facets = call.kept(&UNDERSTOOD);
    put(&mut facets, "Message", message(&call));
    let new = NewComponent { name: name.clone(), tags: call.tags()?, change: change(&call)?, facets };
    call.app.component_create(&call.ctx, new).await.map_err(|error| match error {
        Error::AlreadyExists { .. } => Failure::validation(format!(
            "Trial Component names must be unique within an AWS account and region. Trial Component with name \
             ({name}) already exists."
        )),
        other => other.into(),
    })?;
    Ok(json!({ "TrialComponentArn": call.arn(COMPONENT, &name) }))
}

pub(crate) async fn describe(call: Call) -> Result<Value> {
    let name = call.name_in("TrialComponentName", COMPONENT);
    let component = open(&call, &name).await?;
    let mut whole = whole(&call, &component);
    put(&mut whole, "Metrics", Some(metrics::summaries(&call, &component).await?));
    for member in ["InputArtifacts", "OutputArtifacts"] {
        whole.entry(member).or_insert(json!({}));
    }
    whole.entry("Sources").or_insert(json!([]));
    Ok(cut(whole, &call.operation.output))
}

pub(crate) async fn update(call: Call) -> Result<Value> {
    let name = call.required("TrialComponentName").to_owned();
    let mut replaced = call.kept(&UNDERSTOOD);
    put(&mut replaced, "Message", message(&call));
    let artifacts = ["InputArtifacts", "OutputArtifacts"].map(|member| {
        replaced.remove(&format!("{member}ToRemove"));
        let given = replaced.remove(member).and_then(|given| given.as_object().cloned());
        (member, given, call.texts(&format!("{member}ToRemove")))
    });
    let now = call.ctx.now();
    let rewrite = move |facets: &mut Document| {
        facets.extend(replaced.clone());
        for (member, given, remove) in &artifacts {
            render::merge_map(facets, member, given.as_ref(), remove);
        }
        put(facets, "LastModifiedTime", Some(render::time(now)));
        Ok(())
    };
    let missing = missing(&call, &name);
    call.app.component_change(&call.ctx, name.clone(), change(&call)?, rewrite).await.map_err(missing)?;
    Ok(json!({ "TrialComponentArn": call.arn(COMPONENT, &name) }))
}

pub(crate) async fn delete(call: Call) -> Result<Value> {
    let name = call.required("TrialComponentName").to_owned();
    let missing = missing(&call, &name);
    call.app.component_delete(&call.ctx, name.clone()).await.map_err(|error| match error {
        Error::WrongState { state, .. } => {
            Failure::validation(format!("Trial Component '{name}' cannot be deleted: it is {state}."))
        }
        other => missing(other),
    })?;
    Ok(json!({ "TrialComponentArn": call.arn(COMPONENT, &name) }))
}

pub(crate) async fn list(call: Call) -> Result<Value> {
    let mut filters = Vec::new();
    let mut only = None;
    if let Some(name) = call.text("ExperimentName") {
        only = Some(experiments::open(&call, name).await?.id);
    }
    if let Some(trial) = call.text("TrialName") {
        let name = trial.to_owned();
        call.app.resource_get(&call.ctx, TRIAL.path, name).await.map_err(call.about(&TRIAL, trial))?;
        filters.push(equals(Attribute::Trial, trial));
    }
    if call.has("SourceArn") {
        // No job of this server makes components.
        filters.push(Filter::Or(Vec::new()));
    }
    let mut query = call.list_query(filters)?;
    for order in &mut query.order_by {
        if order.field == Field::Attribute(Attribute::Name) {
            order.field = Field::Attribute(Attribute::Alias);
        }
    }
    let window = query.window;
    let experiments = match only {
        Some(id) => Searched::Among(vec![id]),
        None => Searched::Workspace(call.ctx.workspace),
    };
    let page = call.app.run_search(&call.ctx, RunSearch { experiments, query, ..Default::default() }).await?;
    let (more, members) = (page.more, shapes::view("TrialComponentSummary"));
    let components = call.app.components(&call.ctx, page.items).await?;
    let items = components.iter().map(|component| cut(whole(&call, component), members)).collect();
    Ok(call.page_reply("TrialComponentSummaries", items, more, window))
}

/// Reads a component by its name.
pub(crate) async fn open(call: &Call, name: &str) -> Result<Component> {
    call.app.component_get(&call.ctx, name.to_owned()).await.map_err(missing(call, name))
}

fn missing(call: &Call, name: &str) -> impl Fn(Error) -> Failure + use<> {
    let arn = call.arn(COMPONENT, name);
    move |error| match error {
        Error::NotFound { kind: Kind::Run, .. } => {
            Failure::not_found(format!("Trial Component '{arn}' does not exist."))
        }
        other => other.into(),
    }
}

/// What the request says that the record understands.
fn change(call: &Call) -> Result<ComponentChange> {
    let mut params = Vec::new();
    for (key, value) in call.map("Parameters").into_iter().flatten() {
        let (value, is_number) = match (value.get("StringValue"), value.get("NumberValue")) {
            (Some(Value::String(text)), None) => (text.clone(), false),
            (None, Some(Value::String(text))) => (text.clone(), true),
            (None, Some(number)) => (number.to_string(), true),
            _ => {
                return Err(Failure::validation(format!(
                    "Parameter '{key}' must have either a StringValue or a NumberValue."
                )));
            }
        };
        params.push((Param { key: key.clone(), value }, is_number));
    }
    let status = call.map("Status").and_then(|status| status.get("PrimaryStatus")).and_then(Value::as_str);
    Ok(ComponentChange {
        display_name: call.text("DisplayName").map(str::to_owned),
        status: status.map(run_status),
        started_at: call.time("StartTime"),
        ended_at: call.time("EndTime"),
        params,
        params_to_remove: call.texts("ParametersToRemove"),
    })
}

fn message(call: &Call) -> Option<Value> {
    call.map("Status").and_then(|status| status.get("Message")).cloned()
}

/// A component with every member that any answer about it has, except its metrics.
pub(crate) fn whole(call: &Call, component: &Component) -> Document {
    let Component { run, name, trials, experiment, number_params, facets } = component;
    let Run { info, tags, params, metrics: _, dataset_inputs, model_inputs, model_outputs } = run;
    let mut whole = facets.document.clone();
    let name = name.as_deref().unwrap_or(info.id.as_str());
    put(&mut whole, "TrialComponentArn", Some(call.arn(COMPONENT, name)));
    put(&mut whole, "TrialComponentName", Some(name));
    put(&mut whole, "DisplayName", Some(info.name.as_str()));
    // A component whose client has said nothing of its status has none.
    let message = whole.remove("Message");
    if info.status != RunStatus::Initializing || message.is_some() {
        let mut status = Document::new();
        put(&mut status, "PrimaryStatus", Some(status_name(info.status)));
        put(&mut status, "Message", message);
        put(&mut whole, "Status", Some(Value::Object(status)));
    }
    put(&mut whole, "StartTime", info.started_at.map(render::time));
    put(&mut whole, "EndTime", info.ended_at.map(render::time));
    put(&mut whole, "CreationTime", Some(render::time(facets.created_at)));
    whole.entry("LastModifiedTime").or_insert(render::time(facets.created_at));
    put(&mut whole, "LineageGroupArn", Some(lineage_group::arn(call)));
    put(&mut whole, "CreatedBy", Some(json!({})));
    put(&mut whole, "LastModifiedBy", Some(json!({})));
    let parameters: Document = params
        .iter()
        .map(|Param { key, value }| {
            let number = value.parse::<f64>().ok().filter(|_| number_params.contains(key));
            let value = match number {
                Some(number) if number.is_finite() => json!({ "NumberValue": number }),
                Some(_) => json!({ "NumberValue": value }),
                None => json!({ "StringValue": value }),
            };
            (key.clone(), value)
        })
        .collect();
    put(&mut whole, "Parameters", Some(Value::Object(parameters)));
    put(&mut whole, "Tags", Some(render::tags(tags)));
    let read = model_inputs.iter().map(model_artifact);
    put_artifacts(&mut whole, "InputArtifacts", dataset_artifacts(dataset_inputs).into_iter().chain(read));
    put_artifacts(&mut whole, "OutputArtifacts", model_outputs.iter().map(|made| model_artifact(&made.model)));
    let mut parents: Vec<Value> = trials
        .iter()
        .map(|TrialOfRun { trial, experiment, experiment_name }| {
            let experiment = experiments::shown_name(*experiment, experiment_name);
            json!({ "TrialName": trial, "ExperimentName": experiment })
        })
        .collect();
    if let (true, Some((id, name))) = (parents.is_empty(), experiment) {
        parents.push(json!({ "ExperimentName": experiments::shown_name(*id, name) }));
    }
    put(&mut whole, "Parents", Some(parents));
    whole
}

/// Adds what the record knows a run to have read or made to what its client said of that.
fn put_artifacts(whole: &mut Document, member: &str, known: impl Iterator<Item = (String, String)>) {
    let given = whole.get(member).and_then(Value::as_object);
    let mut artifacts = given.cloned().unwrap_or_default();
    for (name, uri) in known {
        let name: String = name.chars().take(LONGEST_ARTIFACT_NAME).collect();
        let uri: String = uri.chars().take(LONGEST_ARTIFACT).collect();
        artifacts.entry(name).or_insert_with(|| json!({ "Value": uri }));
    }
    if !artifacts.is_empty() {
        whole.insert(member.to_owned(), Value::Object(artifacts));
    }
}

/// Datasets by name, which of several with one name the digest tells apart.
fn dataset_artifacts(inputs: &[DatasetInput]) -> Vec<(String, String)> {
    let mut named: Vec<(String, String)> = Vec::with_capacity(inputs.len());
    for DatasetInput { dataset: Dataset { name, digest, source, .. }, .. } in inputs {
        let is_taken = named.iter().any(|(taken, _)| taken == name);
        let name = if is_taken { format!("{name}@{digest}") } else { name.clone() };
        named.push((name, source.clone()));
    }
    named
}

fn model_artifact(model: &LoggedModelId) -> (String, String) {
    (model.0.clone(), format!("models:/{}", model.0))
}

// The record's words and SageMaker's -------------------------------------------------------------------------

pub(crate) fn run_status(name: &str) -> RunStatus {
    match name {
        "Completed" => RunStatus::Completed,
        "Failed" => RunStatus::Failed,
        "Stopping" => RunStatus::Stopping,
        "Stopped" => RunStatus::Stopped,
        _ => RunStatus::Running,
    }
}

fn status_name(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Initializing
        | RunStatus::Scheduled
        | RunStatus::Queued
        | RunStatus::Provisioning
        | RunStatus::Running
        | RunStatus::Paused
        | RunStatus::Retrying => "InProgress",
        RunStatus::Stopping => "Stopping",
        RunStatus::Stopped => "Stopped",
        RunStatus::Failed => "Failed",
        RunStatus::Completed | RunStatus::Cached | RunStatus::Skipped => "Completed",
    }
}

/// A test of the status by SageMaker's word for it.
pub(crate) fn status_filter(comparison: Comparison, name: &str) -> Filter {
    let meant = RunStatus::ALL.iter().filter(|status| status_name(**status) == name);
    let meant = meant.map(|status| status.as_str().to_owned()).collect();
    let is = test(Attribute::Status, Predicate::In(meant));
    if comparison == Comparison::Equal { is } else { Filter::Not(Box::new(is)) }
}
