use std::path::Path;

use serde_json::{Value, json};
use stele_app::LoadedTrace;
use stele_domain::Result;
use stele_domain::id::ExperimentId;
use stele_domain::trace::TraceId;

use super::yaml::Yaml;
use super::{Reader, artifacts_of, entries, file_name, folders, tags};
use crate::import::Item;
use crate::traces::{SourceTrace, assessment_of_message, trace_of_message, with_meaning};

/// How many traces come in one part. Their spans are in files.
const TRACES: usize = 200;
const INFO: &str = "trace_info.yaml";

impl Reader<'_> {
    /// Reads the traces of an experiment.
    pub(super) fn traces(&self, experiment_folder: &Path, experiment: ExperimentId) -> Result<()> {
        for folders in folders(&experiment_folder.join("traces"))?.chunks(TRACES) {
            let ids = folders.iter().filter_map(|folder| TraceId::parse(&file_name(folder)).ok()).collect();
            let known = self.runtime.block_on(self.sink.known_traces(ids))?;
            if !known.is_empty() {
                self.send(Item::KnownTraces(known.len() as u64))?;
            }
            let mut traces = Vec::with_capacity(folders.len());
            for folder in folders {
                let Ok(id) = TraceId::parse(&file_name(folder)) else {
                    self.not_taken("traces", "an id has at most 64 letters, digits, '-' and '_' here", folder)?;
                    continue;
                };
                if known.contains(&id) {
                    continue;
                }
                match Yaml::read(&folder.join(INFO)).ok().flatten() {
                    Some(info) => traces.push(self.trace(folder, id, &info.to_json())?),
                    None => self.not_taken("traces", "they have no readable trace_info.yaml", folder)?,
                }
            }
            if !traces.is_empty() {
                self.send(Item::Traces { experiment, traces })?;
            }
        }
        Ok(())
    }

    fn trace(&self, folder: &Path, id: TraceId, info: &Value) -> Result<SourceTrace> {
        let mut assessments = Vec::new();
        for path in entries(&folder.join("assessments"))? {
            let read = Yaml::read(&path).ok().flatten();
            match read.and_then(|assessment| assessment_of_message(&assessment.to_json())) {
                Some(assessment) => assessments.push(assessment),
                None => self.not_taken("assessments", "the file cannot be read", &path)?,
            }
        }
        assessments.sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
        let trace = LoadedTrace {
            tags: tags(&folder.join("tags"))?,
            metadata: tags(&folder.join("request_metadata"))?,
            assessments,
            ..trace_of_message(id, &as_of_mlflow_3(info))
        };
        let source = with_meaning(trace);
        let artifact_uri = source.artifact_uri.map(|recorded| artifacts_of(folder, recorded));
        Ok(SourceTrace { artifact_uri, ..source })
    }
}

/// MLflow 2 had other names for the same.
fn as_of_mlflow_3(info: &Value) -> Value {
    if info.get("request_time").is_some() {
        return info.clone();
    }
    let time = info["timestamp_ms"].as_i64().and_then(chrono::DateTime::from_timestamp_millis);
    json!({
        "request_time": time.map(|time| time.to_rfc3339()),
        "execution_duration_ms": info["execution_time_ms"],
        "state": info["status"],
    })
}

#[cfg(test)]
mod tests {
    use stele_domain::id::Timestamp;
    use stele_domain::trace::TraceState;

    use super::*;

    #[test]
    fn traces_of_mlflow_2_are_read() {
        let info = json!({ "request_id": "a", "timestamp_ms": 1_700_000_000_123_i64, "execution_time_ms": 45, "status": "OK" });
        let trace = trace_of_message(TraceId::parse("a").unwrap(), &as_of_mlflow_3(&info));
        assert_eq!(trace.facts.requested_at, Timestamp(1_700_000_000_123));
        assert_eq!((trace.facts.duration, trace.facts.state), (Some(45), TraceState::Ok));
    }
}
