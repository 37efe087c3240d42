//! Reading an MLflow database: SQLite or PostgreSQL, of MLflow 2.9 or later. All of it is read in one transaction, so
//! that a server may go on writing meanwhile.

mod connection;
mod evaluation;
mod registry;
mod review;
mod runs;
mod schema;
mod traces;

use stele_app::LoadedExperiment;
use stele_app::LoadedLoggedModel;
use stele_domain::id::{ExperimentId, LoggedModelId, RunId, Timestamp};
use stele_domain::record::{Param, Tag};
use stele_domain::{Error, Result};
use tokio::runtime::Handle;

use self::connection::Cell;
pub(crate) use self::connection::Database;
use self::schema::Schema;
use crate::import::{ImportOptions, Item, Sink};
use crate::mlflow::{logged_model_status, presence};

/// How many things come in one part.
const PAGE: usize = 500;

/// Reads all of a database. Blocks.
pub(crate) fn read(database: &Database, options: &ImportOptions, sink: &Sink, runtime: &Handle) -> Result<()> {
    let schema = Schema::of(database)?;
    let reader = Reader {
        database,
        schema,
        workspace: options.workspace.clone().unwrap_or_else(|| "default".to_owned()),
        sink,
        runtime,
    };
    reader.others()?;
    let runs = reader.one_int("SELECT COUNT(*) FROM runs", &[])?;
    reader.send(Item::Total(runs as u64))?;
    let experiments = reader.experiments()?;
    for experiment in &experiments {
        reader.send(Item::Experiment(experiment.clone()))?;
    }
    for experiment in &experiments {
        reader.logged_models(experiment.id)?;
        reader.runs(experiment.id)?;
        reader.traces(experiment.id)?;
        reader.scorers(experiment.id)?;
        reader.reviews(experiment.id)?;
    }
    reader.evaluation_datasets()?;
    reader.models()?;
    reader.webhooks()
}

struct Reader<'r> {
    database: &'r Database,
    schema: Schema,
    workspace: String,
    sink: &'r Sink,
    runtime: &'r Handle,
}

