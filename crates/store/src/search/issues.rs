use stele_domain::Result;
use stele_domain::authz::Visibility;
use stele_domain::review::{Issue, IssueSearch};
use stele_domain::search::{Attribute, Field, Page, Predicate};

use super::builder::Sql;
use super::predicate::{Attributed, Column};
use super::{no_attribute, no_field};
use crate::Tx;
use crate::engine::EngineKind;
use crate::review::{COLUMNS, issue};

/// Where the number of traces stands after [`COLUMNS`].
const TRACES: usize = 12;

impl Tx<'_> {
    /// The worst first; with the number of traces that show each, when the search asks for it.
    pub fn issues_search(&mut self, visible: &Visibility, search: &IssueSearch) -> Result<Page<(Issue, Option<i64>)>> {
        super::check_bounds(&search.query)?;
        let (sql, values) = statement(self.engine(), visible, search)?.finish();
        let found = self.query(&sql, &values, |row| {
            let traces = if search.with_traces { Some(row.int(TRACES)?) } else { None };
            Ok((issue(row)?, traces))
        })?;
        Ok(Page::of(found, search.query.window))
    }
}

fn statement<'s>(engine: EngineKind, visible: &Visibility, search: &'s IssueSearch) -> Result<Sql<'s>> {
    let mut sql = Sql::new(engine);
    sql.push("SELECT ").push(COLUMNS);
    if search.with_traces {
        sql.push(", (SELECT COUNT(DISTINCT assessment.trace_id) FROM assessment");
        sql.push(" WHERE assessment.experiment_id = issue.experiment_id AND assessment.kind = 'issue' AND ");
        sql.indexed("assessment.name").push(" = issue.public_id) AS traces");
    }
    sql.push(" FROM issue JOIN experiment ON experiment.id = issue.experiment_id AND experiment.workspace_id = ");
    sql.bind(visible.workspace()).push(" WHERE ");
    sql.experiment_seen(visible, "issue.experiment_id");
    if let Some(experiment) = search.experiment {
        sql.push("issue.experiment_id = ").bind(experiment).push(" AND ");
    }
    sql.filter(&search.query.filter, test)?;
    sql.push(" ORDER BY issue.severity DESC, ");
    if search.with_traces {
        sql.push("traces DESC, ");
    }
    sql.push("issue.created_at DESC, issue.public_id DESC").window(search.query.window);
    Ok(sql)
}

fn test<'v>(sql: &mut Sql<'v>, field: &'v Field, predicate: &'v Predicate) -> Result<()> {
    match field {
        Field::Attribute(Attribute::Status) => Attributed::Text(Column::required("issue.status")).test(sql, predicate),
        Field::Attribute(Attribute::RunId) => {
            Attributed::Text(Column::optional("issue.source_run")).test(sql, predicate)
        }
        Field::Attribute(other) => Err(no_attribute("issues", *other)),
        other => Err(no_field("issues", other)),
    }
}
