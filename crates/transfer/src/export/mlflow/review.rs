use rusqlite::params;
use stele_app::ExportedReviewQueue;
use stele_domain::Result;
use stele_domain::review::{Issue, LabelSchema, ReviewItem, Severity, folded};

use super::Writer;
use crate::export::Record;
use crate::python;
use crate::review::input_parts;

impl Writer {
    /// Issues, questions for reviewers, and queues of traces; after the runs.
    pub(super) async fn reviews(&mut self, record: &Record<'_>) -> Result<()> {
        let mut issues = record.issues(None).await?;
        while !issues.is_empty() {
            issues.iter().try_for_each(|exported| self.issue(&exported.issue))?;
            self.commit()?;
            issues = record.issues(issues.last()).await?;
        }
        let mut schemas = record.label_schemas(None).await?;
        while !schemas.is_empty() {
            schemas.iter().try_for_each(|exported| self.label_schema(&exported.schema))?;
            schemas = record.label_schemas(schemas.last()).await?;
        }
        let mut queues = record.review_queues(None).await?;
        while !queues.is_empty() {
            for exported in &queues {
                self.review_queue(exported)?;
                let mut items = record.review_items(exported.row, None).await?;
                while !items.is_empty() {
                    items.iter().try_for_each(|exported| self.review_item(&exported.item))?;
                    self.commit()?;
                    items = record.review_items(exported.row, items.last()).await?;
                }
            }
            queues = record.review_queues(queues.last()).await?;
        }
        self.commit()
    }

    /// An issue. The run that found it may be gone for good.
    fn issue(&self, issue: &Issue) -> Result<()> {
        let texts = |texts: &Vec<String>| (!texts.is_empty()).then(|| python::json(&texts.as_slice().into()));
        self.insert(
            "INSERT INTO issues (issue_id, experiment_id, name, description, status, severity, root_causes, categories,
                 source_run_id, created_by, created_timestamp, last_updated_timestamp)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, (SELECT run_uuid FROM runs WHERE run_uuid = ?9), ?10, ?11, ?12)",
            params![
                issue.id,
                issue.experiment.0,
                issue.name,
                issue.description,
                issue.status.as_str(),
                issue.severity.map(Severity::as_str),
                texts(&issue.root_causes),
                texts(&issue.categories),
                issue.source_run.as_ref().map(|run| run.as_str()),
                issue.created_by,
                issue.created_at.0,
                issue.updated_at.0
            ],
        )
    }

    fn label_schema(&self, schema: &LabelSchema) -> Result<()> {
        let (input_type, input_config) = input_parts(&schema.input);
        self.insert(
            "INSERT INTO label_schemas (schema_id, experiment_id, name, type, instruction, enable_comment, input_type,
                 input_config, created_by, created_time, last_update_time, is_default)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, NULL, ?9, ?10, ?11)",
            params![
                schema.id,
                schema.experiment.0,
                schema.name,
                schema.kind.as_str(),
                schema.instruction,
                schema.has_comment,
                input_type,
                python::json(&input_config),
                schema.created_at.0,
                schema.updated_at.0,
                schema.is_default
            ],
        )
    }

    fn review_queue(&self, ExportedReviewQueue { row: _, queue }: &ExportedReviewQueue) -> Result<()> {
        self.insert(
            "INSERT INTO review_queues (queue_id, experiment_id, name, queue_type, created_by, creation_time_ms,
                 last_update_time_ms, name_key)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                queue.id,
                queue.experiment.0,
                queue.name,
                queue.kind.as_str(),
                queue.created_by,
                queue.created_at.0,
                queue.updated_at.0,
                folded(&queue.name)
            ],
        )?;
        for user in &queue.users {
            self.insert("INSERT INTO review_queue_users (queue_id, user_id) VALUES (?1, ?2)", params![queue.id, user])?;
        }
        for schema in &queue.schemas {
            self.insert(
                "INSERT INTO review_queue_label_schemas (queue_id, schema_id) VALUES (?1, ?2)",
                params![queue.id, schema],
            )?;
        }
        Ok(())
    }

    fn review_item(&self, item: &ReviewItem) -> Result<()> {
        self.insert(
            "INSERT INTO review_queue_items (queue_id, item_type, item_id, status, completed_by, completed_time_ms,
                 creation_time_ms, last_update_time_ms)
             VALUES (?1, 'trace', ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                item.queue,
                item.trace.as_str(),
                item.status.as_str(),
                item.completed_by,
                item.completed_at.map(|time| time.0),
                item.created_at.0,
                item.updated_at.0
            ],
        )
    }
}
