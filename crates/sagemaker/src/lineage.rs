//! Associations between things, and walks along them.

use std::collections::HashMap;

use serde_json::{Value, json};
use stele_app::{LineageEdge, LineageWalk};
use stele_domain::lineage::is_logged_model;
use stele_domain::{Error, id::Timestamp};

use crate::call::{Call, timestamp};
use crate::error::{Failure, Result};
use crate::kinds::{self, ARTIFACT, PACKAGE};
use crate::packages::{self, Named};
use crate::resources;
use crate::trials::{self, COMPONENT};
use crate::{arn, experiments, render};

/// As deep as AWS goes.
const DEEPEST: i64 = 10;

pub(crate) async fn add(call: Call) -> Result<Value> {
    let (source, target) = ends(&call).await?;
    for end in [&source, &target] {
        thing(&call, end).await?;
    }
    let kind = call.text("AssociationType").unwrap_or("AssociatedWith").to_owned();
    call.app.association_add(&call.ctx, source, target, kind).await.map_err(|error| match error {
        Error::AlreadyExists { .. } => Failure::validation(format!(
            "Association with source {} and destination {} already exists.",
            call.required("SourceArn"),
            call.required("DestinationArn")
        )),
        other => other.into(),
    })?;
    Ok(json!({ "SourceArn": call.input["SourceArn"], "DestinationArn": call.input["DestinationArn"] }))
}

pub(crate) async fn delete(call: Call) -> Result<Value> {
    let (source, target) = ends(&call).await?;
    call.app.association_delete(&call.ctx, source, target).await.map_err(|error| match error {
        Error::NotFound { .. } => Failure::not_found(format!(
            "Association with source {} and destination {} does not exist.",
            call.required("SourceArn"),
            call.required("DestinationArn")
        )),
        other => other.into(),
    })?;
    Ok(json!({ "SourceArn": call.input["SourceArn"], "DestinationArn": call.input["DestinationArn"] }))
}

pub(crate) async fn list(call: Call) -> Result<Value> {
    let source = call.text("SourceArn").map(|arn| end(&call, arn)).transpose()?;
    let target = call.text("DestinationArn").map(|arn| end(&call, arn)).transpose()?;
    let mut edges = call.app.association_list(&call.ctx, source, target).await?;
    let kind = call.text("AssociationType");
    let (after, before) = (call.time("CreatedAfter"), call.time("CreatedBefore"));
    edges.retain(|edge| {
        kind.is_none_or(|kind| edge.kind == kind)
            && after.is_none_or(|after| edge.created_at > after)
            && before.is_none_or(|before| edge.created_at < before)
    });
    let mut things: HashMap<String, Thing> = HashMap::new();
    for edge in &edges {
        for end in [&edge.source, &edge.target] {
            if !things.contains_key(end) {
                things.insert(end.clone(), thing(&call, end).await.unwrap_or_default());
            }
        }
    }
    let (source_type, target_type) = (call.text("SourceType"), call.text("DestinationType"));
    edges.retain(|edge| {
        source_type.is_none_or(|wanted| things[&edge.source].kind == wanted)
            && target_type.is_none_or(|wanted| things[&edge.target].kind == wanted)
    });
    match call.text("SortBy").unwrap_or("CreationTime") {
        "SourceArn" => edges.sort_by(|a, b| a.source.cmp(&b.source)),
        "DestinationArn" => edges.sort_by(|a, b| a.target.cmp(&b.target)),
        "SourceType" => edges.sort_by(|a, b| things[&a.source].kind.cmp(&things[&b.source].kind)),
        "DestinationType" => edges.sort_by(|a, b| things[&a.target].kind.cmp(&things[&b.target].kind)),
        _ => edges.sort_by_key(|edge| edge.created_at),
    }
    if call.direction() == stele_domain::search::Direction::Descending {
        edges.reverse();
    }
    let items = edges.iter().map(|edge| {
        let (source, target) = (&things[&edge.source], &things[&edge.target]);
        let mut summary = json!({
            "SourceArn": arn_of(&call, &edge.source),
            "DestinationArn": arn_of(&call, &edge.target),
            "SourceType": source.kind,
            "DestinationType": target.kind,
            "AssociationType": edge.kind,
            "CreationTime": render::time(edge.created_at),
            "CreatedBy": {},
        });
        for (member, thing) in [("SourceName", source), ("DestinationName", target)] {
            if !thing.name.is_empty() {
                summary[member] = thing.name.as_str().into();
            }
        }
        summary
    });
    call.page_of_all("AssociationSummaries", items.collect())
}

