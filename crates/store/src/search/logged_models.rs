use stele_domain::Result;
use stele_domain::authz::Visibility;
use stele_domain::id::{ArtifactRow, ExperimentId};
use stele_domain::record::LoggedModel;
use stele_domain::search::{Attribute, Direction, Field, LoggedModelSearch, Page, Predicate};

use super::builder::Sql;
use super::predicate::{self, Attributed, Column, KeyedTable};
use super::{is_by, no_attribute, no_field};
use crate::Tx;
use crate::engine::EngineKind;

const TAGS: KeyedTable = KeyedTable { name: "logged_model_tag", owner: "logged_model_id", is: "logged_model.id" };
const PARAMS: KeyedTable = KeyedTable { name: "logged_model_param", owner: "logged_model_id", is: "logged_model.id" };
const METRICS: KeyedTable = KeyedTable { name: "logged_model_metric", owner: "logged_model_id", is: "logged_model.id" };

impl Tx<'_> {
    pub fn logged_models_search(
        &mut self,
        visible: &Visibility,
        search: &LoggedModelSearch,
    ) -> Result<Page<LoggedModel>> {
        super::check_bounds(&search.query)?;
        let experiments = visible.among(&search.experiments);
        if experiments.is_empty() {
            return Ok(Page::empty());
        }
        let (sql, values) = statement(self.engine(), visible, search, &experiments)?.finish();
        let rows = self.query(&sql, &values, |row| row.int(0).map(ArtifactRow))?;
        Page::of(rows, search.query.window).try_map(|rows| self.logged_models_by_rows(&rows))
    }
}

pub(super) fn statement<'s>(
    engine: EngineKind,
    visible: &Visibility,
    search: &'s LoggedModelSearch,
    experiments: &[ExperimentId],
) -> Result<Sql<'s>> {
    let query = &search.query;
    let mut sql = Sql::new(engine);
    sql.push("SELECT logged_model.id FROM logged_model WHERE logged_model.workspace_id = ").bind(visible.workspace());
    sql.push(" AND logged_model.experiment_id ");
    sql.is_one_of_ints(experiments.iter().map(|experiment| experiment.0));
    sql.push(" AND logged_model.presence = 'active' AND ");
    if !search.measured_on.is_empty() {
        measured_on(&mut sql, search);
    }
    sql.filter(&query.filter, test)?;
    sql.push(" ORDER BY ");
    for order in &query.order_by {
        match &order.field {
            Field::Attribute(Attribute::Status) => {
                sql.push(STATUS_RANK).direction(order.direction);
            }
            Field::Attribute(attribute) => column(*attribute)?.order(&mut sql, order.direction),
            Field::Metric(key) => by_metric(&mut sql, key, None, order.direction),
            Field::MetricOnDataset { key, dataset_name, dataset_digest } => {
                by_metric(&mut sql, key, Some((dataset_name.as_deref(), dataset_digest.as_deref())), order.direction);
            }
            Field::Param(_) | Field::Tag(_) | Field::Dataset(_) | Field::Document(_) | Field::Trace(_) => {
                return Err(no_field("logged models", &order.field));
            }
        }
        sql.push(", ");
    }
    if !is_by(query, Attribute::CreatedAt) {
        sql.push("logged_model.created_at DESC, ");
    }
    // Of those made in one millisecond, the one made last comes first.
    sql.push("logged_model.id DESC").window(query.window);
    Ok(sql)
}

/// Statuses sort in the order that a model goes through them.
const STATUS_RANK: &str =
    "CASE logged_model.status WHEN 'unspecified' THEN 0 WHEN 'pending' THEN 1 WHEN 'ready' THEN 2 ELSE 3 END";

fn measured_on<'v>(sql: &mut Sql<'v>, search: &'v LoggedModelSearch) {
    sql.push("EXISTS (SELECT 1 FROM logged_model_metric AS item WHERE item.logged_model_id = logged_model.id AND (");
    for (index, dataset) in search.measured_on.iter().enumerate() {
        sql.push(if index == 0 { "(" } else { " OR (" });
        on_dataset(sql, Some(&dataset.name), dataset.digest.as_deref());
        sql.push(")");
    }
    sql.push(")) AND ");
}

