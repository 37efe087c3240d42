use serde_json::json;
use stele_domain::authz::LogTrace;
use stele_domain::change::Change;
use stele_domain::id::RunId;
use stele_domain::record::Tag;
use stele_domain::trace::{TraceId, TraceLink};
use stele_domain::{Error, Kind, Result};

use crate::experiment::check_tags;
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

impl App {
    pub async fn trace_tag_set(&self, ctx: &Ctx, id: TraceId, tag: Tag) -> Result<()> {
        check_tags(std::slice::from_ref(&tag))?;
        self.change::<LogTrace, _>(ctx, id.clone().as_str(), move |tx, permit| {
            let trace = tx.trace_open(permit, &id)?;
            tx.trace_tags_set(permit, trace.row, trace.experiment, std::slice::from_ref(&tag))?;
            let change = Change::quiet("trace.tag", Kind::Trace, id.as_str());
            Ok(Changed::one((), change.after(json!({ &tag.key: tag.value }))))
        })
        .await
    }

    /// Removes a tag, which must be there.
    pub async fn trace_tag_delete(&self, ctx: &Ctx, id: TraceId, key: String) -> Result<()> {
        self.change::<LogTrace, _>(ctx, id.clone().as_str(), move |tx, permit| {
            let trace = tx.trace_open(permit, &id)?;
            if !tx.trace_tag_delete(permit, trace.row, &key)? {
                return Err(Error::not_found(Kind::Tag, &key));
            }
            let change = Change::quiet("trace.untag", Kind::Trace, id.as_str());
            Ok(Changed::one((), change.before(json!({ "key": key }))))
        })
        .await
    }

    /// Names a trace, or takes its name away, which must be there then.
    pub async fn trace_rename(&self, ctx: &Ctx, id: TraceId, name: Option<String>) -> Result<()> {
        check_text("trace name", name.as_deref().unwrap_or_default())?;
        self.change::<LogTrace, _>(ctx, id.clone().as_str(), move |tx, permit| {
            let trace = tx.trace_open(permit, &id)?;
            let before = trace.facts.name.clone();
            if before.is_none() && name.is_none() {
                return Err(Error::not_found(Kind::Tag, "name"));
            }
            let mut facts = trace.facts;
            facts.name.clone_from(&name);
            tx.trace_update(permit, trace.row, &facts, trace.finalized)?;
            let change = Change::quiet("trace.rename", Kind::Trace, id.as_str());
            Ok(Changed::one((), change.before(json!({ "name": before })).after(json!({ "name": name }))))
        })
        .await
    }

    /// Links traces to a run, which must be there; traces that are not there do not matter.
    pub async fn traces_link_to_run(&self, ctx: &Ctx, ids: Vec<TraceId>, run: RunId) -> Result<()> {
        let (visible, now) = (ctx.visible(), ctx.now());
        self.change::<LogTrace, _>(ctx, run.clone().as_str(), move |tx, permit| {
            tx.run_info(&visible, &run)?;
            let targets = [run.as_str().to_owned()];
            if tx.traces_link(permit, &ids, TraceLink::Run, &targets, now)? == 0 {
                return Ok(Changed::nothing(()));
            }
            let ids: Vec<&str> = ids.iter().map(TraceId::as_str).collect();
            let change = Change::quiet("trace.link", Kind::Run, run.as_str());
            Ok(Changed::one((), change.after(json!({ "traces": ids }))))
        })
        .await
    }

    /// Links a trace to versions of prompts, each as `name/version`.
    pub async fn trace_link_to_prompts(&self, ctx: &Ctx, id: TraceId, versions: Vec<String>) -> Result<()> {
        versions.iter().try_for_each(|version| check_text("prompt version", version))?;
        let now = ctx.now();
        self.change::<LogTrace, _>(ctx, id.clone().as_str(), move |tx, permit| {
            tx.trace_open(permit, &id)?;
            if tx.traces_link(permit, std::slice::from_ref(&id), TraceLink::Prompt, &versions, now)? == 0 {
                return Ok(Changed::nothing(()));
            }
            let change = Change::quiet("trace.link", Kind::Trace, id.as_str());
            Ok(Changed::one((), change.after(json!({ "prompts": versions }))))
        })
        .await
    }
}
