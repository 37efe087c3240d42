//! What a script keeps with an entity of the record, verbatim, in the `facets` column.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use stele_domain::authz::{Permit, Verb, Visibility};
use stele_domain::id::Timestamp;
use stele_domain::resource::{Document, Facets};
use stele_domain::{Error, Result};

use crate::Tx;
use crate::engine::{list, params};

/// The entities that have facets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Faceted {
    Model,
    ModelVersion,
    Experiment,
    Run,
}

impl Faceted {
    fn table(self) -> &'static str {
        match self {
            Faceted::Model => "model",
            Faceted::ModelVersion => "model_version",
            Faceted::Experiment => "experiment",
            Faceted::Run => "run",
        }
    }

    fn public_id(self) -> &'static str {
        match self {
            Faceted::Experiment => "''",
            Faceted::Model | Faceted::ModelVersion | Faceted::Run => "public_id",
        }
    }

    /// Whether a row is in the workspace bound to `$2`.
    fn is_in_workspace(self) -> &'static str {
        match self {
            Faceted::ModelVersion => "model_id IN (SELECT id FROM model WHERE workspace_id = $2)",
            Faceted::Model | Faceted::Experiment | Faceted::Run => "workspace_id = $2",
        }
    }
}

impl Tx<'_> {
    /// What `script` keeps with each of these rows, by row id.
    pub fn facets(
        &mut self,
        visible: &Visibility,
        of: Faceted,
        script: &str,
        rows: &[i64],
    ) -> Result<HashMap<i64, Facets>> {
        let mut values = params![list(rows.iter().copied()), visible.workspace()].to_vec();
        let seen = match of {
            Faceted::Experiment => self.and_experiment_seen(visible, "id", &mut values),
            Faceted::Run => self.and_experiment_seen(visible, "experiment_id", &mut values),
            Faceted::Model => self.and_model_seen(visible, "name", &mut values),
            Faceted::ModelVersion => {
                let named = self.and_model_seen(visible, "name", &mut values);
                if named.is_empty() {
                    named
                } else {
                    format!(" AND model_id IN (SELECT id FROM model WHERE TRUE{named})")
                }
            }
        };
        let sql = format!(
            "SELECT id, {}, created_at, facets FROM {} WHERE id {} AND {}{seen}",
            of.public_id(),
            of.table(),
            self.is_one_of_ints(1),
            of.is_in_workspace()
        );
        let found = self.query(&sql, &values, |row| {
            let mut facets: Document = parse(&row.text(3)?)?;
            let document = match facets.remove(script) {
                Some(Json::Object(document)) => document,
                _ => Document::new(),
            };
            let (public_id, created_at) = (row.text(1)?, Timestamp(row.int(2)?));
            Ok((row.int(0)?, Facets { public_id, created_at, document }))
        })?;
        Ok(found.into_iter().collect())
    }

    /// Replaces what `script` keeps with a row that this transaction has opened; other scripts keep theirs.
    pub fn facets_set<V: Verb>(
        &mut self,
        _permit: &Permit<V>,
        of: Faceted,
        script: &str,
        row: i64,
        document: Document,
    ) -> Result<()> {
        let read = format!("SELECT facets FROM {} WHERE id = $1", of.table());
        let write = format!("UPDATE {} SET facets = $2 WHERE id = $1", of.table());
        let mut facets: Document = parse(&self.query_one(&read, params![row], |row| row.text(0))?)?;
        facets.insert(script.to_owned(), Json::Object(document));
        self.execute(&write, params![row, Json::Object(facets).to_string()]).map(|_| ())
    }
}

/// What a document in the database says.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|error| Error::internal(format!("a document in the database is damaged: {error}")))
}
