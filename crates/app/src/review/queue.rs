use serde_json::{Value, json};
use stele_domain::authz::ManageReview;
use stele_domain::change::Change;
use stele_domain::id::ExperimentId;
use stele_domain::review::{
    QueueChange, QueueKind, ReviewItem, ReviewQueue, ReviewStatus, check_owner, custom_queue_name, reviewer, reviewers,
    user_queue_name,
};
use stele_domain::search::{Page, Window};
use stele_domain::{Error, Kind, Result};
use stele_store::Tx;

use super::{account, if_there, look_at};
use crate::experiment::open_active;
use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

/// A queue to be made.
#[derive(Debug, Clone)]
pub struct NewReviewQueue {
    pub experiment: ExperimentId,
    pub name: String,
    pub kind: QueueKind,
    pub users: Vec<String>,
    /// The ids of questions of the experiment.
    pub schemas: Vec<String>,
}

impl App {
    pub async fn review_queue_create(&self, ctx: &Ctx, new: NewReviewQueue) -> Result<ReviewQueue> {
        let queue = self.review_queue_of(ctx, new)?;
        self.change::<ManageReview, _>(ctx, &queue.name.clone(), move |tx, permit| {
            open_active(tx, permit, queue.experiment)?;
            check_schemas(tx, queue.experiment, &queue.schemas)?;
            tx.review_queue_create(permit, &queue)?;
            Ok(Changed::one(sorted(queue.clone()), created(&queue)))
        })
        .await
    }

    /// The queue of a user, which is made if it is not there.
    pub async fn review_queue_of_user(&self, ctx: &Ctx, experiment: ExperimentId, user: String) -> Result<ReviewQueue> {
        let kind = QueueKind::User;
        let new = NewReviewQueue { experiment, name: user, kind, users: Vec::new(), schemas: Vec::new() };
        let queue = self.review_queue_of(ctx, new)?;
        let queue = ReviewQueue { created_by: Some(queue.name.clone()), ..queue };
        let visible = ctx.visible();
        self.change::<ManageReview, _>(ctx, &queue.name.clone(), move |tx, permit| {
            open_active(tx, permit, experiment)?;
            match tx.review_queue_by_name(&visible, experiment, &queue.name)? {
                Some(found) if found.kind == QueueKind::User => Ok(Changed::nothing(found)),
                Some(_) => Err(Error::already_exists(Kind::ReviewQueue, &queue.name)),
                None => {
                    tx.review_queue_create(permit, &queue)?;
                    Ok(Changed::one(queue.clone(), created(&queue)))
                }
            }
        })
        .await
    }

    /// The queue that is to be made, if it keeps the rules.
    fn review_queue_of(&self, ctx: &Ctx, new: NewReviewQueue) -> Result<ReviewQueue> {
        let NewReviewQueue { experiment, name, kind, users, schemas } = new;
        let users = reviewers(&users)?;
        let schemas = each_once(schemas);
        let (name, users) = match kind {
            QueueKind::Custom => (custom_queue_name(&name)?, users),
            QueueKind::User => {
                let name = user_queue_name(&name)?;
                let only = vec![name.clone()];
                if !users.is_empty() && users != only {
                    return Err(Error::invalid(format!(
                        "A user queue must have exactly one assigned user equal to its name; got name='{name}' and \
                         users={users:?}."
                    )));
                }
                if !schemas.is_empty() {
                    return Err(Error::invalid(
                        "A user queue cannot have explicitly-attached schemas; it resolves to all of the experiment's \
                         label schemas.",
                    ));
                }
                (name, only)
            }
        };
        check_text("name", &name)?;
        users.iter().try_for_each(|user| check_text("user", user))?;
        let now = ctx.now();
        let id = format!("rq-{}", ctx.new_id().simple());
        let created_by = account(ctx);
        Ok(ReviewQueue { id, experiment, name, kind, created_by, created_at: now, updated_at: now, users, schemas })
    }

    pub async fn review_queue_get(&self, ctx: &Ctx, id: String) -> Result<ReviewQueue> {
        let visible = ctx.visible();
        self.read(move |tx| tx.review_queue_get(&visible, &id).map(|(_, queue)| queue)).await
    }

    /// The queue of an active experiment that has a name, in whatever case.
    pub async fn review_queue_by_name(&self, ctx: &Ctx, experiment: ExperimentId, name: String) -> Result<ReviewQueue> {
        let visible = ctx.visible();
        self.read(move |tx| {
            look_at(tx, &visible, experiment)?;
            let found = tx.review_queue_by_name(&visible, experiment, &name)?;
            found.ok_or_else(|| Error::not_found(Kind::ReviewQueue, name))
        })
        .await
    }

