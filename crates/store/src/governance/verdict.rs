use stele_domain::Result;
use stele_domain::authz::{Permit, Place, Verb, Visibility};
use stele_domain::gate::{Evidence, Gate, Target, Verdict};
use stele_domain::id::Timestamp;
use stele_domain::registry::version_id;
use stele_domain::{Error, Kind};

use super::{from_json, to_json};
use crate::engine::{Row, params};
use crate::{ModelHead, Tx};

/// What a gate answered, with all that it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct VerdictRecord {
    pub id: i64,
    pub target: Target,
    pub gate: Gate,
    pub evidence: Evidence,
    pub verdict: Verdict,
    /// Who asked.
    pub person: String,
    pub at: Timestamp,
}

/// The most verdicts of a version that are listed, the newest.
const MOST_VERDICTS: i64 = 200;

impl Tx<'_> {
    /// Keeps a verdict with its evidence. `subject` is the lasting id of the model.
    pub fn verdict_keep<V: Verb>(
        &mut self,
        permit: &Permit<V>,
        subject: &str,
        target: &Target,
        gate: &Gate,
        evidence: &Evidence,
        verdict: &Verdict,
    ) -> Result<i64> {
        const INSERT: &str = "INSERT INTO gate_verdict
                 (workspace_id, model, number, target, outcome, gate, evidence, verdict, person, at, subject)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id";
        let values = params![
            permit.workspace(),
            &evidence.model,
            evidence.version,
            target.to_string(),
            verdict.outcome.as_str(),
            to_json(gate)?,
            to_json(evidence)?,
            to_json(verdict)?,
            permit.subject().principal.name(),
            evidence.at,
            subject,
        ];
        self.query_one(INSERT, values, |row| row.int(0))
    }

    /// What gates answered about a version, the newest first: of the model that has the name, whatever it was called then,
    /// or else of those that had it.
    pub fn verdicts(&mut self, visible: &Visibility, model: &str, number: i64) -> Result<Vec<VerdictRecord>> {
        const OF_NAME: &str = "SELECT id, target, gate, evidence, verdict, person, at FROM gate_verdict
             WHERE workspace_id = $1 AND model = $2 AND number = $3 ORDER BY id DESC LIMIT $4";
        const OF_MODEL: &str = "SELECT id, target, gate, evidence, verdict, person, at FROM gate_verdict
             WHERE subject = $5 AND number = $3
                 OR workspace_id = $1 AND model = $2 AND number = $3 AND subject IS NULL
             ORDER BY id DESC LIMIT $4";
        visible.require(Place::Model(model), Kind::ModelVersion, version_id(model, number))?;
        let workspace = visible.workspace();
        match self.model_head(visible, model) {
            Ok(ModelHead { id, .. }) => {
                self.query(OF_MODEL, params![workspace, model, number, MOST_VERDICTS, id], record)
            }
            Err(Error::NotFound { .. }) => {
                self.query(OF_NAME, params![workspace, model, number, MOST_VERDICTS], record)
            }
            Err(error) => Err(error),
        }
    }
}

fn record(row: &Row) -> Result<VerdictRecord> {
    let target = row.text(1)?;
    Ok(VerdictRecord {
        id: row.int(0)?,
        target: Target::parse(&target).ok_or_else(|| Error::internal(format!("'{target}' is no target of a gate")))?,
        gate: from_json(&row.text(2)?)?,
        evidence: from_json(&row.text(3)?)?,
        verdict: from_json(&row.text(4)?)?,
        person: row.text(5)?,
        at: Timestamp(row.int(6)?),
    })
}
