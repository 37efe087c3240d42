use stele_domain::authz::{ManageReview, Permit, Visibility};
use stele_domain::id::{ExperimentId, ReviewQueueRow, Timestamp};
use stele_domain::review::{ReviewItem, ReviewStatus};
use stele_domain::search::{Page, Window};
use stele_domain::trace::TraceId;
use stele_domain::{Error, Kind, Result};

use crate::Tx;
use crate::engine::{Row, Value, list, params};

pub(crate) const COLUMNS: &str = "review_queue.public_id, trace.public_id, review_item.status, review_item.completed_by, \
     review_item.completed_at, review_item.created_at, review_item.updated_at";

const FROM: &str = "FROM review_item JOIN review_queue ON review_queue.id = review_item.queue_id
     JOIN trace ON trace.id = review_item.trace_id WHERE review_item.queue_id = $1";

impl Tx<'_> {
    /// Puts traces of the experiment of a queue into it, which the caller has opened; those that are in it stay as they
    /// are. Gives back the items in the order of `ids`, and those ids of which the experiment has no trace, in which case
    /// nothing was done.
    pub fn review_items_add(
        &mut self,
        _permit: &Permit<ManageReview>,
        row: ReviewQueueRow,
        experiment: ExperimentId,
        ids: &[String],
        now: Timestamp,
    ) -> Result<(Vec<ReviewItem>, Vec<String>)> {
        let wanted = list(ids.iter().map(String::as_str));
        let sql = format!(
            "SELECT id, public_id FROM trace WHERE experiment_id = $1 AND public_id {} ORDER BY public_id{}",
            self.is_one_of_texts(2),
            self.for_share()
        );
        let known = self.query(&sql, params![experiment, wanted.clone()], |row| Ok((row.int(0)?, row.text(1)?)))?;
        let missing: Vec<String> =
            ids.iter().filter(|id| !known.iter().any(|(_, known)| known == *id)).cloned().collect();
        if !missing.is_empty() {
            return Ok((Vec::new(), missing));
        }
        let values: Vec<Value> = known
            .iter()
            .flat_map(|(trace, _)| {
                [row.into(), (*trace).into(), ReviewStatus::Pending.as_str().into(), now.into(), now.into()]
            })
            .collect();
        let head = "INSERT INTO review_item (queue_id, trace_id, status, created_at, updated_at)";
        self.insert_rows(head, 5, " ON CONFLICT (queue_id, trace_id) DO NOTHING", &values)?;
        let sql = format!("SELECT {COLUMNS} {FROM} AND trace.public_id {}", self.is_one_of_texts(2));
        let mut items = self.query(&sql, params![row, wanted], item)?;
        items.sort_by_key(|item| ids.iter().position(|id| id == item.trace.as_str()));
        Ok((items, missing))
    }

    /// Takes traces out of a queue, which the caller has opened; says how many were in it.
    pub fn review_items_remove(
        &mut self,
        _permit: &Permit<ManageReview>,
        row: ReviewQueueRow,
        experiment: ExperimentId,
        ids: &[String],
    ) -> Result<u64> {
        let sql = format!(
            "DELETE FROM review_item WHERE queue_id = $1 AND trace_id IN
                 (SELECT id FROM trace WHERE experiment_id = $2 AND public_id {})",
            self.is_one_of_texts(3)
        );
        self.execute(&sql, params![row, experiment, list(ids.iter().map(String::as_str))])
    }

    /// How many traces are in a queue.
    pub fn review_items_count(&mut self, _permit: &Permit<ManageReview>, row: ReviewQueueRow) -> Result<i64> {
        self.query_one("SELECT COUNT(*) FROM review_item WHERE queue_id = $1", params![row], |row| row.int(0))
    }

    /// The traces in a queue, those that came last first; with one status, if one is named.
    pub fn review_items_list(
        &mut self,
        visible: &Visibility,
        queue: &str,
        status: Option<ReviewStatus>,
        window: Window,
    ) -> Result<Page<ReviewItem>> {
        let (row, _) = self.review_queue_get(visible, queue)?;
        let mut values = params![row, window.limit + 1, window.offset].to_vec();
        let mut sql = format!("SELECT {COLUMNS} {FROM}");
        if let Some(status) = status {
            values.push(status.as_str().into());
            sql += " AND review_item.status = $4";
        }
        sql += " ORDER BY review_item.created_at DESC, trace.public_id LIMIT $2 OFFSET $3";
        Ok(Page::of(self.query(&sql, &values, item)?, window))
    }

    /// Reads an item of a queue, which the caller has opened.
    pub fn review_item_get(
        &mut self,
        _permit: &Permit<ManageReview>,
        row: ReviewQueueRow,
        trace: &str,
    ) -> Result<ReviewItem> {
        let sql = format!("SELECT {COLUMNS} {FROM} AND trace.public_id = $2");
        self.query_opt(&sql, params![row, trace], item)?.ok_or_else(|| Error::not_found(Kind::Trace, trace))
    }

    /// Writes what can change of an item of a queue, which the caller has opened.
    pub fn review_item_update(
        &mut self,
        _permit: &Permit<ManageReview>,
        row: ReviewQueueRow,
        item: &ReviewItem,
    ) -> Result<()> {
        const UPDATE: &str = "UPDATE review_item SET status = $3, completed_by = $4, completed_at = $5, updated_at = $6
             WHERE queue_id = $1 AND trace_id IN (SELECT id FROM trace WHERE public_id = $2)";
        let values = params![
            row,
            item.trace.as_str(),
            item.status.as_str(),
            item.completed_by.as_deref(),
            item.completed_at,
            item.updated_at,
        ];
        self.execute(UPDATE, values).map(|_| ())
    }
}

pub(crate) fn item(row: &Row) -> Result<ReviewItem> {
    Ok(ReviewItem {
        queue: row.text(0)?,
        trace: TraceId::parse(row.str(1)?)?,
        status: row.parsed(2, ReviewStatus::parse)?,
        completed_by: row.opt_text(3)?,
        completed_at: row.opt_int(4)?.map(Timestamp),
        created_at: Timestamp(row.int(5)?),
        updated_at: Timestamp(row.int(6)?),
    })
}
