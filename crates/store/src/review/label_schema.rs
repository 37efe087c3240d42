use stele_domain::authz::{ManageReview, Permit, Place, Visibility};
use stele_domain::id::{ExperimentId, Timestamp, WorkspaceId};
use stele_domain::review::{LabelKind, LabelSchema};
use stele_domain::search::{Page, Window};
use stele_domain::{Error, Kind, Result};

use crate::Tx;
use crate::engine::{Row, list, params};

pub(crate) const COLUMNS: &str = "label_schema.public_id, label_schema.experiment_id, label_schema.name, label_schema.kind, \
     label_schema.input, label_schema.instruction, label_schema.has_comment, label_schema.is_default, \
     label_schema.created_at, label_schema.updated_at";

const INSERT: &str = "INSERT INTO label_schema (public_id, experiment_id, name, kind, input, instruction, has_comment,
         is_default, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

impl Tx<'_> {
    /// The caller holds the experiment.
    pub fn label_schema_create(&mut self, permit: &Permit<ManageReview>, schema: &LabelSchema) -> Result<()> {
        self.label_schema_insert(permit, schema, "").map(|_| ()).map_err(|error| taken(error, &schema.name))
    }

    /// Makes the question that every experiment has, unless it is there; says whether it was made.
    pub fn label_schema_default_create(&mut self, visible: &Visibility, default: &LabelSchema) -> Result<bool> {
        visible.require(Place::Experiment(default.experiment), Kind::Experiment, default.experiment)?;
        Ok(self.label_schema_write(default, " ON CONFLICT (experiment_id, name) DO NOTHING")? > 0)
    }

    /// Inserts a row, with `tail` after it; says how many rows that were.
    pub(crate) fn label_schema_insert(
        &mut self,
        _permit: &Permit<ManageReview>,
        schema: &LabelSchema,
        tail: &str,
    ) -> Result<u64> {
        self.label_schema_write(schema, tail)
    }

    fn label_schema_write(&mut self, schema: &LabelSchema, tail: &str) -> Result<u64> {
        let values = params![
            &schema.id,
            schema.experiment,
            &schema.name,
            schema.kind.as_str(),
            input_text(schema)?,
            schema.instruction.as_deref(),
            schema.has_comment,
            schema.is_default,
            schema.created_at,
            schema.updated_at,
        ];
        self.execute(&format!("{INSERT}{tail}"), values)
    }

    pub fn label_schema_get(&mut self, visible: &Visibility, id: &str) -> Result<LabelSchema> {
        let schema = self.label_schema_read(visible.workspace(), id, "")?;
        visible.require(Place::Experiment(schema.experiment), Kind::LabelSchema, id)?;
        Ok(schema)
    }

    /// Reads a question that this transaction is about to change.
    pub fn label_schema_open(&mut self, permit: &Permit<ManageReview>, id: &str) -> Result<LabelSchema> {
        let lock = self.for_update_of("label_schema");
        let schema = self.label_schema_read(permit.workspace(), id, &lock)?;
        permit.require(self, Place::Experiment(schema.experiment), Kind::LabelSchema, id)?;
        Ok(schema)
    }

    fn label_schema_read(&mut self, workspace: WorkspaceId, id: &str, lock: &str) -> Result<LabelSchema> {
        let sql = format!(
            "SELECT {COLUMNS} FROM label_schema
             JOIN experiment ON experiment.id = label_schema.experiment_id AND experiment.workspace_id = $1
             WHERE label_schema.public_id = $2{lock}"
        );
        self.query_opt(&sql, params![workspace, id], label_schema)?
            .ok_or_else(|| Error::not_found(Kind::LabelSchema, id))
    }

    /// The question of that name; the caller has seen the experiment.
    pub fn label_schema_by_name(
        &mut self,
        visible: &Visibility,
        experiment: ExperimentId,
        name: &str,
    ) -> Result<LabelSchema> {
        visible.require(Place::Experiment(experiment), Kind::LabelSchema, name)?;
        let sql = format!("SELECT {COLUMNS} FROM label_schema WHERE experiment_id = $1 AND name = $2");
        self.query_opt(&sql, params![experiment, name], label_schema)?
            .ok_or_else(|| Error::not_found(Kind::LabelSchema, name))
    }

    /// Whether an experiment has the question that every one has.
    pub fn label_schema_has_default(&mut self, visible: &Visibility, experiment: ExperimentId) -> Result<bool> {
        const ANY: &str = "SELECT COUNT(*) FROM label_schema WHERE experiment_id = $1 AND is_default = 1";
        visible.require(Place::Experiment(experiment), Kind::Experiment, experiment)?;
        self.query_one(ANY, params![experiment], |row| row.int(0)).map(|count| count > 0)
    }

    /// The questions of an experiment, the newest first; the caller has seen the experiment.
    pub fn label_schemas_list(
        &mut self,
        visible: &Visibility,
        experiment: ExperimentId,
        window: Window,
    ) -> Result<Page<LabelSchema>> {
        visible.require(Place::Experiment(experiment), Kind::Experiment, experiment)?;
        let sql = format!(
            "SELECT {COLUMNS} FROM label_schema WHERE experiment_id = $1
             ORDER BY created_at DESC, public_id LIMIT $2 OFFSET $3"
        );
        let found = self.query(&sql, params![experiment, window.limit + 1, window.offset], label_schema)?;
        Ok(Page::of(found, window))
    }

    /// Those of these ids that are of no question of the experiment.
    pub fn label_schemas_missing(&mut self, experiment: ExperimentId, ids: &[String]) -> Result<Vec<String>> {
        let sql = format!(
            "SELECT public_id FROM label_schema WHERE experiment_id = $1 AND public_id {}",
            self.is_one_of_texts(2)
        );
        let known = self.query(&sql, params![experiment, list(ids.iter().map(String::as_str))], |row| row.text(0))?;
        Ok(ids.iter().filter(|id| !known.contains(id)).cloned().collect())
    }

    /// Writes what can change of a question.
    pub fn label_schema_update(&mut self, _permit: &Permit<ManageReview>, schema: &LabelSchema) -> Result<()> {
        const UPDATE: &str = "UPDATE label_schema SET name = $2, input = $3, instruction = $4, has_comment = $5,
                 updated_at = $6 WHERE public_id = $1";
        let values = params![
            &schema.id,
            &schema.name,
            input_text(schema)?,
            schema.instruction.as_deref(),
            schema.has_comment,
            schema.updated_at,
        ];
        self.execute(UPDATE, values).map(|_| ()).map_err(|error| taken(error, &schema.name))
    }

    pub fn label_schema_delete(&mut self, _permit: &Permit<ManageReview>, id: &str) -> Result<()> {
        self.execute("DELETE FROM label_schema WHERE public_id = $1", params![id]).map(|_| ())
    }
}

fn taken(error: Error, name: &str) -> Error {
    match error {
        Error::Conflict { .. } => Error::already_exists(Kind::LabelSchema, name),
        other => other,
    }
}

fn input_text(schema: &LabelSchema) -> Result<String> {
    serde_json::to_string(&schema.input).map_err(|error| Error::internal(error.to_string()))
}

pub(crate) fn label_schema(row: &Row) -> Result<LabelSchema> {
    let input = serde_json::from_str(row.str(4)?);
    Ok(LabelSchema {
        id: row.text(0)?,
        experiment: ExperimentId(row.int(1)?),
        name: row.text(2)?,
        kind: row.parsed(3, LabelKind::parse)?,
        input: input.map_err(|error| Error::internal(format!("a label schema has no input: {error}")))?,
        instruction: row.opt_text(5)?,
        has_comment: row.bool(6)?,
        is_default: row.bool(7)?,
        created_at: Timestamp(row.int(8)?),
        updated_at: Timestamp(row.int(9)?),
    })
}
