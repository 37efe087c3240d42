use serde_json::json;
use stele_domain::artifact_uri::append_to_uri_path;
use stele_domain::authz::LoadRecord;
use stele_domain::change::Change;
use stele_domain::id::ExperimentId;
use stele_domain::{Error, Kind, Result};
use stele_store::LoadedExperiment;

use crate::experiment::check_tags;
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

/// The experiment that takes what is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadedInto {
    pub id: ExperimentId,
    /// Whether the load made it.
    pub is_new: bool,
}

impl App {
    /// Brings an experiment into the record with its id and times. One of the same name takes its place, and an id that
    /// another experiment has is replaced. An empty location is that of its id behind this server.
    pub async fn experiment_load(&self, ctx: &Ctx, new: LoadedExperiment) -> Result<LoadedInto> {
        check_text("experiment name", &new.name)?;
        check_text("artifact location", &new.artifact_location)?;
        check_tags(&new.tags)?;
        if new.id.0 < 0 {
            return Err(Error::invalid(format!("experiment '{}' has the negative id {}", new.name, new.id)));
        }
        let visible = ctx.visible();
        let area = self.area(ctx).await?;
        let root = area.root()?;
        let mut new = new;
        if !new.artifact_location.is_empty() {
            new.artifact_location = area.place(new.artifact_location, "artifact location")?;
        }
        self.change::<LoadRecord, _>(ctx, &new.name.clone(), move |tx, permit| {
            let at_id = |id: ExperimentId| -> Result<String> { append_to_uri_path(&root, &id.to_string()) };
            let is_default = new.artifact_location.is_empty();
            let mut new = new.clone();
            if is_default {
                new.artifact_location = at_id(new.id)?;
            }
            let id = match tx.experiment_get_by_name(&visible, &new.name) {
                Ok(known) => {
                    let is_replaced = known.id == new.id && tx.experiment_replace_unused(permit, known.id, &new)?;
                    if !is_replaced {
                        return Ok(Changed::nothing(LoadedInto { id: known.id, is_new: false }));
                    }
                    known.id
                }
                Err(Error::NotFound { .. }) => tx.experiment_load(permit, &new)?,
                Err(error) => return Err(error),
            };
            if is_default && id != new.id {
                tx.experiment_relocate(permit, id, &at_id(id)?)?;
            }
            let change = Change::quiet("experiment.load", Kind::Experiment, id.to_string());
            let change = change.after(json!({ "name": new.name, "from": new.id.0 }));
            Ok(Changed::one(LoadedInto { id, is_new: true }, change))
        })
        .await
    }
}
