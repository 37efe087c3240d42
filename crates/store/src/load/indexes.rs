use stele_domain::Result;

use crate::engine::{EngineKind, params};
use crate::{Engine, Store, Tx};

impl Store {
    /// Takes away the indexes over runs and their values when there are none of these yet, which makes a large load
    /// many times faster. Until [`Store::load_finish`] searches are slow and nothing else is different.
    pub async fn load_begin(&self) -> Result<()> {
        self.write(|tx| tx.indexes_defer()).await
    }

    /// Makes the indexes that a load took away, also one that was killed, and lets the database tidy up after it.
    /// Without such a load this is a look at an empty table.
    pub async fn load_finish(&self) -> Result<()> {
        if !self.read(|tx| tx.is_any_index_deferred()).await? {
            return Ok(());
        }
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.sort(|tx| tx.index_restore_one()).await,
            Engine::Postgres(postgres) => {
                while postgres.write(|tx| tx.index_restore_one()).await? {}
                postgres.tidy("VACUUM (ANALYZE) run, run_tag, run_param, series, chunk").await
            }
        }
    }
}

impl Tx<'_> {
    fn indexes_defer(&mut self) -> Result<()> {
        const ANY_RUN: &str = "SELECT id FROM run LIMIT 1";
        const DEFER: &str = "INSERT INTO deferred_index (name, statement) VALUES ($1, $2)";
        if self.query_opt(ANY_RUN, params![], |row| row.int(0))?.is_some() {
            return Ok(());
        }
        // Not the ones behind constraints, which have no statement of their own and grow in order anyway.
        let indexes = match self.engine() {
            EngineKind::Sqlite => {
                "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL
                     AND tbl_name IN ('run', 'run_tag', 'run_param', 'series')"
            }
            EngineKind::Postgres => {
                "SELECT CAST(class.relname AS TEXT), pg_get_indexdef(class.oid)
                 FROM pg_index JOIN pg_class AS class ON class.oid = pg_index.indexrelid
                 WHERE NOT pg_index.indisunique
                     AND pg_index.indrelid IN ('run'::regclass, 'run_tag'::regclass, 'run_param'::regclass, 'series'::regclass)"
            }
        };
        for (name, statement) in self.query(indexes, params![], |row| Ok((row.text(0)?, row.text(1)?)))? {
            self.execute(DEFER, params![&name, &statement])?;
            self.execute(&format!("DROP INDEX {name}"), params![])?;
        }
        Ok(())
    }

    fn is_any_index_deferred(&mut self) -> Result<bool> {
        const ANY: &str = "SELECT name FROM deferred_index LIMIT 1";
        Ok(self.query_opt(ANY, params![], |row| row.text(0))?.is_some())
    }

    /// Says whether there was one.
    fn index_restore_one(&mut self) -> Result<bool> {
        const NEXT: &str = "SELECT name, statement FROM deferred_index ORDER BY name LIMIT 1";
        const DONE: &str = "DELETE FROM deferred_index WHERE name = $1";
        let next = self.query_opt(NEXT, params![], |row| Ok((row.text(0)?, row.text(1)?)))?;
        let Some((name, statement)) = next else { return Ok(false) };
        tracing::info!(name, "making an index that a load took away");
        self.execute(&statement, params![])?;
        self.execute(DONE, params![&name])?;
        Ok(true)
    }
}