/// Filters take things out of the answer, not out of the walk.
pub(crate) async fn query(call: Call) -> Result<Value> {
    let starts = call.texts("StartArns");
    if starts.is_empty() {
        return Err(Failure::validation("StartArns must name where the walk begins."));
    }
    let starts = starts.iter().map(|arn| end(&call, arn)).collect::<Result<Vec<_>>>()?;
    for start in &starts {
        thing(&call, start).await?;
    }
    let direction = call.text("Direction").unwrap_or("Both");
    let depth = u32::try_from(call.int("MaxDepth").unwrap_or(DEEPEST).clamp(0, DEEPEST)).unwrap_or_default();
    let walk = LineageWalk { starts, origins: direction != "Descendants", products: direction != "Ascendants", depth };
    let walked = call.app.lineage_walk(&call.ctx, walk).await.map_err(|error| match error {
        Error::LimitExceeded { message } => Failure::validation(message),
        other => other.into(),
    })?;
    let mut ends: Vec<(&String, &u32)> = walked.met.iter().collect();
    ends.sort_by_key(|(end, distance)| (**distance, (*end).clone()));
    let filter = Filter::read(&call);
    let mut vertices = Vec::new();
    for (end, _) in ends {
        // What is of another server is met as well, but nothing is known of it.
        let thing = thing(&call, end).await.unwrap_or_else(|_| Thing::unknown(end));
        if filter.holds(&thing) {
            vertices.push(json!({
                "Arn": arn_of(&call, end),
                "Type": thing.kind,
                "LineageType": thing.lineage,
            }));
        }
    }
    let mut reply = call.page_of_all("Vertices", vertices)?;
    // The SDK reads the member of an answer without edges too.
    let wanted = if call.flag("IncludeEdges").unwrap_or(true) { &walked.edges[..] } else { &[] };
    let edges = wanted.iter().map(|LineageEdge { source, target, kind, .. }| {
        json!({
            "SourceArn": arn_of(&call, source),
            "DestinationArn": arn_of(&call, target),
            "AssociationType": kind,
        })
    });
    reply["Edges"] = edges.collect();
    Ok(reply)
}

/// What is known of an end of an edge.
#[derive(Default)]
struct Thing {
    name: String,
    kind: String,
    lineage: &'static str,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    properties: Value,
}

impl Thing {
    fn unknown(end: &str) -> Thing {
        Thing { lineage: lineage_type(end.split('/').next().unwrap_or_default()), ..Thing::default() }
    }
}

struct Filter {
    kinds: Vec<String>,
    lineages: Vec<String>,
    times: [Option<Timestamp>; 4],
    properties: Vec<(String, Value)>,
}

