//! One step along what runs made and read: between runs, logged models and the versions registered from them.

use stele_domain::Result;
use stele_domain::authz::Visibility;
use stele_domain::id::{LoggedModelId, RunId, Timestamp};
use stele_domain::lineage::{LineageNode, LineageStep};
use stele_domain::printable::{self, LONGEST_GROUP};

use crate::Tx;
use crate::engine::{Row, Value, list, params};

const RUN_NAME: &str =
    "COALESCE((SELECT run_alias.name FROM run_alias WHERE run_alias.run_id = run.id), run.public_id)";
const PRESENT: &str = "run.workspace_id = $1 AND run.presence = 'active' AND logged_model.presence = 'active'";
const MADE: &str = "FROM edge JOIN run ON run.id = edge.source_id JOIN logged_model ON logged_model.id = edge.target_id
     WHERE edge.source_kind = 'run' AND edge.kind = 'produced' AND edge.target_kind = 'artifact_version'";
const READ: &str = "FROM edge JOIN run ON run.id = edge.target_id JOIN logged_model ON logged_model.id = edge.source_id
     WHERE edge.target_kind = 'run' AND edge.kind = 'consumed' AND edge.source_kind = 'artifact_version'";
const OF_RUN: &str = "FROM model_version AS version JOIN model ON model.id = version.model_id
     JOIN run ON run.public_id = COALESCE(version.run, '')
     WHERE model.workspace_id = $1 AND run.workspace_id = $1 AND run.presence = 'active'";
const OF_LOGGED_MODEL: &str = "FROM model_version AS version JOIN model ON model.id = version.model_id
     JOIN logged_model ON logged_model.public_id = COALESCE(version.logged_model, '')
     WHERE model.workspace_id = $1 AND logged_model.workspace_id = $1 AND logged_model.presence = 'active'";

/// Nodes by their kind, as values to bind.
struct Sorted {
    runs: Option<Value<'static>>,
    logged_models: Option<Value<'static>>,
    versions: Vec<(String, i64)>,
}

impl Sorted {
    fn of(nodes: &[LineageNode]) -> Sorted {
        let (mut runs, mut logged_models, mut versions) = (Vec::new(), Vec::new(), Vec::new());
        for node in nodes {
            match node {
                LineageNode::Run { id, .. } => runs.push(id.as_str()),
                LineageNode::LoggedModel(id) => logged_models.push(id.as_str()),
                LineageNode::Version { model, number, group: _ } => versions.push((model.clone(), *number)),
            }
        }
        let bound = |ids: Vec<&str>| (!ids.is_empty()).then(|| list(ids));
        Sorted { runs: bound(runs), logged_models: bound(logged_models), versions }
    }
}

