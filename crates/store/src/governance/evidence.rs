//! What gates look at beyond the registry: the runs and logged models that a version comes from, and who may decide.

use std::collections::BTreeMap;

use stele_domain::Result;
use stele_domain::authz::Visibility;
use stele_domain::gate::{Approver, Evaluation, Metrics, Slices, Target};
use stele_domain::id::{LoggedModelId, ModelRow, ModelVersionRow, RunId, WorkspaceId};
use stele_domain::identity::Scope;
use stele_domain::lifecycle::{ApprovalStatus, Stage};

use crate::engine::{list, params};
use crate::{ModelHead, Tx};

/// The most values about a logged model that are looked at, the newest.
const MOST_VALUES: i64 = 10_000;

/// The most memberships of those who may decide.
const MOST_MEMBERSHIPS: i64 = 1_000;

/// A version that is in production, or was there last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastInProduction {
    pub number: i64,
    /// None where it was deleted.
    pub row: Option<ModelVersionRow>,
    pub is_there: bool,
}

impl Tx<'_> {
    /// Who registered a version.
    pub fn model_version_author(&mut self, version: ModelVersionRow) -> Result<String> {
        self.query_one("SELECT author FROM model_version WHERE id = $1", params![version], |row| row.text(0))
    }

    /// The version of a model that is in production or was there last.
    pub fn last_in_production(&mut self, model: ModelRow) -> Result<Option<LastInProduction>> {
        const FIND: &str = "SELECT model.last_in_production, version.id, version.stage FROM model
             LEFT JOIN model_version AS version
                 ON version.model_id = model.id AND version.number = model.last_in_production
             WHERE model.id = $1 AND model.last_in_production > 0";
        self.query_opt(FIND, params![model], |row| {
            let (number, version, stage) = (row.int(0)?, row.opt_int(1)?, row.opt_text(2)?);
            let is_there = stage.as_deref() == Some(Stage::Production.as_str());
            Ok(LastInProduction { number, row: version.map(ModelVersionRow), is_there })
        })
    }

    /// A model as reads start from it.
    pub fn model_head(&mut self, visible: &Visibility, name: &str) -> Result<ModelHead> {
        const ID: &str = "SELECT public_id FROM model WHERE id = $1";
        let row = self.model_find(visible, name)?;
        let id = self.query_one(ID, params![row], |row| row.text(0))?;
        Ok(ModelHead { row, id, name: name.to_owned(), description: None })
    }

    /// Everything that versions of a model are and that a gate could guard.
    pub fn targets_held(&mut self, model: ModelRow) -> Result<Vec<(ModelVersionRow, Target)>> {
        const VERSIONS: &str = "SELECT id, stage, approval FROM model_version
             WHERE model_id = $1 AND (stage IN ('staging', 'production') OR approval = 'approved') ORDER BY number";
        const ALIASES: &str = "SELECT version.id, model_alias.alias FROM model_alias
             JOIN model_version AS version ON version.model_id = model_alias.model_id
                 AND version.number = model_alias.number
             WHERE model_alias.model_id = $1 ORDER BY model_alias.alias";
        let mut held = Vec::new();
        for (row, stage, approval) in self.query(VERSIONS, params![model], |row| {
            let row_id = ModelVersionRow(row.int(0)?);
            Ok((row_id, row.parsed(1, Stage::parse)?, row.parsed(2, ApprovalStatus::parse)?))
        })? {
            held.extend(Target::of_stage(stage).map(|target| (row, target)));
            if approval == ApprovalStatus::Approved {
                held.push((row, Target::APPROVAL));
            }
        }
        held.extend(
            self.query(ALIASES, params![model], |row| Ok((ModelVersionRow(row.int(0)?), Target::Alias(row.text(1)?))))?,
        );
        Ok(held)
    }

    /// Those of some tags that a run has.
    pub fn run_tags_among(
        &mut self,
        workspace: WorkspaceId,
        run: &RunId,
        keys: &[&str],
    ) -> Result<BTreeMap<String, String>> {
        let sql = format!(
            "SELECT tag.key, tag.value FROM run_tag AS tag JOIN run ON run.id = tag.run_id
             WHERE run.workspace_id = $1 AND run.public_id = $2 AND tag.key {}",
            self.is_one_of_texts(3)
        );
        let keys = list(keys.iter().copied());
        let found = self.query(&sql, params![workspace, run.as_str(), keys], |row| Ok((row.text(0)?, row.text(1)?)))?;
        Ok(found.into_iter().collect())
    }

    /// What clients measured of a logged model on data sets, an evaluation for each data set and run. A value that is
    /// not finite is none.
    pub fn logged_model_evaluations(&mut self, workspace: WorkspaceId, id: &LoggedModelId) -> Result<Vec<Evaluation>> {
        const VALUES: &str =
            "SELECT metric.dataset_name, metric.dataset_digest, run.public_id, run.user_name, metric.key,
                 metric.value, metric.timestamp
             FROM logged_model_metric AS metric
             JOIN logged_model ON logged_model.id = metric.logged_model_id
             JOIN run ON run.id = metric.run_id
             WHERE logged_model.workspace_id = $1 AND logged_model.public_id = $2
                 AND metric.dataset_digest IS NOT NULL AND metric.is_nan = 0
             ORDER BY metric.timestamp DESC, metric.step DESC, metric.key LIMIT $3";
        let mut measured: BTreeMap<_, (String, Vec<_>)> = BTreeMap::new();
        for (dataset, digest, run, by, key, value, at) in
            self.query(VALUES, params![workspace, id.as_str(), MOST_VALUES], |row| {
                let dataset = row.opt_text(0)?.unwrap_or_default();
                let value = row.real(5)?;
                Ok((dataset, row.text(1)?, row.text(2)?, row.text(3)?, row.text(4)?, value, row.int(6)?))
            })?
        {
            let measured = measured.entry((digest, dataset, run)).or_insert_with(|| (by, Vec::new()));
            measured.1.push((key, value, at));
        }
        let evaluations = measured.into_iter().filter_map(|((digest, dataset, run), (by, mut values))| {
            // The newest value of a metric is the one that counts.
            values.reverse();
            evaluation_by_run(&run, by, (dataset, digest), values)
        });
        Ok(evaluations.collect())
    }

    /// What the run of a version measured, where it read one data set and said that it is for evaluation. A run that read
    /// several does not say which of its metrics belong to which.
    pub fn run_evaluation(&mut self, workspace: WorkspaceId, run: &RunId) -> Result<Option<Evaluation>> {
        const DATASETS: &str = "SELECT dataset.name, dataset.digest, run.id, run.user_name,
                 COALESCE((SELECT tag.value FROM edge_tag AS tag WHERE tag.edge_id = edge.id
                     AND tag.key = 'mlflow.data.context'), '')
             FROM run JOIN edge ON edge.target_kind = 'run' AND edge.target_id = run.id AND edge.kind = 'consumed'
                 AND edge.source_kind = 'artifact_version'
             JOIN dataset ON dataset.id = edge.source_id
             WHERE run.workspace_id = $1 AND run.public_id = $2 LIMIT 2";
        const METRICS: &str = "SELECT key, value, timestamp FROM series WHERE run_id = $1 AND is_nan = 0
             ORDER BY key LIMIT 1000";
        let mut datasets = self.query(DATASETS, params![workspace, run.as_str()], |row| {
            Ok((row.text(0)?, row.text(1)?, row.int(2)?, row.text(3)?, row.text(4)?))
        })?;
        let (Some((dataset, digest, row, by, context)), true) = (datasets.pop(), datasets.is_empty()) else {
            return Ok(None);
        };
        if !matches!(context.as_str(), "eval" | "evaluation" | "validation" | "test" | "testing") {
            return Ok(None);
        }
        let found = self.query(METRICS, params![row], |row| Ok((row.text(0)?, row.real(1)?, row.int(2)?)))?;
        Ok(evaluation_by_run(run.as_str(), by, (dataset, digest), found))
    }

    /// Those whose role lets them decide on a model, by name, with their groups.
    pub fn approvers(&mut self, workspace: &str, model: &str) -> Result<Vec<Approver>> {
        const APPROVERS: &str = "SELECT account.name, account_group.name
             FROM account
             LEFT JOIN group_member ON group_member.account_id = account.id
             LEFT JOIN account_group ON account_group.id = group_member.group_id
             WHERE account.deleted_at IS NULL AND account.disabled = 0 AND EXISTS (
                 SELECT 1 FROM role_grant WHERE role_grant.role IN ('approver', 'administrator')
                     AND (role_grant.account_id = account.id OR role_grant.group_id IN
                         (SELECT held.group_id FROM group_member AS held WHERE held.account_id = account.id))
                     AND (role_grant.scope = 'organisation'
                         OR (role_grant.scope = 'workspace' AND role_grant.scope_name = $1)
                         OR (role_grant.scope = 'model' AND role_grant.scope_name = $2)))
             ORDER BY account.name, account_group.name LIMIT $3";
        let mut approvers: Vec<Approver> = Vec::new();
        let scope = Scope::model_in(workspace, model);
        for (name, group) in self.query(APPROVERS, params![workspace, scope.name(), MOST_MEMBERSHIPS], |row| {
            Ok((row.text(0)?, row.opt_text(1)?))
        })? {
            match approvers.last_mut() {
                Some(last) if last.name == name => last.groups.extend(group),
                _ => approvers.push(Approver { name, groups: group.into_iter().collect() }),
            }
        }
        Ok(approvers)
    }
}

/// What a run measured on a data set, given by name and digest: metrics with their values and times, of which the last of
/// a metric counts. Nothing when it measured nothing. A value that is not finite is none. Those of slices are what
/// MLflow's clients log as `slice/SLICE/METRIC`.
pub(super) fn evaluation_by_run(
    run: &str,
    by: String,
    (dataset, digest): (String, String),
    found: Vec<(String, f64, i64)>,
) -> Option<Evaluation> {
    let at = found.iter().map(|(.., at)| *at).max()?;
    let (mut metrics, mut slices) = (Metrics::new(), Slices::new());
    for (key, value, _) in found.into_iter().filter(|(_, value, _)| value.is_finite()) {
        match key.strip_prefix("slice/").and_then(|rest| rest.split_once('/')) {
            Some((slice, metric)) if !slice.is_empty() && !metric.is_empty() => {
                slices.entry(slice.to_owned()).or_default().insert(metric.to_owned(), value);
            }
            _ => {
                metrics.insert(key, value);
            }
        }
    }
    Some(Evaluation {
        source: format!("run {run}"),
        dataset,
        digest,
        at,
        by,
        metrics,
        slices,
        report: None,
        reports: Vec::new(),
        artifacts_changed: false,
    })
}
