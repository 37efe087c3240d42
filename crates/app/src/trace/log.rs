//! Spans as they come, before or after what is told of their trace as a whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use prost::Message;
use serde_json::json;
use stele_domain::authz::{LogTrace, Permit};
use stele_domain::change::Change;
use stele_domain::id::{ExperimentId, RunId, Timestamp};
use stele_domain::otlp::{AnyValue, KeyValue, ResourceSpans, Span, depth_of};
use stele_domain::record::Tag;
use stele_domain::trace::spans::{self, translate};
use stele_domain::trace::{
    DEEPEST_VALUE, LONGEST_SPAN, TraceFacts, TraceId, TraceInfo, TraceLink, TraceState, total_costs, total_tokens,
};
use stele_domain::{Error, Kind, Result};
use stele_store::{NewTrace, SpanBatch, Tx};

use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

/// The most spans of one request.
pub const MOST_SPANS_AT_ONCE: usize = 20_000;
/// The most tags that a trace gets from its spans.
const MOST_TAGS: usize = 200;
const LONGEST_KEY: usize = 250;
const LONGEST_VALUE: usize = 8_000;
/// The longest name of a session or a user, in characters.
const LONGEST_SESSION: usize = 250;
/// Where the person whose request it was is kept.
const USER: &str = "mlflow.trace.user";
const NAME_TAG: &str = "mlflow.traceName";
/// Ids that the audit log names; a request may have very many.
const MOST_NAMED: usize = 20;

/// What became of the spans of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedSpans {
    pub traces: usize,
    pub spans: usize,
    /// The run that the traces were to be linked to is not there.
    pub run_is_missing: bool,
}

/// The spans of one trace in a request, and what they say of it.
struct Incoming {
    id: TraceId,
    batch: SpanBatch,
    first_start: i64,
    last_end: Option<i64>,
    /// From the root, if it is among the spans.
    root: Option<Root>,
    session: Option<String>,
    user: Option<String>,
    tags: Vec<Tag>,
}

struct Root {
    state: TraceState,
    request: Option<String>,
    response: Option<String>,
    name: Option<String>,
}

impl App {
    /// Records spans in traces of an experiment, which are made as needed. All are recorded, or none. Traces whose roots
    /// are among the spans are linked to `run`.
    pub async fn spans_log(
        &self,
        ctx: &Ctx,
        experiment: ExperimentId,
        run: Option<RunId>,
        resources: Vec<ResourceSpans>,
    ) -> Result<LoggedSpans> {
        let incoming = tokio::task::spawn_blocking(move || incoming(resources))
            .await
            .map_err(|error| Error::internal(format!("spans could not be read: {error}")))??;
        if incoming.is_empty() {
            return Ok(LoggedSpans { traces: 0, spans: 0, run_is_missing: false });
        }
        let (incoming, visible, now) = (Arc::new(incoming), ctx.visible(), ctx.now());
        self.change::<LogTrace, _>(ctx, &experiment.to_string(), move |tx, permit| {
            tx.trace_experiment_hold(permit, experiment)?;
            let run = match &run {
                None => None,
                Some(run) => match tx.run_info(&visible, run) {
                    Ok(info) => Some(Ok(info.id)),
                    Err(Error::NotFound { .. }) => Some(Err(())),
                    Err(error) => return Err(error),
                },
            };
            let ids: Vec<TraceId> = incoming.iter().map(|incoming| incoming.id.clone()).collect();
            let mut known: BTreeMap<TraceId, TraceInfo> =
                tx.traces_open(permit, &ids)?.into_iter().map(|trace| (trace.id.clone(), trace)).collect();
            for incoming in incoming.iter() {
                let known = known.remove(&incoming.id);
                record(tx, permit, experiment, incoming, known)?;
            }
            if let Some(Ok(run)) = &run {
                let whole: Vec<TraceId> =
                    incoming.iter().filter(|trace| trace.root.is_some()).map(|trace| trace.id.clone()).collect();
                tx.traces_link(permit, &whole, TraceLink::Run, &[run.as_str().to_owned()], now)?;
            }
            let spans = incoming.iter().map(|trace| trace.batch.measured().count()).sum();
            let named: Vec<&str> = ids.iter().take(MOST_NAMED).map(TraceId::as_str).collect();
            let after =
                json!({ "experiment": experiment.to_string(), "traces": ids.len(), "spans": spans, "ids": named });
            let object = ids.first().map_or("", TraceId::as_str);
            let logged = LoggedSpans { traces: ids.len(), spans, run_is_missing: run == Some(Err(())) };
            Ok(Changed::one(logged, Change::quiet("trace.log", Kind::Trace, object).after(after)))
        })
        .await
    }
}