impl Tx<'_> {
    /// What was made of any of `nodes`, at most `most` steps of each form.
    pub fn lineage_from(&mut self, visible: &Visibility, nodes: &[LineageNode], most: i64) -> Result<Vec<LineageStep>> {
        let Sorted { runs, logged_models, versions: _ } = Sorted::of(nodes);
        let mut steps = Vec::new();
        if let Some(runs) = runs {
            steps.extend(self.models_and_runs(visible, MADE, "run.public_id", runs.clone(), most, made)?);
            steps.extend(self.versions_of_runs(visible, "run.public_id", runs, most)?);
        }
        if let Some(models) = logged_models {
            steps.extend(self.models_and_runs(visible, READ, "logged_model.public_id", models.clone(), most, read)?);
            steps.extend(self.versions_of_logged_models(visible, "logged_model.public_id", models, most)?);
        }
        Ok(steps)
    }

    /// What any of `nodes` was made of, at most `most` steps of each form.
    pub fn lineage_to(&mut self, visible: &Visibility, nodes: &[LineageNode], most: i64) -> Result<Vec<LineageStep>> {
        let Sorted { runs, logged_models, versions } = Sorted::of(nodes);
        let mut steps = Vec::new();
        if let Some(runs) = runs {
            steps.extend(self.models_and_runs(visible, READ, "run.public_id", runs, most, read)?);
        }
        if let Some(models) = logged_models {
            steps.extend(self.models_and_runs(visible, MADE, "logged_model.public_id", models, most, made)?);
        }
        if !versions.is_empty() {
            let names = list(versions.iter().map(|(model, _)| model.as_str()));
            let mut found = self.versions_of_runs(visible, "model.name", names.clone(), most)?;
            found.extend(self.versions_of_logged_models(visible, "model.name", names, most)?);
            found.retain(|step| match &step.target {
                LineageNode::Version { model, number, group: _ } => {
                    versions.iter().any(|(m, n)| (m, n) == (model, number))
                }
                LineageNode::Run { .. } | LineageNode::LoggedModel(_) => false,
            });
            steps.extend(found);
        }
        Ok(steps)
    }

    fn models_and_runs(
        &mut self,
        visible: &Visibility,
        edges: &str,
        column: &str,
        among: Value,
        most: i64,
        step: fn(LineageNode, LineageNode, Timestamp) -> LineageStep,
    ) -> Result<Vec<LineageStep>> {
        let mut values = params![visible.workspace(), most, among].to_vec();
        let seen_run = self.and_experiment_seen(visible, "run.experiment_id", &mut values);
        let seen_model = self.and_experiment_seen(visible, "logged_model.experiment_id", &mut values);
        let sql = format!(
            "SELECT run.public_id, {RUN_NAME}, logged_model.public_id, edge.created_at {edges} AND {PRESENT}
                 AND {column} {}{seen_run}{seen_model} ORDER BY edge.id LIMIT $2",
            self.is_one_of_texts(3)
        );
        self.query(&sql, &values, |row| {
            Ok(step(run(row)?, LineageNode::LoggedModel(LoggedModelId(row.text(2)?)), Timestamp(row.int(3)?)))
        })
    }

    fn versions_of_runs(
        &mut self,
        visible: &Visibility,
        column: &str,
        among: Value,
        most: i64,
    ) -> Result<Vec<LineageStep>> {
        let mut values = params![visible.workspace(), most, among].to_vec();
        let seen_run = self.and_experiment_seen(visible, "run.experiment_id", &mut values);
        let seen_model = self.and_model_seen(visible, "model.name", &mut values);
        let sql = format!(
            "SELECT run.public_id, {RUN_NAME}, model.name, version.number, model.public_id, version.created_at {OF_RUN}
                 AND {column} {}{seen_run}{seen_model} ORDER BY version.id LIMIT $2",
            self.is_one_of_texts(3)
        );
        self.query(&sql, &values, |row| {
            Ok(LineageStep { source: run(row)?, target: version(row, 2)?, created_at: Timestamp(row.int(5)?) })
        })
    }

    fn versions_of_logged_models(
        &mut self,
        visible: &Visibility,
        column: &str,
        among: Value,
        most: i64,
    ) -> Result<Vec<LineageStep>> {
        let mut values = params![visible.workspace(), most, among].to_vec();
        let seen_source = self.and_experiment_seen(visible, "logged_model.experiment_id", &mut values);
        let seen_model = self.and_model_seen(visible, "model.name", &mut values);
        let sql = format!(
            "SELECT logged_model.public_id, model.name, version.number, model.public_id, version.created_at {OF_LOGGED_MODEL}
                 AND {column} {}{seen_source}{seen_model} ORDER BY version.id LIMIT $2",
            self.is_one_of_texts(3)
        );
        self.query(&sql, &values, |row| {
            let source = LineageNode::LoggedModel(LoggedModelId(row.text(0)?));
            Ok(LineageStep { source, target: version(row, 1)?, created_at: Timestamp(row.int(4)?) })
        })
    }
}

fn run(row: &Row) -> Result<LineageNode> {
    Ok(LineageNode::Run { id: RunId(row.text(0)?), name: row.text(1)? })
}

/// Reads the name of a model, the number of its version and the id of the model, from `first` on.
fn version(row: &Row, first: usize) -> Result<LineageNode> {
    let (model, number, id) = (row.text(first)?, row.int(first + 1)?, row.text(first + 2)?);
    Ok(LineageNode::Version { group: printable::shown(&model, LONGEST_GROUP, id), model, number })
}

fn made(run: LineageNode, model: LineageNode, created_at: Timestamp) -> LineageStep {
    LineageStep { source: run, target: model, created_at }
}

fn read(run: LineageNode, model: LineageNode, created_at: Timestamp) -> LineageStep {
    LineageStep { source: model, target: run, created_at }
}
