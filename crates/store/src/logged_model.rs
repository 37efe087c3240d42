use std::collections::HashMap;

use stele_domain::authz::{LogModel, LogRun, Permit, Place, Visibility};
use stele_domain::id::{ArtifactRow, ExperimentId, LoggedModelId, RunId, Timestamp};
use stele_domain::lifecycle::{LoggedModelStatus, Presence};
use stele_domain::record::{DatasetKey, LoggedModel, MetricSubject, MetricValue, ModelMetric, Param, RunInfo, Tag};
use stele_domain::{Error, Kind, Point, Result};

use crate::Tx;
use crate::artifact::{ArtifactType, NewArtifactVersion};
use crate::engine::{Row, Value, list, params};
use crate::metric::{read_value, stored_value};

/// A logged model to be made. It is pending until its client says otherwise.
#[derive(Debug, Clone)]
pub struct NewLoggedModel {
    pub id: LoggedModelId,
    pub experiment: ExperimentId,
    pub name: String,
    pub artifact_uri: String,
    pub model_type: Option<String>,
    /// What the client says, whether there is such a run or not.
    pub source_run: Option<RunId>,
    pub params: Vec<Param>,
    pub tags: Vec<Tag>,
}

const COLUMNS: &str = "id, public_id, experiment_id, name, artifact_uri, status, status_message, model_type, source_run, \
     presence, created_at, updated_at";

