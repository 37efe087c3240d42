//! Filters and orders of `logged-models/search`, which has a grammar of its own.

use stele_domain::search::{Attribute, Direction, Field, Filter, Order};
use stele_domain::{Error, Result};

use super::MAX_ORDER_BY_CLAUSES;
use super::comparison;
use super::key::{split, unquote};
use super::lexer::excerpt;
use super::messages::{self, KeyKind, Search, Subject};
use super::parser::{self, Clause, Grammar, Wording};

const KEYS: &[&str] = &[
    "artifact_location",
    "creation_time",
    "creation_timestamp",
    "creation_timestamp_ms",
    "experiment_id",
    "last_updated_time",
    "last_updated_timestamp",
    "last_updated_timestamp_ms",
    "lifecycle_stage",
    "model_id",
    "model_type",
    "name",
    "source_run_id",
    "status",
];

/// One element of the request's `order_by`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OrderBy<'a> {
    pub(crate) field_name: &'a str,
    pub(crate) direction: Direction,
    /// Restricts a metric to what was measured on this dataset.
    pub(crate) dataset_name: Option<&'a str>,
    pub(crate) dataset_digest: Option<&'a str>,
}

/// Parses a filter over `metrics.x`, `params.x`, `tags.x` (only the plurals) and attributes.
///
/// Texts may go without quotes here, as MLflow has it: `params.lr = 0.01`. When the request names datasets, they
/// restrict each metric comparison to what was measured on one of them; that is left to the caller.
///
/// # Errors
/// `Invalid`, with MLflow's message and the position.
pub(crate) fn parse_filter(filter: &str) -> Result<Filter> {
    parser::parse(filter, Grammar { wording: Wording::FilterString, test })
}

/// Parses `order_by` over attributes and `metrics.x`, a metric optionally on one dataset.
///
/// The store takes a metric's newest value, puts models without one last whatever the direction, and breaks ties by
/// `creation_timestamp DESC`, then by model id ascending, each unless it is in the list.
///
/// # Errors
/// `Invalid`, when a field cannot be ordered by.
pub(crate) fn parse_order_by(elements: &[OrderBy<'_>]) -> Result<Vec<Order>> {
    if elements.len() > MAX_ORDER_BY_CLAUSES {
        return Err(Error::invalid(format!("Invalid order_by: more than {MAX_ORDER_BY_CLAUSES} clauses")));
    }
    let order = |element: &OrderBy<'_>| Ok(Order { field: order_field(element)?, direction: element.direction });
    elements.iter().map(order).collect()
}

fn order_field(element: &OrderBy<'_>) -> Result<Field> {
    let name = element.field_name.trim();
    let (entity, key) = split(name);
    match entity {
        None => attribute(unquote(key))
            .map(Field::Attribute)
            .ok_or_else(|| Error::invalid(format!("Invalid order by field name: {}", excerpt(name)))),
        Some("metrics") => Ok(metric(unquote(key), element)),
        Some(_) => {
            Err(Error::invalid(format!("Invalid order by field name: {}. Only metrics are supported.", excerpt(name))))
        }
    }
}

fn metric(key: &str, element: &OrderBy<'_>) -> Field {
    let given = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    match (given(element.dataset_name), given(element.dataset_digest)) {
        (None, None) => Field::Metric(key.to_owned()),
        (dataset_name, dataset_digest) => Field::MetricOnDataset { key: key.to_owned(), dataset_name, dataset_digest },
    }
}

fn test(clause: &Clause<'_>) -> Result<Filter> {
    let (entity, key) = split(clause.key.text);
    let key = unquote(key);
    let (kind, field) = match entity {
        Some("metrics") => (KeyKind::Metric, Field::Metric(key.to_owned())),
        Some("params") => (KeyKind::Param, Field::Param(key.to_owned())),
        Some("tags") => (KeyKind::Tag, Field::Tag(key.to_owned())),
        None | Some("attributes") => match attribute(key) {
            Some(attribute) => (KeyKind::Attribute, Field::Attribute(attribute)),
            None => return Err(clause.key_error(&messages::invalid_attribute(key, KEYS))),
        },
        Some(other) => {
            return Err(clause.key_error(&format!(
                "Invalid entity type: '{}'. Expected one of ['attributes', 'metrics', 'params', 'tags'].",
                excerpt(other)
            )));
        }
    };
    let subject = Subject { search: Search::LoggedModels, kind, key };
    match field {
        Field::Metric(_) | Field::Attribute(Attribute::CreatedAt | Attribute::UpdatedAt) => {
            comparison::loose_number(clause, subject, field)
        }
        _ => comparison::loose_text(clause, subject, field),
    }
}

fn attribute(key: &str) -> Option<Attribute> {
    Some(match key {
        "model_id" => Attribute::Id,
        "name" => Attribute::Name,
        "model_type" => Attribute::ModelType,
        "status" => Attribute::Status,
        "lifecycle_stage" => Attribute::Presence,
        "source_run_id" => Attribute::RunId,
        "experiment_id" => Attribute::ExperimentId,
        "artifact_location" => Attribute::ArtifactUri,
        "creation_time" | "creation_timestamp" | "creation_timestamp_ms" => Attribute::CreatedAt,
        "last_updated_time" | "last_updated_timestamp" | "last_updated_timestamp_ms" => Attribute::UpdatedAt,
        _ => return None,
    })
}
