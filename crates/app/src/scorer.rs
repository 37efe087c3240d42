//! Scorers of experiments: how clients judge what their applications say.

use serde_json::json;
use stele_domain::authz::ManageScorer;
use stele_domain::change::Change;
use stele_domain::evaluation::{OnlineScoring, ScorerVersion};
use stele_domain::id::ExperimentId;
use stele_domain::{Error, Kind, Result};

use crate::experiment::{open_active, require_active};
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

/// Which experiments' scorers a list is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScorersOf {
    /// Of one, which must be active.
    One(ExperimentId),
    /// Of those among these that are active.
    Some(Vec<ExperimentId>),
    /// Of every active experiment.
    All,
}

impl App {
    /// Makes the next version of a scorer of an active experiment.
    pub async fn scorer_register(
        &self,
        ctx: &Ctx,
        experiment: ExperimentId,
        name: String,
        definition: String,
    ) -> Result<ScorerVersion> {
        check_text("scorer name", &name)?;
        check_text("scorer", &definition)?;
        let now = ctx.now();
        let new_id = ctx.new_id().to_string();
        self.change::<ManageScorer, _>(ctx, &name.clone(), move |tx, permit| {
            open_active(tx, permit, experiment)?;
            let version = tx.scorer_version_create(permit, experiment, &name, &definition, &new_id, now)?;
            let change = Change::event("scorer.register", Kind::Scorer, &version.scorer);
            let after = json!({ "experiment": experiment.0, "name": name, "version": version.number });
            Ok(Changed::one(version, change.after(after)))
        })
        .await
    }

    /// The newest version of each scorer, by experiment and name.
    pub async fn scorers_list(&self, ctx: &Ctx, of: ScorersOf) -> Result<Vec<ScorerVersion>> {
        let visible = ctx.visible();
        self.read(move |tx| {
            let experiments = match of {
                ScorersOf::One(id) => {
                    let experiment = tx.experiment_get(&visible, id)?;
                    require_active(Kind::Experiment, id.to_string(), experiment.presence)?;
                    vec![id]
                }
                ScorersOf::Some(ids) => tx.experiments_active(&visible, Some(&ids))?,
                ScorersOf::All => tx.experiments_active(&visible, None)?,
            };
            tx.scorers_latest(&visible, &experiments)
        })
        .await
    }

    /// All versions of a scorer of an active experiment, oldest first; there is at least one.
    pub async fn scorer_versions(
        &self,
        ctx: &Ctx,
        experiment: ExperimentId,
        name: String,
    ) -> Result<Vec<ScorerVersion>> {
        let visible = ctx.visible();
        self.read(move |tx| {
            let found = tx.experiment_get(&visible, experiment)?;
            require_active(Kind::Experiment, experiment.to_string(), found.presence)?;
            let versions = tx.scorer_versions(&visible, experiment, &name)?;
            if versions.is_empty() { Err(Error::not_found(Kind::Scorer, name)) } else { Ok(versions) }
        })
        .await
    }

    /// Deletes one version of a scorer, or the scorer with all of them.
    pub async fn scorer_delete(
        &self,
        ctx: &Ctx,
        experiment: ExperimentId,
        name: String,
        number: Option<i64>,
    ) -> Result<()> {
        self.change::<ManageScorer, _>(ctx, &name.clone(), move |tx, permit| {
            open_active(tx, permit, experiment)?;
            if !tx.scorer_delete(permit, experiment, &name, number)? {
                return Err(Error::not_found(Kind::Scorer, &name));
            }
            let change = Change::event("scorer.delete", Kind::Scorer, &name);
            Ok(Changed::one((), change.before(json!({ "experiment": experiment.0, "version": number }))))
        })
        .await
    }

    /// Says how much of an experiment's traces a scorer is to judge by itself.
    pub async fn online_scoring_set(
        &self,
        ctx: &Ctx,
        experiment: ExperimentId,
        name: String,
        sample_rate: f64,
        filter: Option<String>,
    ) -> Result<OnlineScoring> {
        check_text("filter", filter.as_deref().unwrap_or(""))?;
        let scoring = OnlineScoring {
            id: ctx.new_id().simple().to_string(),
            scorer: String::new(),
            experiment,
            sample_rate,
            filter,
        };
        self.change::<ManageScorer, _>(ctx, &name.clone(), move |tx, permit| {
            open_active(tx, permit, experiment)?;
            let scoring =
                tx.online_scoring_set(permit, &name, &scoring)?.ok_or_else(|| Error::not_found(Kind::Scorer, &name))?;
            let change = Change::event("scorer.configure", Kind::Scorer, &scoring.scorer);
            let after = json!({ "sample_rate": scoring.sample_rate, "filter": scoring.filter });
            Ok(Changed::one(scoring, change.after(after)))
        })
        .await
    }

    pub async fn online_scorings(&self, ctx: &Ctx, scorers: Vec<String>) -> Result<Vec<OnlineScoring>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.online_scorings(&visible, &scorers)).await
    }
}
