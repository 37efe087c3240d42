use std::collections::{HashMap, HashSet};

use stele_domain::{Error, Result};

use super::connection::Database;

/// Which tables and columns a database has, which differs from release to release of MLflow.
pub(super) struct Schema {
    tables: HashMap<String, HashSet<String>>,
}

impl Schema {
    /// Reads the schema of a database, which must be MLflow's.
    pub(super) fn of(database: &Database) -> Result<Schema> {
        let mut tables: HashMap<String, HashSet<String>> = HashMap::new();
        for mut row in database.query(database.columns_query(), &[])? {
            tables.entry(row.text(0)?).or_default().insert(row.text(1)?);
        }
        let schema = Schema { tables };
        // Since MLflow 2.9; a database that an older one made lacks at least one of them.
        const NEEDED: &[(&str, &str)] = &[
            ("alembic_version", "version_num"),
            ("experiments", "last_update_time"),
            ("runs", "deleted_time"),
            ("metrics", "is_nan"),
            ("params", "value"),
            ("tags", "value"),
            ("inputs", "input_uuid"),
            ("registered_models", "name"),
            ("registered_model_aliases", "alias"),
            ("model_versions", "storage_location"),
        ];
        let missing = NEEDED.iter().find(|(table, column)| !schema.has(table, column));
        match missing {
            None => Ok(schema),
            Some(_) if !schema.has_table("alembic_version") || !schema.has_table("runs") => {
                Err(Error::invalid("this is no database of MLflow's"))
            }
            Some((table, column)) => Err(Error::invalid(format!(
                "this database is older than MLflow 2.9 ({table} has no {column}): run `mlflow db upgrade` on a copy of \
                 it, and import that"
            ))),
        }
    }

    pub(super) fn has_table(&self, table: &str) -> bool {
        self.tables.contains_key(table)
    }

    pub(super) fn has(&self, table: &str, column: &str) -> bool {
        self.tables.get(table).is_some_and(|columns| columns.contains(column))
    }

    /// The column, or NULL in its place.
    pub(super) fn column(&self, table: &str, column: &'static str) -> &'static str {
        if self.has(table, column) { column } else { "NULL" }
    }
}
