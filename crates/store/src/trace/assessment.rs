use serde_json::{Value as Json, json};
use stele_domain::authz::{LogTrace, Permit};
use stele_domain::id::{ExperimentId, Timestamp, TraceRow};
use stele_domain::record::Tag;
use stele_domain::trace::{Assessment, AssessmentSource, AssessmentValue, Judgement, MOST_ASSESSMENTS};
use stele_domain::{Error, Kind, Result};

use crate::Tx;
use crate::engine::{Row, Value, params};

const COLUMNS: &str = "trace_id, public_id, name, kind, value, error, source_kind, source_id, rationale, metadata, \
     span_id, created_at, updated_at, overrides, valid, of_session";

impl Tx<'_> {
    /// Adds an assessment to a trace, which the caller holds, or replaces the one of its id.
    pub fn assessment_put(
        &mut self,
        _permit: &Permit<LogTrace>,
        trace: TraceRow,
        experiment: ExperimentId,
        assessment: &Assessment,
    ) -> Result<()> {
        const PUT: &str =
            "INSERT INTO assessment (trace_id, experiment_id, public_id, name, kind, value, number, score,
                 error, source_kind, source_id, rationale, metadata, span_id, created_at, updated_at, overrides, valid,
                 of_session)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
             ON CONFLICT (trace_id, public_id) DO UPDATE SET name = excluded.name, kind = excluded.kind,
                 value = excluded.value, number = excluded.number, score = excluded.score, error = excluded.error,
                 source_kind = excluded.source_kind, source_id = excluded.source_id, rationale = excluded.rationale,
                 metadata = excluded.metadata, span_id = excluded.span_id, created_at = excluded.created_at,
                 updated_at = excluded.updated_at, overrides = excluded.overrides, valid = excluded.valid,
                 of_session = excluded.of_session";
        const COUNT: &str = "SELECT COUNT(*) FROM assessment WHERE trace_id = $1";
        let error = match &assessment.value {
            AssessmentValue::Feedback(judgement) => judgement.error.as_ref().map(Json::to_string),
            AssessmentValue::Expectation(_) | AssessmentValue::Issue(_) => None,
        };
        let metadata: Vec<Json> = assessment.metadata.iter().map(|tag| json!([tag.key, tag.value])).collect();
        let values = params![
            trace,
            experiment,
            &assessment.id,
            &assessment.name,
            assessment.value.kind().as_str(),
            assessment.value.json().to_string(),
            assessment.value.number(),
            assessment.value.score(),
            error,
            &assessment.source.kind,
            &assessment.source.id,
            assessment.rationale.as_deref(),
            Json::from(metadata).to_string(),
            assessment.span_id.as_deref(),
            assessment.created_at,
            assessment.updated_at,
            assessment.overrides.as_deref(),
            assessment.valid,
            assessment.of_session,
        ];
        self.execute(PUT, values)?;
        let count = self.query_one(COUNT, params![trace], |row| row.int(0))?;
        if count > MOST_ASSESSMENTS {
            return Err(Error::LimitExceeded {
                message: format!("a trace has at most {MOST_ASSESSMENTS} assessments; this one would have {count}"),
            });
        }
        Ok(())
    }

    pub fn assessment_get(&mut self, trace: TraceRow, id: &str) -> Result<Assessment> {
        let sql = format!("SELECT {COLUMNS} FROM assessment WHERE trace_id = $1 AND public_id = $2");
        self.query_opt(&sql, params![trace, id], |row| assessment(row).map(|(_, assessment)| assessment))?
            .ok_or_else(|| Error::not_found(Kind::Assessment, id))
    }

    /// Says whether the assessment counts; it must be there.
    pub fn assessment_set_valid(
        &mut self,
        _permit: &Permit<LogTrace>,
        trace: TraceRow,
        id: &str,
        valid: bool,
    ) -> Result<()> {
        const SET: &str = "UPDATE assessment SET valid = $3 WHERE trace_id = $1 AND public_id = $2";
        match self.execute(SET, params![trace, id, valid])? {
            0 => Err(Error::not_found(Kind::Assessment, id)),
            _ => Ok(()),
        }
    }

    pub fn assessment_delete(&mut self, _permit: &Permit<LogTrace>, trace: TraceRow, id: &str) -> Result<()> {
        const DELETE: &str = "DELETE FROM assessment WHERE trace_id = $1 AND public_id = $2";
        self.execute(DELETE, params![trace, id]).map(|_| ())
    }

    /// The assessments of traces, each with the row of its trace, in the order in which they came.
    pub(super) fn assessments_of(&mut self, traces: &Value) -> Result<Vec<(i64, Assessment)>> {
        let sql = format!("SELECT {COLUMNS} FROM assessment WHERE trace_id {} ORDER BY id", self.is_one_of_ints(1));
        self.query(&sql, params![traces.clone()], assessment)
    }
}

fn assessment(row: &Row) -> Result<(i64, Assessment)> {
    let value = parsed(&row.text(4)?)?;
    let value = match row.text(3)?.as_str() {
        "expectation" => AssessmentValue::Expectation(value),
        "issue" => AssessmentValue::Issue(value.as_str().unwrap_or_default().to_owned()),
        _ => {
            let error = row.opt_text(5)?.map(|text| parsed(&text)).transpose()?;
            AssessmentValue::Feedback(Judgement { value, error })
        }
    };
    let metadata = match parsed(&row.text(9)?)? {
        Json::Array(entries) => entries.iter().filter_map(entry).collect(),
        _ => Vec::new(),
    };
    let assessment = Assessment {
        id: row.text(1)?,
        name: row.text(2)?,
        value,
        source: AssessmentSource { kind: row.text(6)?, id: row.text(7)? },
        rationale: row.opt_text(8)?,
        metadata,
        span_id: row.opt_text(10)?,
        created_at: Timestamp(row.int(11)?),
        updated_at: Timestamp(row.int(12)?),
        overrides: row.opt_text(13)?,
        valid: row.bool(14)?,
        of_session: row.bool(15)?,
    };
    Ok((row.int(0)?, assessment))
}

fn entry(entry: &Json) -> Option<Tag> {
    let text = |index: usize| entry.get(index)?.as_str().map(str::to_owned);
    Some(Tag { key: text(0)?, value: text(1)? })
}

fn parsed(text: &str) -> Result<Json> {
    serde_json::from_str(text).map_err(|error| Error::internal(format!("an assessment holds damaged JSON: {error}")))
}