fn on_dataset<'v>(sql: &mut Sql<'v>, name: Option<&'v str>, digest: Option<&'v str>) {
    sql.push("item.dataset_name IS NOT NULL");
    for (column, value) in [("item.dataset_name", name), ("item.dataset_digest", digest)] {
        if let Some(value) = value {
            sql.push(" AND ").push(column).push(" = ").bind(value);
        }
    }
}

/// Sorts by the newest value of a metric, of one dataset if one is given.
fn by_metric<'v>(
    sql: &mut Sql<'v>,
    key: &'v str,
    dataset: Option<(Option<&'v str>, Option<&'v str>)>,
    direction: Direction,
) {
    for (column, direction) in [("item.is_nan", Direction::Ascending), ("item.value", direction)] {
        if column == "item.value" {
            sql.push(", ");
        }
        sql.push("(SELECT ").push(column).push(" FROM logged_model_metric AS item");
        sql.push(" WHERE item.logged_model_id = logged_model.id AND item.key = ").bind(key);
        if let Some((name, digest)) = dataset {
            sql.push(" AND ");
            on_dataset(sql, name, digest);
        }
        sql.push(" ORDER BY item.timestamp DESC, item.step DESC, item.run_id LIMIT 1)");
        sql.direction(direction).push(" NULLS LAST");
    }
}

/// A metric matches with any of its points.
fn test<'v>(sql: &mut Sql<'v>, field: &'v Field, predicate: &'v Predicate) -> Result<()> {
    match field {
        Field::Attribute(attribute) => column(*attribute)?.test(sql, predicate),
        Field::Metric(key) => predicate::keyed_number(sql, METRICS, key, predicate),
        Field::MetricOnDataset { .. } if matches!(predicate, Predicate::IsNull | Predicate::IsNotNull) => {
            Err(no_field("logged models", field))
        }
        Field::MetricOnDataset { key, dataset_name, dataset_digest } => {
            predicate::keyed(sql, METRICS, key, predicate, |sql| {
                on_dataset(sql, dataset_name.as_deref(), dataset_digest.as_deref());
                sql.push(" AND ");
                predicate::number(sql, "item.is_nan", "item.value", predicate)
            })
        }
        Field::Param(key) => predicate::keyed_text(sql, PARAMS, key, predicate),
        Field::Tag(key) => predicate::keyed_text(sql, TAGS, key, predicate),
        Field::Dataset(_) | Field::Document(_) | Field::Trace(_) => Err(no_field("logged models", field)),
    }
}

fn column(attribute: Attribute) -> Result<Attributed> {
    Ok(match attribute {
        Attribute::Id => Attributed::Text(Column::required("logged_model.public_id")),
        Attribute::Name => Attributed::Text(Column::required("logged_model.name")),
        Attribute::ExperimentId => Attributed::Integer(Column::required("logged_model.experiment_id")),
        Attribute::Status => Attributed::Text(Column::required("logged_model.status")),
        Attribute::ModelType => Attributed::Text(Column::required("COALESCE(logged_model.model_type, '')")),
        Attribute::RunId => Attributed::Text(Column::optional("logged_model.source_run")),
        Attribute::ArtifactUri => Attributed::Text(Column::required("logged_model.artifact_uri")),
        Attribute::Presence => Attributed::Text(Column::required("logged_model.presence")),
        Attribute::CreatedAt => Attributed::Integer(Column::required("logged_model.created_at")),
        Attribute::UpdatedAt => Attributed::Integer(Column::required("logged_model.updated_at")),
        Attribute::User
        | Attribute::UpdatedBy
        | Attribute::StartTime
        | Attribute::EndTime
        | Attribute::VersionNumber
        | Attribute::Source
        | Attribute::Stage
        | Attribute::Description
        | Attribute::Alias
        | Attribute::Trial
        | Attribute::Approval => return Err(no_attribute("logged models", attribute)),
    })
}
