use stele_domain::Result;
use stele_domain::authz::Visibility;
use stele_domain::id::ModelRow;
use stele_domain::registry::Model;
use stele_domain::search::{Attribute, Field, Page, Predicate, Query};

use super::builder::Sql;
use super::predicate::{self, Attributed, Column, KeyedTable};
use super::{is_by, no_attribute, no_field, order_by};
use crate::Tx;
use crate::engine::EngineKind;

const TAGS: KeyedTable = KeyedTable { name: "model_tag", owner: "model_id", is: "model.id" };

impl Tx<'_> {
    pub fn models_search(&mut self, visible: &Visibility, query: &Query) -> Result<Page<Model>> {
        super::check_bounds(query)?;
        let (sql, values) = statement(self.engine(), visible, query)?.finish();
        let rows = self.query(&sql, &values, |row| row.int(0).map(ModelRow))?;
        Page::of(rows, query.window).try_map(|rows| self.models_by_rows(&rows))
    }
}

/// Selects row ids, by name unless ordered otherwise.
pub(super) fn statement<'s>(engine: EngineKind, visible: &Visibility, query: &'s Query) -> Result<Sql<'s>> {
    let mut sql = Sql::new(engine);
    sql.push("SELECT model.id FROM model WHERE model.workspace_id = ").bind(visible.workspace()).push(" AND ");
    sql.model_seen(visible, "model.name");
    sql.filter(&query.filter, test)?;
    sql.push(" ORDER BY ");
    order_by(&mut sql, query, "models", column)?;
    // A name is unique, so nothing after it would matter.
    sql.push(if is_by(query, Attribute::Name) { "model.id" } else { "model.name" }).window(query.window);
    Ok(sql)
}

fn test<'v>(sql: &mut Sql<'v>, field: &'v Field, predicate: &'v Predicate) -> Result<()> {
    match field {
        Field::Attribute(attribute) => column(*attribute)?.test(sql, predicate),
        Field::Tag(key) => predicate::keyed_text(sql, TAGS, key, predicate),
        Field::Document(path) => predicate::document(sql, "model.facets", path, predicate),
        Field::Metric(_) | Field::MetricOnDataset { .. } | Field::Param(_) | Field::Dataset(_) | Field::Trace(_) => {
            Err(no_field("models", field))
        }
    }
}

fn column(attribute: Attribute) -> Result<Attributed> {
    Ok(match attribute {
        Attribute::Name => Attributed::Text(Column::required("model.name")),
        Attribute::Description => Attributed::Text(Column::optional("model.description")),
        Attribute::CreatedAt => Attributed::Integer(Column::required("model.created_at")),
        Attribute::UpdatedAt => Attributed::Integer(Column::required("model.updated_at")),
        Attribute::Id
        | Attribute::ExperimentId
        | Attribute::Status
        | Attribute::User
        | Attribute::UpdatedBy
        | Attribute::ArtifactUri
        | Attribute::StartTime
        | Attribute::EndTime
        | Attribute::VersionNumber
        | Attribute::RunId
        | Attribute::Source
        | Attribute::Stage
        | Attribute::ModelType
        | Attribute::Presence
        | Attribute::Alias
        | Attribute::Trial
        | Attribute::Approval => return Err(no_attribute("models", attribute)),
    })
}
