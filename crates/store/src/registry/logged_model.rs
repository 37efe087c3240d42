//! What the registry needs to know of logged models, and the tag it leaves on them.

use serde_json::Value;
use stele_domain::authz::{Permit, Place, RegisterModel, Visibility};
use stele_domain::id::{ExperimentId, LoggedModelId, RunId};
use stele_domain::{Error, Kind, Result};

use crate::Tx;
use crate::engine::params;

/// Where the files of a logged model lie, and the run that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedModelRoot {
    pub artifact_uri: String,
    pub source_run: Option<RunId>,
}

/// Clients read in this tag which versions a logged model became.
const VERSIONS_TAG: &str = "mlflow.modelVersions";

impl Tx<'_> {
    /// Reads where a logged model lies; a deleted one does not exist.
    pub fn logged_model_root(&mut self, visible: &Visibility, id: &LoggedModelId) -> Result<LoggedModelRoot> {
        const ROOT: &str = "SELECT artifact_uri, source_run, experiment_id FROM logged_model
             WHERE public_id = $1 AND workspace_id = $2 AND presence = 'active'";
        let (experiment, root) = self
            .query_opt(ROOT, params![id.as_str(), visible.workspace()], |row| {
                let source_run = row.opt_text(1)?.filter(|run| !run.is_empty()).map(RunId);
                Ok((ExperimentId(row.int(2)?), LoggedModelRoot { artifact_uri: row.text(0)?, source_run }))
            })?
            .ok_or_else(|| Error::not_found(Kind::LoggedModel, id.as_str()))?;
        visible.require(Place::Experiment(experiment), Kind::LoggedModel, id)?;
        Ok(root)
    }

    /// Adds a version to the tag of a logged model that lists the versions made from it.
    pub fn logged_model_version_add(
        &mut self,
        permit: &Permit<RegisterModel>,
        id: &LoggedModelId,
        model: &str,
        number: i64,
    ) -> Result<()> {
        const LISTED: &str = "SELECT value FROM logged_model_tag WHERE logged_model_id = $1 AND key = $2";
        const UPSERT: &str = "INSERT INTO logged_model_tag (logged_model_id, key, value) VALUES ($1, $2, $3)
             ON CONFLICT (logged_model_id, key) DO UPDATE SET value = excluded.value";
        let open = format!(
            "SELECT id, experiment_id FROM logged_model WHERE public_id = $1 AND workspace_id = $2{}",
            self.for_update()
        );
        let (row, experiment) = self
            .query_opt(&open, params![id.as_str(), permit.workspace()], |row| {
                Ok((row.int(0)?, ExperimentId(row.int(1)?)))
            })?
            .ok_or_else(|| Error::not_found(Kind::LoggedModel, id.as_str()))?;
        // Whoever registers what they may read need not be able to log to it.
        permit.visible().require(Place::Experiment(experiment), Kind::LoggedModel, id)?;
        let listed = self.query_opt(LISTED, params![row, VERSIONS_TAG], |row| row.text(0))?;
        let tag = with_version(listed.as_deref(), model, number);
        self.execute(UPSERT, params![row, VERSIONS_TAG, &tag]).map(|_| ())
    }
}

/// The tag's list with one more version, spaced as clients in Python write it. A tag that somebody set to
/// something else is replaced.
fn with_version(listed: Option<&str>, model: &str, number: i64) -> String {
    let mut versions: Vec<(String, i64)> = listed
        .and_then(|text| serde_json::from_str::<Vec<Value>>(text).ok())
        .unwrap_or_default()
        .iter()
        .filter_map(|entry| Some((entry["name"].as_str()?.to_owned(), version_number(&entry["version"])?)))
        .collect();
    let new = (model.to_owned(), number);
    if !versions.contains(&new) {
        versions.push(new);
    }
    let entries: Vec<String> = versions
        .into_iter()
        .map(|(name, number)| format!("{{\"name\": {}, \"version\": {number}}}", Value::from(name)))
        .collect();
    format!("[{}]", entries.join(", "))
}

fn version_number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_listed_once_each() {
        let first = with_version(None, "a \"b\"", 1);
        assert_eq!(first, r#"[{"name": "a \"b\"", "version": 1}]"#);
        let second = with_version(Some(&first), "c", 2);
        assert_eq!(second, r#"[{"name": "a \"b\"", "version": 1}, {"name": "c", "version": 2}]"#);
        assert_eq!(with_version(Some(&second), "c", 2), second);
        assert_eq!(with_version(Some("not a list"), "c", 2), r#"[{"name": "c", "version": 2}]"#);
    }
}
