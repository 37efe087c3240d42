//! Removing for good what is in the trash. Files are removed after the rows, from the list `artifact_garbage` that is
//! written with the removal of the rows, so that a crash leaves neither rows without files nor files without an owner.
//!
//! What a model version was made from is kept: its files may lie there.

use stele_domain::Result;
use stele_domain::authz::{Permit, Place, PurgeRecord, Visibility};
use stele_domain::id::{Timestamp, WorkspaceId};

use crate::engine::{Value, list, params};
use crate::{BUCKET_FILES, Tx};

/// How much of the trash is due, and how much of it must stay since model versions were made from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trash {
    pub runs: u64,
    pub runs_kept: u64,
    pub logged_models: u64,
    pub logged_models_kept: u64,
    /// Of experiments that are due.
    pub traces: u64,
    /// With all of their runs and logged models.
    pub experiments: u64,
}

/// Something that was removed for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purged {
    pub id: String,
    pub name: String,
    /// Where its files are.
    pub artifact_uri: String,
}

/// A root whose files are still to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Garbage {
    pub row: i64,
    /// The public id of what the files belonged to.
    pub owner: String,
    pub uri: String,
}

/// Runs of workspace $1 that came to the trash at $2 or before.
const RUNS_DUE: &str = "run.workspace_id = $1 AND run.presence = 'deleted' AND run.deleted_at <= $2";
/// Whether a version was made from the run.
const RUN_IS_USED: &str = "EXISTS (SELECT 1 FROM model_version
         WHERE COALESCE(model_version.run, '') = run.public_id)";
/// Logged models of workspace $1 that came to the trash at $2 or before, by themselves or with their experiment.
const MODELS_DUE: &str = "logged_model.workspace_id = $1 AND (
         (logged_model.presence = 'deleted' AND logged_model.deleted_at <= $2)
         OR logged_model.experiment_id IN (SELECT id FROM experiment
             WHERE workspace_id = $1 AND presence = 'deleted' AND updated_at <= $2))";
const MODEL_IS_USED: &str = "EXISTS (SELECT 1 FROM model_version
         WHERE model_version.logged_model = logged_model.public_id)";
/// Experiments of workspace $1 that came to the trash at $2 or before.
const EXPERIMENTS_DUE: &str =
    "experiment.workspace_id = $1 AND experiment.presence = 'deleted' AND experiment.updated_at <= $2";

