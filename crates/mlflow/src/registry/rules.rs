//! MLflow's rules for what registry calls name, with the texts that its clients and tests match.

use stele_domain::lifecycle::Stage;
use stele_domain::record::Tag;
use stele_domain::registry::PROMPT_TAG;

use super::dto::APPROVAL_TAG;
use crate::error::{Failure, Result};
use crate::input::Input;
use crate::validate::{self, MOST_KEY};

const MOST_REGISTRY_TAG_VALUE: usize = 100_000;
const MOST_ALIAS: usize = 255;
const PROMPT_TEXT_TAG: &str = "mlflow.prompt.text";

/// The name of a registered model in the field `name`.
pub(crate) fn model_name(name: &str) -> Result<()> {
    if name.trim().is_empty() {
        return Err(Failure::invalid("Missing value for required parameter 'name'."));
    }
    if name.contains(['/', ':']) {
        return Err(Failure::invalid(format!("Invalid model name '{name}'. Names cannot contain '/' or ':'.")));
    }
    validate::resolves_to_itself("name", name)
}

pub(super) fn new_model_name(name: &str) -> Result<()> {
    if name.trim().is_empty() {
        return Err(Failure::invalid("Missing value for required parameter 'new_name'."));
    }
    model_name(name)
}

pub(crate) fn version_number(text: &str) -> Result<i64> {
    let invalid = || Failure::invalid(format!("Parameter 'version' must be an integer, got '{text}'."));
    text.trim().parse().map_err(|_| invalid())
}

/// Reads a stage name in any case.
pub(super) fn stage(text: &str) -> Result<Stage> {
    Stage::parse(&text.to_lowercase()).ok_or_else(|| unknown_stage(text))
}

pub(super) fn unknown_stage(text: &str) -> Failure {
    Failure::invalid(format!(
        "Invalid Model Version stage: {text}. Value must be one of None, Staging, Production, Archived."
    ))
}

/// A name that an alias may have been given.
pub(super) fn alias(alias: &str) -> Result<()> {
    if !alias.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') {
        return Err(Failure::invalid(format!(
            "Invalid alias name: '{alias}'. Names may only contain alphanumerics, underscores (_), and dashes (-)."
        )));
    }
    validate::length("Registered model alias name", alias, MOST_ALIAS)
}

/// A name that a client may give to an alias: not one that means a version already.
pub(super) fn new_alias(name: &str) -> Result<()> {
    alias(name)?;
    if name.eq_ignore_ascii_case("latest") {
        return Err(Failure::invalid("'latest' alias name (case insensitive) is reserved."));
    }
    let number = name.strip_prefix(['v', 'V']).unwrap_or("");
    if !number.is_empty() && number.chars().all(char::is_numeric) {
        return Err(Failure::invalid(format!("Version alias name '{name}' is reserved.")));
    }
    Ok(())
}

/// A tag of a registered model.
pub(super) fn model_tag(key: String, value: Option<String>) -> Result<Tag> {
    tag(key, value, |_, _| Ok(()))
}

/// A tag of a model version.
pub(super) fn version_tag(key: String, value: Option<String>) -> Result<Tag> {
    changeable_version_tag(&key)?;
    tag(key, value, |key, value| {
        if key == PROMPT_TEXT_TAG && value.chars().count() > MOST_REGISTRY_TAG_VALUE {
            return Err(Failure::invalid(format!(
                "Prompt text exceeds max length of {MOST_REGISTRY_TAG_VALUE} characters."
            )));
        }
        Ok(())
    })
}

/// Refuses the tag in which the record shows the approval of a version.
pub(super) fn changeable_version_tag(key: &str) -> Result<()> {
    if key == APPROVAL_TAG {
        return Err(Failure::invalid(format!(
            "The tag '{APPROVAL_TAG}' shows the approval of a model version and cannot be set or deleted as a tag."
        )));
    }
    Ok(())
}

fn tag(key: String, value: Option<String>, also: impl Fn(&str, &str) -> Result<()>) -> Result<Tag> {
    let value = value.unwrap_or_default();
    validate::name("key", &key)?;
    validate::length("key", &key, MOST_KEY)?;
    also(&key, &value)?;
    validate::length("value", &value, MOST_REGISTRY_TAG_VALUE)?;
    Ok(Tag { key, value })
}

/// The tags of a create call as given: a key or value left out is the empty text.
pub(super) fn given_tags(input: &Input) -> Result<Vec<(String, Option<String>)>> {
    let tags = input.messages("tags")?;
    tags.iter().map(|tag| Ok((tag.text("key")?.unwrap_or_default(), tag.text("value")?))).collect()
}

/// Whether the tags of a create call make what is created a prompt. Of several with one key the last counts.
pub(super) fn says_prompt(tags: &[(String, Option<String>)]) -> bool {
    let last = tags.iter().rev().find(|(key, _)| key == PROMPT_TAG);
    last.is_some_and(|(_, value)| value.as_deref().unwrap_or("").eq_ignore_ascii_case("true"))
}
