//! Filters and orders of `runs/search`.

use stele_domain::Result;
use stele_domain::search::{Attribute, DatasetField, Field, Filter, Order};

use super::comparison;
use super::key::{split, strip_backticks, unquote};
use super::messages::{self, KeyKind, Search, Subject};
use super::order_by::{self, OrderByError};
use super::parser::{self, Clause, Grammar, Wording};

/// The tag in which MLflow keeps a run's name; a condition on it is one on the name.
const RUN_NAME_TAG: &str = "mlflow.runName";

const ORDER_KEYS: &[&str] =
    &["Created", "artifact_uri", "created", "end_time", "run_id", "run_name", "start_time", "status", "user_id"];
const FILTER_KEYS: &[&str] = &[
    "Created",
    "Run Name",
    "Run name",
    "artifact_uri",
    "created",
    "end_time",
    "run name",
    "run_id",
    "run_name",
    "start_time",
    "status",
    "user_id",
];

/// Parses a filter over metrics, params, tags, dataset inputs and the attributes `run_id`, `run_name` (an
/// [`Attribute::Name`], like the tag `mlflow.runName`), `status`, `user_id`, `artifact_uri`, `start_time` and `end_time`.
///
/// A status is compared with MLflow's names (`RUNNING`, `SCHEDULED`, `FINISHED`, `FAILED`, `KILLED`).
///
/// # Errors
/// `Invalid`, with MLflow's message and the position.
pub(crate) fn parse_filter(filter: &str) -> Result<Filter> {
    parser::parse(filter, Grammar { wording: Wording::Clauses, test })
}

/// Parses `order_by`, e.g. ``metrics.`val loss` DESC`` or `attributes.start_time`.
///
/// The store puts runs without the key last, whatever the direction (for metrics: numbers, then NaN, then none), and
/// breaks ties by `start_time DESC` (unless it is in the list), then by run id ascending.
///
/// # Errors
/// See [`OrderByError`].
pub(crate) fn parse_order_by(clauses: &[String]) -> Result<Vec<Order>, OrderByError> {
    order_by::parse(clauses, |clause| {
        let (kind, key) = resolve(clause.identifier, ORDER_KEYS).map_err(|message| clause.error(&message))?;
        if kind == KeyKind::Dataset {
            return Err(clause.error("Invalid identifier type 'dataset'"));
        }
        Ok(field(kind, key))
    })
}

fn test(clause: &Clause<'_>) -> Result<Filter> {
    let (kind, key) = resolve(clause.key.text, FILTER_KEYS).map_err(|message| clause.key_error(&message))?;
    let subject = Subject { search: Search::Runs, kind, key };
    let field = field(kind, key);
    match field {
        Field::Metric(_) | Field::Attribute(Attribute::StartTime | Attribute::EndTime) => {
            comparison::number(clause, subject, field)
        }
        _ => comparison::text(clause, subject, field),
    }
}

fn resolve<'a>(identifier: &'a str, valid_attributes: &[&str]) -> Result<(KeyKind, &'a str), String> {
    let (entity, key) = split(identifier);
    let kind = match entity.map(strip_backticks) {
        None | Some("attribute" | "attributes" | "attr" | "run") => KeyKind::Attribute,
        Some("metric" | "metrics") => KeyKind::Metric,
        Some("parameter" | "parameters" | "param" | "params") => KeyKind::Param,
        Some("tag" | "tags") => KeyKind::Tag,
        Some("dataset" | "datasets") => KeyKind::Dataset,
        Some(other) => return Err(messages::invalid_entity(other)),
    };
    let key = unquote(key);
    if kind == KeyKind::Attribute && !valid_attributes.contains(&key) {
        return Err(messages::invalid_attribute(key, valid_attributes));
    }
    if kind == KeyKind::Dataset && !matches!(key, "name" | "digest" | "context") {
        return Err(messages::invalid_dataset_key(key));
    }
    Ok((kind, key))
}

fn field(kind: KeyKind, key: &str) -> Field {
    match (kind, key) {
        (KeyKind::Metric, _) => Field::Metric(key.to_owned()),
        (KeyKind::Param, _) => Field::Param(key.to_owned()),
        (KeyKind::Tag, RUN_NAME_TAG) => Field::Attribute(Attribute::Name),
        (KeyKind::Tag, _) => Field::Tag(key.to_owned()),
        (KeyKind::Dataset, "digest") => Field::Dataset(DatasetField::Digest),
        (KeyKind::Dataset, "context") => Field::Dataset(DatasetField::Context),
        (KeyKind::Dataset, _) => Field::Dataset(DatasetField::Name),
        (KeyKind::Attribute, "run_id") => Field::Attribute(Attribute::Id),
        (KeyKind::Attribute, "status") => Field::Attribute(Attribute::Status),
        (KeyKind::Attribute, "user_id") => Field::Attribute(Attribute::User),
        (KeyKind::Attribute, "artifact_uri") => Field::Attribute(Attribute::ArtifactUri),
        (KeyKind::Attribute, "start_time" | "created" | "Created") => Field::Attribute(Attribute::StartTime),
        (KeyKind::Attribute, "end_time") => Field::Attribute(Attribute::EndTime),
        (KeyKind::Attribute, _) => Field::Attribute(Attribute::Name),
    }
}