impl Tx<'_> {
    /// What a purge of everything that came to the trash at `cutoff` or before would remove.
    pub fn trash_due(&mut self, visible: &Visibility, cutoff: Timestamp) -> Result<Trash> {
        if !visible.sees(Place::Workspace) {
            return Ok(Trash::default());
        }
        let runs_kept = format!("SELECT COUNT(*) FROM run WHERE {RUNS_DUE} AND {RUN_IS_USED}");
        let runs = format!("SELECT COUNT(*) FROM run WHERE {RUNS_DUE} AND NOT {RUN_IS_USED}");
        let models_kept = format!("SELECT COUNT(*) FROM logged_model WHERE {MODELS_DUE} AND {MODEL_IS_USED}");
        let models = format!("SELECT COUNT(*) FROM logged_model WHERE {MODELS_DUE} AND NOT {MODEL_IS_USED}");
        let traces = format!(
            "SELECT COUNT(*) FROM trace WHERE trace.experiment_id IN (SELECT id FROM experiment WHERE {EXPERIMENTS_DUE})"
        );
        let experiments = format!(
            "SELECT COUNT(*) FROM experiment WHERE {EXPERIMENTS_DUE}
                 AND NOT EXISTS (SELECT 1 FROM run WHERE run.experiment_id = experiment.id
                     AND (NOT ({RUNS_DUE}) OR {RUN_IS_USED}))
                 AND NOT EXISTS (SELECT 1 FROM logged_model WHERE logged_model.experiment_id = experiment.id
                     AND {MODEL_IS_USED})"
        );
        let mut count = |sql: &str| {
            let count = self.query_one(sql, params![visible.workspace(), cutoff], |row| row.int(0));
            count.map(|count| u64::try_from(count).unwrap_or_default())
        };
        Ok(Trash {
            runs: count(&runs)?,
            runs_kept: count(&runs_kept)?,
            logged_models: count(&models)?,
            logged_models_kept: count(&models_kept)?,
            traces: count(&traces)?,
            experiments: count(&experiments)?,
        })
    }

    /// Removes at most `most` runs that are due, with all that belongs to them.
    pub fn runs_purge(
        &mut self,
        permit: &Permit<PurgeRecord>,
        cutoff: Timestamp,
        most: usize,
        now: Timestamp,
    ) -> Result<Vec<Purged>> {
        const OF_SERIES: [&str; 2] = [
            "DELETE FROM chunk_summary WHERE series_id IN (SELECT id FROM series WHERE run_id",
            "DELETE FROM chunk WHERE series_id IN (SELECT id FROM series WHERE run_id",
        ];
        const OF_RUN: [&str; 8] = [
            "DELETE FROM series WHERE run_id",
            "DELETE FROM run_tag WHERE run_id",
            "DELETE FROM run_param WHERE run_id",
            "DELETE FROM logged_model_metric WHERE run_id",
            "DELETE FROM unknown_model_link WHERE run_id",
            "DELETE FROM run_alias WHERE run_id",
            "DELETE FROM evaluated_model WHERE run_id",
            "DELETE FROM trial_run WHERE run_id",
        ];
        const NESTED: [&str; 3] = [
            "UPDATE run SET parent_id = NULL WHERE parent_id",
            "UPDATE run SET root_id = NULL WHERE root_id",
            "UPDATE run SET original_id = NULL WHERE original_id",
        ];
        let due = format!(
            "SELECT run.id, run.public_id, run.name, run.artifact_uri FROM run WHERE {RUNS_DUE} AND NOT {RUN_IS_USED}
             ORDER BY run.deleted_at, run.id LIMIT $3{}",
            self.for_update()
        );
        let (rows, purged) = self.purge_open(permit, &due, cutoff, most)?;
        if purged.is_empty() {
            return Ok(purged);
        }
        let one_of = self.is_one_of_ints(1);
        for delete in OF_SERIES {
            self.execute(&format!("{delete} {one_of})"), params![rows.clone()])?;
        }
        for statement in OF_RUN.into_iter().chain(NESTED) {
            self.execute(&format!("{statement} {one_of}"), params![rows.clone()])?;
        }
        self.edges_purge("run", &rows)?;
        self.execute(&format!("DELETE FROM run WHERE id {one_of}"), params![rows])?;
        self.garbage_add(permit, &purged, now)?;
        Ok(purged)
    }

    /// Removes at most `most` logged models that are due, with all that belongs to them.
    pub fn logged_models_purge(
        &mut self,
        permit: &Permit<PurgeRecord>,
        cutoff: Timestamp,
        most: usize,
        now: Timestamp,
    ) -> Result<Vec<Purged>> {
        const OF_MODEL: [&str; 4] = [
            "DELETE FROM logged_model_tag WHERE logged_model_id",
            "DELETE FROM logged_model_param WHERE logged_model_id",
            "DELETE FROM logged_model_metric WHERE logged_model_id",
            "DELETE FROM logged_model WHERE id",
        ];
        let due = format!(
            "SELECT id, public_id, name, artifact_uri FROM logged_model WHERE {MODELS_DUE} AND NOT {MODEL_IS_USED}
             ORDER BY id LIMIT $3{}",
            self.for_update()
        );
        let (rows, purged) = self.purge_open(permit, &due, cutoff, most)?;
        if purged.is_empty() {
            return Ok(purged);
        }
        let one_of = self.is_one_of_ints(1);
        for delete in OF_MODEL {
            self.execute(&format!("{delete} {one_of}"), params![rows.clone()])?;
        }
        self.artifact_versions_purge(&rows)?;
        self.garbage_add(permit, &purged, now)?;
        Ok(purged)
    }

    /// Removes at most `most` experiments that are due and have nothing left that must stay.
    pub fn experiments_purge(
        &mut self,
        permit: &Permit<PurgeRecord>,
        cutoff: Timestamp,
        most: usize,
    ) -> Result<Vec<Purged>> {
        // Names of experiments are ids, of which an import may bring one again.
        const GRANTS: &str = "DELETE FROM role_grant WHERE scope = 'experiment' AND scope_name IN
             (SELECT CAST(id AS TEXT) FROM experiment WHERE id";
        const OF_EXPERIMENT: [&str; 8] = [
            "DELETE FROM experiment_tag WHERE experiment_id",
            "DELETE FROM issue WHERE experiment_id",
            "DELETE FROM label_schema WHERE experiment_id",
            "DELETE FROM review_queue WHERE experiment_id",
            "DELETE FROM online_scoring WHERE experiment_id",
            "DELETE FROM scorer WHERE experiment_id",
            "DELETE FROM resource WHERE experiment_id",
            "DELETE FROM dataset WHERE experiment_id",
        ];
        let due = format!(
            "SELECT id, name, artifact_location FROM experiment WHERE {EXPERIMENTS_DUE}
                 AND NOT EXISTS (SELECT 1 FROM run WHERE run.experiment_id = experiment.id)
                 AND NOT EXISTS (SELECT 1 FROM logged_model WHERE logged_model.experiment_id = experiment.id)
                 AND NOT EXISTS (SELECT 1 FROM trace WHERE trace.experiment_id = experiment.id)
             ORDER BY id LIMIT $3{}",
            self.for_update()
        );
        permit.require_workspace()?;
        let due = self.query(&due, params![permit.workspace(), cutoff, most as i64], |row| {
            Ok(Purged { id: row.int(0)?.to_string(), name: row.text(1)?, artifact_uri: row.text(2)? })
        })?;
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let rows = list(due.iter().filter_map(|purged| purged.id.parse::<i64>().ok()));
        let one_of = self.is_one_of_ints(1);
        let datasets = format!("SELECT id FROM dataset WHERE experiment_id {one_of}");
        let datasets = list(self.query(&datasets, params![rows.clone()], |row| row.int(0))?);
        for delete in OF_EXPERIMENT {
            self.execute(&format!("{delete} {one_of}"), params![rows.clone()])?;
        }
        self.artifact_versions_purge(&datasets)?;
        self.execute(&format!("{GRANTS} {one_of})"), params![rows.clone()])?;
        self.execute(&format!("DELETE FROM experiment WHERE id {one_of}"), params![rows])?;
        // An experiment's location may hold more than its runs, so that no files go with it.
        Ok(due)
    }

    /// The roots whose files are still to be removed, after the row `after`; files of objects only if these were
    /// replaced or removed before `unread_since`.
    pub fn garbage_after(
        &mut self,
        visible: &Visibility,
        after: i64,
        unread_since: Timestamp,
        most: usize,
    ) -> Result<Vec<Garbage>> {
        const GARBAGE: &str = "SELECT id, owner, uri FROM artifact_garbage
             WHERE workspace_id = $1 AND id > $2 AND (created_at < $3 OR uri NOT LIKE $4) ORDER BY id LIMIT $5";
        if !visible.sees(Place::Workspace) {
            return Ok(Vec::new());
        }
        let of_objects = format!("{BUCKET_FILES}/%");
        let values = params![visible.workspace(), after, unread_since, of_objects, most as i64];
        self.query(GARBAGE, values, |row| Ok(Garbage { row: row.int(0)?, owner: row.text(1)?, uri: row.text(2)? }))
    }

    /// Notes that the files of a root are gone.
    pub fn garbage_forget(&mut self, permit: &Permit<PurgeRecord>, garbage: &Garbage) -> Result<()> {
        const FORGET: &str = "DELETE FROM artifact_garbage WHERE id = $1 AND workspace_id = $2";
        permit.require_workspace()?;
        self.execute(FORGET, params![garbage.row, permit.workspace()]).map(|_| ())
    }

    /// What is due, and its rows. `due` selects the row, the public id, the name and the artifact root of each.
    fn purge_open(
        &mut self,
        permit: &Permit<PurgeRecord>,
        due: &str,
        cutoff: Timestamp,
        most: usize,
    ) -> Result<(Value<'static>, Vec<Purged>)> {
        permit.require_workspace()?;
        let due = self.query(due, params![permit.workspace(), cutoff, most as i64], |row| {
            Ok((row.int(0)?, Purged { id: row.text(1)?, name: row.text(2)?, artifact_uri: row.text(3)? }))
        })?;
        let (rows, purged): (Vec<i64>, Vec<Purged>) = due.into_iter().unzip();
        Ok((list(rows), purged))
    }

    fn garbage_add(&mut self, permit: &Permit<PurgeRecord>, purged: &[Purged], now: Timestamp) -> Result<()> {
        self.garbage_note(permit.workspace(), purged, now)
    }

    /// Notes the files of what this transaction removes.
    pub(crate) fn garbage_note(&mut self, workspace: WorkspaceId, purged: &[Purged], now: Timestamp) -> Result<()> {
        let values: Vec<Value> = purged
            .iter()
            .flat_map(|purged| [workspace.into(), (&purged.id).into(), (&purged.artifact_uri).into(), now.into()])
            .collect();
        let head = "INSERT INTO artifact_garbage (workspace_id, owner, uri, created_at)";
        self.insert_rows(head, 4, "", &values).map(|_| ())
    }

    /// Removes artifact versions whose own rows are gone.
    fn artifact_versions_purge(&mut self, rows: &Value) -> Result<()> {
        self.edges_purge("artifact_version", rows)?;
        let delete = format!("DELETE FROM artifact_version WHERE id {}", self.is_one_of_ints(1));
        self.execute(&delete, params![rows.clone()]).map(|_| ())
    }

    fn edges_purge(&mut self, kind: &str, rows: &Value) -> Result<()> {
        let one_of = self.is_one_of_ints(1);
        for end in ["source", "target"] {
            let edges = format!("{end}_kind = $2 AND {end}_id {one_of}");
            let tags = format!("DELETE FROM edge_tag WHERE edge_id IN (SELECT id FROM edge WHERE {edges})");
            self.execute(&tags, params![rows.clone(), kind])?;
            self.execute(&format!("DELETE FROM edge WHERE {edges}"), params![rows.clone(), kind])?;
        }
        Ok(())
    }
}
