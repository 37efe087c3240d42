use axum::response::Response;
use stele_domain::registry::PROMPT_TAG;
use stele_domain::search::{Comparison, Field, Filter, Predicate, Query};

use super::{answer, max_results, next_token, window};
use crate::call::{Call, reply};
use crate::error::{Failure, Result};
use crate::filter::{PromptSelection, models, select_prompts, versions};
use crate::registry::dto::{ModelVersionDto, RegisteredModelDto};

const DEFAULT_MODELS: i64 = 100;
const MOST_MODELS: i64 = 1_000;
const MOST_VERSIONS: i64 = 200_000;

pub(crate) async fn search_models(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let filter = input.text("filter")?.unwrap_or_default();
    let limit = max_results(&input, DEFAULT_MODELS, MOST_MODELS)?;
    let order_by = input.texts("order_by")?;
    let filter = without_prompts(models::parse_filter(&filter)?);
    let order_by = models::parse_order_by(&order_by)?;
    let window = window(&input, limit)?;
    let page = call.app.model_search(&call.ctx, Query { filter, order_by, window }).await?;
    let next = next_token(window, page.more);
    reply(&answer("registered_models", page.items.into_iter().map(RegisteredModelDto::from), next))
}

pub(crate) async fn search_versions(mut call: Call) -> Result<Response> {
    let input = call.input().await?;
    let filter = input.text("filter")?.unwrap_or_default();
    let limit = match input.int("max_results")?.unwrap_or(MOST_VERSIONS) {
        limit if limit < 1 => {
            return Err(Failure::invalid(format!(
                "Invalid value for max_results. It must be a positive integer, but got {limit}"
            )));
        }
        _ => max_results(&input, MOST_VERSIONS, MOST_VERSIONS)?,
    };
    let order_by = input.texts("order_by")?;
    let filter = without_prompts(versions::parse_filter(&filter)?);
    let order_by = versions::parse_order_by(&order_by)?;
    let window = window(&input, limit)?;
    let page = call.app.model_version_search(&call.ctx, Query { filter, order_by, window }).await?;
    let next = next_token(window, page.more);
    reply(&answer("model_versions", page.items.into_iter().map(ModelVersionDto::row), next))
}

/// Prompts are found only when the filter asks for them. MLflow's client tags both a prompt and its versions.
pub(crate) fn without_prompts(filter: Filter) -> Filter {
    match select_prompts(filter) {
        (filter, PromptSelection::ByFilter) => filter,
        (filter, PromptSelection::Excluded) => {
            let tag = Field::Tag(PROMPT_TAG.to_owned());
            let is_prompt = Filter::Test(tag, Predicate::Text(Comparison::Equal, "true".to_owned()));
            Filter::And(vec![filter, Filter::Not(Box::new(is_prompt))])
        }
    }
}
