//! Issues, questions for reviewers and queues of traces as they were somewhere else.

use std::collections::HashMap;

use stele_domain::authz::{ManageReview, Permit, Place};
use stele_domain::review::{Issue, LabelSchema, ReviewItem, ReviewQueue, folded};
use stele_domain::trace::TraceId;
use stele_domain::{Kind, Result};

use crate::Tx;
use crate::engine::{Value, list, params};

const UNLESS_KNOWN: &str = " ON CONFLICT DO NOTHING";

/// What a thing that was brought is called here, and whether it is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedAs {
    pub id: String,
    pub is_new: bool,
}

/// What became of traces that were to wait in a queue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadedItems {
    pub new: u64,
    /// Traces that its experiment does not have.
    pub missing: Vec<TraceId>,
}

impl Tx<'_> {
    /// Brings an issue into its experiment, which the caller holds, unless there is one of its id; says whether it is new.
    pub fn issue_load(&mut self, permit: &Permit<ManageReview>, issue: &Issue) -> Result<bool> {
        permit.require(self, Place::Experiment(issue.experiment), Kind::Experiment, issue.experiment)?;
        Ok(self.issue_insert(permit, issue, UNLESS_KNOWN)? > 0)
    }

    /// Brings a question into its experiment, which the caller holds. One whose name or id is known stays as it is here.
    pub fn label_schema_load(&mut self, permit: &Permit<ManageReview>, schema: &LabelSchema) -> Result<LoadedAs> {
        const KNOWN: &str = "SELECT public_id FROM label_schema WHERE experiment_id = $1 AND name = $2";
        permit.require(self, Place::Experiment(schema.experiment), Kind::Experiment, schema.experiment)?;
        if self.label_schema_insert(permit, schema, UNLESS_KNOWN)? > 0 {
            return Ok(LoadedAs { id: schema.id.clone(), is_new: true });
        }
        let of_name = self.query_opt(KNOWN, params![schema.experiment, &schema.name], |row| row.text(0))?;
        Ok(LoadedAs { id: of_name.unwrap_or_else(|| schema.id.clone()), is_new: false })
    }

    /// Brings a queue into its experiment, which the caller holds; its traces come after it. One whose name is known there
    /// stays as it is and takes them; gives nothing if another experiment has its id.
    pub fn review_queue_load(
        &mut self,
        permit: &Permit<ManageReview>,
        queue: &ReviewQueue,
    ) -> Result<Option<LoadedAs>> {
        const KNOWN: &str = "SELECT public_id FROM review_queue WHERE experiment_id = $1 AND folded_name = $2
             UNION ALL SELECT public_id FROM review_queue WHERE experiment_id = $1 AND public_id = $3";
        permit.require(self, Place::Experiment(queue.experiment), Kind::Experiment, queue.experiment)?;
        if self.review_queue_insert(permit, queue, UNLESS_KNOWN)?.is_some() {
            return Ok(Some(LoadedAs { id: queue.id.clone(), is_new: true }));
        }
        let known = self.query(KNOWN, params![queue.experiment, folded(&queue.name), &queue.id], |row| row.text(0))?;
        let known = known.iter().find(|id| **id == queue.id).or(known.first()).cloned();
        Ok(known.map(|id| LoadedAs { id, is_new: false }))
    }

    /// Puts traces into a queue as they waited somewhere else; those that are in it stay as they are.
    pub fn review_items_load(
        &mut self,
        permit: &Permit<ManageReview>,
        queue: &str,
        items: &[ReviewItem],
    ) -> Result<LoadedItems> {
        let (row, queue) = self.review_queue_open(permit, queue)?;
        let sql = format!(
            "SELECT public_id, id FROM trace WHERE experiment_id = $1 AND public_id {} ORDER BY public_id{}",
            self.is_one_of_texts(2),
            self.for_share()
        );
        let wanted = list(items.iter().map(|item| item.trace.as_str()));
        let traces = self.query(&sql, params![queue.experiment, wanted], |row| Ok((row.text(0)?, row.int(1)?)))?;
        let traces: HashMap<String, i64> = traces.into_iter().collect();
        let mut missing = Vec::new();
        let mut values: Vec<Value> = Vec::with_capacity(items.len() * 7);
        for item in items {
            let ReviewItem { queue: _, trace, status, completed_by, completed_at, created_at, updated_at } = item;
            let Some(trace_row) = traces.get(trace.as_str()) else {
                missing.push(trace.clone());
                continue;
            };
            values.extend([
                row.into(),
                (*trace_row).into(),
                status.as_str().into(),
                completed_by.as_deref().into(),
                (*completed_at).into(),
                (*created_at).into(),
                (*updated_at).into(),
            ]);
        }
        let head =
            "INSERT INTO review_item (queue_id, trace_id, status, completed_by, completed_at, created_at, updated_at)";
        let new = self.insert_rows(head, 7, "ON CONFLICT (queue_id, trace_id) DO NOTHING", &values)?;
        Ok(LoadedItems { new, missing })
    }
}
