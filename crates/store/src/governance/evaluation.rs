use stele_domain::Result;
use stele_domain::authz::{Permit, RecordEvaluation};
use stele_domain::gate::{Evaluation, Metrics, Slices};
use stele_domain::id::{ModelVersionRow, Timestamp};

use super::{from_json, to_json};
use crate::Tx;
use crate::engine::params;

/// An evaluation to be recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvaluation {
    pub dataset: String,
    pub digest: String,
    pub metrics: Metrics,
    pub slices: Slices,
    pub report: Option<String>,
}

/// How many evaluations of a version gates and lists look at, the newest.
const MOST_EVALUATIONS: i64 = 200;

impl Tx<'_> {
    pub fn model_evaluation_record(
        &mut self,
        permit: &Permit<RecordEvaluation>,
        version: ModelVersionRow,
        new: &NewEvaluation,
        artifacts: Option<&str>,
        now: Timestamp,
    ) -> Result<i64> {
        const INSERT: &str = "INSERT INTO model_evaluation
                 (model_version_id, dataset_name, dataset_digest, metrics, slices, report, recorded_by, at, artifacts)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id";
        let NewEvaluation { dataset, digest, metrics, slices, report } = new;
        let (metrics, slices, by) = (to_json(metrics)?, to_json(slices)?, permit.subject().principal.name());
        let values = params![version, dataset, digest, &metrics, &slices, report.as_deref(), by, now, artifacts];
        self.query_one(INSERT, values, |row| row.int(0))
    }

    /// What was recorded of a version whose files are now as `artifacts` says, the newest first.
    pub fn model_evaluations(&mut self, version: ModelVersionRow, artifacts: Option<&str>) -> Result<Vec<Evaluation>> {
        const LIST: &str = "SELECT id, dataset_name, dataset_digest, at, recorded_by, metrics, slices, report,
                 artifacts
             FROM model_evaluation WHERE model_version_id = $1 ORDER BY id DESC LIMIT $2";
        self.query(LIST, params![version, MOST_EVALUATIONS], |row| {
            Ok(Evaluation {
                source: format!("evaluation {}", row.int(0)?),
                dataset: row.text(1)?,
                digest: row.text(2)?,
                at: row.int(3)?,
                by: row.text(4)?,
                metrics: from_json(&row.text(5)?)?,
                slices: from_json(&row.text(6)?)?,
                report: row.opt_text(7)?,
                reports: Vec::new(),
                artifacts_changed: row.opt_text(8)?.is_some_and(|then| Some(then.as_str()) != artifacts),
            })
        })
    }
}
