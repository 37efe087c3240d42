use stele_domain::Result;
use stele_domain::authz::Visibility;
use stele_domain::id::ModelVersionRow;
use stele_domain::registry::ModelVersion;
use stele_domain::search::{Attribute, Field, Page, Predicate, Query};

use super::builder::Sql;
use super::predicate::{self, Attributed, Column, KeyedTable};
use super::{is_by, no_attribute, no_field, order_by};
use crate::Tx;
use crate::engine::EngineKind;

const TAGS: KeyedTable = KeyedTable { name: "model_version_tag", owner: "model_version_id", is: "version.id" };

impl Tx<'_> {
    pub fn model_versions_search(&mut self, visible: &Visibility, query: &Query) -> Result<Page<ModelVersion>> {
        super::check_bounds(query)?;
        let (sql, values) = statement(self.engine(), visible, query)?.finish();
        let rows = self.query(&sql, &values, |row| row.int(0).map(ModelVersionRow))?;
        Page::of(rows, query.window).try_map(|rows| self.model_versions_by_rows(&rows))
    }
}

/// Selects row ids, last changed first unless ordered otherwise; then by model and number, greatest first.
pub(super) fn statement<'s>(engine: EngineKind, visible: &Visibility, query: &'s Query) -> Result<Sql<'s>> {
    let mut sql = Sql::new(engine);
    sql.push("SELECT version.id FROM model_version AS version JOIN model ON model.id = version.model_id");
    sql.push(" WHERE model.workspace_id = ").bind(visible.workspace()).push(" AND ");
    sql.model_seen(visible, "model.name");
    sql.filter(&query.filter, test)?;
    sql.push(" ORDER BY ");
    order_by(&mut sql, query, "model versions", column)?;
    if query.order_by.is_empty() {
        sql.push("version.updated_at DESC, ");
    }
    if !is_by(query, Attribute::Name) {
        sql.push("model.name, ");
    }
    sql.push("version.number DESC").window(query.window);
    Ok(sql)
}

fn test<'v>(sql: &mut Sql<'v>, field: &'v Field, predicate: &'v Predicate) -> Result<()> {
    match (field, predicate) {
        (Field::Attribute(Attribute::RunId), Predicate::IsNull | Predicate::IsNotNull) => {
            Attributed::Text(Column::optional("version.run")).test(sql, predicate)
        }
        (Field::Attribute(attribute), _) => column(*attribute)?.test(sql, predicate),
        (Field::Tag(key), _) => predicate::keyed_text(sql, TAGS, key, predicate),
        (Field::Document(path), _) => predicate::document(sql, "version.facets", path, predicate),
        (
            Field::Metric(_) | Field::MetricOnDataset { .. } | Field::Param(_) | Field::Dataset(_) | Field::Trace(_),
            _,
        ) => Err(no_field("model versions", field)),
    }
}

fn column(attribute: Attribute) -> Result<Attributed> {
    Ok(match attribute {
        Attribute::Name => Attributed::Text(Column::required("model.name")),
        Attribute::VersionNumber => Attributed::Integer(Column::required("version.number")),
        // A version without a run is one of no run, which differs from every other.
        Attribute::RunId => Attributed::Text(Column::required("COALESCE(version.run, '')")),
        Attribute::Source => Attributed::Text(Column::required("version.source")),
        Attribute::Stage => Attributed::Text(Column::required("version.stage")),
        Attribute::Approval => Attributed::Text(Column::required("version.approval")),
        Attribute::User => Attributed::Text(Column::optional("version.user_name")),
        Attribute::Description => Attributed::Text(Column::optional("version.description")),
        Attribute::ArtifactUri => Attributed::Text(Column::required("version.storage_uri")),
        Attribute::CreatedAt => Attributed::Integer(Column::required("version.created_at")),
        Attribute::UpdatedAt => Attributed::Integer(Column::required("version.updated_at")),
        Attribute::Id
        | Attribute::ExperimentId
        | Attribute::Status
        | Attribute::Presence
        | Attribute::UpdatedBy
        | Attribute::StartTime
        | Attribute::EndTime
        | Attribute::ModelType
        | Attribute::Alias
        | Attribute::Trial => return Err(no_attribute("model versions", attribute)),
    })
}
