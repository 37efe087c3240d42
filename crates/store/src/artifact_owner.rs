//! What the places of artifacts belong to, for those who may not see everything that lies behind the server.

use stele_domain::Result;
use stele_domain::authz::Visibility;
use stele_domain::id::ExperimentId;

use crate::Tx;
use crate::engine::{list, params};

/// A root of artifacts, and the experiment that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedRoot {
    pub uri: String,
    pub experiment: ExperimentId,
}

impl Tx<'_> {
    /// The roots that may hold a path whose first part may be the id of an experiment, and whose parts are `names`: of
    /// that experiment, of those that were given a place of their own, and of the runs and logged models among the
    /// names. Whether they are seen does not matter.
    pub fn artifact_roots(
        &mut self,
        visible: &Visibility,
        first: Option<i64>,
        names: &[String],
    ) -> Result<Vec<OwnedRoot>> {
        const EXPERIMENTS: &str = "SELECT artifact_location, id FROM experiment WHERE workspace_id = $1
             AND (id = $2 OR artifact_location <> 'mlflow-artifacts:/' || CAST(id AS TEXT))";
        let root =
            |row: &crate::engine::Row| Ok(OwnedRoot { uri: row.text(0)?, experiment: ExperimentId(row.int(1)?) });
        let mut roots = self.query(EXPERIMENTS, params![visible.workspace(), first.unwrap_or(-1)], root)?;
        let one_of = self.is_one_of_texts(2);
        for table in ["run", "logged_model"] {
            let sql = format!(
                "SELECT artifact_uri, experiment_id FROM {table} WHERE workspace_id = $1 AND public_id {one_of}"
            );
            let names = list(names.iter().map(String::as_str));
            roots.extend(self.query(&sql, params![visible.workspace(), names], root)?);
        }
        Ok(roots)
    }

    /// Where the files of the versions lie of those models that are seen by themselves.
    pub fn artifact_roots_of_models(&mut self, visible: &Visibility) -> Result<Vec<String>> {
        let mut values = params![visible.workspace()].to_vec();
        let seen = self.and_model_seen(visible, "model.name", &mut values);
        let sql = format!(
            "SELECT DISTINCT version.storage_uri FROM model_version AS version
             JOIN model ON model.id = version.model_id WHERE model.workspace_id = $1{seen}"
        );
        self.query(&sql, &values, |row| row.text(0))
    }
}
