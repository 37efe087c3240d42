use std::collections::HashMap;

use stele_domain::Result;
use stele_domain::authz::Visibility;
use stele_domain::record::{Experiment, Tag};
use stele_domain::search::{Attribute, ExperimentSearch, Field, Page, Predicate};

use super::builder::Sql;
use super::predicate::{self, Attributed, Column, KeyedTable};
use super::{no_attribute, no_field, order_by, presence_condition};
use crate::Tx;
use crate::engine::{EngineKind, list, params};
use crate::experiment::{COLUMNS, experiment};

const TAGS: KeyedTable = KeyedTable { name: "experiment_tag", owner: "experiment_id", is: "experiment.id" };

impl Tx<'_> {
    pub fn experiments_search(&mut self, visible: &Visibility, search: &ExperimentSearch) -> Result<Page<Experiment>> {
        super::check_bounds(&search.query)?;
        let (sql, values) = statement(self.engine(), visible, search)?.finish();
        let found = self.query(&sql, &values, experiment)?;
        Page::of(found, search.query.window).try_map(|experiments| self.experiments_add_tags(experiments))
    }

    fn experiments_add_tags(&mut self, mut experiments: Vec<Experiment>) -> Result<Vec<Experiment>> {
        let sql = format!(
            "SELECT experiment_id, key, value FROM experiment_tag WHERE experiment_id {} ORDER BY experiment_id, key",
            self.is_one_of_ints(1)
        );
        let ids = list(experiments.iter().map(|experiment| experiment.id.0));
        let mut tags: HashMap<i64, Vec<Tag>> = HashMap::new();
        for (experiment, tag) in
            self.query(&sql, params![ids], |row| Ok((row.int(0)?, Tag { key: row.text(1)?, value: row.text(2)? })))?
        {
            tags.entry(experiment).or_default().push(tag);
        }
        for experiment in &mut experiments {
            experiment.tags = tags.remove(&experiment.id.0).unwrap_or_default();
        }
        Ok(experiments)
    }
}

pub(super) fn statement<'s>(engine: EngineKind, visible: &Visibility, search: &'s ExperimentSearch) -> Result<Sql<'s>> {
    let query = &search.query;
    let mut sql = Sql::new(engine);
    sql.push("SELECT ").push(COLUMNS).push(" FROM experiment WHERE workspace_id = ").bind(visible.workspace());
    sql.push(" AND ").push(presence_condition(search.presences)).push(" AND ");
    sql.experiment_seen(visible, "id");
    sql.filter(&query.filter, test)?;
    sql.push(" ORDER BY ");
    order_by(&mut sql, query, "experiments", column)?;
    // Of those made in one millisecond, the one made last comes first.
    sql.push(if query.order_by.is_empty() { "created_at DESC, id DESC" } else { "id DESC" }).window(query.window);
    Ok(sql)
}

fn test<'v>(sql: &mut Sql<'v>, field: &'v Field, predicate: &'v Predicate) -> Result<()> {
    match field {
        Field::Attribute(attribute) => column(*attribute)?.test(sql, predicate),
        Field::Tag(key) => predicate::keyed_text(sql, TAGS, key, predicate),
        Field::Document(path) => predicate::document(sql, "facets", path, predicate),
        Field::Metric(_) | Field::MetricOnDataset { .. } | Field::Param(_) | Field::Dataset(_) | Field::Trace(_) => {
            Err(no_field("experiments", field))
        }
    }
}

fn column(attribute: Attribute) -> Result<Attributed> {
    Ok(match attribute {
        Attribute::Id | Attribute::ExperimentId => Attributed::Integer(Column::required("id")),
        Attribute::Name => Attributed::Text(Column::required("name")),
        Attribute::ArtifactUri => Attributed::Text(Column::required("artifact_location")),
        Attribute::CreatedAt => Attributed::Integer(Column::required("created_at")),
        Attribute::UpdatedAt => Attributed::Integer(Column::required("updated_at")),
        Attribute::Status
        | Attribute::User
        | Attribute::UpdatedBy
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
        | Attribute::Approval => return Err(no_attribute("experiments", attribute)),
    })
}
