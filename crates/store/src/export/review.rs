use stele_domain::Result;
use stele_domain::authz::Visibility;
use stele_domain::id::{IssueRow, LabelSchemaRow, ReviewQueueRow, TraceRow};
use stele_domain::review::{Issue, LabelSchema, ReviewItem, ReviewQueue};

use crate::Tx;
use crate::engine::{Row, params};
use crate::review::{
    COLUMNS as ISSUE_COLUMNS, ITEM_COLUMNS, LABEL_SCHEMA_COLUMNS, QUEUE_COLUMNS, issue, item, label_schema, queue,
};

/// An issue with its row.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportedIssue {
    pub row: IssueRow,
    pub issue: Issue,
}

/// A question with its row.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportedLabelSchema {
    pub row: LabelSchemaRow,
    pub schema: LabelSchema,
}

/// A queue with its row, without the traces in it.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportedReviewQueue {
    pub row: ReviewQueueRow,
    pub queue: ReviewQueue,
}

/// A trace in a queue, with its row.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportedItem {
    pub row: TraceRow,
    pub item: ReviewItem,
}

// Where the id of a row stands after the columns of an issue, of a question and of an item.
const ISSUE_ROW: usize = 12;
const SCHEMA_ROW: usize = 10;
const ITEM_ROW: usize = 7;

impl Tx<'_> {
    pub fn issues_after(&mut self, visible: &Visibility, after: IssueRow, most: usize) -> Result<Vec<ExportedIssue>> {
        let columns = format!("{ISSUE_COLUMNS}, issue.id");
        self.review_after(visible, "issue", &columns, after.0, most, |row| {
            Ok(ExportedIssue { row: IssueRow(row.int(ISSUE_ROW)?), issue: issue(row)? })
        })
    }

    pub fn label_schemas_after(
        &mut self,
        visible: &Visibility,
        after: LabelSchemaRow,
        most: usize,
    ) -> Result<Vec<ExportedLabelSchema>> {
        let columns = format!("{LABEL_SCHEMA_COLUMNS}, label_schema.id");
        self.review_after(visible, "label_schema", &columns, after.0, most, |row| {
            Ok(ExportedLabelSchema { row: LabelSchemaRow(row.int(SCHEMA_ROW)?), schema: label_schema(row)? })
        })
    }

    pub fn review_queues_after(
        &mut self,
        visible: &Visibility,
        after: ReviewQueueRow,
        most: usize,
    ) -> Result<Vec<ExportedReviewQueue>> {
        let found = self.review_after(visible, "review_queue", QUEUE_COLUMNS, after.0, most, queue)?;
        let whole = self.review_queues_complete(found)?;
        Ok(whole.into_iter().map(|(row, queue)| ExportedReviewQueue { row, queue }).collect())
    }

    /// The traces in a queue.
    pub fn review_items_after(
        &mut self,
        visible: &Visibility,
        queue: ReviewQueueRow,
        after: TraceRow,
        most: usize,
    ) -> Result<Vec<ExportedItem>> {
        let mut values = params![visible.workspace(), queue, after, most as i64].to_vec();
        let seen = self.and_experiment_seen(visible, "review_queue.experiment_id", &mut values);
        let sql = format!(
            "SELECT {ITEM_COLUMNS}, trace.id FROM review_item
             JOIN review_queue ON review_queue.id = review_item.queue_id
             JOIN trace ON trace.id = review_item.trace_id AND trace.workspace_id = $1
             WHERE review_item.queue_id = $2 AND review_item.trace_id > $3{seen}
             ORDER BY review_item.trace_id LIMIT $4"
        );
        self.query(&sql, &values, |row| Ok(ExportedItem { row: TraceRow(row.int(ITEM_ROW)?), item: item(row)? }))
    }

    /// The rows of a table whose things are in experiments.
    fn review_after<T>(
        &mut self,
        visible: &Visibility,
        table: &'static str,
        columns: &str,
        after: i64,
        most: usize,
        read: impl FnMut(&Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut values = params![visible.workspace(), after, most as i64].to_vec();
        let seen = self.and_experiment_seen(visible, &format!("{table}.experiment_id"), &mut values);
        let sql = format!(
            "SELECT {columns} FROM {table}
             JOIN experiment ON experiment.id = {table}.experiment_id AND experiment.workspace_id = $1
             WHERE {table}.id > $2{seen} ORDER BY {table}.id LIMIT $3"
        );
        self.query(&sql, &values, read)
    }
}
