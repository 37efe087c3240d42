use stele_domain::registry::PROMPT_TAG;
use stele_domain::search::{Comparison, Field, Filter, Predicate};

/// Whether a search of registered models or versions may give prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PromptSelection {
    /// Leave out every model that has the tag `mlflow.prompt.is_prompt` with the value `true`, and its versions.
    Excluded,
    /// Leave it to the filter.
    ByFilter,
}

/// Applies MLflow's rule that prompts are found only on demand.
///
/// The first condition on the tag `mlflow.prompt.is_prompt` decides: `= 'true'` and `!= 'false'` ask for prompts, and
/// the filter stays as it is. Otherwise prompts are excluded, and conditions on the tag are taken as met, because an
/// ordinary model does not carry it and `= 'false'` would find nothing.
pub(crate) fn select_prompts(filter: Filter) -> (Filter, PromptSelection) {
    match first_condition(&filter) {
        Some(predicate) if asks_for_prompts(predicate) => (filter, PromptSelection::ByFilter),
        Some(_) => (without_conditions(filter), PromptSelection::Excluded),
        None => (filter, PromptSelection::Excluded),
    }
}

fn first_condition(filter: &Filter) -> Option<&Predicate> {
    match filter {
        Filter::All => None,
        Filter::And(inner) | Filter::Or(inner) => inner.iter().find_map(first_condition),
        Filter::Not(inner) => first_condition(inner),
        Filter::Test(field, predicate) => is_prompt_tag(field).then_some(predicate),
    }
}

fn asks_for_prompts(predicate: &Predicate) -> bool {
    match predicate {
        Predicate::Text(Comparison::Equal, value) => value.eq_ignore_ascii_case("true"),
        Predicate::Text(Comparison::NotEqual, value) => value.eq_ignore_ascii_case("false"),
        _ => false,
    }
}

fn without_conditions(filter: Filter) -> Filter {
    match filter {
        Filter::All => Filter::All,
        Filter::And(inner) => Filter::And(inner.into_iter().map(without_conditions).collect()),
        Filter::Or(inner) => Filter::Or(inner.into_iter().map(without_conditions).collect()),
        Filter::Not(inner) => Filter::Not(Box::new(without_conditions(*inner))),
        Filter::Test(field, _) if is_prompt_tag(&field) => Filter::All,
        Filter::Test(field, predicate) => Filter::Test(field, predicate),
    }
}

fn is_prompt_tag(field: &Field) -> bool {
    matches!(field, Field::Tag(key) if key == PROMPT_TAG)
}
