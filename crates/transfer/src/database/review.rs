//! Issues, questions for reviewers, and queues of traces.

use stele_domain::Result;
use stele_domain::id::{ExperimentId, RunId, Timestamp};
use stele_domain::review::{
    Issue, IssueStatus, LabelKind, LabelSchema, QueueKind, ReviewItem, ReviewQueue, ReviewStatus, Severity,
};
use stele_domain::trace::TraceId;

use super::connection::{Cell, Row};
use super::{PAGE, Reader};
use crate::import::Item;
use crate::review::{UNKNOWN, input_of_parts};

/// How many issues come in one part, which may have long descriptions.
const ISSUES: usize = 100;

impl Reader<'_> {
    /// What people are to review in an experiment, and what they found.
    pub(super) fn reviews(&self, experiment: ExperimentId) -> Result<()> {
        self.issues(experiment)?;
        self.label_schemas(experiment)?;
        self.review_queues(experiment)
    }

    fn issues(&self, experiment: ExperimentId) -> Result<()> {
        const ISSUES_OF: &str = "SELECT issue_id, name, description, status, severity, root_causes, categories,
                 source_run_id, created_by, created_timestamp, last_updated_timestamp
             FROM issues WHERE experiment_id = $1 ORDER BY created_timestamp, issue_id";
        if !self.schema.has_table("issues") {
            return Ok(());
        }
        self.database.pages(ISSUES_OF, &[Cell::Int(experiment.0)], ISSUES, |rows| {
            let issues = self.those_read("issues", rows, |row| issue(experiment, row))?;
            self.send(Item::Issues { experiment, issues })
        })
    }

    fn label_schemas(&self, experiment: ExperimentId) -> Result<()> {
        const SCHEMAS: &str = "SELECT schema_id, name, type, instruction, enable_comment, input_type, input_config,
                 created_time, last_update_time, is_default
             FROM label_schemas WHERE experiment_id = $1 ORDER BY created_time, schema_id";
        const MAKERS: &str = "SELECT COUNT(*) FROM label_schemas WHERE experiment_id = $1 AND created_by IS NOT NULL";
        if !self.schema.has_table("label_schemas") {
            return Ok(());
        }
        let makers = self.one_int(MAKERS, &[Cell::Int(experiment.0)])?;
        self.not_taken("makers of label schemas", "the record does not say who made one", makers)?;
        self.database.pages(SCHEMAS, &[Cell::Int(experiment.0)], PAGE, |rows| {
            let schemas = self.those_read("label schemas", rows, |row| label_schema(experiment, row))?;
            self.send(Item::LabelSchemas { experiment, schemas })
        })
    }

    fn review_queues(&self, experiment: ExperimentId) -> Result<()> {
        const QUEUES: &str = "SELECT queue_id, name, queue_type, created_by, creation_time_ms, last_update_time_ms
             FROM review_queues WHERE experiment_id = $1 ORDER BY creation_time_ms, queue_id";
        const USERS: &str = "SELECT user_id FROM review_queue_users WHERE queue_id = $1 ORDER BY user_id";
        const SCHEMAS: &str = "SELECT schema_id FROM review_queue_label_schemas WHERE queue_id = $1 ORDER BY schema_id";
        if !self.schema.has_table("review_queues") {
            return Ok(());
        }
        let texts = |sql: &str, queue: &str| {
            let rows = self.database.query(sql, &[Cell::Text(queue.to_owned())])?;
            rows.into_iter().map(|mut row| row.text(0)).collect::<Result<Vec<_>>>()
        };
        self.database.pages(QUEUES, &[Cell::Int(experiment.0)], PAGE, |rows| {
            for mut queue in self.those_read("review queues", rows, |row| queue(experiment, row))? {
                queue.users = texts(USERS, &queue.id)?;
                queue.schemas = texts(SCHEMAS, &queue.id)?;
                let id = queue.id.clone();
                self.send(Item::ReviewQueue(Box::new(queue)))?;
                self.review_items(&id)?;
            }
            Ok(())
        })
    }

    fn review_items(&self, queue: &str) -> Result<()> {
        const ITEMS: &str = "SELECT item_id, item_type, status, completed_by, completed_time_ms, creation_time_ms,
                 last_update_time_ms
             FROM review_queue_items WHERE queue_id = $1 ORDER BY creation_time_ms, item_id";
        self.database.pages(ITEMS, &[Cell::Text(queue.to_owned())], PAGE, |rows| {
            let items = self.those_read("traces in review queues", rows, |row| item(queue, row))?;
            self.send(Item::ReviewItems(items))
        })
    }

    /// Reads rows whose first column is an id. Those that are of no kind that the record knows are told by it.
    fn those_read<T>(
        &self,
        what: &str,
        rows: Vec<Row>,
        read: impl Fn(&mut Row) -> Result<(String, Option<T>)>,
    ) -> Result<Vec<T>> {
        let mut things = Vec::with_capacity(rows.len());
        for mut row in rows {
            match read(&mut row)? {
                (_, Some(thing)) => things.push(thing),
                (id, None) => {
                    self.runtime.block_on(self.sink.not_taken(what, UNKNOWN, 1, Some(id)))?;
                }
            }
        }
        Ok(things)
    }
}

