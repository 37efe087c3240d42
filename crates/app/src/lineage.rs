//! Walks along lineage: the edges that clients have drawn, and those that the record knows of runs, of the models that
//! they logged, and of the versions that were registered from them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use stele_domain::authz::Visibility;
use stele_domain::id::{LoggedModelId, RunId, Timestamp};
use stele_domain::lineage::{ARTIFACT, Association, LineageNode, LineageStep, MODEL_PACKAGE, RUN, is_logged_model};
use stele_domain::model_uri::ModelUri;
use stele_domain::printable::{self, LONGEST_GROUP};
use stele_domain::record::RunInfo;
use stele_domain::registry::ModelVersion;
use stele_domain::{Error, Kind, Result};
use stele_store::Tx;

use crate::experiment::require_active;
use crate::registry::by_uri;
use crate::transact::check_text;
use crate::{App, Ctx};

/// How many things one walk meets.
const MOST_MET: usize = 10_000;
/// How many edges one walk goes along.
const MOST_CROSSED: usize = 100_000;
/// One more than a walk may go along, so that what a step leaves out is not overlooked.
const MOST_OF_STEP: i64 = 100_001;

/// Where to walk. Ends are named `kind/name`.
#[derive(Debug, Clone)]
pub struct LineageWalk {
    pub starts: Vec<String>,
    /// To what the starts were made of.
    pub origins: bool,
    /// To what was made of them.
    pub products: bool,
    /// The most steps.
    pub depth: u32,
}

/// What a walk met, each with its distance, and the edges between.
#[derive(Debug, Default)]
pub struct Walked {
    pub met: BTreeMap<String, u32>,
    pub edges: Vec<LineageEdge>,
    /// The ends that are things of the record.
    pub nodes: BTreeMap<String, LineageNode>,
    /// Whether nothing more would be met at any depth.
    pub is_complete: bool,
}

#[derive(Debug)]
pub struct LineageEdge {
    pub source: String,
    pub target: String,
    pub kind: String,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Towards {
    Origins,
    Products,
}

impl App {
    pub async fn lineage_walk(&self, ctx: &Ctx, walk: LineageWalk) -> Result<Walked> {
        let visible = ctx.visible();
        self.read(move |tx| {
            let LineageWalk { starts, origins, products, depth } = &walk;
            let mut walker = Walker::new(tx, &visible);
            // One walk a direction: the siblings of a thing are neither its origins nor its products.
            if *origins {
                walker.walk(Towards::Origins, starts, *depth)?;
            }
            if *products {
                walker.walk(Towards::Products, starts, *depth)?;
            }
            walker.finish()
        })
        .await
    }

    /// The end that a text names: `runs:/ID`, a `models:/` URI of a logged model or a version, or else an end itself,
    /// of a resource or of an edge that somebody has drawn.
    pub async fn lineage_end(&self, ctx: &Ctx, given: String) -> Result<String> {
        check_text("thing", &given)?;
        let visible = ctx.visible();
        self.read(move |tx| end(tx, &visible, &given)).await
    }
}

struct Walker<'t, 'c> {
    tx: &'t mut Tx<'c>,
    visible: &'t Visibility,
    /// What the ends are in the record, if it knows them.
    known: HashMap<String, Option<LineageNode>>,
    seen: BTreeSet<(String, String)>,
    walked: Walked,
}

impl<'t, 'c> Walker<'t, 'c> {
    fn new(tx: &'t mut Tx<'c>, visible: &'t Visibility) -> Walker<'t, 'c> {
        let walked = Walked { is_complete: true, ..Walked::default() };
        Walker { tx, visible, known: HashMap::new(), seen: BTreeSet::new(), walked }
    }

    fn walk(&mut self, towards: Towards, starts: &[String], depth: u32) -> Result<()> {
        let mut reached: BTreeSet<String> = starts.iter().cloned().collect();
        let mut border: Vec<String> = starts.to_vec();
        for distance in 1..=depth {
            let edges = self.edges(towards, &border)?;
            border.clear();
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
                return Err(too_many(MOST_MET, "things are connected with it"));
            }
            if self.walked.edges.len() > MOST_CROSSED {
                return Err(too_many(MOST_CROSSED, "edges connect it with others"));
            }
            if border.is_empty() {
                return Ok(());
            }
        }
        self.walked.is_complete = false;
        Ok(())
    }

    /// The edges that begin, or end, at any of `border`.
    fn edges(&mut self, towards: Towards, border: &[String]) -> Result<Vec<LineageEdge>> {
        let mut nodes = Vec::new();
        for end in border {
            nodes.extend(self.node(end)?);
        }
        let (drawn, steps) = match towards {
            Towards::Products => (
                self.tx.associations_from(self.visible, border, MOST_OF_STEP)?,
                self.tx.lineage_from(self.visible, &nodes, MOST_OF_STEP)?,
            ),
            Towards::Origins => (
                self.tx.associations_to(self.visible, border, MOST_OF_STEP)?,
                self.tx.lineage_to(self.visible, &nodes, MOST_OF_STEP)?,
            ),
        };
        if drawn.len() + steps.len() > MOST_CROSSED {
            return Err(too_many(MOST_CROSSED, "edges connect it with others"));
        }
        let drawn = drawn.into_iter().map(|Association { source, target, kind, created_at }| LineageEdge {
            source,
            target,
            kind,
            created_at,
        });
        let mut edges: Vec<LineageEdge> = drawn.collect();
        for LineageStep { source, target, created_at } in steps {
            let kind = match (&source, &target) {
                (LineageNode::Run { .. }, _) => "Produced",
                (_, LineageNode::Run { .. }) => "ContributedTo",
                _ => "DerivedFrom",
            };
            let [source, target] = [source, target].map(|node| {
                let end = node.end();
                self.known.entry(end.clone()).or_insert(Some(node));
                end
            });
            edges.push(LineageEdge { source, target, kind: kind.to_owned(), created_at });
        }
        Ok(edges)
    }