impl Reader<'_> {
    fn send(&self, item: Item) -> Result<()> {
        self.runtime.block_on(self.sink.send(item))
    }

    fn one_int(&self, sql: &str, params: &[Cell]) -> Result<i64> {
        let rows = self.database.query(sql, params)?;
        rows.into_iter().next().map_or(Ok(0), |mut row| row.int(0))
    }

    /// ` AND workspace = ..` for a table that has workspaces, with the value to bind as `$number`.
    fn of_workspace(&self, table: &str, number: usize) -> (String, Vec<Cell>) {
        if self.schema.has(table, "workspace") {
            (format!("workspace = ${number}"), vec![Cell::Text(self.workspace.clone())])
        } else {
            ("1 = 1".to_owned(), Vec::new())
        }
    }

    fn experiments(&self) -> Result<Vec<LoadedExperiment>> {
        let (of_workspace, binds) = self.of_workspace("experiments", 1);
        let sql = format!(
            "SELECT experiment_id, name, artifact_location, lifecycle_stage, {}, {} FROM experiments
             WHERE {of_workspace} ORDER BY experiment_id",
            self.schema.column("experiments", "creation_time"),
            self.schema.column("experiments", "last_update_time"),
        );
        let mut experiments = Vec::new();
        for mut row in self.database.query(&sql, &binds)? {
            let created = row.opt_int(4)?;
            let id = row.int(0)?;
            experiments.push(LoadedExperiment {
                id: ExperimentId(id),
                name: row.text(1)?,
                artifact_location: row.text(2)?,
                presence: presence(&row.text(3)?),
                created_at: Timestamp(created.unwrap_or_default()),
                updated_at: Timestamp(row.opt_int(5)?.or(created).unwrap_or_default()),
                tags: self.tags("SELECT key, value FROM experiment_tags WHERE experiment_id = $1", Cell::Int(id))?,
            });
        }
        if self.schema.has("experiments", "workspace") {
            let others = "SELECT COUNT(*) FROM experiments WHERE workspace <> $1";
            let others = self.one_int(others, &[Cell::Text(self.workspace.clone())])?;
            self.not_taken("experiments of other workspaces", "name another workspace with --workspace", others)?;
            if experiments.is_empty() && others > 0 {
                return Err(Error::invalid(format!("the database has no workspace '{}'", self.workspace)));
            }
        }
        Ok(experiments)
    }

    /// Key and value by the first two columns.
    fn tags(&self, sql: &str, owner: Cell) -> Result<Vec<Tag>> {
        let rows = self.database.query(sql, &[owner])?;
        rows.into_iter().map(|mut row| Ok(Tag { key: row.text(0)?, value: row.text(1)? })).collect()
    }

    fn logged_models(&self, experiment: ExperimentId) -> Result<()> {
        const MODELS: &str =
            "SELECT model_id, name, artifact_location, creation_timestamp_ms, last_updated_timestamp_ms,
                 status, lifecycle_stage, model_type, source_run_id, status_message
             FROM logged_models WHERE experiment_id = $1 ORDER BY creation_timestamp_ms, model_id";
        const TAGS: &str = "SELECT tag_key, tag_value FROM logged_model_tags WHERE model_id = $1";
        const PARAMS: &str = "SELECT param_key, param_value FROM logged_model_params WHERE model_id = $1";
        if !self.schema.has("logged_models", "model_id") {
            return Ok(());
        }
        self.database.pages(MODELS, &[Cell::Int(experiment.0)], PAGE, |rows| {
            let mut models = Vec::with_capacity(rows.len());
            for mut row in rows {
                let id = row.text(0)?;
                let params = self.tags(PARAMS, Cell::Text(id.clone()))?;
                models.push(LoadedLoggedModel {
                    tags: self.tags(TAGS, Cell::Text(id.clone()))?,
                    params: params.into_iter().map(|Tag { key, value }| Param { key, value }).collect(),
                    id: LoggedModelId(id),
                    name: row.text(1)?,
                    artifact_uri: row.text(2)?,
                    created_at: Timestamp(row.int(3)?),
                    updated_at: Timestamp(row.int(4)?),
                    status: logged_model_status(row.int(5)?),
                    presence: presence(&row.text(6)?),
                    model_type: row.opt_text(7)?,
                    source_run: row.opt_text(8)?.map(RunId),
                    status_message: row.opt_text(9)?,
                });
            }
            self.send(Item::LoggedModels { experiment, models })
        })
    }

    fn not_taken(&self, what: &str, why: &str, count: i64) -> Result<()> {
        self.runtime.block_on(self.sink.not_taken(what, why, count as u64, None))
    }

    /// Counts what this import does not know how to take.
    fn others(&self) -> Result<()> {
        const NO_PLACE: &str = "the record has no place for them";
        const OTHERS: &[(&str, &str, &str)] = &[
            ("secrets", "gateway secrets", NO_PLACE),
            ("endpoints", "gateway endpoints", NO_PLACE),
            ("budget_policies", "gateway budgets", NO_PLACE),
            ("guardrails", "gateway guardrails", NO_PLACE),
            ("mcp_servers", "MCP servers", NO_PLACE),
            ("jobs", "jobs", NO_PLACE),
        ];
        for (table, what, why) in OTHERS {
            if self.schema.has_table(table) {
                self.not_taken(what, why, self.one_int(&format!("SELECT COUNT(*) FROM {table}"), &[])?)?;
            }
        }
        let unread = "SELECT COUNT(*) FROM datasets WHERE NOT EXISTS (SELECT 1 FROM inputs
             WHERE inputs.source_type = 'DATASET' AND inputs.source_id = datasets.dataset_uuid)";
        const LINKS: &str = "SELECT COUNT(*) FROM entity_associations
             WHERE NOT (source_type = 'trace' AND destination_type IN ('run', 'prompt_version'))
                 AND NOT (source_type = 'evaluation_dataset' AND destination_type = 'experiment')";
        if self.schema.has_table("entity_associations") {
            self.not_taken("links", "the record has no place for them", self.one_int(LINKS, &[])?)?;
        }
        if self.schema.has_table("datasets") {
            self.not_taken("datasets", "no run reads them", self.one_int(unread, &[])?)?;
        }
        Ok(())
    }
}

/// `$first, $second, ..` for so many values.
fn placeholders(count: usize) -> String {
    (1..=count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}
