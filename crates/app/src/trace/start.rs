//! What the maker of a trace tells of it as a whole.

use serde_json::json;
use stele_domain::authz::LogTrace;
use stele_domain::change::Change;
use stele_domain::id::{ExperimentId, Timestamp};
use stele_domain::record::Tag;
use stele_domain::trace::{Assessment, TraceFacts, TraceId, TraceInfo, TraceState};
use stele_domain::{Error, Kind, Result};
use stele_store::NewTrace;

use super::assess::{check_assessment, new_assessment_id};
use super::log::same_experiment;
use crate::experiment::check_tags;
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

/// A trace as its maker tells of it.
#[derive(Debug, Clone, PartialEq)]
pub struct StartedTrace {
    /// Without one it gets a new id, and is not over yet.
    pub id: Option<TraceId>,
    pub experiment: ExperimentId,
    pub facts: TraceFacts,
    pub tags: Vec<Tag>,
    pub metadata: Vec<Tag>,
    /// Those without an id get one.
    pub assessments: Vec<Assessment>,
}

/// How a trace ended.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceEnd {
    pub ended_at: Timestamp,
    pub state: TraceState,
    /// What is known now; what is none stays.
    pub facts: TraceFacts,
    pub tags: Vec<Tag>,
    pub metadata: Vec<Tag>,
}

impl App {
    /// Records a trace, or adds what its maker tells to what its spans have told.
    pub async fn trace_start(&self, ctx: &Ctx, mut started: StartedTrace) -> Result<TraceInfo> {
        check_tags(&started.tags)?;
        check_tags(&started.metadata)?;
        check_facts(&started.facts)?;
        for assessment in &mut started.assessments {
            check_assessment(assessment)?;
            if assessment.id.is_empty() {
                assessment.id = new_assessment_id(ctx);
            }
        }
        let finalized = started.id.is_some();
        let id = match started.id.take() {
            Some(id) => id,
            None => TraceId::parse(&format!("tr-{}", ctx.new_id().simple()))?,
        };
        let object = id.as_str().to_owned();
        self.change::<LogTrace, _>(ctx, &object, move |tx, permit| {
            let StartedTrace { id: _, experiment, facts, tags, metadata, assessments } = &started;
            tx.trace_experiment_hold(permit, *experiment)?;
            let new = NewTrace { id: id.clone(), experiment: *experiment, facts: facts.clone() };
            let made = tx.trace_create(permit, &new)?.is_some();
            let mut trace = tx.trace_open(permit, &id)?;
            same_experiment(&trace, *experiment)?;
            trace.facts = told(facts.clone(), trace.facts);
            trace.finalized = finalized;
            tx.trace_update(permit, trace.row, &trace.facts, finalized)?;
            tx.trace_tags_set(permit, trace.row, *experiment, tags)?;
            tx.trace_metadata_set(permit, trace.row, *experiment, metadata)?;
            for assessment in assessments {
                tx.assessment_put(permit, trace.row, *experiment, assessment)?;
            }
            tx.spans_settle(permit, trace.row)?;
            let action = if made { "trace.create" } else { "trace.update" };
            let change = Change::quiet(action, Kind::Trace, id.as_str())
                .after(json!({ "experiment": experiment.to_string(), "state": trace.facts.state.as_str() }));
            let trace = tx.traces_complete(vec![trace])?.pop();
            let trace = trace.ok_or_else(|| Error::not_found(Kind::Trace, id.as_str()))?;
            Ok(Changed::one(trace, change))
        })
        .await
    }

    /// Ends a trace that was started without an id.
    pub async fn trace_end(&self, ctx: &Ctx, id: TraceId, end: TraceEnd) -> Result<TraceInfo> {
        check_tags(&end.tags)?;
        check_tags(&end.metadata)?;
        check_facts(&end.facts)?;
        let object = id.as_str().to_owned();
        self.change::<LogTrace, _>(ctx, &object, move |tx, permit| {
            let mut trace = tx.trace_open(permit, &id)?;
            let mut facts = told(end.facts.clone(), trace.facts.clone());
            facts.requested_at = trace.facts.requested_at;
            facts.duration = Some(end.ended_at.0.saturating_sub(facts.requested_at.0));
            facts.state = end.state;
            trace.facts = facts;
            tx.trace_update(permit, trace.row, &trace.facts, trace.finalized)?;
            tx.trace_tags_set(permit, trace.row, trace.experiment, &end.tags)?;
            tx.trace_metadata_set(permit, trace.row, trace.experiment, &end.metadata)?;
            let change =
                Change::quiet("trace.update", Kind::Trace, id.as_str()).after(json!({ "state": end.state.as_str() }));
            let trace = tx.traces_complete(vec![trace])?.pop();
            let trace = trace.ok_or_else(|| Error::not_found(Kind::Trace, id.as_str()))?;
            Ok(Changed::one(trace, change))
        })
        .await
    }
}

/// What is told, and what was known where nothing is told.
fn told(told: TraceFacts, known: TraceFacts) -> TraceFacts {
    TraceFacts {
        requested_at: told.requested_at,
        duration: told.duration,
        state: told.state,
        name: told.name.or(known.name),
        client_request_id: told.client_request_id.or(known.client_request_id),
        request_preview: told.request_preview.or(known.request_preview),
        response_preview: told.response_preview.or(known.response_preview),
        session: told.session.or(known.session),
        source_run: told.source_run.or(known.source_run),
        tokens: if told.tokens == Default::default() { known.tokens } else { told.tokens },
        costs: if told.costs == Default::default() { known.costs } else { told.costs },
    }
}

pub(crate) fn check_facts(facts: &TraceFacts) -> Result<()> {
    const LONGEST_ID: usize = 250;
    const LONGEST: usize = 100_000;
    let TraceFacts { name, client_request_id, request_preview, response_preview, session, source_run, .. } = facts;
    let run = source_run.as_ref().map(|run| &run.0);
    for (field, text, longest) in [
        ("trace name", name.as_ref(), LONGEST),
        ("request preview", request_preview.as_ref(), LONGEST),
        ("response preview", response_preview.as_ref(), LONGEST),
        ("client request id", client_request_id.as_ref(), LONGEST_ID),
        ("session", session.as_ref(), LONGEST_ID),
        ("run id", run, LONGEST_ID),
    ] {
        let Some(text) = text else { continue };
        check_text(field, text)?;
        if text.chars().count() > longest {
            return Err(Error::invalid(format!("the {field} is longer than {longest} characters")));
        }
    }
    Ok(())
}