impl Tx<'_> {
    pub fn logged_model_create(
        &mut self,
        permit: &Permit<LogModel>,
        new: &NewLoggedModel,
        now: Timestamp,
    ) -> Result<ArtifactRow> {
        const INSERT: &str = "INSERT INTO logged_model (id, public_id, workspace_id, experiment_id, name, artifact_uri,
                 status, model_type, source_run, presence, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'active', $10, $10)";
        permit.require(self, Place::Experiment(new.experiment), Kind::Experiment, new.experiment)?;
        let version = NewArtifactVersion {
            public_id: new.id.as_str(),
            name: &new.name,
            kind: ArtifactType::Model,
            uri: &new.artifact_uri,
            digest: None,
        };
        let row = self.artifact_version_create(permit.workspace(), &version, now)?;
        let values = params![
            row,
            new.id.as_str(),
            permit.workspace(),
            new.experiment,
            &new.name,
            &new.artifact_uri,
            LoggedModelStatus::Pending.as_str(),
            new.model_type.as_deref(),
            new.source_run.as_ref().map(RunId::as_str),
            now,
        ];
        self.execute(INSERT, values)?;
        self.logged_model_params_add(permit, row, &new.params)?;
        self.logged_model_tags_set(permit, row, &new.tags)?;
        Ok(row)
    }

    /// Reads a logged model, also a deleted one.
    pub fn logged_model_get(&mut self, visible: &Visibility, id: &LoggedModelId) -> Result<LoggedModel> {
        let found = self.logged_model_rows(visible, std::iter::once(id))?;
        let row = found.get(id).ok_or_else(|| not_found(id))?;
        self.logged_models_by_rows(&[*row])?.pop().ok_or_else(|| not_found(id))
    }

    /// Reads the columns of a logged model that this transaction is about to change.
    pub fn logged_model_open(&mut self, permit: &Permit<LogModel>, id: &LoggedModelId) -> Result<LoggedModel> {
        let sql = format!(
            "SELECT {COLUMNS} FROM logged_model WHERE public_id = $1 AND workspace_id = $2{}",
            self.for_update()
        );
        let model =
            self.query_opt(&sql, params![id.as_str(), permit.workspace()], bare)?.ok_or_else(|| not_found(id))?;
        permit.require(self, Place::Experiment(model.experiment), Kind::LoggedModel, id)?;
        Ok(model)
    }

    pub fn logged_model_set_status(
        &mut self,
        _permit: &Permit<LogModel>,
        row: ArtifactRow,
        status: LoggedModelStatus,
        now: Timestamp,
    ) -> Result<()> {
        const UPDATE: &str = "UPDATE logged_model SET status = $2, updated_at = $3 WHERE id = $1";
        self.execute(UPDATE, params![row, status.as_str(), now]).map(|_| ())
    }

    pub fn logged_model_set_presence(
        &mut self,
        _permit: &Permit<LogModel>,
        row: ArtifactRow,
        presence: Presence,
        now: Timestamp,
    ) -> Result<()> {
        const UPDATE: &str = "UPDATE logged_model SET presence = $2, updated_at = $3, deleted_at = $4 WHERE id = $1";
        let deleted_at = (presence == Presence::Deleted).then_some(now);
        self.execute(UPDATE, params![row, presence.as_str(), now, deleted_at]).map(|_| ())
    }

    /// Adds params; one whose key is there already, in the model or in `params`, is a conflict.
    pub fn logged_model_params_add(
        &mut self,
        _permit: &Permit<LogModel>,
        row: ArtifactRow,
        params: &[Param],
    ) -> Result<()> {
        let values: Vec<Value> =
            params.iter().flat_map(|param| [row.into(), Value::from(&param.key), Value::from(&param.value)]).collect();
        let head = "INSERT INTO logged_model_param (logged_model_id, key, value)";
        let added = self.insert_rows(head, 3, "ON CONFLICT (logged_model_id, key) DO NOTHING", &values)?;
        if added == params.len() as u64 {
            return Ok(());
        }
        let keys: Vec<&str> = params.iter().map(|param| param.key.as_str()).collect();
        Err(Error::conflict(format!("params of a logged model are set once, and one of {keys:?} is there already")))
    }

    /// Sets tags; of several with one key the last counts.
    pub fn logged_model_tags_set(&mut self, _permit: &Permit<LogModel>, row: ArtifactRow, tags: &[Tag]) -> Result<()> {
        let newest: HashMap<&str, &str> = tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect();
        let values: Vec<Value> =
            newest.into_iter().flat_map(|(key, value)| [row.into(), key.into(), value.into()]).collect();
        let head = "INSERT INTO logged_model_tag (logged_model_id, key, value)";
        let tail = "ON CONFLICT (logged_model_id, key) DO UPDATE SET value = excluded.value";
        self.insert_rows(head, 3, tail, &values).map(|_| ())
    }

    /// Says whether the tag was there.
    pub fn logged_model_tag_delete(&mut self, _permit: &Permit<LogModel>, row: ArtifactRow, key: &str) -> Result<bool> {
        const DELETE: &str = "DELETE FROM logged_model_tag WHERE logged_model_id = $1 AND key = $2";
        Ok(self.execute(DELETE, params![row, key])? > 0)
    }

    /// Stores the values that are about a logged model beside it. A model gets one value for a key, time, step and
    /// run; later ones are left out. A model that does not exist is a conflict.
    pub(crate) fn logged_model_metrics_append(
        &mut self,
        permit: &Permit<LogRun>,
        run: &RunInfo,
        values: &[MetricValue],
    ) -> Result<()> {
        let about: Vec<(&MetricValue, &MetricSubject)> =
            values.iter().filter_map(|value| Some((value, value.subject.as_ref()?))).collect();
        if about.is_empty() {
            return Ok(());
        }
        let known = self.logged_model_rows(permit.visible(), about.iter().map(|(_, subject)| &subject.model))?;
        let mut rows: Vec<Value> = Vec::with_capacity(about.len() * 9);
        for (metric, MetricSubject { model, dataset }) in about {
            let row = known.get(model).ok_or_else(|| {
                Error::conflict(format!(
                    "metric '{}' is about logged model '{model}', which does not exist",
                    metric.key
                ))
            })?;
            let (value, is_nan) = stored_value(metric.point.value);
            rows.extend([
                (*row).into(),
                Value::from(&metric.key),
                metric.point.timestamp.into(),
                metric.point.step.into(),
                run.row.into(),
                value.into(),
                is_nan.into(),
                dataset.as_ref().map(|dataset| &dataset.name).into(),
                dataset.as_ref().map(|dataset| &dataset.digest).into(),
            ]);
        }
        let head = "INSERT INTO logged_model_metric
             (logged_model_id, key, timestamp, step, run_id, value, is_nan, dataset_name, dataset_digest)";
        self.insert_rows(head, 9, "ON CONFLICT DO NOTHING", &rows).map(|_| ())
    }

    /// The row ids of those of the models that there are, also deleted ones.
    pub(crate) fn logged_model_rows<'i>(
        &mut self,
        visible: &Visibility,
        ids: impl Iterator<Item = &'i LoggedModelId>,
    ) -> Result<HashMap<LoggedModelId, ArtifactRow>> {
        let mut values = params![visible.workspace(), list(ids.map(LoggedModelId::as_str))].to_vec();
        let seen = self.and_experiment_seen(visible, "experiment_id", &mut values);
        let sql = format!(
            "SELECT public_id, id FROM logged_model WHERE workspace_id = $1 AND public_id {}{seen}",
            self.is_one_of_texts(2)
        );
        let rows = self.query(&sql, &values, |row| Ok((LoggedModelId(row.text(0)?), ArtifactRow(row.int(1)?))))?;
        Ok(rows.into_iter().collect())
    }

    /// Reads whole logged models in the given order, with a few queries for all. Rows that are not logged models
    /// are left out.
    pub fn logged_models_by_rows(&mut self, rows: &[ArtifactRow]) -> Result<Vec<LoggedModel>> {
        let ids = list(rows.iter().map(|row| row.0));
        let one_of = self.is_one_of_ints(1);
        let sql = format!("SELECT {COLUMNS} FROM logged_model WHERE id {one_of}");
        let mut models: HashMap<i64, LoggedModel> =
            self.query(&sql, params![ids.clone()], bare)?.into_iter().map(|model| (model.row.0, model)).collect();

        let tags = format!(
            "SELECT logged_model_id, key, value FROM logged_model_tag WHERE logged_model_id {one_of}
             ORDER BY logged_model_id, key"
        );
        for (model, tag) in self.query(&tags, params![ids.clone()], |row| {
            Ok((row.int(0)?, Tag { key: row.text(1)?, value: row.text(2)? }))
        })? {
            models.entry(model).and_modify(|model| model.tags.push(tag));
        }

        let params = format!(
            "SELECT logged_model_id, key, value FROM logged_model_param WHERE logged_model_id {one_of}
             ORDER BY logged_model_id, key"
        );
        for (model, param) in self.query(&params, params![ids.clone()], |row| {
            Ok((row.int(0)?, Param { key: row.text(1)?, value: row.text(2)? }))
        })? {
            models.entry(model).and_modify(|model| model.params.push(param));
        }

        let metrics = format!(
            "SELECT metric.logged_model_id, metric.key, metric.step, metric.timestamp, metric.value, metric.is_nan,
                 run.public_id, metric.dataset_name, metric.dataset_digest
             FROM logged_model_metric metric JOIN run ON run.id = metric.run_id
             WHERE metric.logged_model_id {one_of}
             ORDER BY metric.logged_model_id, metric.key, metric.timestamp, metric.step, run.public_id"
        );
        for (model, metric) in self.query(&metrics, params![ids], |row| Ok((row.int(0)?, model_metric(row)?)))? {
            models.entry(model).and_modify(|model| model.metrics.push(metric));
        }
        Ok(rows.iter().filter_map(|row| models.remove(&row.0)).collect())
    }
}

