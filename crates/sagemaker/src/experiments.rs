//! Experiments, which are the record's. The one that every record starts with is none: runs lie in it that belong to no
//! experiment.

use serde_json::{Value, json};
use stele_app::{Faceted, NO_EXPERIMENT, NewExperiment};
use stele_domain::id::ExperimentId;
use stele_domain::lifecycle::Presence;
use stele_domain::printable;
use stele_domain::record::Experiment;
use stele_domain::resource::{Document, Facets};
use stele_domain::search::{Attribute, Comparison, ExperimentSearch, Filter, Predicate};
use stele_domain::{Error, Kind};

use crate::call::Call;
use crate::error::{Failure, Result};
use crate::paging::test;
use crate::render::{self, cut, put};
use crate::shapes;

const PATH: &str = "experiment";
const LONGEST_NAME: usize = 120;

pub(crate) async fn create(call: Call) -> Result<Value> {
    let name = call.required("ExperimentName").to_owned();
    let taken = || {
        Failure::validation(format!(
            "Experiment names must be unique within an AWS account and region. Experiment with name ({name}) already \
             exists."
        ))
    };
    if !printable::is_printable(&name, LONGEST_NAME) {
        return Err(Failure::validation(format!(
            "ExperimentName '{name}' ends like the names that stand for those of other clients."
        )));
    }
    let new = NewExperiment { name: name.clone(), artifact_location: None, tags: call.tags()? };
    let facets = call.kept(&["ExperimentName", "Tags"]);
    call.app.experiment_create_over_trash(&call.ctx, new, facets).await.map_err(|error| match error {
        Error::AlreadyExists { .. } => taken(),
        other => other.into(),
    })?;
    Ok(json!({ "ExperimentArn": call.arn(PATH, &name) }))
}

pub(crate) async fn describe(call: Call) -> Result<Value> {
    let experiment = open(&call, call.required("ExperimentName")).await?;
    let whole = whole_page(&call, &[experiment]).await?.pop().unwrap_or_default();
    Ok(cut(whole, &call.operation.output))
}

pub(crate) async fn update(call: Call) -> Result<Value> {
    let name = call.required("ExperimentName");
    let experiment = open(&call, name).await?;
    let changes = call.kept(&["ExperimentName"]);
    call.app
        .experiment_facets_rewrite(&call.ctx, experiment.id, move |facets| {
            facets.extend(changes.clone());
            Ok(())
        })
        .await?;
    Ok(json!({ "ExperimentArn": call.arn(PATH, name) }))
}

pub(crate) async fn delete(call: Call) -> Result<Value> {
    let name = call.required("ExperimentName");
    let experiment = open(&call, name).await?;
    call.app.experiment_delete_empty(&call.ctx, experiment.id).await.map_err(|error| match error {
        Error::WrongState { .. } => Failure::validation(format!(
            "Experiment '{name}' cannot be deleted: all trials of an experiment must be deleted first."
        )),
        other => other.into(),
    })?;
    Ok(json!({ "ExperimentArn": call.arn(PATH, name) }))
}

pub(crate) async fn list(call: Call) -> Result<Value> {
    let query = call.list_query(vec![real()])?;
    let window = query.window;
    let page = call.app.experiment_search(&call.ctx, ExperimentSearch { query, ..Default::default() }).await?;
    let members = shapes::view("ExperimentSummary");
    let items = whole_page(&call, &page.items).await?.into_iter().map(|found| cut(found, members)).collect();
    Ok(call.page_reply("ExperimentSummaries", items, page.more, window))
}

/// Leaves out the experiment that is none.
pub(crate) fn real() -> Filter {
    #[expect(clippy::cast_precision_loss, reason = "the id is 0")]
    let none = NO_EXPERIMENT.0 as f64;
    test(Attribute::Id, Predicate::Number(Comparison::NotEqual, none))
}

/// Reads the experiment of a name as it is shown here.
pub(crate) async fn open(call: &Call, shown: &str) -> Result<Experiment> {
    let missing = || Failure::not_found(format!("Experiment '{}' does not exist.", call.arn(PATH, shown)));
    let found = match printable::substituted(shown) {
        Some(id) => {
            let id = id.trim_start_matches('0').parse().map_err(|_| missing())?;
            call.app.experiment_get(&call.ctx, ExperimentId(id)).await
        }
        None => call.app.experiment_get_by_name(&call.ctx, shown.to_owned()).await,
    };
    match found {
        Ok(found) if found.presence == Presence::Active && found.id != NO_EXPERIMENT => Ok(found),
        Ok(_) | Err(Error::NotFound { kind: Kind::Experiment, .. }) => Err(missing()),
        Err(error) => Err(error.into()),
    }
}

/// How an experiment is called here.
pub(crate) fn shown_name(id: ExperimentId, name: &str) -> String {
    printable::shown(name, LONGEST_NAME, id)
}

/// Experiments with every member that any answer about them has.
pub(crate) async fn whole_page(call: &Call, experiments: &[Experiment]) -> Result<Vec<Document>> {
    let rows = experiments.iter().map(|experiment| experiment.id.0).collect();
    let facets = call.app.facets(&call.ctx, Faceted::Experiment, rows).await?;
    Ok(experiments.iter().filter_map(|found| Some(whole(call, found, facets.get(&found.id.0)?))).collect())
}

fn whole(call: &Call, experiment: &Experiment, facets: &Facets) -> Document {
    let Experiment { id, name, artifact_location: _, presence: _, created_at, updated_at, tags } = experiment;
    let mut whole = facets.document.clone();
    let shown = shown_name(*id, name);
    put(&mut whole, "ExperimentArn", Some(call.arn(PATH, &shown)));
    if !whole.contains_key("DisplayName") {
        put(&mut whole, "DisplayName", Some(shown.as_str()));
    }
    put(&mut whole, "ExperimentName", Some(shown));
    put(&mut whole, "CreationTime", Some(render::time(*created_at)));
    put(&mut whole, "LastModifiedTime", Some(render::time(*updated_at)));
    put(&mut whole, "CreatedBy", Some(json!({})));
    put(&mut whole, "LastModifiedBy", Some(json!({})));
    put(&mut whole, "Tags", Some(render::tags(tags)));
    whole
}
