use serde_json::json;
use stele_domain::authz::LogRun;
use stele_domain::change::Change;
use stele_domain::id::RunId;
use stele_domain::record::Tag;
use stele_domain::{Kind, Result};

use crate::experiment::check_tags;
use crate::run::open_active;
use crate::transact::Changed;
use crate::{App, Ctx};

impl App {
    /// Gives a tag of an active run the value that `rewrite` makes of the present one, while no other request
    /// can change it. `rewrite` may be called more than once.
    pub async fn run_tag_rewrite(
        &self,
        ctx: &Ctx,
        id: RunId,
        key: String,
        mut rewrite: impl FnMut(Option<&str>) -> Result<String> + Send + 'static,
    ) -> Result<()> {
        self.change::<LogRun, _>(ctx, id.clone().as_str(), move |tx, permit| {
            let run = open_active(tx, permit, &id)?;
            let present = tx.run_tag(run.row, &key)?;
            let tag = Tag { key: key.clone(), value: rewrite(present.as_deref())? };
            check_tags(std::slice::from_ref(&tag))?;
            tx.run_tags_set(permit, run.row, run.experiment, std::slice::from_ref(&tag))?;
            let change = Change::quiet("run.log", Kind::Run, id.as_str()).after(json!({ "tags": 1 }));
            Ok(Changed::one((), change))
        })
        .await
    }
}