fn not_found(id: &LoggedModelId) -> Error {
    Error::not_found(Kind::LoggedModel, id.as_str())
}

fn bare(row: &Row) -> Result<LoggedModel> {
    Ok(LoggedModel {
        row: ArtifactRow(row.int(0)?),
        id: LoggedModelId(row.text(1)?),
        experiment: ExperimentId(row.int(2)?),
        name: row.text(3)?,
        artifact_uri: row.text(4)?,
        status: row.parsed(5, LoggedModelStatus::parse)?,
        status_message: row.opt_text(6)?,
        model_type: row.opt_text(7)?,
        source_run: row.opt_text(8)?.map(RunId),
        presence: row.parsed(9, Presence::parse)?,
        created_at: Timestamp(row.int(10)?),
        updated_at: Timestamp(row.int(11)?),
        tags: Vec::new(),
        params: Vec::new(),
        metrics: Vec::new(),
    })
}

/// Reads key, step, timestamp, value, flag, run, dataset name and digest from column 1 on.
fn model_metric(row: &Row) -> Result<ModelMetric> {
    let point = Point::new(row.int(2)?, row.int(3)?, read_value(row, 4)?);
    let dataset = match (row.opt_text(7)?, row.opt_text(8)?) {
        (Some(name), Some(digest)) => Some(DatasetKey { name, digest }),
        _ => None,
    };
    Ok(ModelMetric { key: row.text(1)?, point, run: RunId(row.text(6)?), dataset })
}
