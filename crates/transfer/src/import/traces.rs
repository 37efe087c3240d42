use stele_app::prepare_trace;
use stele_domain::artifact_uri::proxied_path;
use stele_domain::id::ExperimentId;
use stele_domain::otlp::{Any, AnyValue, Span};
use stele_domain::{Error, Result};

use super::load::{Here, Loader};
use crate::traces::SourceTrace;

/// What refers to a file of its trace from inside of a span.
const ATTACHMENT: &str = "mlflow-attachment://";

impl Loader {
    /// Loads traces; one that the record cannot keep is left out and told.
    pub(super) async fn traces(&mut self, experiment: ExperimentId, traces: Vec<SourceTrace>) -> Result<()> {
        let Ok(here) = self.here(experiment) else { return Ok(()) };
        let ids = traces.iter().map(|source| source.trace.id.clone()).collect();
        let known = self.app.traces_known(&self.ctx, ids).await?;
        self.report.known.traces += known.len() as u64;
        let mut new = Vec::with_capacity(traces.len());
        for source in traces.into_iter().filter(|source| !known.contains(&source.trace.id)) {
            if source.archived {
                let why = "MLflow has moved them to an archive, where they stay";
                self.not_taken.add("spans of traces", why, 1, Some(source.trace.id.as_str().to_owned()));
            }
            self.trace_files(&here, &source).await?;
            new.push(source.trace);
        }
        let prepared = tokio::task::spawn_blocking(move || {
            let prepare = |trace: stele_app::LoadedTrace| (trace.id.clone(), prepare_trace(trace));
            new.into_iter().map(prepare).collect::<Vec<_>>()
        });
        let prepared = prepared.await.map_err(|error| Error::internal(format!("spans could not be read: {error}")))?;
        let mut new = Vec::with_capacity(prepared.len());
        for (id, prepared) in prepared {
            match prepared {
                Ok(trace) => new.push(trace),
                Err(error @ (Error::Invalid { .. } | Error::LimitExceeded { .. })) => {
                    let why = "something in them is more or other than a trace may have here";
                    self.not_taken.add("traces", why, 1, Some(format!("{}: {error}", id.as_str())));
                }
                Err(error) => return Err(error),
            }
        }
        if new.is_empty() {
            return Ok(());
        }
        let loaded = self.app.traces_load(&self.ctx, here.id, new).await?;
        let taken = &mut self.report.taken;
        taken.traces += loaded.traces as u64;
        taken.spans += loaded.spans as u64;
        taken.assessments += loaded.assessments as u64;
        Ok(())
    }

    /// Copies the files of a trace to where its experiment has them here. Most traces have none that anybody reads: their
    /// spans came along.
    async fn trace_files(&mut self, here: &Here, source: &SourceTrace) -> Result<()> {
        let Some(uri) = &source.artifact_uri else { return Ok(()) };
        let spans = &source.trace.spans;
        if !spans.is_empty() && !spans.iter().any(has_attachment) {
            return Ok(());
        }
        // An experiment that keeps its files elsewhere still has them there.
        let Some(root) = proxied_path(&here.artifact_location)? else { return Ok(()) };
        let place = format!("{}/traces/{}/artifacts", root.as_str(), source.trace.id.as_str());
        self.artifacts.bring_to(uri, place.trim_start_matches('/')).await
    }
}

fn has_attachment(span: &Span) -> bool {
    fn refers(value: &AnyValue) -> bool {
        match &value.value {
            Some(Any::Text(text)) => text.contains(ATTACHMENT),
            Some(Any::Array(array)) => array.values.iter().any(refers),
            Some(Any::Map(map)) => map.values.iter().filter_map(|entry| entry.value.as_ref()).any(refers),
            _ => false,
        }
    }
    span.attributes.iter().filter_map(|attribute| attribute.value.as_ref()).any(refers)
}
