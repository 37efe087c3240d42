use serde_json::json;
use stele_domain::Kind;
use stele_domain::Result;
use stele_domain::authz::ManageLineage;
use stele_domain::change::Change;
use stele_domain::lineage::Association;

use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

/// The most edges that one list looks at.
const MOST_EDGES: i64 = 100_000;

impl App {
    /// Draws an edge; there is at most one from a thing to another.
    pub async fn association_add(&self, ctx: &Ctx, source: String, target: String, kind: String) -> Result<()> {
        check_text("source", &source)?;
        check_text("target", &target)?;
        let object = format!("{source} to {target}");
        let new = Association { source, target, kind, created_at: ctx.now() };
        self.change::<ManageLineage, _>(ctx, &object.clone(), move |tx, permit| {
            tx.association_add(permit, &new)?;
            let change = Change::event("association.create", Kind::Association, &object);
            Ok(Changed::one((), change.after(json!({ "source": new.source, "target": new.target, "kind": new.kind }))))
        })
        .await
    }

    pub async fn association_delete(&self, ctx: &Ctx, source: String, target: String) -> Result<()> {
        let object = format!("{source} to {target}");
        self.change::<ManageLineage, _>(ctx, &object.clone(), move |tx, permit| {
            tx.association_delete(permit, &source, &target)?;
            let change = Change::event("association.delete", Kind::Association, &object);
            Ok(Changed::one((), change.before(json!({ "source": source, "target": target }))))
        })
        .await
    }

    /// The edges from `source` or to `target`, where given, oldest first.
    pub async fn association_list(
        &self,
        ctx: &Ctx,
        source: Option<String>,
        target: Option<String>,
    ) -> Result<Vec<Association>> {
        let visible = ctx.visible();
        self.read(move |tx| match (source, target) {
            (Some(source), target) => {
                let mut edges = tx.associations_from(&visible, &[source], MOST_EDGES)?;
                edges.retain(|edge| target.as_ref().is_none_or(|target| edge.target == *target));
                Ok(edges)
            }
            (None, Some(target)) => tx.associations_to(&visible, &[target], MOST_EDGES),
            (None, None) => tx.associations_all(&visible, MOST_EDGES),
        })
        .await
    }
}