    /// The queues of an active experiment, the newest first: of one reviewer, and with one trace in them, if these are
    /// named.
    pub async fn review_queues_list(
        &self,
        ctx: &Ctx,
        experiment: ExperimentId,
        user: Option<String>,
        trace: Option<String>,
        window: Window,
    ) -> Result<Page<ReviewQueue>> {
        let user = user.map(|user| reviewer(&user)).transpose()?;
        let visible = ctx.visible();
        self.read(move |tx| {
            look_at(tx, &visible, experiment)?;
            tx.review_queues_list(&visible, experiment, user.as_deref(), trace.as_deref(), window)
        })
        .await
    }

    /// Changes a queue that is not a user's. Its questions are fixed as long as there are traces in it, since some may
    /// be reviewed already.
    pub async fn review_queue_update(&self, ctx: &Ctx, id: String, change: QueueChange) -> Result<ReviewQueue> {
        let QueueChange { name, owner, users, schemas } = change;
        let change = QueueChange {
            name: name.map(|name| custom_queue_name(&name)).transpose()?,
            owner: owner.map(|owner| check_owner(&owner)).transpose()?,
            users: users.map(|users| reviewers(&users)).transpose()?,
            schemas: schemas.map(each_once),
        };
        let texts = change.name.iter().chain(&change.owner).chain(change.users.iter().flatten());
        texts.into_iter().try_for_each(|text| check_text("a name", text))?;
        let now = ctx.now();
        self.change::<ManageReview, _>(ctx, &id.clone(), move |tx, permit| {
            let (row, mut queue) = tx.review_queue_open(permit, &id)?;
            if queue.kind == QueueKind::User {
                return Err(Error::invalid(
                    "A user queue's name, assigned user, schemas, and owner are fixed and cannot be updated.",
                ));
            }
            if change.is_empty() {
                return Ok(Changed::nothing(queue));
            }
            let before = told(&queue);
            let QueueChange { name, owner, users, schemas } = change.clone();
            queue.name = name.unwrap_or(queue.name);
            queue.created_by = owner.or(queue.created_by);
            queue.updated_at = now.after(queue.updated_at);
            tx.review_queue_update(permit, row, &queue)?;
            if let Some(users) = users {
                tx.review_queue_users_set(permit, row, &users)?;
                queue.users = users;
            }
            if let Some(schemas) = schemas {
                if tx.review_items_count(permit, row)? > 0 {
                    return Err(Error::invalid(
                        "A review queue's questions are locked once items are assigned to it. Remove the items before \
                         changing its questions.",
                    ));
                }
                check_schemas(tx, queue.experiment, &schemas)?;
                tx.review_queue_schemas_set(permit, row, &schemas)?;
                queue.schemas = schemas;
            }
            let queue = sorted(queue);
            let change = Change::event("review-queue.update", Kind::ReviewQueue, &id).before(before);
            let after = told(&queue);
            Ok(Changed::one(queue, change.after(after)))
        })
        .await
    }

    /// Deletes a queue; what reviewers said of its traces stays.
    pub async fn review_queue_delete(&self, ctx: &Ctx, id: String) -> Result<()> {
        self.change::<ManageReview, _>(ctx, &id.clone(), move |tx, permit| {
            let opened = tx.review_queue_open(permit, &id);
            let Some((row, queue)) = if_there(tx, permit, Kind::ReviewQueue, &id, opened)? else {
                return Ok(Changed::nothing(()));
            };
            tx.review_queue_delete(permit, row)?;
            let change = Change::event("review-queue.delete", Kind::ReviewQueue, &id);
            Ok(Changed::one((), change.before(told(&queue))))
        })
        .await
    }

    /// Puts traces of its experiment into a queue, all or none; those that are in it stay as they are. Gives back the
    /// items in the order of `ids`.
    pub async fn review_items_add(&self, ctx: &Ctx, queue: String, ids: Vec<String>) -> Result<Vec<ReviewItem>> {
        let now = ctx.now();
        let ids = each_once(ids);
        self.change::<ManageReview, _>(ctx, &queue.clone(), move |tx, permit| {
            let (row, found) = tx.review_queue_open(permit, &queue)?;
            let (items, missing) = tx.review_items_add(permit, row, found.experiment, &ids, now)?;
            if !missing.is_empty() {
                return Err(Error::not_found(Kind::Trace, missing.join("', '")));
            }
            let change = Change::quiet("review-queue.fill", Kind::ReviewQueue, &queue);
            Ok(Changed::one(items, change.after(json!({ "traces": ids }))))
        })
        .await
    }

