//! Searching runs: what filters and orders mean in SQL. How the engine walks to the page is in `run_plan`.

use stele_domain::Result;
use stele_domain::authz::Visibility;
use stele_domain::record::{Run, RunInfo};
use stele_domain::search::{Attribute, DatasetField, Field, Order, Page, Predicate, RunSearch};

use super::builder::Sql;
use super::predicate::{self, ANY, Attributed, Column, IS_NONE, IS_SOME, KeyedTable};
use super::run_plan;
use crate::Tx;

pub(super) const TAGS: KeyedTable = KeyedTable { name: "run_tag", owner: "run_id", is: "run.id" };
pub(super) const PARAMS: KeyedTable = KeyedTable { name: "run_param", owner: "run_id", is: "run.id" };
pub(super) const SERIES: KeyedTable = KeyedTable { name: "series", owner: "run_id", is: "run.id" };

/// The tag of a dataset input that says what the data was for.
const CONTEXT_TAG: &str = "mlflow.data.context";

impl Tx<'_> {
    /// A page of runs with everything that belongs to them.
    pub fn runs_search(&mut self, visible: &Visibility, search: &RunSearch) -> Result<Page<Run>> {
        self.run_infos_search(visible, search)?.try_map(|infos| self.runs_complete(infos))
    }

    /// A page of runs, only their own columns.
    pub fn run_infos_search(&mut self, visible: &Visibility, search: &RunSearch) -> Result<Page<RunInfo>> {
        super::check_bounds(&search.query)?;
        run_plan::search(self, visible, search)
    }
}

/// Writes one predicate on a run.
pub(super) fn test<'v>(sql: &mut Sql<'v>, field: &'v Field, predicate: &'v Predicate) -> Result<()> {
    match field {
        // A test must not make SQLite prefer an index that has the runs in another order than the one wanted.
        Field::Attribute(Attribute::User) => {
            Attributed::Text(Column::required("(run.user_name || '')")).test(sql, predicate)
        }
        Field::Attribute(Attribute::EndTime) => {
            Attributed::Integer(Column::optional("(run.ended_at + 0)")).test(sql, predicate)
        }
        Field::Attribute(Attribute::Trial) => trial(sql, predicate),
        Field::Attribute(attribute) => column(*attribute)?.test(sql, predicate),
        Field::Metric(key) => predicate::keyed_number(sql, SERIES, key, predicate),
        Field::Param(key) => predicate::keyed_text(sql, PARAMS, key, predicate),
        Field::Tag(key) => predicate::keyed_text(sql, TAGS, key, predicate),
        Field::Dataset(field) => dataset(sql, *field, predicate),
        Field::Document(path) => predicate::document(sql, "run.facets", path, predicate),
        Field::MetricOnDataset { .. } | Field::Trace(_) => Err(super::no_field("runs", field)),
    }
}

/// Whether the run is in a trial whose name fulfils the predicate, or for `IsNull` whether it is in none.
fn trial<'v>(sql: &mut Sql<'v>, predicate: &'v Predicate) -> Result<()> {
    sql.push(ANY).push("trial_run JOIN resource ON resource.id = trial_run.trial_id WHERE trial_run.run_id = run.id");
    if !matches!(predicate, Predicate::IsNull | Predicate::IsNotNull) {
        sql.push(" AND ");
        predicate::text(sql, Column::required("resource.name"), predicate)?;
    }
    sql.push(if *predicate == Predicate::IsNull { IS_NONE } else { IS_SOME });
    Ok(())
}

