use std::collections::HashMap;

use stele_app::{check_issue, check_label_schema, check_review_queue};
use stele_domain::id::ExperimentId;
use stele_domain::review::{Issue, LabelSchema, ReviewItem, ReviewQueue};
use stele_domain::{Error, Result};

use super::load::{Here, Loader};

/// What the loader remembers of reviews.
#[derive(Default)]
pub(super) struct Reviews {
    /// Questions that have another id here than in the source, since their name was known.
    renamed: HashMap<String, String>,
    /// The queue whose traces are coming, as it is called here; none if it could not be taken.
    queue: Option<String>,
}

const OTHER: &str = "something in them is more or other than is kept here";

impl Loader {
    pub(super) async fn issues(&mut self, experiment: ExperimentId, issues: Vec<Issue>) -> Result<()> {
        let Ok(Here { id, .. }) = self.here(experiment) else { return Ok(()) };
        let issues = self.those_that_fit("issues", issues, |issue| &issue.id, check_issue);
        let all = issues.len();
        let new = self.app.issues_load(&self.ctx, id, issues).await?;
        self.report.taken.issues += new as u64;
        self.report.known.issues += (all - new) as u64;
        Ok(())
    }

    pub(super) async fn label_schemas(&mut self, experiment: ExperimentId, schemas: Vec<LabelSchema>) -> Result<()> {
        let Ok(Here { id, .. }) = self.here(experiment) else { return Ok(()) };
        let schemas = self.those_that_fit("label schemas", schemas, |schema| &schema.id, check_label_schema);
        let ids: Vec<String> = schemas.iter().map(|schema| schema.id.clone()).collect();
        let loaded = self.app.label_schemas_load(&self.ctx, id, schemas).await?;
        for (from, here) in ids.into_iter().zip(loaded) {
            if here.is_new {
                self.report.taken.label_schemas += 1;
            } else {
                self.report.known.label_schemas += 1;
            }
            if here.id != from {
                self.reviews.renamed.insert(from, here.id);
            }
        }
        Ok(())
    }

    pub(super) async fn review_queue(&mut self, mut queue: ReviewQueue) -> Result<()> {
        self.reviews.queue = None;
        let Ok(Here { id, .. }) = self.here(queue.experiment) else { return Ok(()) };
        for schema in &mut queue.schemas {
            if let Some(here) = self.reviews.renamed.get(schema) {
                schema.clone_from(here);
            }
        }
        let example = queue.id.clone();
        let Some(queue) =
            self.those_that_fit("review queues", vec![queue], |queue| &queue.id, check_review_queue).pop()
        else {
            return Ok(());
        };
        let loaded = self.app.review_queue_load(&self.ctx, id, queue).await?;
        match &loaded {
            Some(here) if here.is_new => self.report.taken.review_queues += 1,
            Some(_) => self.report.known.review_queues += 1,
            None => self.not_taken.add("review queues", "a queue of another experiment has the id", 1, Some(example)),
        }
        self.reviews.queue = loaded.map(|here| here.id);
        Ok(())
    }

    pub(super) async fn review_items(&mut self, items: Vec<ReviewItem>) -> Result<()> {
        let Some(queue) = self.reviews.queue.clone() else { return Ok(()) };
        let loaded = self.app.review_items_load(&self.ctx, queue, items).await?;
        self.report.taken.review_items += loaded.new;
        if let Some(example) = loaded.missing.first().map(|trace| trace.as_str().to_owned()) {
            let why = "their experiment has no such trace";
            self.not_taken.add("traces in review queues", why, loaded.missing.len() as u64, Some(example));
        }
        Ok(())
    }

    /// The things that keep the rules of the record; the others are told.
    fn those_that_fit<T>(
        &mut self,
        what: &str,
        things: Vec<T>,
        id: fn(&T) -> &String,
        check: fn(&T) -> Result<()>,
    ) -> Vec<T> {
        let mut kept = Vec::with_capacity(things.len());
        for thing in things {
            match check(&thing) {
                Ok(()) => kept.push(thing),
                Err(error) => self.leave_out(what, id(&thing), &error),
            }
        }
        kept
    }

    fn leave_out(&mut self, what: &str, id: &str, error: &Error) {
        self.not_taken.add(what, OTHER, 1, Some(format!("{id}: {error}")));
    }
}