fn record(
    tx: &mut Tx,
    permit: &Permit<LogTrace>,
    experiment: ExperimentId,
    incoming: &Incoming,
    known: Option<TraceInfo>,
) -> Result<()> {
    let is_new = known.is_none();
    let trace = match known {
        Some(trace) => trace,
        None => {
            let facts = TraceFacts::new(Timestamp(incoming.first_start), TraceState::InProgress);
            // Somebody else may have made it since.
            tx.trace_create(permit, &NewTrace { id: incoming.id.clone(), experiment, facts })?;
            tx.trace_open(permit, &incoming.id)?
        }
    };
    same_experiment(&trace, experiment)?;
    tx.spans_add(permit, trace.row, trace.experiment, &incoming.batch)?;
    let mut facts = trace.facts.clone();
    if !trace.finalized {
        let known_end = facts.duration.map(|duration| facts.requested_at.0.saturating_add(duration));
        facts.requested_at =
            Timestamp(if is_new { incoming.first_start } else { facts.requested_at.0.min(incoming.first_start) });
        facts.duration = known_end.max(incoming.last_end).map(|end| end.saturating_sub(facts.requested_at.0).max(0));
    }
    if let Some(Root { state, request, response, name }) = &incoming.root {
        if matches!(facts.state, TraceState::InProgress | TraceState::Unspecified) {
            facts.state = *state;
        }
        facts.request_preview = facts.request_preview.or_else(|| request.clone());
        facts.response_preview = facts.response_preview.or_else(|| response.clone());
        facts.name = name.clone().or(facts.name);
    }
    facts.session = facts.session.or_else(|| incoming.session.clone());
    used(tx, permit, &trace, incoming, &mut facts)?;
    if facts != trace.facts {
        tx.trace_update(permit, trace.row, &facts, trace.finalized)?;
    }
    tx.trace_tags_set(permit, trace.row, trace.experiment, &incoming.tags)?;
    if let Some(user) = &incoming.user
        && tx.trace_metadata_value(permit, trace.row, USER)?.is_none()
    {
        let entry = Tag { key: USER.to_owned(), value: user.clone() };
        tx.trace_metadata_set(permit, trace.row, trace.experiment, &[entry])?;
    }
    Ok(())
}

/// Adds up what all spans of the trace used, unless its maker has told.
fn used(
    tx: &mut Tx,
    permit: &Permit<LogTrace>,
    trace: &TraceInfo,
    incoming: &Incoming,
    facts: &mut TraceFacts,
) -> Result<()> {
    let told = |known: bool| trace.finalized && known;
    let tokens =
        incoming.batch.measured().any(|span| span.tokens.is_some()) && !told(facts.tokens != Default::default());
    let costs = incoming.batch.measured().any(|span| span.costs.is_some()) && !told(facts.costs != Default::default());
    if !tokens && !costs {
        return Ok(());
    }
    let measured = tx.spans_measured(permit, trace.row)?;
    if tokens {
        facts.tokens = total_tokens(&measured);
    }
    if costs {
        facts.costs = total_costs(&measured);
    }
    Ok(())
}

/// A trace stays in its experiment: whoever may write to another must not reach it from there.
pub(super) fn same_experiment(trace: &TraceInfo, experiment: ExperimentId) -> Result<()> {
    if trace.experiment == experiment {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "trace '{}' belongs to experiment {}, not {experiment}",
        trace.id.as_str(),
        trace.experiment
    )))
}

/// Sorts spans by trace and makes them ready.
fn incoming(resources: Vec<ResourceSpans>) -> Result<Vec<Incoming>> {
    let mut count = 0;
    let mut traces: BTreeMap<TraceId, (Vec<Span>, Vec<Tag>)> = BTreeMap::new();
    for ResourceSpans { resource, scope_spans } in resources {
        let attributes = resource.map(|resource| resource.attributes).unwrap_or_default();
        check_depth("the resource", &attributes)?;
        let tags = resource_tags(&attributes);
        for mut span in scope_spans.into_iter().flat_map(|scope| scope.spans) {
            count += 1;
            if count > MOST_SPANS_AT_ONCE {
                let message = format!("a request has at most {MOST_SPANS_AT_ONCE} spans");
                return Err(Error::LimitExceeded { message });
            }
            check_span(&mut span)?;
            let id = TraceId::of_otel(&span.trace_id);
            name_trace(&mut span, &id);
            translate(&mut span);
            let (spans, known) = traces.entry(id).or_default();
            if known.is_empty() {
                known.clone_from(&tags);
            }
            spans.push(span);
        }
    }
    traces.into_iter().map(|(id, (spans, tags))| of_trace(id, spans, tags)).collect()
}

