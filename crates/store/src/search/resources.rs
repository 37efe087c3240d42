use stele_domain::Result;
use stele_domain::authz::Visibility;
use stele_domain::id::ResourceRow;
use stele_domain::resource::Resource;
use stele_domain::search::{Attribute, Field, Page, Predicate, ResourceSearch};

use super::builder::Sql;
use super::predicate::{self, Attributed, Column, KeyedTable};
use super::{no_attribute, no_field};
use crate::Tx;
use crate::engine::EngineKind;

const TAGS: KeyedTable = KeyedTable { name: "resource_tag", owner: "resource_id", is: "resource.id" };

impl Tx<'_> {
    pub fn resources_search(&mut self, visible: &Visibility, search: &ResourceSearch) -> Result<Page<Resource>> {
        super::check_bounds(&search.query)?;
        let (sql, values) = statement(self.engine(), visible, search)?.finish();
        let rows = self.query(&sql, &values, |row| row.int(0).map(ResourceRow))?;
        Page::of(rows, search.query.window).try_map(|rows| self.resources_by_rows(&rows))
    }
}

fn statement<'s>(engine: EngineKind, visible: &Visibility, search: &'s ResourceSearch) -> Result<Sql<'s>> {
    let mut sql = Sql::new(engine);
    sql.push("SELECT resource.id FROM resource LEFT JOIN experiment ON experiment.id = resource.experiment_id");
    sql.push(" WHERE resource.workspace_id = ").bind(visible.workspace()).push(" AND resource.kind = ");
    sql.bind(&search.kind).push(" AND ");
    // What is in no experiment is in the workspace, which they do not see who see only parts of it.
    sql.experiment_seen(visible, "resource.experiment_id");
    sql.filter(&search.query.filter, test)?;
    sql.push(" ORDER BY ");
    for order in &search.query.order_by {
        match &order.field {
            Field::Attribute(attribute) => column(*attribute)?.order(&mut sql, order.direction),
            Field::Document(path) => predicate::document_order(&mut sql, "resource.document", path, order.direction),
            other => return Err(no_field("resources", other)),
        }
        sql.push(", ");
    }
    let direction = search.query.order_by.first().map_or(stele_domain::search::Direction::Ascending, |o| o.direction);
    sql.push("resource.id").direction(direction).window(search.query.window);
    Ok(sql)
}

fn test<'v>(sql: &mut Sql<'v>, field: &'v Field, predicate: &'v Predicate) -> Result<()> {
    match field {
        Field::Attribute(attribute) => column(*attribute)?.test(sql, predicate),
        Field::Tag(key) => predicate::keyed_text(sql, TAGS, key, predicate),
        Field::Document(path) => predicate::document(sql, "resource.document", path, predicate),
        Field::Metric(_) | Field::MetricOnDataset { .. } | Field::Param(_) | Field::Dataset(_) | Field::Trace(_) => {
            Err(no_field("resources", field))
        }
    }
}

fn column(attribute: Attribute) -> Result<Attributed> {
    Ok(match attribute {
        Attribute::Id => Attributed::Text(Column::required("resource.public_id")),
        Attribute::Name => Attributed::Text(Column::required("resource.name")),
        Attribute::ExperimentId => Attributed::Text(Column::optional("experiment.name")),
        Attribute::VersionNumber => Attributed::Integer(Column::required("resource.version")),
        Attribute::CreatedAt => Attributed::Integer(Column::required("resource.created_at")),
        Attribute::UpdatedAt => Attributed::Integer(Column::required("resource.updated_at")),
        other => return Err(no_attribute("resources", other)),
    })
}
