use std::collections::BTreeMap;

use axum::response::Response;
use serde::Serialize;
use stele_app::{LineageEdge, LineageWalk, Walked};
use stele_domain::lineage::LineageNode;
use utoipa::ToSchema;

use super::Result;
use super::call::{Call, reply};
use super::route::Parameter;

const DEEPEST: i64 = 1_000;
const USUAL_DEPTH: i64 = 100;

pub(super) const WALK: &[Parameter] = &[
    Parameter::text(
        "of",
        "Where the walk begins: runs:/ID, models:/ID of a logged model, models:/NAME/VERSION, models:/NAME@ALIAS, or a \
         thing of SageMaker's clients as this route names it.",
    )
    .required(),
    Parameter::one_of("direction", &["origins", "products", "both"], "Which way to walk; both unless given."),
    Parameter::integer("depth", 1, DEEPEST, "How many steps at most; 100 unless given."),
];

pub(super) async fn walk(call: Call) -> Result<Response> {
    let of = call.query.text("of").unwrap_or_default().to_owned();
    let start = call.app.lineage_end(&call.ctx, of).await?;
    let direction = call.query.text("direction").unwrap_or("both");
    let walk = LineageWalk {
        starts: vec![start.clone()],
        origins: direction != "products",
        products: direction != "origins",
        depth: u32::try_from(call.query.int("depth").unwrap_or(USUAL_DEPTH)).unwrap_or_default(),
    };
    reply(&LineageDto::of(&start, call.app.lineage_walk(&call.ctx, walk).await?))
}

/// What a thing was made of, and what was made of it.
#[derive(Serialize, ToSchema)]
#[schema(as = Lineage)]
pub(super) struct LineageDto {
    /// Where the walk began.
    of: String,
    /// What it met, the nearest first.
    things: Vec<LineageThingDto>,
    edges: Vec<LineageEdgeDto>,
    /// Whether the walk went as far as the lineage goes.
    is_complete: bool,
}

#[derive(Serialize, ToSchema)]
#[schema(as = LineageThing)]
pub(super) struct LineageThingDto {
    /// runs:/ID, models:/ID, models:/NAME/VERSION, or kind/name of a thing of SageMaker's clients.
    thing: String,
    /// run, logged-model, model-version, or the kind that SageMaker's ARNs have.
    kind: String,
    /// In steps.
    distance: u32,
}

#[derive(Serialize, ToSchema)]
#[schema(as = LineageEdge)]
pub(super) struct LineageEdgeDto {
    source: String,
    target: String,
    /// Produced, ContributedTo, DerivedFrom, or what the client has called it that drew the edge.
    kind: String,
    /// Milliseconds since 1970.
    created_at: i64,
}

impl LineageDto {
    fn of(start: &str, walked: Walked) -> LineageDto {
        let Walked { met, edges, nodes, is_complete } = walked;
        let mut met: Vec<(String, u32)> = met.into_iter().collect();
        met.sort_by_key(|(_, distance)| *distance);
        let things = met.into_iter().map(|(end, distance)| LineageThingDto {
            thing: shown(&end, &nodes),
            kind: kind(&end, &nodes).to_owned(),
            distance,
        });
        let edges = edges.into_iter().map(|LineageEdge { source, target, kind, created_at }| LineageEdgeDto {
            source: shown(&source, &nodes),
            target: shown(&target, &nodes),
            kind,
            created_at: created_at.0,
        });
        LineageDto { of: shown(start, &nodes), things: things.collect(), edges: edges.collect(), is_complete }
    }
}

fn shown(end: &str, nodes: &BTreeMap<String, LineageNode>) -> String {
    nodes.get(end).map_or_else(|| end.to_owned(), LineageNode::uri)
}

fn kind<'e>(end: &'e str, nodes: &BTreeMap<String, LineageNode>) -> &'e str {
    match nodes.get(end) {
        Some(LineageNode::Run { .. }) => "run",
        Some(LineageNode::LoggedModel(_)) => "logged-model",
        Some(LineageNode::Version { .. }) => "model-version",
        // An ARN is of another account, and its slash may come late.
        None if end.starts_with("arn:") => "foreign",
        None => end.split('/').next().unwrap_or_default(),
    }
}
