use axum::response::Response;
use serde_json::{Value, json};
use stele_app::WholeTrace;
use stele_domain::{Error, Kind};

use super::dto::trace_dto;
use super::{experiment_ids, known_id, known_ids, span_dto};
use crate::call::{Call, reply};
use crate::error::{Code, Failure, Result};
use crate::input::{Input, missing};

/// How a trace says how many spans it has.
const SIZE_STATS: &str = "mlflow.trace.sizeStats";

pub(crate) async fn info(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let trace = call.app.trace_get(&call.ctx, known_id(input.path("trace_id"))?).await?;
    reply(&json!({ "trace": { "trace_info": trace_dto(trace) } }))
}

/// A trace with its spans. Its maker sends spans one by one, and some may be under way still: clients ask again.
pub(crate) async fn get(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let given = input.required_text("trace_id")?;
    let partial = input.bool("allow_partial")?.unwrap_or(false);
    let absent = |error: Error| match error {
        Error::NotFound { kind: Kind::Trace, .. } => Failure::not_found(format!("Trace with ID {given} is not found.")),
        error => error.into(),
    };
    let id = known_id(&given).map_err(|_| Failure::not_found(format!("Trace with ID {given} is not found.")))?;
    let trace = call.app.trace_whole(&call.ctx, id).await.map_err(absent)?;
    if trace.spans.is_empty() && !partial {
        return Err(Failure::new(Code::InternalError, "Trace data not stored in tracking store"));
    }
    if !partial && !is_whole(&trace) {
        return Err(Failure::not_found(format!(
            "Trace with ID {given} is not fully exported yet, please try again later."
        )));
    }
    reply(&json!({ "trace": whole(trace) }))
}

pub(crate) async fn batch_get(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let (ids, among) = asked(&input)?;
    let traces = call.app.traces_whole(&call.ctx, ids, among).await?;
    let traces: Vec<Value> =
        traces.into_iter().filter(|trace| !trace.spans.is_empty() && is_whole(trace)).map(whole).collect();
    reply(&if traces.is_empty() { json!({}) } else { json!({ "traces": traces }) })
}

pub(crate) async fn batch_get_infos(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let (ids, among) = asked(&input)?;
    let traces = call.app.traces_get(&call.ctx, ids, among).await?;
    let infos: Vec<_> = traces.into_iter().map(trace_dto).collect();
    reply(&if infos.is_empty() { json!({}) } else { json!({ "trace_infos": infos }) })
}

type Asked = (Vec<stele_domain::trace::TraceId>, Option<Vec<stele_domain::id::ExperimentId>>);

fn asked(input: &Input) -> Result<Asked> {
    if input.list("trace_ids")?.is_empty() {
        return Err(missing("trace_ids"));
    }
    let among = match input.has("experiment_ids")? {
        true => Some(experiment_ids(&input.texts("experiment_ids")?)?),
        false => None,
    };
    Ok((known_ids(input, "trace_ids")?, among))
}

/// Whether all spans are there that the maker of the trace has counted.
fn is_whole(trace: &WholeTrace) -> bool {
    let stats = trace.info.metadata.iter().find(|entry| entry.key == SIZE_STATS);
    let stats: Value = stats.and_then(|stats| serde_json::from_str(&stats.value).ok()).unwrap_or_default();
    let counted = stats.get("num_spans").and_then(Value::as_u64).unwrap_or(0);
    trace.spans.len() as u64 >= counted
}

fn whole(trace: WholeTrace) -> Value {
    let WholeTrace { info, spans } = trace;
    let spans: Vec<Value> = spans.iter().map(span_dto::message).collect();
    let mut dto = json!({ "trace_info": trace_dto(info) });
    if !spans.is_empty() {
        dto["spans"] = spans.into();
    }
    dto
}
