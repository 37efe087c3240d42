//! What runs read and made: edges between runs and artifact versions.

use std::collections::HashMap;

use stele_domain::authz::{LogRun, Permit};
use stele_domain::id::{ArtifactRow, LoggedModelId, RunRow, Timestamp};
use stele_domain::record::{Dataset, DatasetInput, ModelOutput, Run, Tag};
use stele_domain::{Error, Result};

use crate::Tx;
use crate::dataset::dataset;
use crate::engine::{Value, list, params};

impl Tx<'_> {
    /// Notes that a run read a dataset. A reading that is known already keeps its tags.
    pub fn run_dataset_input_add(
        &mut self,
        _permit: &Permit<LogRun>,
        run: RunRow,
        dataset: ArtifactRow,
        tags: &[Tag],
        now: Timestamp,
    ) -> Result<()> {
        let Some(edge) = self.consumed_add(run, dataset, now)? else { return Ok(()) };
        let newest: HashMap<&str, &str> = tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect();
        let values: Vec<Value> =
            newest.into_iter().flat_map(|(key, value)| [edge.into(), key.into(), value.into()]).collect();
        self.insert_rows("INSERT INTO edge_tag (edge_id, key, value)", 3, "", &values).map(|_| ())
    }

    /// Notes that a run read logged models, also ones that this server does not have.
    pub fn run_model_inputs_add(
        &mut self,
        permit: &Permit<LogRun>,
        run: RunRow,
        models: &[LoggedModelId],
        now: Timestamp,
    ) -> Result<()> {
        let known = self.logged_model_rows(permit.visible(), models.iter())?;
        for model in models {
            match known.get(model) {
                Some(row) => self.consumed_add(run, *row, now).map(|_| ())?,
                None => self.unknown_model_link_add(run, "consumed", model, 0).map(|_| ())?,
            }
        }
        Ok(())
    }

    /// Notes that a run made logged models, also ones that this server does not have. Noting one again at another
    /// step is a conflict.
    pub fn run_model_outputs_add(
        &mut self,
        permit: &Permit<LogRun>,
        run: RunRow,
        outputs: &[ModelOutput],
        now: Timestamp,
    ) -> Result<()> {
        const PRODUCED: &str =
            "INSERT INTO edge (kind, source_kind, source_id, target_kind, target_id, step, created_at)
             VALUES ('produced', 'run', $1, 'artifact_version', $2, $3, $4)
             ON CONFLICT (source_kind, source_id, kind, target_kind, target_id) DO UPDATE SET step = edge.step
             RETURNING step";
        let known = self.logged_model_rows(permit.visible(), outputs.iter().map(|output| &output.model))?;
        for output in outputs {
            let step = match known.get(&output.model) {
                Some(row) => self.query_one(PRODUCED, params![run, *row, output.step, now], |row| row.int(0))?,
                None => self.unknown_model_link_add(run, "produced", &output.model, output.step)?,
            };
            if step != output.step {
                return Err(Error::conflict(format!(
                    "model '{}' is an output of the run at step {step} already",
                    output.model
                )));
            }
        }
        Ok(())
    }

    /// Gives the new edge, or none when there was one.
    fn consumed_add(&mut self, run: RunRow, version: ArtifactRow, now: Timestamp) -> Result<Option<i64>> {
        const CONSUMED: &str = "INSERT INTO edge (kind, source_kind, source_id, target_kind, target_id, created_at)
             VALUES ('consumed', 'artifact_version', $1, 'run', $2, $3) ON CONFLICT DO NOTHING RETURNING id";
        self.query_opt(CONSUMED, params![version, run, now], |row| row.int(0))
    }

    /// Gives the step of the link, which is an older one when there was a link already.
    fn unknown_model_link_add(&mut self, run: RunRow, kind: &str, model: &LoggedModelId, step: i64) -> Result<i64> {
        const INSERT: &str = "INSERT INTO unknown_model_link (run_id, kind, model, step) VALUES ($1, $2, $3, $4)
             ON CONFLICT (run_id, kind, model) DO UPDATE SET step = unknown_model_link.step RETURNING step";
        self.query_one(INSERT, params![run, kind, model.as_str(), step], |row| row.int(0))
    }

    /// Adds to runs what they read and made, with a few queries for all: datasets in the order in which they were
    /// noted, models by id. `positions` says where in `runs` the
    /// run of a row id is.
    pub(crate) fn runs_add_lineage(&mut self, runs: &mut [Run], positions: &HashMap<i64, usize>) -> Result<()> {
        let rows = list(runs.iter().map(|run| run.info.row.0));
        self.runs_add_inputs(runs, positions, &rows)?;
        self.runs_add_outputs(runs, positions, &rows)?;
        let unknown = format!(
            "SELECT run_id, kind, model, step FROM unknown_model_link WHERE run_id {} ORDER BY run_id, model",
            self.is_one_of_ints(1)
        );
        let links = self.query(&unknown, params![rows], |row| {
            Ok((row.int(0)?, row.text(1)?, LoggedModelId(row.text(2)?), row.int(3)?))
        })?;
        for (run, kind, model, step) in links {
            let run = &mut runs[positions[&run]];
            match kind.as_str() {
                "consumed" => run.model_inputs.push(model),
                _ => run.model_outputs.push(ModelOutput { model, step }),
            }
        }
        for run in runs {
            run.model_inputs.sort_unstable();
            run.model_outputs.sort_unstable_by(|left, right| left.model.cmp(&right.model));
        }
        Ok(())
    }

    fn runs_add_inputs(&mut self, runs: &mut [Run], positions: &HashMap<i64, usize>, rows: &Value) -> Result<()> {
        let one_of = self.is_one_of_ints(1);
        let consumed = format!(
            "SELECT edge.target_id, edge.id, edge.source_id, logged_model.public_id
             FROM edge LEFT JOIN logged_model ON logged_model.id = edge.source_id
             WHERE edge.target_kind = 'run' AND edge.target_id {one_of} AND edge.kind = 'consumed'
                 AND edge.source_kind = 'artifact_version'
             ORDER BY edge.id"
        );
        let edges = self.query(&consumed, params![rows.clone()], |row| {
            Ok((row.int(0)?, row.int(1)?, row.int(2)?, row.opt_text(3)?))
        })?;
        let mut readings: Vec<(i64, i64, i64)> = Vec::new();
        for (run, edge, source, model) in edges {
            match model {
                Some(model) => runs[positions[&run]].model_inputs.push(LoggedModelId(model)),
                None => readings.push((run, edge, source)),
            }
        }
        if readings.is_empty() {
            return Ok(());
        }
        // A page of runs often reads one dataset, whose schema and profile may be large.
        let datasets = self.datasets_by_rows(readings.iter().map(|(_, _, source)| *source))?;
        let mut tags = self.edge_tags(readings.iter().map(|(_, edge, _)| *edge))?;
        for (run, edge, source) in readings {
            if let Some(dataset) = datasets.get(&source) {
                let tags = tags.remove(&edge).unwrap_or_default();
                runs[positions[&run]].dataset_inputs.push(DatasetInput { dataset: dataset.clone(), tags });
            }
        }
        Ok(())
    }

    fn runs_add_outputs(&mut self, runs: &mut [Run], positions: &HashMap<i64, usize>, rows: &Value) -> Result<()> {
        let produced = format!(
            "SELECT edge.source_id, logged_model.public_id, edge.step
             FROM edge JOIN logged_model ON logged_model.id = edge.target_id
             WHERE edge.source_kind = 'run' AND edge.source_id {} AND edge.kind = 'produced'
                 AND edge.target_kind = 'artifact_version'
             ORDER BY edge.id",
            self.is_one_of_ints(1)
        );
        let outputs = self.query(&produced, params![rows.clone()], |row| {
            Ok((row.int(0)?, ModelOutput { model: LoggedModelId(row.text(1)?), step: row.int(2)? }))
        })?;
        for (run, output) in outputs {
            runs[positions[&run]].model_outputs.push(output);
        }
        Ok(())
    }

    fn datasets_by_rows(&mut self, rows: impl Iterator<Item = i64>) -> Result<HashMap<i64, Dataset>> {
        let sql = format!(
            "SELECT id, name, digest, source_type, source, schema, profile FROM dataset WHERE id {}",
            self.is_one_of_ints(1)
        );
        let datasets = self.query(&sql, params![list(rows)], |row| Ok((row.int(0)?, dataset(row, 1)?)))?;
        Ok(datasets.into_iter().collect())
    }

    fn edge_tags(&mut self, edges: impl Iterator<Item = i64>) -> Result<HashMap<i64, Vec<Tag>>> {
        let sql = format!(
            "SELECT edge_id, key, value FROM edge_tag WHERE edge_id {} ORDER BY edge_id, key",
            self.is_one_of_ints(1)
        );
        let mut tags: HashMap<i64, Vec<Tag>> = HashMap::new();
        for (edge, tag) in self.query(&sql, params![list(edges)], |row| {
            Ok((row.int(0)?, Tag { key: row.text(1)?, value: row.text(2)? }))
        })? {
            tags.entry(edge).or_default().push(tag);
        }
        Ok(tags)
    }
}
