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
pub use source::{CheckedSource, Owner, SourceError, SourceProblem, SourceRequest};
use stele_domain::authz::{Permit, Verb};
use stele_domain::registry::version_id;
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
