use rusqlite::params;
use serde_json::json;
use stele_app::ExportedTrace;
use stele_domain::Result;
use stele_domain::otlp::Span;
use stele_domain::trace::{Assessment, AssessmentValue, Judgement, TraceFacts, TraceInfo, TraceLink, spans};

use super::Writer;
use super::runs::stable_uuid;
use crate::export::Record;
use crate::traces::{metadata_with_meaning, source_run, spaced, state_name, tags_with_meaning, write_span};

/// The longest name of a model in an index of MLflow's, in characters.
const LONGEST_MODEL: usize = 500;

impl Writer {
    /// Traces with their spans and assessments.
    pub(super) async fn traces(&mut self, record: &Record<'_>) -> Result<()> {
        let mut page = record.traces(None).await?;
        while !page.is_empty() {
            page.iter().try_for_each(|trace| self.trace(trace))?;
            self.commit()?;
            page = record.traces(page.last()).await?;
        }
        Ok(())
    }

    fn trace(&self, ExportedTrace { info, spans, links }: &ExportedTrace) -> Result<()> {
        let id = info.id.as_str();
        self.trace_info(info)?;
        for tag in tags_with_meaning(info) {
            self.insert(
                "INSERT INTO trace_tags (request_id, key, value) VALUES (?1, ?2, ?3)",
                params![id, tag.key, tag.value],
            )?;
        }
        for entry in metadata_with_meaning(info) {
            self.insert(
                "INSERT INTO trace_request_metadata (request_id, key, value) VALUES (?1, ?2, ?3)",
                params![id, entry.key, entry.value],
            )?;
        }
        spans.iter().try_for_each(|span| self.span(info, span))?;
        info.assessments.iter().try_for_each(|assessment| self.assessment(info, assessment))?;
        for link in links {
            let kind = match link.kind {
                TraceLink::Run => "run",
                TraceLink::Prompt => "prompt_version",
            };
            self.association("trace", id, kind, &link.target, link.created_at.0)?;
        }
        Ok(())
    }

    fn trace_info(&self, info: &TraceInfo) -> Result<()> {
        let TraceFacts {
            requested_at,
            duration,
            state,
            name,
            client_request_id,
            request_preview,
            response_preview,
            session,
            source_run: _,
            tokens,
            costs,
        } = &info.facts;
        self.insert(
            "INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, execution_time_ms, status,
                 client_request_id, request_preview, response_preview, db_payload_generation, trace_name, session_id,
                 input_tokens, output_tokens, total_tokens, cache_read_input_tokens, cache_creation_input_tokens,
                 input_cost, output_cost, total_cost)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
            params![
                info.id.as_str(),
                info.experiment.0,
                requested_at.0,
                duration,
                state_name(*state),
                client_request_id,
                request_preview,
                response_preview,
                // How often spans were written: MLflow compares it with itself only.
                i64::from(info.spans > 0),
                name,
                session,
                tokens.input,
                tokens.output,
                tokens.total,
                tokens.cache_read,
                tokens.cache_creation,
                costs.input,
                costs.output,
                costs.total
            ],
        )
    }

    fn span(&self, info: &TraceInfo, span: &Span) -> Result<()> {
        let status = match span.status.as_ref().map_or(0, |status| status.code) {
            stele_domain::otlp::Status::OK => "OK",
            stele_domain::otlp::Status::ERROR => "ERROR",
            _ => "UNSET",
        };
        let costs = spans::costs(span).unwrap_or_default();
        let bounded = |key: &str| span.text(key).map(|text| text.chars().take(LONGEST_MODEL).collect::<String>());
        let kind = span.attribute(spans::SPAN_TYPE).map_or_else(|| "UNKNOWN".to_owned(), |kind| kind.plain_text());
        let nanoseconds = |time: u64| i64::try_from(time).unwrap_or(i64::MAX);
        self.insert(
            "INSERT INTO spans (trace_id, experiment_id, span_id, parent_span_id, name, type, status,
                 start_time_unix_nano, end_time_unix_nano, content, input_cost, output_cost, total_cost, model_name,
                 model_provider)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
            params![
                info.id.as_str(),
                info.experiment.0,
                hex::encode(&span.span_id),
                (!span.is_root()).then(|| hex::encode(&span.parent_span_id)),
                span.name,
                kind,
                status,
                nanoseconds(span.start_time_unix_nano),
                span.ended_at().map(nanoseconds),
                write_span(span),
                costs.input,
                costs.output,
                costs.total,
                bounded(spans::MODEL),
                bounded(spans::PROVIDER)
            ],
        )
    }

    fn assessment(&self, info: &TraceInfo, assessment: &Assessment) -> Result<()> {
        let (value, error) = match &assessment.value {
            AssessmentValue::Feedback(Judgement { value, error }) => (value.clone(), error.as_ref()),
            AssessmentValue::Expectation(value) => (value.clone(), None),
            AssessmentValue::Issue(name) => (json!({ "issue_name": name }), None),
        };
        let metadata: serde_json::Map<_, _> =
            assessment.metadata.iter().map(|tag| (tag.key.clone(), tag.value.clone().into())).collect();
        let source = &assessment.source;
        self.insert(
            "INSERT INTO assessments (assessment_id, trace_id, name, assessment_type, value, error, created_timestamp,
                 last_updated_timestamp, source_type, source_id, run_id, span_id, rationale, overrides, valid,
                 assessment_metadata, experiment_id, trace_timestamp_ms, aggregate_value, is_numeric_value)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
            params![
                assessment.id,
                info.id.as_str(),
                assessment.name,
                assessment.value.kind().as_str(),
                spaced(&value),
                error.map(spaced),
                assessment.created_at.0,
                assessment.updated_at.0,
                source.kind,
                (!source.id.is_empty()).then_some(&source.id),
                source_run(assessment),
                assessment.span_id,
                assessment.rationale,
                assessment.overrides,
                assessment.valid,
                (!metadata.is_empty()).then(|| spaced(&metadata.into())),
                info.experiment.0,
                info.facts.requested_at.0,
                assessment.value.score(),
                value.is_number()
            ],
        )
    }

    /// A link between two things. Its id, which nothing refers to, is made from what it links.
    pub(super) fn association(&self, from: &str, source: &str, to: &str, target: &str, at: i64) -> Result<()> {
        self.insert(
            "INSERT INTO entity_associations (association_id, source_type, source_id, destination_type, destination_id,
                 created_time)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![stable_uuid(&[from, source, to, target]), from, source, to, target, at],
        )
    }
}
