//! Aliases that point at a version of their own accord. Those that mean a stage are not kept here.

use stele_domain::Result;
use stele_domain::authz::{Permit, PromoteModel, Visibility};
use stele_domain::id::ModelRow;

use crate::Tx;
use crate::engine::params;

impl Tx<'_> {
    /// Points an alias at a version.
    pub fn model_alias_set(
        &mut self,
        _permit: &Permit<PromoteModel>,
        model: ModelRow,
        alias: &str,
        number: i64,
    ) -> Result<()> {
        const UPSERT: &str = "INSERT INTO model_alias (model_id, alias, number) VALUES ($1, $2, $3)
             ON CONFLICT (model_id, alias) DO UPDATE SET number = excluded.number";
        self.execute(UPSERT, params![model, alias, number]).map(|_| ())
    }

    /// Gives back the version that the alias pointed at, if there was such an alias.
    pub fn model_alias_delete(
        &mut self,
        _permit: &Permit<PromoteModel>,
        model: ModelRow,
        alias: &str,
    ) -> Result<Option<i64>> {
        const DELETE: &str = "DELETE FROM model_alias WHERE model_id = $1 AND alias = $2 RETURNING number";
        self.query_opt(DELETE, params![model, alias], |row| row.int(0))
    }

    /// The version that an alias points at.
    pub fn model_alias_get(&mut self, visible: &Visibility, model: ModelRow, alias: &str) -> Result<Option<i64>> {
        let mut values = params![visible.workspace(), model, alias].to_vec();
        let seen = self.and_model_seen(visible, "model.name", &mut values);
        let sql = format!(
            "SELECT model_alias.number FROM model_alias JOIN model ON model.id = model_alias.model_id
             WHERE model.workspace_id = $1 AND model.id = $2 AND model_alias.alias = $3{seen}"
        );
        self.query_opt(&sql, &values, |row| row.int(0))
    }
}
