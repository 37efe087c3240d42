//! Loading very many whole runs: what an import or a benchmark does, where logging run by run would take hours.
//!
//! Runs come in batches, a transaction each. [`RunBatch::new`] sorts and encodes a batch before its transaction
//! begins; [`Tx::runs_load`] appends its rows table by table, in the order of the primary keys. The indexes over
//! values cannot grow in order, so a load into empty tables begins with [`Store::load_begin`](crate::Store), which
//! takes them away, and ends with [`Store::load_finish`](crate::Store), which makes them by sorting.

mod batch;
mod evaluation;
mod experiment;
mod indexes;
mod lineage;
mod logged_model;
mod metric;
mod registry;
mod review;
mod trace;

use std::collections::{HashMap, HashSet};

use stele_domain::artifact_uri::append_to_uri_path;
use stele_domain::authz::{LogRun, Permit, Place, Visibility};
use stele_domain::id::{RunId, RunRow, SeriesRow, Timestamp};
use stele_domain::lifecycle::{Presence, RunKind, RunStatus};
use stele_domain::record::{Experiment, Param, Tag};
use stele_domain::{Error, Kind, Point, Result};

pub use self::batch::RunBatch;
use self::batch::{PreparedRun, PreparedSeries};
pub use self::evaluation::{LoadedOnlineScoring, LoadedScorer};
pub use self::experiment::LoadedExperiment;
pub use self::lineage::{LoadedLineage, LoadedReading};
pub use self::logged_model::LoadedLoggedModel;
pub use self::registry::{LoadedModel, LoadedVersion};
pub use self::review::{LoadedAs, LoadedItems};
pub use self::trace::{LoadedLink, LoadedTrace, PreparedTrace};
use crate::Tx;
use crate::engine::{Value, list, params};
use crate::governance::EVALUATED_TAG;
use crate::metric::{CHUNK_COLUMNS, stored_value};

/// The most runs in one batch, which is one transaction.
const MOST_RUNS: usize = 10_000;

/// A run as it was somewhere else, or shall be.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedRun {
    pub id: RunId,
    pub kind: RunKind,
    /// The run it is nested in, which comes before it in the load or is in the record. Another one is left out.
    pub parent: Option<RunId>,
    pub name: String,
    pub status: RunStatus,
    pub presence: Presence,
    /// When it came to the trash, if it is there; now unless given.
    pub deleted_at: Option<Timestamp>,
    pub user: String,
    /// Below the experiment's location unless given.
    pub artifact_uri: Option<String>,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub created_at: Timestamp,
    /// Of several with one key the last counts.
    pub tags: Vec<Tag>,
    /// Of several with one key the last counts.
    pub params: Vec<Param>,
    pub metrics: Vec<LoadedMetric>,
    pub lineage: LoadedLineage,
}

/// A metric of a loaded run: its whole history, or its newest point alone. The points may come in any order.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedMetric {
    pub key: String,
    pub points: Vec<Point>,
}

/// What a batch brought into the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadedRuns {
    pub runs: usize,
    /// Runs that the record had already, which stay as they are.
    pub known: usize,
    pub tags: usize,
    pub params: usize,
    pub metrics: usize,
    pub points: usize,
}