pub(crate) fn check_span(span: &mut Span) -> Result<()> {
    let id = |bytes: &[u8], length: usize| bytes.len() == length && bytes.iter().any(|byte| *byte != 0);
    if !id(&span.trace_id, 16) {
        return Err(Error::invalid("a span has no trace id of 16 bytes"));
    }
    if !id(&span.span_id, 8) {
        return Err(Error::invalid("a span has no span id of 8 bytes"));
    }
    // Some clients send zeros for no parent.
    if span.parent_span_id.iter().all(|byte| *byte == 0) {
        span.parent_span_id.clear();
    } else if !id(&span.parent_span_id, 8) {
        return Err(Error::invalid("the id of the parent of a span does not have 8 bytes"));
    }
    let name = spans::cut(&span.name, 100);
    check_depth(&format!("span '{name}'"), &span.attributes)?;
    for attributes in span.events.iter().map(|it| &it.attributes).chain(span.links.iter().map(|it| &it.attributes)) {
        check_depth(&format!("span '{name}'"), attributes)?;
    }
    match span.encoded_len() {
        size if size > LONGEST_SPAN => Err(Error::LimitExceeded {
            message: format!("span '{name}' has {size} bytes, and may have {LONGEST_SPAN}"),
        }),
        _ => Ok(()),
    }
}

fn check_depth(of: &str, attributes: &[KeyValue]) -> Result<()> {
    match depth_of(attributes) {
        depth if depth > DEEPEST_VALUE => Err(Error::LimitExceeded {
            message: format!("an attribute of {of} is nested {depth} levels deep, and may be {DEEPEST_VALUE}"),
        }),
        _ => Ok(()),
    }
}

/// Clients find the trace of a span by this attribute, so that it says what is so.
fn name_trace(span: &mut Span, id: &TraceId) {
    let named = KeyValue::new(spans::TRACE_ID, AnyValue::text(id.as_str()));
    match span.attributes.iter_mut().find(|attribute| attribute.key == spans::TRACE_ID) {
        Some(attribute) => *attribute = named,
        None => span.attributes.insert(0, named),
    }
}

fn of_trace(id: TraceId, spans: Vec<Span>, resource: Vec<Tag>) -> Result<Incoming> {
    const NANOS: u64 = 1_000_000;
    let milliseconds = |nanos: u64| i64::try_from(nanos / NANOS).unwrap_or(i64::MAX);
    let first_start = spans.iter().map(|span| span.start_time_unix_nano).min().map_or(0, milliseconds);
    let last_end = spans.iter().filter_map(Span::ended_at).max().map(milliseconds);
    let bounded = |text: &str| text.replace('\0', "").chars().take(LONGEST_SESSION).collect::<String>();
    let session = spans.iter().find_map(spans::session).map(bounded);
    let user = spans.iter().find_map(spans::user).map(bounded);
    let mut tags = resource;
    let root = spans.iter().find(|span| span.is_root()).map(|root| {
        let mut given = root_tags(root);
        let name = given.iter().position(|tag| tag.key == NAME_TAG).map(|index| given.swap_remove(index).value);
        tags.extend(given);
        let preview = |key, role| spans::preview(root, key, role).map(|text| text.replace('\0', "\u{fffd}"));
        Root {
            state: if root.failed() { TraceState::Error } else { TraceState::Ok },
            request: preview(spans::INPUTS, "user"),
            response: preview(spans::OUTPUTS, "assistant"),
            name,
        }
    });
    tags.truncate(MOST_TAGS);
    Ok(Incoming { id, batch: SpanBatch::of(spans)?, first_start, last_end, root, session, user, tags })
}

/// What a resource says of itself, without what is about the making of spans alone, and without what could be taken for
/// a tag of MLflow's.
fn resource_tags(attributes: &[KeyValue]) -> Vec<Tag> {
    let own = |key: &str| key.starts_with("telemetry.sdk.") || key.starts_with("mlflow.");
    attributes
        .iter()
        .filter(|attribute| !own(&attribute.key))
        .filter_map(|attribute| tag(&attribute.key, attribute))
        .collect()
}

/// The tags that a client sent along with the root.
fn root_tags(root: &Span) -> Vec<Tag> {
    let reserved = |key: &str| {
        matches!(key, "mlflow.artifactLocation" | "mlflow.trace.spansLocation" | "mlflow.trace.archiveLocation")
    };
    root.attributes
        .iter()
        .filter_map(|attribute| Some((attribute.key.strip_prefix(spans::TAG_PREFIX)?, attribute)))
        .filter(|(key, _)| !reserved(key))
        .filter_map(|(key, attribute)| tag(key, attribute))
        .collect()
}

/// A tag, unless its key cannot be one.
fn tag(key: &str, attribute: &KeyValue) -> Option<Tag> {
    let plain = |letter: char| letter.is_alphanumeric() || "/_.-: ".contains(letter);
    if key.is_empty() || key.chars().count() > LONGEST_KEY || !key.chars().all(plain) {
        return None;
    }
    let value = attribute.value.as_ref().map(AnyValue::plain_text).unwrap_or_default();
    let value: String = value.chars().take(LONGEST_VALUE).collect();
    check_text("tag value", &value).is_ok().then(|| Tag { key: key.to_owned(), value })
}