fn issue(experiment: ExperimentId, row: &mut Row) -> Result<(String, Option<Issue>)> {
    let id = row.text(0)?;
    let severity = row.opt_text(4)?.filter(|name| !name.is_empty());
    let known = severity.as_deref().map_or(Some(None), |name| Severity::parse(name).map(Some));
    let (root_causes, categories) = (texts(row.opt_text(5)?), texts(row.opt_text(6)?));
    let (Some(status), Some(severity), Some(root_causes), Some(categories)) =
        (IssueStatus::parse(&row.text(3)?), known, root_causes, categories)
    else {
        return Ok((id, None));
    };
    let issue = Issue {
        id: id.clone(),
        experiment,
        name: row.text(1)?,
        description: row.text(2)?,
        status,
        severity,
        root_causes,
        categories,
        source_run: row.opt_text(7)?.map(RunId),
        created_by: row.opt_text(8)?,
        created_at: Timestamp(row.int(9)?),
        updated_at: Timestamp(row.int(10)?),
    };
    Ok((id, Some(issue)))
}

/// A list of texts from the text of a document; none is empty.
fn texts(document: Option<String>) -> Option<Vec<String>> {
    document.filter(|text| !text.is_empty()).map_or(Some(Vec::new()), |text| serde_json::from_str(&text).ok())
}

fn label_schema(experiment: ExperimentId, row: &mut Row) -> Result<(String, Option<LabelSchema>)> {
    let id = row.text(0)?;
    let fields = serde_json::from_str(&row.text(6)?).ok();
    let input = fields.and_then(|fields| input_of_parts(&row.text(5).ok()?, &fields));
    let (Some(kind), Some(input)) = (LabelKind::parse(&row.text(2)?), input) else { return Ok((id, None)) };
    let schema = LabelSchema {
        id: id.clone(),
        experiment,
        name: row.text(1)?,
        kind,
        input,
        instruction: row.opt_text(3)?,
        has_comment: row.int(4)? != 0,
        is_default: row.int(9)? != 0,
        created_at: Timestamp(row.int(7)?),
        updated_at: Timestamp(row.int(8)?),
    };
    Ok((id, Some(schema)))
}

/// A queue without its reviewers and questions.
fn queue(experiment: ExperimentId, row: &mut Row) -> Result<(String, Option<ReviewQueue>)> {
    let id = row.text(0)?;
    let Some(kind) = QueueKind::parse(&row.text(2)?) else { return Ok((id, None)) };
    let queue = ReviewQueue {
        id: id.clone(),
        experiment,
        name: row.text(1)?,
        kind,
        created_by: row.opt_text(3)?,
        created_at: Timestamp(row.int(4)?),
        updated_at: Timestamp(row.int(5)?),
        users: Vec::new(),
        schemas: Vec::new(),
    };
    Ok((id, Some(queue)))
}

fn item(queue: &str, row: &mut Row) -> Result<(String, Option<ReviewItem>)> {
    let id = row.text(0)?;
    let is_trace = row.text(1)? == "trace";
    let (Ok(trace), Some(status)) = (TraceId::parse(&id), ReviewStatus::parse(&row.text(2)?)) else {
        return Ok((id, None));
    };
    let item = ReviewItem {
        queue: queue.to_owned(),
        trace,
        status,
        completed_by: row.opt_text(3)?,
        completed_at: row.opt_int(4)?.map(Timestamp),
        created_at: Timestamp(row.int(5)?),
        updated_at: Timestamp(row.int(6)?),
    };
    Ok((id, Some(item).filter(|_| is_trace)))
}