    fn node(&mut self, end: &str) -> Result<Option<LineageNode>> {
        if let Some(known) = self.known.get(end) {
            return Ok(known.clone());
        }
        let node = find(self.tx, self.visible, end)?;
        self.known.insert(end.to_owned(), node.clone());
        Ok(node)
    }

    fn finish(mut self) -> Result<Walked> {
        let mut walked = std::mem::take(&mut self.walked);
        // The last step has met things that no further step has asked about.
        for end in walked.met.keys() {
            self.node(end)?;
        }
        walked.nodes = self.known.into_iter().filter_map(|(end, node)| Some((end, node?))).collect();
        Ok(walked)
    }
}

fn too_many(most: usize, what: &str) -> Error {
    Error::LimitExceeded { message: format!("more than {most} {what}: ask for less depth or for one direction") }
}

/// What an end is in the record. What is deleted is nothing, and so is what may not be seen.
fn find(tx: &mut Tx, visible: &Visibility, end: &str) -> Result<Option<LineageNode>> {
    let Some((kind, name)) = end.split_once('/') else { return Ok(None) };
    let found = match kind {
        RUN => match tx.run_by_alias(visible, name)? {
            Some(id) => active_run(tx, visible, &id).map(|_| LineageNode::Run { id, name: name.to_owned() }),
            None => return Ok(None),
        },
        ARTIFACT if is_logged_model(name) => {
            let id = LoggedModelId(name.to_owned());
            active_logged_model(tx, visible, &id).map(|()| LineageNode::LoggedModel(id))
        }
        MODEL_PACKAGE => {
            let Some((group, number)) = name.split_once('/') else { return Ok(None) };
            let model = match printable::substituted(group) {
                Some(id) => tx.model_name(visible, id)?,
                None => Some(group.to_owned()),
            };
            let Some((model, number)) = model.zip(number.parse().ok()) else { return Ok(None) };
            let group = group.to_owned();
            tx.model_version_get(visible, &model, number).map(|_| LineageNode::Version { model, number, group })
        }
        _ => return Ok(None),
    };
    match found {
        Ok(node) => Ok(Some(node)),
        Err(Error::NotFound { .. } | Error::WrongState { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn active_run(tx: &mut Tx, visible: &Visibility, id: &RunId) -> Result<RunInfo> {
    let info = tx.run_info(visible, id)?;
    require_active(Kind::Run, id.0.clone(), info.presence)?;
    Ok(info)
}

fn active_logged_model(tx: &mut Tx, visible: &Visibility, id: &LoggedModelId) -> Result<()> {
    require_active(Kind::LoggedModel, id.0.clone(), tx.logged_model_get(visible, id)?.presence)
}

fn end(tx: &mut Tx, visible: &Visibility, given: &str) -> Result<String> {
    if let Some(id) = given.strip_prefix("runs:/") {
        let info = active_run(tx, visible, &RunId(id.to_owned()))?;
        let name = tx.run_aliases(&[info.row])?.remove(&info.row);
        return Ok(LineageNode::Run { name: name.unwrap_or_else(|| id.to_owned()), id: info.id }.end());
    }
    match ModelUri::parse(given) {
        Some(ModelUri::LoggedModel(id)) => {
            active_logged_model(tx, visible, &id)?;
            Ok(LineageNode::LoggedModel(id).end())
        }
        Some(uri) => {
            let ModelVersion { model, number, .. } = by_uri(tx, visible, &uri)?;
            let id = tx.model_public_id(visible, &model)?;
            Ok(LineageNode::Version { group: printable::shown(&model, LONGEST_GROUP, id), model, number }.end())
        }
        None if is_drawn(tx, visible, given)? || is_resource(tx, visible, given)? => Ok(given.to_owned()),
        None => Err(Error::not_found(Kind::Resource, given)),
    }
}

fn is_drawn(tx: &mut Tx, visible: &Visibility, end: &str) -> Result<bool> {
    let ends = [end.to_owned()];
    Ok(!tx.associations_from(visible, &ends, 1)?.is_empty() || !tx.associations_to(visible, &ends, 1)?.is_empty())
}

fn is_resource(tx: &mut Tx, visible: &Visibility, end: &str) -> Result<bool> {
    let Some((kind, name)) = end.split_once('/') else { return Ok(false) };
    match tx.resource_get(visible, kind, name) {
        Ok(_) => Ok(true),
        Err(Error::NotFound { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
