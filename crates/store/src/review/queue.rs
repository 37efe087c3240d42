use std::collections::HashMap;

use stele_domain::authz::{ManageReview, Permit, Place, Visibility};
use stele_domain::id::{ExperimentId, ReviewQueueRow, Timestamp, WorkspaceId};
use stele_domain::review::{QueueKind, ReviewQueue, folded};
use stele_domain::search::{Page, Window};
use stele_domain::{Error, Kind, Result};

use crate::Tx;
use crate::engine::{Row, Value, list, params};

pub(crate) const COLUMNS: &str = "review_queue.id, review_queue.public_id, review_queue.experiment_id, review_queue.name, \
     review_queue.kind, review_queue.created_by, review_queue.created_at, review_queue.updated_at";

impl Tx<'_> {
    /// Makes a queue with its reviewers and questions. The caller holds the experiment.
    pub fn review_queue_create(
        &mut self,
        permit: &Permit<ManageReview>,
        queue: &ReviewQueue,
    ) -> Result<ReviewQueueRow> {
        let row = self.review_queue_insert(permit, queue, "").map_err(|error| taken(error, &queue.name))?;
        row.ok_or_else(|| Error::internal("a review queue was not made"))
    }

    /// Inserts a queue with its reviewers and questions, with `tail` after its row; gives nothing if there was no row.
    pub(crate) fn review_queue_insert(
        &mut self,
        permit: &Permit<ManageReview>,
        queue: &ReviewQueue,
        tail: &str,
    ) -> Result<Option<ReviewQueueRow>> {
        const INSERT: &str = "INSERT INTO review_queue (public_id, experiment_id, name, folded_name, kind, created_by,
                 created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let values = params![
            &queue.id,
            queue.experiment,
            &queue.name,
            folded(&queue.name),
            queue.kind.as_str(),
            queue.created_by.as_deref(),
            queue.created_at,
            queue.updated_at,
        ];
        let insert = format!("{INSERT}{tail} RETURNING id");
        let Some(row) = self.query_opt(&insert, values, |row| row.int(0))?.map(ReviewQueueRow) else {
            return Ok(None);
        };
        self.review_queue_users_set(permit, row, &queue.users)?;
        self.review_queue_schemas_set(permit, row, &queue.schemas)?;
        Ok(Some(row))
    }

    pub fn review_queue_get(&mut self, visible: &Visibility, id: &str) -> Result<(ReviewQueueRow, ReviewQueue)> {
        let (row, queue) = self.review_queue_read(visible.workspace(), id, "")?;
        visible.require(Place::Experiment(queue.experiment), Kind::ReviewQueue, id)?;
        Ok((row, queue))
    }

    /// Reads a queue that this transaction is about to change.
    pub fn review_queue_open(
        &mut self,
        permit: &Permit<ManageReview>,
        id: &str,
    ) -> Result<(ReviewQueueRow, ReviewQueue)> {
        let lock = self.for_update_of("review_queue");
        let (row, queue) = self.review_queue_read(permit.workspace(), id, &lock)?;
        permit.require(self, Place::Experiment(queue.experiment), Kind::ReviewQueue, id)?;
        Ok((row, queue))
    }

    fn review_queue_read(
        &mut self,
        workspace: WorkspaceId,
        id: &str,
        lock: &str,
    ) -> Result<(ReviewQueueRow, ReviewQueue)> {
        let sql = format!(
            "SELECT {COLUMNS} FROM review_queue
             JOIN experiment ON experiment.id = review_queue.experiment_id AND experiment.workspace_id = $1
             WHERE review_queue.public_id = $2{lock}"
        );
        let found = self.query_opt(&sql, params![workspace, id], queue)?;
        self.review_queues_complete(found.into_iter().collect())?
            .pop()
            .ok_or_else(|| Error::not_found(Kind::ReviewQueue, id))
    }

    /// The queue of that name, in whatever case, if there is one; the caller has seen the experiment.
    pub fn review_queue_by_name(
        &mut self,
        visible: &Visibility,
        experiment: ExperimentId,
        name: &str,
    ) -> Result<Option<ReviewQueue>> {
        visible.require(Place::Experiment(experiment), Kind::Experiment, experiment)?;
        let sql = format!("SELECT {COLUMNS} FROM review_queue WHERE experiment_id = $1 AND folded_name = $2");
        let found = self.query_opt(&sql, params![experiment, folded(name)], queue)?;
        Ok(self.review_queues_complete(found.into_iter().collect())?.pop().map(|(_, queue)| queue))
    }

    /// The queues of an experiment, the newest first: of one reviewer, if one is named, and with a trace in them, if one
    /// is named. The caller has seen the experiment.
    pub fn review_queues_list(
        &mut self,
        visible: &Visibility,
        experiment: ExperimentId,
        reviewer: Option<&str>,
        trace: Option<&str>,
        window: Window,
    ) -> Result<Page<ReviewQueue>> {
        visible.require(Place::Experiment(experiment), Kind::Experiment, experiment)?;
        let mut values = params![experiment, window.limit + 1, window.offset].to_vec();
        let mut sql = format!("SELECT {COLUMNS} FROM review_queue WHERE experiment_id = $1");
        if let Some(reviewer) = reviewer {
            values.push(reviewer.into());
            sql += " AND id IN (SELECT queue_id FROM review_queue_user WHERE reviewer = $4)";
        }
        if let Some(trace) = trace {
            values.push(trace.into());
            let item = format!(
                " AND id IN (SELECT queue_id FROM review_item JOIN trace ON trace.id = review_item.trace_id
                     WHERE trace.experiment_id = $1 AND trace.public_id = ${})",
                values.len()
            );
            sql += &item;
        }
        sql += " ORDER BY created_at DESC, public_id LIMIT $2 OFFSET $3";
        let found = self.query(&sql, &values, queue)?;
        let found = self.review_queues_complete(found)?;
        Ok(Page::of(found.into_iter().map(|(_, queue)| queue).collect(), window))
    }

    /// Writes the name, the owner and the time of a queue.
    pub fn review_queue_update(
        &mut self,
        _permit: &Permit<ManageReview>,
        row: ReviewQueueRow,
        queue: &ReviewQueue,
    ) -> Result<()> {
        const UPDATE: &str =
            "UPDATE review_queue SET name = $2, folded_name = $3, created_by = $4, updated_at = $5 WHERE id = $1";
        let values = params![row, &queue.name, folded(&queue.name), queue.created_by.as_deref(), queue.updated_at];
        self.execute(UPDATE, values).map(|_| ()).map_err(|error| taken(error, &queue.name))
    }

    pub fn review_queue_users_set(
        &mut self,
        _permit: &Permit<ManageReview>,
        row: ReviewQueueRow,
        users: &[String],
    ) -> Result<()> {
        self.execute("DELETE FROM review_queue_user WHERE queue_id = $1", params![row])?;
        let values: Vec<Value> = users.iter().flat_map(|user| [row.into(), user.into()]).collect();
        self.insert_rows("INSERT INTO review_queue_user (queue_id, reviewer)", 2, "", &values).map(|_| ())
    }

    pub fn review_queue_schemas_set(
        &mut self,
        _permit: &Permit<ManageReview>,
        row: ReviewQueueRow,
        schemas: &[String],
    ) -> Result<()> {
        self.execute("DELETE FROM review_queue_schema WHERE queue_id = $1", params![row])?;
        let values: Vec<Value> = schemas.iter().flat_map(|schema| [row.into(), schema.into()]).collect();
        self.insert_rows("INSERT INTO review_queue_schema (queue_id, label_schema)", 2, "", &values).map(|_| ())
    }

    /// Deletes a queue with what it says of its traces.
    pub fn review_queue_delete(&mut self, _permit: &Permit<ManageReview>, row: ReviewQueueRow) -> Result<()> {
        self.execute("DELETE FROM review_queue WHERE id = $1", params![row]).map(|_| ())
    }

    pub(crate) fn review_queues_complete(
        &mut self,
        mut queues: Vec<(ReviewQueueRow, ReviewQueue)>,
    ) -> Result<Vec<(ReviewQueueRow, ReviewQueue)>> {
        let rows: Vec<i64> = queues.iter().map(|(row, _)| row.0).collect();
        let mut users = self.review_texts("reviewer", "review_queue_user", &rows)?;
        let mut schemas = self.review_texts("label_schema", "review_queue_schema", &rows)?;
        for (row, queue) in &mut queues {
            queue.users = users.remove(row).unwrap_or_default();
            queue.schemas = schemas.remove(row).unwrap_or_default();
        }
        Ok(queues)
    }

    /// The texts that a table has for these queues, in order.
    fn review_texts(
        &mut self,
        column: &'static str,
        table: &'static str,
        rows: &[i64],
    ) -> Result<HashMap<ReviewQueueRow, Vec<String>>> {
        let mut texts: HashMap<ReviewQueueRow, Vec<String>> = HashMap::new();
        if rows.is_empty() {
            return Ok(texts);
        }
        let one_of = self.is_one_of_ints(1);
        let sql = format!("SELECT queue_id, {column} FROM {table} WHERE queue_id {one_of} ORDER BY queue_id, {column}");
        let found = self.query(&sql, params![list(rows.iter().copied())], |row| Ok((row.int(0)?, row.text(1)?)))?;
        for (row, text) in found {
            texts.entry(ReviewQueueRow(row)).or_default().push(text);
        }
        Ok(texts)
    }
}

fn taken(error: Error, name: &str) -> Error {
    match error {
        Error::Conflict { .. } => Error::already_exists(Kind::ReviewQueue, name),
        other => other,
    }
}

pub(crate) fn queue(row: &Row) -> Result<(ReviewQueueRow, ReviewQueue)> {
    let queue = ReviewQueue {
        id: row.text(1)?,
        experiment: ExperimentId(row.int(2)?),
        name: row.text(3)?,
        kind: row.parsed(4, QueueKind::parse)?,
        created_by: row.opt_text(5)?,
        created_at: Timestamp(row.int(6)?),
        updated_at: Timestamp(row.int(7)?),
        users: Vec::new(),
        schemas: Vec::new(),
    };
    Ok((ReviewQueueRow(row.int(0)?), queue))
}
