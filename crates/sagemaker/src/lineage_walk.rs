//! Walks along lineage: the edges that clients have drawn, and those that the record knows of runs, of the models that
//! they logged, and of the versions that were registered from them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use stele_app::Towards;
use stele_domain::id::LoggedModelId;
use stele_domain::resource::{LineageNode, LineageStep};
use stele_domain::{Error, Kind};

use crate::call::Call;
use crate::error::{Failure, Result};
use crate::kinds::{ARTIFACT, PACKAGE};
use crate::packages::{self, Named};
use crate::registry;
use crate::trials::COMPONENT;

/// How many things one walk meets.
const MOST_MET: usize = 10_000;

/// What a walk met, each with its distance, and the edges between.
#[derive(Default)]
pub(crate) struct Walked {
    pub(crate) met: BTreeMap<String, u32>,
    pub(crate) edges: Vec<Edge>,
}

/// Each end is `kind/name`.
pub(crate) struct Edge {
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) kind: String,
}

/// Walks from `starts` along the edges, backwards (to what they come from), forwards, or both, at most `depth` steps.
pub(crate) async fn walk(
    call: &Call,
    starts: Vec<String>,
    backwards: bool,
    forwards: bool,
    depth: u32,
) -> Result<Walked> {
    let mut walk = Walk { call, known: HashMap::new(), seen: BTreeSet::new(), walked: Walked::default() };
    // One walk a direction: the siblings of a thing are neither its origins nor its products.
    if backwards {
        walk.towards(Towards::Origins, &starts, depth).await?;
    }
    if forwards {
        walk.towards(Towards::Products, &starts, depth).await?;
    }
    Ok(walk.walked)
}

struct Walk<'c> {
    call: &'c Call,
    /// What the ends are in the record, if it knows them.
    known: HashMap<String, Option<LineageNode>>,
    seen: BTreeSet<(String, String)>,
    walked: Walked,
}

impl Walk<'_> {
    async fn towards(&mut self, towards: Towards, starts: &[String], depth: u32) -> Result<()> {
        let mut reached: BTreeSet<String> = starts.iter().cloned().collect();
        let mut border: Vec<String> = starts.to_vec();
        for distance in 1..=depth {
            let edges = self.edges(towards, border).await?;
            border = Vec::new();
            for edge in edges {
                let end = if towards == Towards::Products { &edge.target } else { &edge.source };
                if reached.insert(end.clone()) {
                    let nearest = self.walked.met.entry(end.clone()).or_insert(distance);
                    *nearest = (*nearest).min(distance);
                    border.push(end.clone());
                }
                if self.seen.insert((edge.source.clone(), edge.target.clone())) {
                    self.walked.edges.push(edge);
                }
            }
            if self.walked.met.len() > MOST_MET {
                return Err(Failure::validation(format!(
                    "More than {MOST_MET} things are connected with StartArns: ask for a smaller MaxDepth or one Direction."
                )));
            }
            if border.is_empty() {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn edges(&mut self, towards: Towards, border: Vec<String>) -> Result<Vec<Edge>> {
        let mut nodes = Vec::new();
        for end in &border {
            nodes.extend(self.node(end).await?);
        }
        let (drawn, steps) = self.call.app.lineage_step(&self.call.ctx, towards, border, nodes).await?;
        let mut edges: Vec<Edge> =
            drawn.into_iter().map(|edge| Edge { source: edge.source, target: edge.target, kind: edge.kind }).collect();
        let models: Vec<&str> = steps.iter().flat_map(|step| [&step.source, &step.target]).filter_map(model).collect();
        let shown = registry::shown_names(self.call, &models).await?;
        let shown: HashMap<&str, String> = models.into_iter().zip(shown).collect();
        for LineageStep { source, target, created_at: _ } in &steps {
            let kind = match (source, target) {
                (LineageNode::Run { .. }, _) => "Produced",
                (_, LineageNode::Run { .. }) => "ContributedTo",
                _ => "DerivedFrom",
            };
            let (from, to) = (end_of(source, &shown), end_of(target, &shown));
            self.known.entry(from.clone()).or_insert_with(|| Some(source.clone()));
            self.known.entry(to.clone()).or_insert_with(|| Some(target.clone()));
            edges.push(Edge { source: from, target: to, kind: kind.to_owned() });
        }
        Ok(edges)
    }

    async fn node(&mut self, end: &str) -> Result<Option<LineageNode>> {
        if let Some(known) = self.known.get(end) {
            return Ok(known.clone());
        }
        let node = find(self.call, end).await?;
        self.known.insert(end.to_owned(), node.clone());
        Ok(node)
    }
}

/// The artifacts that are logged models of MLflow's clients go by their ids, which no other artifact has.
pub(crate) fn is_logged_model(end: &str) -> bool {
    end.strip_prefix(ARTIFACT.path)
        .and_then(|rest| rest.strip_prefix('/'))
        .is_some_and(|id| id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

async fn find(call: &Call, end: &str) -> Result<Option<LineageNode>> {
    let Some((kind, rest)) = end.split_once('/') else { return Ok(None) };
    if kind == COMPONENT {
        return match call.app.component_get(&call.ctx, rest.to_owned()).await {
            Ok(component) => {
                let id = component.run.info.id;
                let name = component.name.unwrap_or_else(|| id.as_str().to_owned());
                Ok(Some(LineageNode::Run { id, name }))
            }
            Err(Error::NotFound { kind: Kind::Run, .. }) => Ok(None),
            Err(error) => Err(error.into()),
        };
    }
    if is_logged_model(end) {
        return Ok(Some(LineageNode::LoggedModel(LoggedModelId(rest.to_owned()))));
    }
    if kind != PACKAGE.path {
        return Ok(None);
    }
    Ok(match packages::parse(call, rest).await {
        Ok(Named::Version { model, number }) => Some(LineageNode::Version { model, number }),
        Ok(Named::Unversioned(_)) | Err(_) => None,
    })
}

fn model(node: &LineageNode) -> Option<&str> {
    match node {
        LineageNode::Version { model, .. } => Some(model),
        LineageNode::Run { .. } | LineageNode::LoggedModel(_) => None,
    }
}

fn end_of(node: &LineageNode, shown: &HashMap<&str, String>) -> String {
    match node {
        LineageNode::Run { name, .. } => format!("{COMPONENT}/{name}"),
        LineageNode::LoggedModel(id) => format!("{}/{id}", ARTIFACT.path),
        LineageNode::Version { model, number } => {
            format!("{}/{}/{number}", PACKAGE.path, shown.get(model.as_str()).unwrap_or(model))
        }
    }
}