impl Tx<'_> {
    /// Brings the runs of a batch into an experiment. Runs whose id the record has already are left out, so that a
    /// load that was interrupted can be started again.
    pub fn runs_load(
        &mut self,
        permit: &Permit<LogRun>,
        experiment: &Experiment,
        batch: &RunBatch,
        now: Timestamp,
    ) -> Result<LoadedRuns> {
        if batch.runs.len() > MOST_RUNS {
            return Err(Error::LimitExceeded { message: format!("a batch has more than {MOST_RUNS} runs to load") });
        }
        permit.require(self, Place::Experiment(experiment.id), Kind::Experiment, experiment.id)?;
        let known = self.run_ids_known(permit, batch)?;
        let new: Vec<&PreparedRun> = batch.runs.iter().filter(|run| !known.contains(run.loaded.id.as_str())).collect();
        let rows = self.row_ids_take("run", new.len())?;
        let new: Vec<(i64, &PreparedRun)> = rows.into_iter().zip(new).collect();
        self.run_rows_append(permit, experiment, &new, now)?;

        let tags: Vec<Value> = flat(&new, |row, run| {
            run.loaded
                .tags
                .iter()
                .flat_map(move |tag| [row.into(), (&tag.key).into(), (&tag.value).into(), experiment.id.into()])
        });
        self.rows_append("run_tag", "run_id, key, value, experiment_id", &tags)?;
        for (row, run) in &new {
            if let Some(tag) = run.loaded.tags.iter().rfind(|tag| tag.key == EVALUATED_TAG) {
                self.run_evaluated_set(RunRow(*row), &tag.value)?;
            }
        }
        let params: Vec<Value> = flat(&new, |row, run| {
            run.loaded
                .params
                .iter()
                .flat_map(move |param| [row.into(), (&param.key).into(), (&param.value).into(), experiment.id.into()])
        });
        self.rows_append("run_param", "run_id, key, value, experiment_id", &params)?;
        self.series_rows_append(experiment, &new)?;
        for (row, run) in &new {
            self.run_lineage_load(permit, experiment, RunRow(*row), &run.loaded, now)?;
        }

        let series = || new.iter().flat_map(|(_, run)| &run.series);
        Ok(LoadedRuns {
            runs: new.len(),
            known: known.len(),
            tags: tags.len() / 4,
            params: params.len() / 4,
            metrics: series().count(),
            points: series().map(|series| series.points).sum(),
        })
    }

    /// Those of the runs that the record has already.
    pub fn runs_known(&mut self, visible: &Visibility, ids: &[RunId]) -> Result<HashSet<RunId>> {
        let mut values = params![list(ids.iter().map(RunId::as_str)), visible.workspace()].to_vec();
        let seen = self.and_experiment_seen(visible, "experiment_id", &mut values);
        let one_of = self.is_one_of_texts(1);
        let sql = format!("SELECT public_id FROM run WHERE public_id {one_of} AND workspace_id = $2{seen}");
        Ok(self.query(&sql, &values, |row| row.text(0).map(RunId))?.into_iter().collect())
    }

    fn run_ids_known(&mut self, permit: &Permit<LogRun>, batch: &RunBatch) -> Result<HashSet<String>> {
        let sql =
            format!("SELECT public_id FROM run WHERE public_id {} AND workspace_id = $2", self.is_one_of_texts(1));
        let ids = list(batch.runs.iter().map(|run| run.loaded.id.as_str()));
        Ok(self.query(&sql, params![ids, permit.workspace()], |row| row.text(0))?.into_iter().collect())
    }

    fn run_rows_append(
        &mut self,
        permit: &Permit<LogRun>,
        experiment: &Experiment,
        new: &[(i64, &PreparedRun)],
        now: Timestamp,
    ) -> Result<()> {
        let mut places = self.parents_known(permit, new)?;
        let mut values: Vec<Value> = Vec::with_capacity(new.len() * 16);
        for (row, PreparedRun { loaded: run, .. }) in new {
            let parent = run.parent.as_ref().and_then(|parent| places.get(parent.as_str())).copied();
            places.insert(
                run.id.as_str().to_owned(),
                Nest { row: *row, root: parent.map_or(*row, |parent| parent.root) },
            );
            let artifact_uri = match &run.artifact_uri {
                Some(uri) => Value::from(uri),
                None => append_to_uri_path(&experiment.artifact_location, &format!("{}/artifacts", run.id))?.into(),
            };
            values.extend([
                (*row).into(),
                run.id.as_str().into(),
                permit.workspace().into(),
                experiment.id.into(),
                run.kind.as_str().into(),
                parent.map(|parent| parent.row).into(),
                parent.map(|parent| parent.root).into(),
                (&run.name).into(),
                run.status.as_str().into(),
                run.presence.as_str().into(),
                (&run.user).into(),
                artifact_uri,
                run.started_at.into(),
                run.ended_at.into(),
                (run.presence == Presence::Deleted).then(|| run.deleted_at.unwrap_or(now)).into(),
                run.created_at.into(),
            ]);
        }
        let columns = "id, public_id, workspace_id, experiment_id, kind, parent_id, root_id, name, status, presence, \
             user_name, artifact_uri, started_at, ended_at, deleted_at, created_at";
        self.rows_append("run", columns, &values)
    }

    /// Where the parents of new runs are that the record has already.
    fn parents_known(&mut self, permit: &Permit<LogRun>, new: &[(i64, &PreparedRun)]) -> Result<HashMap<String, Nest>> {
        let parents: HashSet<&str> =
            new.iter().filter_map(|(_, run)| run.loaded.parent.as_ref()).map(RunId::as_str).collect();
        if parents.is_empty() {
            return Ok(HashMap::new());
        }
        let sql = format!(
            "SELECT public_id, id, COALESCE(root_id, id) FROM run WHERE public_id {} AND workspace_id = $2",
            self.is_one_of_texts(1)
        );
        let found = self.query(&sql, params![list(parents), permit.workspace()], |row| {
            Ok((row.text(0)?, Nest { row: row.int(1)?, root: row.int(2)? }))
        })?;
        Ok(found.into_iter().collect())
    }

    fn series_rows_append(&mut self, experiment: &Experiment, new: &[(i64, &PreparedRun)]) -> Result<()> {
        let count = new.iter().map(|(_, run)| run.series.len()).sum();
        let ids = self.row_ids_take("series", count)?;
        let series = new.iter().flat_map(|(row, run)| run.series.iter().map(move |series| (*row, series)));
        let mut rows: Vec<Value> = Vec::with_capacity(count * 12);
        let mut chunks: Vec<Value> = Vec::new();
        for (id, (row, series)) in ids.into_iter().zip(series) {
            let PreparedSeries { key, latest, points, chunks: encoded, tail } = series;
            let (value, is_nan) = stored_value(latest.value);
            let chunk_count = encoded.len() as i64;
            rows.extend([
                id.into(),
                row.into(),
                key.into(),
                experiment.id.into(),
                value.into(),
                is_nan.into(),
                latest.step.into(),
                latest.timestamp.into(),
                Value::from(*points as i64),
                chunk_count.into(),
                // They are sorted and full already.
                Value::from(0_i64),
                tail.as_deref().into(),
            ]);
            for chunk in encoded {
                let mut chunk = chunk.clone();
                chunk[0] = SeriesRow(id).into();
                chunks.extend(chunk);
            }
        }
        let columns =
            "id, run_id, key, experiment_id, value, is_nan, step, timestamp, points, next_chunk, unmerged, tail";
        self.rows_append("series", columns, &rows)?;
        self.rows_append("chunk", CHUNK_COLUMNS, &chunks)
    }
}

/// The row of a run, and that of the outermost run around it.
#[derive(Clone, Copy)]
struct Nest {
    row: i64,
    root: i64,
}

fn flat<'v, I: Iterator<Item = Value<'v>>>(
    new: &[(i64, &'v PreparedRun)],
    values: impl Fn(i64, &'v PreparedRun) -> I,
) -> Vec<Value<'v>> {
    new.iter().flat_map(|(row, run)| values(*row, run)).collect()
}
