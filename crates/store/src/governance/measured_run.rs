//! Runs that say which models they evaluated, as MLflow's clients do in a tag.

use std::collections::BTreeMap;

use serde::Deserialize;
use stele_domain::Result;
use stele_domain::gate::Evaluation;
use stele_domain::id::{RunRow, WorkspaceId};

use super::evidence::evaluation_by_run;
use crate::Tx;
use crate::engine::{Value, list, params};

/// Lists what a run evaluated: `[{"name": "holdout", "hash": "..", "model": "m-.."}]`.
pub(crate) const EVALUATED_TAG: &str = "mlflow.datasets";

const MOST_MODELS: usize = 50;
const LONGEST_NAME: usize = 500;

/// How many runs that evaluated a version are looked at, the newest, and how many of their data sets and metrics.
const MOST_RUNS: i64 = 100;
const MOST_DATASETS: i64 = 1_000;
const MOST_METRICS: i64 = 20_000;

#[derive(Deserialize)]
struct Evaluated {
    #[serde(default)]
    name: String,
    model: Option<String>,
}

impl Tx<'_> {
    /// Notes which models a run evaluated, as its tag says. A tag that says something else names none.
    pub(crate) fn run_evaluated_set(&mut self, run: RunRow, tag: &str) -> Result<()> {
        const FORGET: &str = "DELETE FROM evaluated_model WHERE run_id = $1";
        self.execute(FORGET, params![run])?;
        let named: Vec<Evaluated> = serde_json::from_str(tag).unwrap_or_default();
        let fits = |text: &str| text.len() <= LONGEST_NAME && !text.contains('\0');
        let models: BTreeMap<String, String> = named
            .into_iter()
            .filter_map(|Evaluated { name, model }| Some((model?, name)))
            .filter(|(model, name)| !model.is_empty() && fits(model) && fits(name))
            .take(MOST_MODELS)
            .collect();
        let values: Vec<Value> =
            models.iter().flat_map(|(model, dataset)| [run.into(), model.into(), dataset.into()]).collect();
        self.insert_rows("INSERT INTO evaluated_model (run_id, model, dataset)", 3, "", &values).map(|_| ())
    }

    /// What runs measured of a model that they say they evaluated, an evaluation for each run. One that evaluated other
    /// models too does not say which of its metrics belong to which, and one with several data sets only where it says
    /// by name which it used.
    pub fn evaluations_by_runs(&mut self, workspace: WorkspaceId, model: &str) -> Result<Vec<Evaluation>> {
        const RUNS: &str = "SELECT run.id, run.public_id, run.user_name, evaluated.dataset
             FROM evaluated_model AS evaluated JOIN run ON run.id = evaluated.run_id
             WHERE evaluated.model = $1 AND run.workspace_id = $2 AND run.presence = 'active' AND NOT EXISTS (
                 SELECT 1 FROM evaluated_model AS other WHERE other.run_id = run.id AND other.model <> $1)
             ORDER BY run.id DESC LIMIT $3";
        let runs = self.query(RUNS, params![model, workspace, MOST_RUNS], |row| {
            Ok((row.int(0)?, row.text(1)?, row.text(2)?, row.text(3)?))
        })?;
        if runs.is_empty() {
            return Ok(Vec::new());
        }
        let rows = list(runs.iter().map(|(row, ..)| *row));
        let datasets = format!(
            "SELECT edge.target_id, dataset.name, dataset.digest FROM edge JOIN dataset ON dataset.id = edge.source_id
             WHERE edge.target_kind = 'run' AND edge.kind = 'consumed' AND edge.source_kind = 'artifact_version'
                 AND edge.target_id {} LIMIT $2",
            self.is_one_of_ints(1)
        );
        let mut datasets_of: BTreeMap<i64, Vec<(String, String)>> = BTreeMap::new();
        for (run, name, digest) in self.query(&datasets, params![rows.clone(), MOST_DATASETS], |row| {
            Ok((row.int(0)?, row.text(1)?, row.text(2)?))
        })? {
            datasets_of.entry(run).or_default().push((name, digest));
        }
        let metrics = format!(
            "SELECT run_id, key, value, timestamp FROM series WHERE is_nan = 0 AND run_id {}
             ORDER BY run_id DESC, key LIMIT $2",
            self.is_one_of_ints(1)
        );
        let mut metrics_of: BTreeMap<i64, Vec<(String, f64, i64)>> = BTreeMap::new();
        for (run, key, value, at) in self.query(&metrics, params![rows, MOST_METRICS], |row| {
            Ok((row.int(0)?, row.text(1)?, row.real(2)?, row.int(3)?))
        })? {
            metrics_of.entry(run).or_default().push((key, value, at));
        }
        let measured = runs.into_iter().filter_map(|(row, run, by, used)| {
            let dataset = dataset_used(datasets_of.remove(&row)?, &used)?;
            evaluation_by_run(&run, by, dataset, metrics_of.remove(&row)?)
        });
        Ok(measured.collect())
    }
}

/// The only data set of a run, or the only one of the name.
fn dataset_used(mut datasets: Vec<(String, String)>, name: &str) -> Option<(String, String)> {
    if datasets.len() > 1 {
        datasets.retain(|(known, _)| known == name);
    }
    datasets.pop().filter(|_| datasets.is_empty())
}
