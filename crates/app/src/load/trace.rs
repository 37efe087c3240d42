use std::collections::HashSet;

use serde_json::json;
use stele_domain::authz::LogTrace;
use stele_domain::change::Change;
use stele_domain::id::ExperimentId;
use stele_domain::trace::TraceId;
use stele_domain::{Kind, Result};
use stele_store::{LoadedTrace, PreparedTrace};

use crate::experiment::check_tags;
use crate::trace::{check_assessment, check_facts, check_span};
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

/// What a load of traces brought; the rest was there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadedTraces {
    pub traces: usize,
    pub spans: usize,
    pub assessments: usize,
}

/// Makes a trace from elsewhere ready to be loaded, or says what is wrong with it. Compresses its spans, which takes
/// processor time.
pub fn prepare_trace(mut trace: LoadedTrace) -> Result<PreparedTrace> {
    check_facts(&trace.facts)?;
    check_tags(&trace.tags)?;
    check_tags(&trace.metadata)?;
    trace.links.iter().try_for_each(|link| check_text("link", &link.target))?;
    for assessment in &mut trace.assessments {
        check_text("assessment source", &assessment.source.kind)?;
        check_assessment(assessment)?;
    }
    trace.spans.iter_mut().try_for_each(check_span)?;
    PreparedTrace::of(trace)
}

impl App {
    /// Those of the traces that the record has already, and that a load would leave out.
    pub async fn traces_known(&self, ctx: &Ctx, ids: Vec<TraceId>) -> Result<HashSet<TraceId>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.traces_known(&visible, &ids)).await
    }

    /// Brings whole traces into an experiment, in one transaction with one audit entry. Those that the record has
    /// already are left out. Traces of an experiment in the trash are in it too.
    pub async fn traces_load(
        &self,
        ctx: &Ctx,
        experiment: ExperimentId,
        traces: Vec<PreparedTrace>,
    ) -> Result<LoadedTraces> {
        let visible = ctx.visible();
        self.change::<LogTrace, _>(ctx, &experiment.to_string(), move |tx, permit| {
            let experiment = tx.experiment_hold(&visible, experiment)?;
            let mut loaded = LoadedTraces::default();
            for trace in &traces {
                if tx.trace_load(permit, experiment.id, trace)? {
                    loaded.traces += 1;
                    loaded.spans += trace.spans();
                    loaded.assessments += trace.trace().assessments.len();
                }
            }
            let LoadedTraces { traces, spans, assessments } = loaded;
            if traces == 0 {
                return Ok(Changed::nothing(loaded));
            }
            let after = json!({ "traces": traces, "spans": spans, "assessments": assessments });
            let change = Change::quiet("bulk.load", Kind::Experiment, experiment.id.to_string());
            Ok(Changed::one(loaded, change.after(after)))
        })
        .await
    }
}