    /// Takes traces out of a queue; those that are not in it do not matter.
    pub async fn review_items_remove(&self, ctx: &Ctx, queue: String, ids: Vec<String>) -> Result<()> {
        let ids = each_once(ids);
        self.change::<ManageReview, _>(ctx, &queue.clone(), move |tx, permit| {
            let (row, found) = tx.review_queue_open(permit, &queue)?;
            if tx.review_items_remove(permit, row, found.experiment, &ids)? == 0 {
                return Ok(Changed::nothing(()));
            }
            let change = Change::quiet("review-queue.empty", Kind::ReviewQueue, &queue);
            Ok(Changed::one((), change.before(json!({ "traces": ids }))))
        })
        .await
    }

    /// The traces in a queue, those that came last first; with one status, if one is named.
    pub async fn review_items_list(
        &self,
        ctx: &Ctx,
        queue: String,
        status: Option<ReviewStatus>,
        window: Window,
    ) -> Result<Page<ReviewItem>> {
        let visible = ctx.visible();
        self.read(move |tx| tx.review_items_list(&visible, &queue, status, window)).await
    }

    /// Sets the status of a trace in a queue. Who did it is the account that asks; where there are no accounts, it is
    /// whom the client names in `by`.
    pub async fn review_item_set(
        &self,
        ctx: &Ctx,
        queue: String,
        trace: String,
        status: ReviewStatus,
        by: Option<String>,
    ) -> Result<ReviewItem> {
        let is_done = status != ReviewStatus::Pending;
        let by = match account(ctx) {
            Some(account) => Some(account).filter(|_| is_done),
            None => by,
        };
        let by = by.filter(|by| !is_done || !by.trim().is_empty()).map(|by| reviewer(&by)).transpose()?;
        check_text("completed_by", by.as_deref().unwrap_or(""))?;
        match &by {
            Some(_) if !is_done => {
                return Err(Error::invalid("`completed_by` must not be set when reopening an item to `pending`."));
            }
            None if is_done => {
                let status = status.as_str();
                return Err(Error::invalid(format!("`completed_by` is required when setting status to `{status}`.")));
            }
            _ => {}
        }
        let now = ctx.now();
        self.change::<ManageReview, _>(ctx, &queue.clone(), move |tx, permit| {
            let (row, _) = tx.review_queue_open(permit, &queue)?;
            let mut item = tx.review_item_get(permit, row, &trace)?;
            let before = item.status;
            if !item.review(status, by.clone(), now) {
                return Ok(Changed::nothing(item));
            }
            tx.review_item_update(permit, row, &item)?;
            let change = Change::quiet("review-queue.review", Kind::ReviewQueue, &queue);
            let change = change.before(json!({ "trace": trace, "status": before.as_str() }));
            let after = json!({ "trace": trace, "status": status.as_str(), "by": by });
            Ok(Changed::one(item, change.after(after)))
        })
        .await
    }
}

fn check_schemas(tx: &mut Tx, experiment: ExperimentId, schemas: &[String]) -> Result<()> {
    let missing = tx.label_schemas_missing(experiment, schemas)?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::invalid(format!("Label schema id(s) {missing:?} not found for experiment '{experiment}'.")))
}

/// As clients read it back.
fn sorted(mut queue: ReviewQueue) -> ReviewQueue {
    queue.users.sort_unstable();
    queue.schemas.sort_unstable();
    queue
}

fn each_once(texts: Vec<String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::with_capacity(texts.len());
    let mut seen = std::collections::HashSet::new();
    for text in texts {
        let text = text.trim().to_owned();
        if seen.insert(text.clone()) {
            kept.push(text);
        }
    }
    kept
}

fn created(queue: &ReviewQueue) -> Change {
    let change = Change::event("review-queue.create", Kind::ReviewQueue, &queue.id);
    change.after(json!({ "experiment": queue.experiment.0, "name": queue.name }))
}

fn told(queue: &ReviewQueue) -> Value {
    json!({ "name": queue.name, "owner": queue.created_by, "users": queue.users, "schemas": queue.schemas })
}
