//! What the native API takes from this script, so that both mean the same: the filter language, which people know from
//! MLflow, files as answers and bodies, and positions in an order as tokens hold them.

use stele_domain::search::{Filter, Order};
use stele_domain::{Error, Result};

pub use crate::artifacts::{file_answer, receive_file};
use crate::filter::{OrderByError, experiments, models, runs, versions};
pub use crate::page_token::{values_of_json, values_to_json};
use crate::search::registry::without_prompts;

/// A filter of runs. A status is compared with the record's own words for it.
pub fn run_filter(filter: &str) -> Result<Filter> {
    runs::parse_filter(filter)
}

pub fn run_order(clauses: &[String]) -> Result<Vec<Order>> {
    runs::parse_order_by(clauses).map_err(invalid)
}

pub fn experiment_filter(filter: &str) -> Result<Filter> {
    experiments::parse_filter(filter)
}

pub fn experiment_order(clauses: &[String]) -> Result<Vec<Order>> {
    experiments::parse_order_by(clauses).map_err(invalid)
}

/// A filter of registered models; prompts, which are models too, are left out unless it asks for them.
pub fn model_filter(filter: &str) -> Result<Filter> {
    models::parse_filter(filter).map(without_prompts)
}

pub fn model_order(clauses: &[String]) -> Result<Vec<Order>> {
    models::parse_order_by(clauses).map_err(invalid)
}

/// A filter of model versions, also those of prompts.
pub fn version_filter(filter: &str) -> Result<Filter> {
    versions::parse_filter(filter)
}

fn invalid(error: OrderByError) -> Error {
    match error {
        OrderByError::Invalid(error) => error,
        OrderByError::DuplicateFields(message) => Error::invalid(message),
    }
}