/// Whether the run read a dataset that fulfils the predicate, or for `IsNull` whether it read none.
fn dataset<'v>(sql: &mut Sql<'v>, field: DatasetField, predicate: &'v Predicate) -> Result<()> {
    sql.push(ANY).push("edge");
    let value = match field {
        DatasetField::Name => {
            sql.push(" JOIN dataset ON dataset.id = edge.source_id");
            "dataset.name"
        }
        DatasetField::Digest => {
            sql.push(" JOIN dataset ON dataset.id = edge.source_id");
            "dataset.digest"
        }
        DatasetField::Context => {
            sql.push(" JOIN edge_tag ON edge_tag.edge_id = edge.id AND edge_tag.key = ").bind(CONTEXT_TAG);
            "edge_tag.value"
        }
    };
    sql.push(" WHERE edge.target_kind = 'run' AND edge.target_id = run.id AND edge.kind = 'consumed'");
    sql.push(" AND edge.source_kind = 'artifact_version'");
    if !matches!(predicate, Predicate::IsNull | Predicate::IsNotNull) {
        sql.push(" AND ");
        predicate::text(sql, Column::required(value), predicate)?;
    }
    sql.push(if *predicate == Predicate::IsNull { IS_NONE } else { IS_SOME });
    Ok(())
}

pub(super) fn column(attribute: Attribute) -> Result<Attributed> {
    Ok(match attribute {
        Attribute::Id => Attributed::Text(Column::required("run.public_id")),
        Attribute::Name => Attributed::Text(Column::required("run.name")),
        Attribute::Alias => Attributed::Text(Column::required(
            "COALESCE((SELECT run_alias.name FROM run_alias WHERE run_alias.run_id = run.id), run.public_id)",
        )),
        Attribute::ExperimentId => Attributed::Integer(Column::required("run.experiment_id")),
        Attribute::Status => Attributed::Text(Column::required("run.status")),
        Attribute::User => Attributed::Text(Column::required("run.user_name")),
        Attribute::ArtifactUri => Attributed::Text(Column::required("run.artifact_uri")),
        Attribute::StartTime => Attributed::Integer(Column::optional("run.started_at")),
        Attribute::EndTime => Attributed::Integer(Column::optional("run.ended_at")),
        Attribute::CreatedAt => Attributed::Integer(Column::required("run.created_at")),
        Attribute::UpdatedAt
        | Attribute::VersionNumber
        | Attribute::RunId
        | Attribute::Presence
        | Attribute::UpdatedBy
        | Attribute::Source
        | Attribute::Stage
        | Attribute::ModelType
        | Attribute::Description
        | Attribute::Trial
        | Attribute::Approval => {
            return Err(super::no_attribute("runs", attribute));
        }
    })
}

/// Statuses sort by how the run went, since their order as text would mean nothing: failed, finished, stopped,
/// under way, waiting. The index `run_by_status` is over this text.
pub(super) const STATUS_RANK: &str = "CAST(CASE run.status WHEN 'failed' THEN 1 WHEN 'completed' THEN 2 \
     WHEN 'cached' THEN 2 WHEN 'skipped' THEN 2 WHEN 'stopped' THEN 3 WHEN 'scheduled' THEN 5 WHEN 'queued' THEN 5 \
     ELSE 4 END AS BIGINT)";

/// The ranks that there are.
pub(super) const RANKS: std::ops::RangeInclusive<i64> = 1..=5;

/// What [`STATUS_RANK`] gives for the text of a status.
pub(super) fn status_rank(status: &str) -> i64 {
    match status {
        "failed" => 1,
        "completed" | "cached" | "skipped" => 2,
        "stopped" => 3,
        "scheduled" | "queued" => 5,
        _ => 4,
    }
}

/// Joins the value of a keyed order clause to each run, as the alias of its index.
pub(super) fn order_join<'v>(sql: &mut Sql<'v>, index: usize, order: &'v Order) {
    let (table, key) = match &order.field {
        Field::Metric(key) => (SERIES, key),
        Field::Param(key) => (PARAMS, key),
        Field::Tag(key) => (TAGS, key),
        Field::Attribute(_)
        | Field::Document(_)
        | Field::Trace(_)
        | Field::Dataset(_)
        | Field::MetricOnDataset { .. } => return,
    };
    sql.push(" LEFT JOIN ").push(table.name).push(" AS ").alias(index).push(" ON ").alias(index);
    sql.push(".run_id = run.id AND ").alias(index).push(".key = ").bind(key);
}
