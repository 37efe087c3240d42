//! Tags of anything that has some, in the order in which they came.

use stele_domain::Result;
use stele_domain::id::{ExperimentId, RunId};
use stele_store::Tagged;

use crate::{App, Ctx};

/// A thing that has tags, as requests name it.
#[derive(Debug, Clone)]
pub enum TaggedThing {
    Model(String),
    ModelVersion(String, i64),
    Experiment(ExperimentId),
    Run(RunId),
    /// By kind and name.
    Resource(&'static str, String),
}

impl App {
    /// The keys of the tags of a thing, in the order in which they came.
    pub async fn tag_keys(&self, ctx: &Ctx, thing: TaggedThing) -> Result<Vec<String>> {
        let visible = ctx.visible();
        self.read(move |tx| {
            let tagged = match &thing {
                TaggedThing::Model(name) => Tagged::Model(tx.model_get(&visible, name)?.row),
                TaggedThing::ModelVersion(model, number) => {
                    Tagged::ModelVersion(tx.model_version_get(&visible, model, *number)?.row)
                }
                TaggedThing::Experiment(id) => Tagged::Experiment(tx.experiment_get(&visible, *id)?.id),
                TaggedThing::Run(id) => Tagged::Run(tx.run_info(&visible, id)?.row),
                TaggedThing::Resource(kind, name) => Tagged::Resource(tx.resource_get(&visible, kind, name)?.row),
            };
            tx.tag_keys(tagged)
        })
        .await
    }
}
