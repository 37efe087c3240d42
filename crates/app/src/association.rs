use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use stele_domain::Kind;
use stele_domain::Result;
use stele_domain::authz::ManageLineage;
use stele_domain::change::Change;
use stele_domain::resource::Association;

use crate::transact::{Changed, check_text};
use crate::{App, Ctx};

/// The most edges that one list or walk looks at.
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

    /// Walks from `starts` along the edges, backwards (to what they come from), forwards, or both, at most `depth`
    /// steps. Gives every thing met with its distance, and the edges between them.
    pub async fn lineage_walk(
        &self,
        ctx: &Ctx,
        starts: Vec<String>,
        backwards: bool,
        forwards: bool,
        depth: u32,
    ) -> Result<(BTreeMap<String, u32>, Vec<Association>)> {
        let visible = ctx.visible();
        self.read(move |tx| {
            let mut met: BTreeMap<String, u32> = BTreeMap::new();
            let mut edges: Vec<Association> = Vec::new();
            let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
            // One walk a direction: the siblings of a thing are neither its origins nor its products.
            for is_forward in [false, true] {
                if !(if is_forward { forwards } else { backwards }) {
                    continue;
                }
                let mut reached: BTreeSet<String> = starts.iter().cloned().collect();
                let mut border: Vec<String> = starts.clone();
                for distance in 1..=depth {
                    let found = match is_forward {
                        true => tx.associations_from(&visible, &border, MOST_EDGES)?,
                        false => tx.associations_to(&visible, &border, MOST_EDGES)?,
                    };
                    border.clear();
                    for edge in found {
                        let end = if is_forward { &edge.target } else { &edge.source };
                        if reached.insert(end.clone()) {
                            let nearest = met.entry(end.clone()).or_insert(distance);
                            *nearest = (*nearest).min(distance);
                            border.push(end.clone());
                        }
                        if seen.insert((edge.source.clone(), edge.target.clone())) {
                            edges.push(edge);
                        }
                    }
                    if border.is_empty() {
                        break;
                    }
                }
            }
            Ok((met, edges))
        })
        .await
    }
}
