use serde_json::json;
use stele_domain::authz::LogTrace;
use stele_domain::change::Change;
use stele_domain::record::Tag;
use stele_domain::trace::{Assessment, AssessmentChange, AssessmentValue, TraceId};
use stele_domain::{Error, Kind, Result};

use crate::experiment::check_tags;
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

/// The longest name of an assessment, or of what made it, in characters.
const LONGEST_NAME: usize = 250;
/// The most bytes of an assessment.
const LARGEST: usize = 1024 * 1024;
/// Metadata that says of which conversation an assessment is.
const SESSION: &str = "mlflow.trace.session";

impl App {
    /// Assesses a trace. An assessment that overrides another makes that one invalid.
    pub async fn assessment_create(&self, ctx: &Ctx, id: TraceId, mut new: Assessment) -> Result<Assessment> {
        check_assessment(&mut new)?;
        new.id = new_assessment_id(ctx);
        self.change::<LogTrace, _>(ctx, id.clone().as_str(), move |tx, permit| {
            let trace = tx.trace_open(permit, &id)?;
            if let Some(overridden) = &new.overrides {
                tx.assessment_set_valid(permit, trace.row, overridden, false)?;
            }
            tx.assessment_put(permit, trace.row, trace.experiment, &new)?;
            let after = json!({ "trace": id.as_str(), "kind": new.value.kind().as_str(), "name": new.name, "value": new.value.json() });
            let change = Change::quiet("assessment.create", Kind::Assessment, &new.id);
            Ok(Changed::one(new.clone(), change.after(after)))
        })
        .await
    }

    pub async fn assessment_get(&self, ctx: &Ctx, id: TraceId, assessment: String) -> Result<Assessment> {
        let visible = ctx.visible();
        self.read(move |tx| {
            let trace = tx.trace_get(&visible, &id)?;
            tx.assessment_get(trace.row, &assessment)
        })
        .await
    }

    /// Changes an assessment, which stays feedback or an expectation.
    pub async fn assessment_update(
        &self,
        ctx: &Ctx,
        id: TraceId,
        assessment: String,
        change: AssessmentChange,
    ) -> Result<Assessment> {
        check_tags(&change.metadata)?;
        let now = ctx.now();
        self.change::<LogTrace, _>(ctx, id.clone().as_str(), move |tx, permit| {
            let trace = tx.trace_open(permit, &id)?;
            let mut found = tx.assessment_get(trace.row, &assessment)?;
            let before = json!({ "name": found.name, "value": found.value.json() });
            let AssessmentChange { name, value, rationale, metadata } = change.clone();
            if let Some(value) = value {
                found.value = match (found.value, value) {
                    (AssessmentValue::Feedback(_), AssessmentValue::Expectation(_)) => {
                        return Err(Error::invalid("Cannot update expectation value on a Feedback assessment."));
                    }
                    (AssessmentValue::Expectation(_), AssessmentValue::Feedback(_)) => {
                        return Err(Error::invalid("Cannot update feedback value on an Expectation assessment."));
                    }
                    (_, value) => value,
                };
            }
            found.name = name.unwrap_or(found.name);
            found.rationale = rationale.or(found.rationale);
            for Tag { key, value } in metadata {
                match found.metadata.iter_mut().find(|tag| tag.key == key) {
                    Some(tag) => tag.value = value,
                    None => found.metadata.push(Tag { key, value }),
                }
            }
            found.updated_at = now;
            check_assessment(&mut found)?;
            tx.assessment_put(permit, trace.row, trace.experiment, &found)?;
            let after = json!({ "trace": id.as_str(), "name": found.name, "value": found.value.json() });
            let change = Change::quiet("assessment.update", Kind::Assessment, &found.id);
            Ok(Changed::one(found, change.before(before).after(after)))
        })
        .await
    }

    /// Deletes an assessment; the one that it overrode counts again. Nothing changes when it is not there.
    pub async fn assessment_delete(&self, ctx: &Ctx, id: TraceId, assessment: String) -> Result<()> {
        self.change::<LogTrace, _>(ctx, id.clone().as_str(), move |tx, permit| {
            let trace = tx.trace_open(permit, &id)?;
            let found = match tx.assessment_get(trace.row, &assessment) {
                Ok(found) => found,
                Err(Error::NotFound { .. }) => return Ok(Changed::nothing(())),
                Err(error) => return Err(error),
            };
            if let Some(overridden) = &found.overrides {
                match tx.assessment_set_valid(permit, trace.row, overridden, true) {
                    // It may have been deleted before.
                    Ok(()) | Err(Error::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            tx.assessment_delete(permit, trace.row, &assessment)?;
            let before = json!({ "trace": id.as_str(), "name": found.name, "value": found.value.json() });
            Ok(Changed::one((), Change::quiet("assessment.delete", Kind::Assessment, &assessment).before(before)))
        })
        .await
    }
}

pub(super) fn new_assessment_id(ctx: &Ctx) -> String {
    format!("a-{}", ctx.new_id().simple())
}

/// Checks an assessment, and sees whether it is about a session.
pub(crate) fn check_assessment(assessment: &mut Assessment) -> Result<()> {
    let named = [
        ("assessment name", assessment.name.as_str()),
        ("assessment id", &assessment.id),
        ("assessment source", &assessment.source.id),
        ("span id", assessment.span_id.as_deref().unwrap_or_default()),
        ("overridden assessment", assessment.overrides.as_deref().unwrap_or_default()),
    ];
    for (field, text) in named {
        check_text(field, text)?;
        if text.chars().count() > LONGEST_NAME {
            return Err(Error::invalid(format!("the {field} is longer than {LONGEST_NAME} characters")));
        }
    }
    check_text("rationale", assessment.rationale.as_deref().unwrap_or_default())?;
    check_tags(&assessment.metadata)?;
    let error = match &assessment.value {
        AssessmentValue::Feedback(judgement) => judgement.error.as_ref().map(ToString::to_string).unwrap_or_default(),
        AssessmentValue::Expectation(_) | AssessmentValue::Issue(_) => String::new(),
    };
    let metadata: usize = assessment.metadata.iter().map(|tag| tag.key.len() + tag.value.len()).sum();
    let rationale = assessment.rationale.as_ref().map_or(0, String::len);
    let size = assessment.value.json().to_string().len() + error.len() + rationale + metadata;
    if size > LARGEST {
        return Err(Error::LimitExceeded {
            message: format!("assessment '{}' has {size} bytes, and may have {LARGEST}", assessment.name),
        });
    }
    assessment.of_session = assessment.metadata.iter().any(|tag| tag.key == SESSION);
    Ok(())
}
