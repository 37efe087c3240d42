use stele_domain::Result;
use stele_domain::authz::{Place, Visibility};
use stele_domain::evaluation::EvaluationDataset;
use stele_domain::search::{Attribute, EvaluationDatasetSearch, Field, Page, Predicate};

use super::builder::Sql;
use super::predicate::{self, Attributed, Column, KeyedTable};
use super::{no_attribute, no_field, order_by};
use crate::Tx;
use crate::engine::EngineKind;
use crate::evaluation::{COLUMNS, dataset};

const TAGS: KeyedTable =
    KeyedTable { name: "evaluation_dataset_tag", owner: "dataset_id", is: "evaluation_dataset.id" };

impl Tx<'_> {
    pub fn evaluation_datasets_search(
        &mut self,
        visible: &Visibility,
        search: &EvaluationDatasetSearch,
    ) -> Result<Page<EvaluationDataset>> {
        super::check_bounds(&search.query)?;
        if !visible.sees(Place::Workspace) {
            return Ok(Page::empty());
        }
        let (sql, values) = statement(self.engine(), visible, search)?.finish();
        let found = self.query(&sql, &values, dataset)?;
        Page::of(found, search.query.window).try_map(|datasets| self.evaluation_datasets_add_tags(datasets))
    }
}

fn statement<'s>(engine: EngineKind, visible: &Visibility, search: &'s EvaluationDatasetSearch) -> Result<Sql<'s>> {
    let query = &search.query;
    let mut sql = Sql::new(engine);
    sql.push("SELECT ").push(COLUMNS).push(" FROM evaluation_dataset WHERE workspace_id = ").bind(visible.workspace());
    if !search.experiments.is_empty() {
        sql.push(" AND id IN (SELECT dataset_id FROM evaluation_dataset_experiment WHERE experiment ");
        sql.is_one_of_texts(&search.experiments).push(")");
    }
    sql.push(" AND ");
    sql.filter(&query.filter, test)?;
    sql.push(" ORDER BY ");
    order_by(&mut sql, query, "evaluation datasets", column)?;
    sql.push(if query.order_by.is_empty() { "created_at DESC, public_id DESC" } else { "public_id DESC" });
    sql.window(query.window);
    Ok(sql)
}

fn test<'v>(sql: &mut Sql<'v>, field: &'v Field, predicate: &'v Predicate) -> Result<()> {
    match field {
        Field::Attribute(attribute) => column(*attribute)?.test(sql, predicate),
        Field::Tag(key) => predicate::keyed_text(sql, TAGS, key, predicate),
        Field::Metric(_)
        | Field::MetricOnDataset { .. }
        | Field::Param(_)
        | Field::Dataset(_)
        | Field::Document(_)
        | Field::Trace(_) => Err(no_field("evaluation datasets", field)),
    }
}

fn column(attribute: Attribute) -> Result<Attributed> {
    Ok(match attribute {
        Attribute::Id => Attributed::Text(Column::required("public_id")),
        Attribute::Name => Attributed::Text(Column::required("name")),
        Attribute::CreatedAt => Attributed::Integer(Column::required("created_at")),
        Attribute::UpdatedAt => Attributed::Integer(Column::required("updated_at")),
        Attribute::User => Attributed::Text(Column::optional("created_by")),
        Attribute::UpdatedBy => Attributed::Text(Column::optional("updated_by")),
        Attribute::ExperimentId
        | Attribute::Status
        | Attribute::ArtifactUri
        | Attribute::StartTime
        | Attribute::EndTime
        | Attribute::VersionNumber
        | Attribute::RunId
        | Attribute::Source
        | Attribute::Stage
        | Attribute::ModelType
        | Attribute::Description
        | Attribute::Presence
        | Attribute::Alias
        | Attribute::Trial
        | Attribute::Approval => return Err(no_attribute("evaluation datasets", attribute)),
    })
}
