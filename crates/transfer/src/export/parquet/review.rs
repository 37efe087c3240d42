use std::path::Path;

use stele_app::{ExportedIssue, ExportedItem, ExportedLabelSchema, ExportedReviewQueue};
use stele_domain::Result;
use stele_domain::review::{Issue, LabelSchema, ReviewItem, ReviewQueue, Severity};

use super::table::{Cell, Kind, Table};
use super::{Exported, Record, finish, optional, text, time};
use crate::review::input_parts;
use crate::traces::spaced;

const ISSUES: &[(&str, Kind)] = &[
    ("issue_id", Kind::Text),
    ("experiment_id", Kind::Int),
    ("name", Kind::Text),
    ("description", Kind::Text),
    ("status", Kind::Text),
    ("severity", Kind::Text),
    ("root_causes", Kind::Text),
    ("categories", Kind::Text),
    ("source_run_id", Kind::Text),
    ("created_by", Kind::Text),
    ("creation_time", Kind::Time),
    ("last_update_time", Kind::Time),
];

const LABEL_SCHEMAS: &[(&str, Kind)] = &[
    ("schema_id", Kind::Text),
    ("experiment_id", Kind::Int),
    ("name", Kind::Text),
    ("type", Kind::Text),
    ("input_type", Kind::Text),
    ("input", Kind::Text),
    ("instruction", Kind::Text),
    ("enable_comment", Kind::Bool),
    ("is_default", Kind::Bool),
    ("creation_time", Kind::Time),
    ("last_update_time", Kind::Time),
];

const QUEUES: &[(&str, Kind)] = &[
    ("queue_id", Kind::Text),
    ("experiment_id", Kind::Int),
    ("name", Kind::Text),
    ("type", Kind::Text),
    ("created_by", Kind::Text),
    ("users", Kind::Text),
    ("schema_ids", Kind::Text),
    ("creation_time", Kind::Time),
    ("last_update_time", Kind::Time),
];

const ITEMS: &[(&str, Kind)] = &[
    ("queue_id", Kind::Text),
    ("trace_id", Kind::Text),
    ("status", Kind::Text),
    ("completed_by", Kind::Text),
    ("completed_time", Kind::Time),
    ("creation_time", Kind::Time),
    ("last_update_time", Kind::Time),
];

/// Issues, questions for reviewers, and queues of traces.
pub(super) async fn reviews(record: &Record<'_>, folder: &Path) -> Result<Vec<Exported>> {
    let mut issues = Table::create(folder, "issues", ISSUES)?;
    let mut page = record.issues(None).await?;
    while !page.is_empty() {
        page.iter().try_for_each(|ExportedIssue { row: _, issue }| issues.push(issue_row(issue)))?;
        page = record.issues(page.last()).await?;
    }
    let mut schemas = Table::create(folder, "label_schemas", LABEL_SCHEMAS)?;
    let mut page = record.label_schemas(None).await?;
    while !page.is_empty() {
        page.iter().try_for_each(|ExportedLabelSchema { row: _, schema }| schemas.push(schema_row(schema)))?;
        page = record.label_schemas(page.last()).await?;
    }
    let mut queues = Table::create(folder, "review_queues", QUEUES)?;
    let mut items = Table::create(folder, "review_queue_items", ITEMS)?;
    let mut page = record.review_queues(None).await?;
    while !page.is_empty() {
        for ExportedReviewQueue { row, queue } in &page {
            queues.push(queue_row(queue))?;
            let mut own = record.review_items(*row, None).await?;
            while !own.is_empty() {
                own.iter().try_for_each(|ExportedItem { row: _, item }| items.push(item_row(item)))?;
                own = record.review_items(*row, own.last()).await?;
            }
        }
        page = record.review_queues(page.last()).await?;
    }
    finish([issues, schemas, queues, items])
}

fn issue_row(issue: &Issue) -> [Cell; ISSUES.len()] {
    let Issue {
        id,
        experiment,
        name,
        description,
        status,
        severity,
        root_causes,
        categories,
        source_run,
        created_by,
        created_at,
        updated_at,
    } = issue;
    [
        text(id),
        Cell::Int(experiment.0),
        text(name),
        text(description),
        text(status.as_str()),
        severity.map(Severity::as_str).map_or(Cell::Null, text),
        texts(root_causes),
        texts(categories),
        optional(source_run.as_ref().map(|run| &run.0)),
        optional(created_by.as_ref()),
        time(Some(*created_at)),
        time(Some(*updated_at)),
    ]
}

fn schema_row(schema: &LabelSchema) -> [Cell; LABEL_SCHEMAS.len()] {
    let LabelSchema { id, experiment, name, kind, input, instruction, has_comment, is_default, created_at, updated_at } =
        schema;
    let (input_type, input) = input_parts(input);
    [
        text(id),
        Cell::Int(experiment.0),
        text(name),
        text(kind.as_str()),
        text(input_type),
        Cell::Text(spaced(&input)),
        optional(instruction.as_ref()),
        Cell::Bool(*has_comment),
        Cell::Bool(*is_default),
        time(Some(*created_at)),
        time(Some(*updated_at)),
    ]
}

fn queue_row(queue: &ReviewQueue) -> [Cell; QUEUES.len()] {
    let ReviewQueue { id, experiment, name, kind, created_by, created_at, updated_at, users, schemas } = queue;
    [
        text(id),
        Cell::Int(experiment.0),
        text(name),
        text(kind.as_str()),
        optional(created_by.as_ref()),
        texts(users),
        texts(schemas),
        time(Some(*created_at)),
        time(Some(*updated_at)),
    ]
}

fn item_row(item: &ReviewItem) -> [Cell; ITEMS.len()] {
    let ReviewItem { queue, trace, status, completed_by, completed_at, created_at, updated_at } = item;
    [
        text(queue),
        text(trace.as_str()),
        text(status.as_str()),
        optional(completed_by.as_ref()),
        time(*completed_at),
        time(Some(*created_at)),
        time(Some(*updated_at)),
    ]
}

/// A list as the text of a JSON document.
fn texts(texts: &[String]) -> Cell {
    Cell::Text(spaced(&texts.into()))
}
