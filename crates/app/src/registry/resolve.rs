//! Finding versions by what they are called instead of by number.

use stele_domain::authz::Visibility;
use stele_domain::lifecycle::Stage;
use stele_domain::model_uri::ModelUri;
use stele_domain::registry::{ModelVersion, stage_of_alias};
use stele_domain::{Error, Kind, Result};
use stele_store::Tx;

use crate::{App, Ctx};

impl App {
    /// The version that an alias means: `latest`, in any case, is the highest number; an alias that means a stage is
    /// the newest version in it.
    pub async fn model_version_by_alias(&self, ctx: &Ctx, model: String, alias: String) -> Result<ModelVersion> {
        let visible = ctx.visible();
        self.read(move |tx| by_alias(tx, &visible, &model, &alias)).await
    }

    /// The newest version of a model in each of `stages` that has any.
    pub async fn model_versions_latest(
        &self,
        ctx: &Ctx,
        model: String,
        stages: Vec<Stage>,
    ) -> Result<Vec<ModelVersion>> {
        let visible = ctx.visible();
        self.read(move |tx| in_stages(tx, &visible, &model, &stages)).await
    }
}

pub(super) fn by_alias(tx: &mut Tx, visible: &Visibility, model: &str, alias: &str) -> Result<ModelVersion> {
    let missing = || Error::not_found(Kind::Alias, alias);
    if alias.eq_ignore_ascii_case("latest") {
        return newest(tx, visible, model)?.ok_or_else(missing);
    }
    if let Some(stage) = stage_of_alias(alias) {
        return in_stages(tx, visible, model, &[stage])?.pop().ok_or_else(missing);
    }
    let row = tx.model_find(visible, model)?;
    let number = tx.model_alias_get(visible, row, alias)?.ok_or_else(missing)?;
    tx.model_version_get(visible, model, number)
}

/// The version that `models:/model/number`, `/latest`, `/stage` or `@alias` means.
pub(crate) fn by_uri(tx: &mut Tx, visible: &Visibility, uri: &ModelUri) -> Result<ModelVersion> {
    match uri {
        ModelUri::Version { model, number } => {
            let missing = |_| Error::not_found(Kind::ModelVersion, format!("{model}/{number}"));
            tx.model_version_get(visible, model, number.parse().map_err(missing)?)
        }
        ModelUri::Latest { model } => by_alias(tx, visible, model, "latest"),
        ModelUri::Stage { model, stage } => {
            let missing = || Error::not_found(Kind::ModelVersion, format!("{model}/{stage}"));
            let known = Stage::parse(&stage.to_lowercase()).ok_or_else(missing)?;
            in_stages(tx, visible, model, &[known])?.pop().ok_or_else(missing)
        }
        ModelUri::Alias { model, alias } => by_alias(tx, visible, model, alias),
        ModelUri::LoggedModel(id) => Err(Error::not_found(Kind::ModelVersion, id.as_str())),
    }
}

pub(super) fn newest(tx: &mut Tx, visible: &Visibility, model: &str) -> Result<Option<ModelVersion>> {
    let row = tx.model_find(visible, model)?;
    tx.model_version_newest(visible, row)
}

pub(super) fn in_stages(tx: &mut Tx, visible: &Visibility, model: &str, stages: &[Stage]) -> Result<Vec<ModelVersion>> {
    let row = tx.model_find(visible, model)?;
    let found = tx.model_versions_latest(&[row], stages)?;
    tx.model_versions_by_rows(&found.into_iter().map(|(version, _)| version).collect::<Vec<_>>())
}
