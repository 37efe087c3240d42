use futures::{StreamExt, TryStreamExt};
use reqwest::Method;
use serde_json::json;
use stele_app::LoadedTrace;
use stele_domain::id::ExperimentId;
use stele_domain::otlp::Span;
use stele_domain::trace::TraceId;
use stele_domain::{Error, Result};

use super::client::Client;
use super::{list, optional, text};
use crate::import::{Item, Sink};
use crate::traces::{are_in_database, read_spans, trace_of_message, with_meaning};

/// How many traces come in one part.
const TRACES: usize = 100;
/// How many traces' spans are asked for at a time.
const AT_A_TIME: usize = 8;

/// Reads all traces of an experiment. Servers of MLflow 2 have them in another form, and are not asked.
pub(super) async fn read(client: &Client, sink: &Sink, experiment: ExperimentId) -> Result<()> {
    let location =
        json!({ "type": "MLFLOW_EXPERIMENT", "mlflow_experiment": { "experiment_id": experiment.to_string() } });
    let mut token: Option<String> = None;
    loop {
        let mut fields = json!({ "locations": [location], "max_results": TRACES, "order_by": ["timestamp_ms ASC"] });
        if let Some(token) = &token {
            fields["page_token"] = token.clone().into();
        }
        let answer = match client.call(Method::POST, "/api/3.0/mlflow/traces/search", &fields).await {
            Err(Error::NotFound { .. }) => return Ok(()),
            answer => answer?,
        };
        let mut traces = Vec::with_capacity(TRACES);
        for info in list(&answer, "traces") {
            match TraceId::parse(&text(info, "trace_id")) {
                Ok(id) => traces.push(trace_of_message(id, info)),
                Err(_) => {
                    let why = "an id has at most 64 letters, digits, '-' and '_' here";
                    sink.not_taken("traces", why, 1, Some(text(info, "trace_id"))).await?;
                }
            }
        }
        let known = sink.known_traces(traces.iter().map(|trace| trace.id.clone()).collect()).await?;
        if !known.is_empty() {
            sink.send(Item::KnownTraces(known.len() as u64)).await?;
        }
        traces.retain(|trace| !known.contains(&trace.id));
        let whole = traces.into_iter().map(|trace| async move {
            let spans = if are_in_database(&trace) { spans(client, &trace.id).await? } else { (Vec::new(), 0) };
            Ok::<_, Error>((trace, spans))
        });
        let whole: Vec<_> = futures::stream::iter(whole).buffered(AT_A_TIME).try_collect().await?;
        let mut damaged = 0;
        let traces = whole.into_iter().map(|(trace, (spans, unread))| {
            damaged += unread;
            with_meaning(LoadedTrace { spans, ..trace })
        });
        let traces: Vec<_> = traces.collect();
        sink.not_taken("spans", "their content cannot be read", damaged, None).await?;
        if !traces.is_empty() {
            sink.send(Item::Traces { experiment, traces }).await?;
        }
        token = optional(&answer, "next_page_token").filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(());
        }
    }
}

/// The spans of a trace, and how many more could not be read.
async fn spans(client: &Client, id: &TraceId) -> Result<(Vec<Span>, u64)> {
    let fields = json!({ "request_id": id.as_str() });
    match client.file(Method::GET, "/ajax-api/2.0/mlflow/get-trace-artifact", &fields).await {
        Ok(file) => Ok(read_spans(&file)),
        // It was deleted meanwhile.
        Err(Error::NotFound { .. }) => Ok((Vec::new(), 0)),
        Err(error) => Err(error),
    }
}
