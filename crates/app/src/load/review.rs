use serde_json::json;
use stele_domain::authz::ManageReview;
use stele_domain::change::Change;
use stele_domain::id::ExperimentId;
use stele_domain::review::{
    Issue, LabelSchema, QueueKind, ReviewItem, ReviewQueue, custom_queue_name, reviewers, user_queue_name,
};
use stele_domain::{Kind, Result};
use stele_store::{LoadedAs, LoadedItems};

use crate::review::{issue, label_schema};
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

/// Refuses an issue from elsewhere that is more or other than one may be here.
pub fn check_issue(new: &Issue) -> Result<()> {
    check_text("issue id", &new.id)?;
    check_text("source run", new.source_run.as_ref().map_or("", |run| run.as_str()))?;
    issue::check(new)
}

/// Refuses a question from elsewhere that is more or other than one may be here.
pub fn check_label_schema(new: &LabelSchema) -> Result<()> {
    check_text("label schema id", &new.id)?;
    new.check_loaded()?;
    label_schema::check(new)
}

/// Refuses a queue from elsewhere that is more or other than one may be here.
pub fn check_review_queue(new: &ReviewQueue) -> Result<()> {
    check_text("review queue id", &new.id)?;
    match new.kind {
        QueueKind::Custom => custom_queue_name(&new.name)?,
        QueueKind::User => user_queue_name(&new.name)?,
    };
    reviewers(&new.users)?;
    let texts = [&new.name].into_iter().chain(&new.created_by).chain(&new.users).chain(&new.schemas);
    texts.into_iter().try_for_each(|text| check_text("a name of a review queue", text))
}

impl App {
    /// Brings issues into an experiment, in one transaction with one audit entry; those whose id the record has already
    /// stay as they are. Says how many are new.
    pub async fn issues_load(&self, ctx: &Ctx, experiment: ExperimentId, mut issues: Vec<Issue>) -> Result<usize> {
        issues.iter_mut().for_each(|issue| issue.experiment = experiment);
        issues.iter().try_for_each(check_issue)?;
        let visible = ctx.visible();
        self.change::<ManageReview, _>(ctx, &experiment.to_string(), move |tx, permit| {
            tx.experiment_hold(&visible, experiment)?;
            let mut new = 0;
            for issue in &issues {
                new += usize::from(tx.issue_load(permit, issue)?);
            }
            Ok(loaded(new, new, experiment, "issues"))
        })
        .await
    }

    /// Brings questions into an experiment, in one transaction with one audit entry; those whose name or id is known stay
    /// as they are. Gives back what each is called here, in the order given.
    pub async fn label_schemas_load(
        &self,
        ctx: &Ctx,
        experiment: ExperimentId,
        mut schemas: Vec<LabelSchema>,
    ) -> Result<Vec<LoadedAs>> {
        schemas.iter_mut().for_each(|schema| schema.experiment = experiment);
        schemas.iter().try_for_each(check_label_schema)?;
        let visible = ctx.visible();
        self.change::<ManageReview, _>(ctx, &experiment.to_string(), move |tx, permit| {
            tx.experiment_hold(&visible, experiment)?;
            let known =
                schemas.iter().map(|schema| tx.label_schema_load(permit, schema)).collect::<Result<Vec<_>>>()?;
            let new = known.iter().filter(|schema| schema.is_new).count();
            Ok(loaded(known, new, experiment, "label schemas"))
        })
        .await
    }

    /// Brings a queue into an experiment, whose traces follow in parts. One whose name is known there stays as it is, and
    /// takes the traces; gives nothing if another experiment has its id.
    pub async fn review_queue_load(
        &self,
        ctx: &Ctx,
        experiment: ExperimentId,
        mut queue: ReviewQueue,
    ) -> Result<Option<LoadedAs>> {
        queue.experiment = experiment;
        check_review_queue(&queue)?;
        let visible = ctx.visible();
        self.change::<ManageReview, _>(ctx, &queue.name.clone(), move |tx, permit| {
            tx.experiment_hold(&visible, experiment)?;
            let known = tx.review_queue_load(permit, &queue)?;
            let new = usize::from(known.as_ref().is_some_and(|known| known.is_new));
            Ok(loaded(known, new, experiment, "review queues"))
        })
        .await
    }

    /// Puts traces into a queue as they waited for their review elsewhere; those that are in it stay as they are.
    pub async fn review_items_load(&self, ctx: &Ctx, queue: String, items: Vec<ReviewItem>) -> Result<LoadedItems> {
        let reviewers = items.iter().filter_map(|item| item.completed_by.as_deref());
        reviewers.into_iter().try_for_each(|reviewer| check_text("reviewer", reviewer))?;
        self.change::<ManageReview, _>(ctx, &queue.clone(), move |tx, permit| {
            let items = tx.review_items_load(permit, &queue, &items)?;
            if items.new == 0 {
                return Ok(Changed::nothing(items));
            }
            let change = Change::quiet("bulk.load", Kind::ReviewQueue, &queue);
            let after = json!({ "traces": items.new });
            Ok(Changed::one(items, change.after(after)))
        })
        .await
    }
}

/// The result of a load of so many new things into an experiment.
fn loaded<T>(result: T, new: usize, experiment: ExperimentId, what: &'static str) -> Changed<T> {
    if new == 0 {
        return Changed::nothing(result);
    }
    let change = Change::quiet("bulk.load", Kind::Experiment, experiment.to_string());
    Changed::one(result, change.after(json!({ what: new })))
}