impl Filter {
    fn read(call: &Call) -> Filter {
        let given = call.map("Filters");
        let texts = |member: &str| {
            let items = given.and_then(|given| given.get(member)).and_then(Value::as_array);
            items.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let time = |member: &str| given.and_then(|given| given.get(member)).and_then(Value::as_f64).map(timestamp);
        let properties = given.and_then(|given| given.get("Properties")).and_then(Value::as_object);
        Filter {
            kinds: texts("Types"),
            lineages: texts("LineageTypes"),
            times: ["CreatedAfter", "CreatedBefore", "ModifiedAfter", "ModifiedBefore"].map(time),
            properties: properties.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect(),
        }
    }

    fn holds(&self, thing: &Thing) -> bool {
        let [created_after, created_before, modified_after, modified_before] = self.times;
        let between = |time: Option<Timestamp>, after: Option<Timestamp>, before: Option<Timestamp>| {
            after.is_none_or(|after| time.is_some_and(|time| time > after))
                && before.is_none_or(|before| time.is_some_and(|time| time < before))
        };
        (self.kinds.is_empty() || self.kinds.contains(&thing.kind))
            && (self.lineages.is_empty() || self.lineages.iter().any(|lineage| lineage == thing.lineage))
            && between(thing.created_at, created_after, created_before)
            && between(thing.updated_at, modified_after, modified_before)
            && self.properties.iter().all(|(key, value)| thing.properties.get(key) == Some(value))
    }
}

async fn ends(call: &Call) -> Result<(String, String)> {
    Ok((end(call, call.required("SourceArn"))?, end(call, call.required("DestinationArn"))?))
}

/// How an ARN is kept as an end of an edge: `kind/name`, or whole when it is of another account.
fn end(call: &Call, given: &str) -> Result<String> {
    match arn::parse(given, &call.account) {
        Some(path) => Ok(format!("{}/{}", path.kind, path.rest)),
        None if given.starts_with("arn:") => Ok(given.to_owned()),
        None => Err(Failure::validation(format!("'{given}' is not an ARN."))),
    }
}

fn arn_of(call: &Call, end: &str) -> String {
    match end.split_once('/') {
        Some((kind, rest)) if !kind.starts_with("arn:") => call.arn(kind, rest),
        _ => end.to_owned(),
    }
}

fn lineage_type(kind: &str) -> &'static str {
    match kind {
        "artifact" | "model-package" => "Artifact",
        "action" => "Action",
        "context" => "Context",
        _ => "TrialComponent",
    }
}

/// Looks up an end of an edge. One of another account is taken as it is.
async fn thing(call: &Call, end: &str) -> Result<Thing> {
    let Some((kind, rest)) = end.split_once('/').filter(|(kind, _)| !kind.starts_with("arn:")) else {
        return Ok(Thing::unknown(end));
    };
    let lineage = lineage_type(kind);
    if kind == COMPONENT {
        let component = trials::open(call, rest).await?;
        let created_at = Some(component.facets.created_at);
        return Ok(Thing { name: rest.to_owned(), lineage, created_at, updated_at: created_at, ..Thing::default() });
    }
    if kind == "experiment" {
        experiments::open(call, rest).await?;
        return Ok(Thing { name: rest.to_owned(), lineage: "Context", ..Thing::default() });
    }
    if kind == ARTIFACT.path && is_logged_model(rest) {
        let model = resources::logged_model(call, rest).await?;
        let (created_at, updated_at) = (Some(model.created_at), Some(model.updated_at));
        let kind = resources::LOGGED_MODEL.to_owned();
        return Ok(Thing { name: model.name, kind, lineage, created_at, updated_at, ..Thing::default() });
    }
    if kind == PACKAGE.path
        && let Named::Version { model, number } = packages::parse(call, &arn_of(call, end)).await?
    {
        let version = call.app.model_version_get(&call.ctx, model, number).await;
        let version = version.map_err(|_| packages::missing(call, rest))?;
        let (created_at, updated_at) = (Some(version.created_at), Some(version.updated_at));
        let kind = "ModelPackage".to_owned();
        return Ok(Thing {
            name: rest.to_owned(),
            kind,
            lineage: "Artifact",
            created_at,
            updated_at,
            ..Thing::default()
        });
    }
    let Some(known) = kinds::by_path(kind) else {
        return Err(Failure::not_found(format!("'{}' does not exist.", arn_of(call, end))));
    };
    let found = call.app.resource_get(&call.ctx, known.path, rest.to_owned()).await;
    let found = found.map_err(call.about(known, rest))?;
    let whole = resources::whole(call, known, &found);
    let text = |member: &str| whole.get(member).and_then(Value::as_str).unwrap_or_default().to_owned();
    let kind = ["ArtifactType", "ActionType", "ContextType"].map(&text).concat();
    let name = if known.path == ARTIFACT.path { text(ARTIFACT.name) } else { found.name.clone() };
    let properties = found.document.get("Properties").cloned().unwrap_or_default();
    let (created_at, updated_at) = (Some(found.created_at), Some(found.updated_at));
    Ok(Thing { name, kind, lineage, created_at, updated_at, properties })
}
