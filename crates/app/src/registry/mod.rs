//! The model registry: models, versions, the stages and aliases they move through, and where their files lie.

mod approve;
mod history;
mod model;
mod promote;
mod resolve;
mod source;
mod version;

pub(crate) use approve::decide;
pub use approve::{Idempotency, NewPackage, VersionChange};
pub use model::NewModel;
pub(crate) use model::{alias_map, tag_map};
pub(crate) use resolve::by_uri;
pub use source::{CheckedSource, Owner, SourceError, SourceProblem, SourceRequest};
use stele_domain::authz::{Intent, Permit, Place, Thing, Verb};
use stele_domain::id::{ModelRow, ModelVersionRow};
use stele_domain::registry::{ModelVersion, version_id};
use stele_domain::{Error, Kind, Result};
use stele_store::{ModelHead, ModelVersionHead, Tx};
pub use version::NewModelVersion;
pub(crate) use version::complete;

/// Opens a version for a change. A version of an unknown model is an unknown version.
pub(crate) fn open_version<V: Verb>(
    tx: &mut Tx,
    permit: &Permit<V>,
    model: &str,
    number: i64,
) -> Result<(ModelHead, ModelVersionHead)> {
    let model = tx.model_open(permit, model).map_err(|error| match error {
        Error::NotFound { kind: Kind::Model, id } => Error::not_found(Kind::ModelVersion, version_id(&id, number)),
        other => other,
    })?;
    let version = tx.model_version_open(permit, &model, number)?;
    Ok((model, version))
}

/// Allows the verb for a version, which a team's rules see with its model and with what the change wants.
pub(crate) fn require_version<V: Verb>(
    tx: &mut Tx,
    permit: &Permit<V>,
    model: &ModelHead,
    version: ModelVersionRow,
    intent: Intent,
) -> Result<()> {
    let version = complete(tx, version)?;
    permit.require(tx, Place::Model(&model.name), Kind::ModelVersion, version_id(&model.name, version.number))?;
    if !permit.is_judged() {
        return Ok(());
    }
    let version = describe_version(tx, model.row, version)?;
    permit.intending(intent).require_version(&version)
}

/// A version as a team's rules see it.
pub(crate) fn describe_version(tx: &mut Tx, row: ModelRow, version: ModelVersion) -> Result<Thing> {
    let ModelVersion { model, number, stage, approval, tags, .. } = version;
    Ok(Thing::ModelVersion { model, number, stage, approval, tags, model_tags: tx.model_tags(row)? })
}
