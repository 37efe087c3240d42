//! The texts that MLflow's clients and tests match, for a comparison that parses but means nothing.

use stele_domain::search::Comparison;

use super::lexer::excerpt;
use super::parser::Comparator;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    Runs,
    Experiments,
    Models,
    Versions,
    LoggedModels,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyKind {
    Metric,
    Param,
    Tag,
    Attribute,
    Dataset,
}

/// What a comparison is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) search: Search,
    pub(super) kind: KeyKind,
    pub(super) key: &'a str,
}

const NUMBER_COMPARATORS: &str = "'!=', '<', '<=', '=', '>', '>='";
/// Logged-model searches list theirs in a fixed order.
const LOGGED_MODEL_NUMBER_COMPARATORS: &str = "'<', '<=', '>', '>=', '=', '!='";
const LOGGED_MODEL_TEXT_COMPARATORS: &str = "'=', '!=', 'LIKE', 'ILIKE', 'IN', 'NOT IN'";
const TEXT_COMPARATORS: &str = "'!=', '=', 'ILIKE', 'IN', 'LIKE', 'NOT IN'";
const NULLABLE_TEXT_COMPARATORS: &str = "'!=', '=', 'ILIKE', 'IN', 'IS NOT NULL', 'IS NULL', 'LIKE', 'NOT IN'";

impl Subject<'_> {
    pub(super) fn invalid_comparator(&self, comparator: Comparator<'_>, takes_numbers: bool) -> String {
        let written = excerpt(&written(comparator));
        let known = match self.kind {
            _ if takes_numbers => NUMBER_COMPARATORS,
            KeyKind::Param | KeyKind::Tag => NULLABLE_TEXT_COMPARATORS,
            KeyKind::Metric | KeyKind::Attribute | KeyKind::Dataset => TEXT_COMPARATORS,
        };
        let subject = match (self.search, self.kind) {
            (Search::LoggedModels, kind) => {
                let known = if takes_numbers { LOGGED_MODEL_NUMBER_COMPARATORS } else { LOGGED_MODEL_TEXT_COMPARATORS };
                return format!(
                    "Invalid comparison operator for {}.{}: '{written}'. Expected one of ({known}).",
                    plural(kind),
                    self.key
                );
            }
            (Search::Runs, _) | (Search::Experiments, KeyKind::Attribute) if self.key != "experiment_id" => {
                return format!("Invalid comparator '{written}' not one of '{{{known}}}'");
            }
            (_, KeyKind::Tag) => "tag",
            (Search::Versions, KeyKind::Attribute) if takes_numbers => "attribute version_number",
            (Search::Experiments, _) => "experiment_id",
            (_, KeyKind::Metric | KeyKind::Param | KeyKind::Attribute | KeyKind::Dataset) => "attribute",
        };
        format!("Invalid comparator for {subject}: {written}")
    }

    pub(super) fn null_test_refused(&self) -> String {
        match self.search {
            Search::Experiments => {
                format!("IS NULL / IS NOT NULL is only supported for tags, not for attribute '{}'", self.key)
            }
            Search::Runs | Search::Models | Search::Versions | Search::LoggedModels => format!(
                "IS NULL / IS NOT NULL is only supported for tags and params, not for '{}' '{}'",
                singular(self.kind),
                self.key
            ),
        }
    }

    pub(super) fn expected_number(&self, found: &str) -> String {
        let found = excerpt(found);
        match self.kind {
            KeyKind::Metric => format!("Expected numeric value type for metric. Found {found}"),
            KeyKind::Param | KeyKind::Tag | KeyKind::Attribute | KeyKind::Dataset => {
                format!("Expected numeric value type for numeric attribute: {}. Found {found}", self.key)
            }
        }
    }

    pub(super) fn expected_integer(&self, found: &str) -> String {
        format!("Invalid value for numeric attribute '{}': '{}'", self.key, excerpt(found))
    }

    /// For a number where a text belongs.
    pub(super) fn expected_text(&self, found: &str) -> String {
        let found = excerpt(found);
        match (self.kind, self.search) {
            (KeyKind::Param | KeyKind::Tag | KeyKind::Metric, _) => {
                let kind = singular(self.kind);
                format!("Expected a quoted string value for {kind} (e.g. 'my-value'). Got value {found}")
            }
            (KeyKind::Dataset, _) => {
                format!("Expected a quoted string value for dataset attributes. Got value {found}")
            }
            (KeyKind::Attribute, Search::Models) => format!(
                "Expected a quoted string value or a list of quoted string values for attributes. Got value {found}"
            ),
            (KeyKind::Attribute, Search::Versions) => {
                "Only the '{'version_number'}' attributes support comparison with numeric values.".to_owned()
            }
            (KeyKind::Attribute, Search::Runs | Search::Experiments | Search::LoggedModels) => {
                format!("Expected a quoted string value for attributes. Got value {found}")
            }
        }
    }
}

/// For a bare word, or one in backticks, where a quoted text belongs.
pub(super) fn not_quoted(found: &str) -> String {
    format!(
        "Parameter value is either not quoted or unidentified quote types used for string value {}. \
         Use either single or double quotes.",
        excerpt(found)
    )
}

pub(super) fn invalid_attribute(key: &str, valid_keys: &[&str]) -> String {
    format!("Invalid attribute key '{}' specified. Valid keys are '{{{}}}'", excerpt(key), quoted_list(valid_keys))
}

pub(super) fn invalid_dataset_key(key: &str) -> String {
    format!("Invalid dataset key '{}' specified. Valid keys are '{{'context', 'digest', 'name'}}'", excerpt(key))
}

/// For searches that know metrics, params, tags, attributes and datasets.
pub(super) fn invalid_entity(entity: &str) -> String {
    format!(
        "Invalid entity type '{}'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']",
        excerpt(entity)
    )
}

/// For searches that know tags and attributes only.
pub(super) fn invalid_tag_or_attribute(entity: &str) -> String {
    format!("Invalid entity type '{}'. Valid entity types are ('attribute', 'tag', 'tags')", excerpt(entity))
}

pub(super) fn quoted_list(items: &[&str]) -> String {
    let quoted: Vec<String> = items.iter().map(|item| format!("'{item}'")).collect();
    quoted.join(", ")
}

pub(super) fn written(comparator: Comparator<'_>) -> String {
    let text = match comparator {
        Comparator::Order(Comparison::Equal) => "=",
        Comparator::Order(Comparison::NotEqual) => "!=",
        Comparator::Order(Comparison::Greater) => ">",
        Comparator::Order(Comparison::GreaterOrEqual) => ">=",
        Comparator::Order(Comparison::Less) => "<",
        Comparator::Order(Comparison::LessOrEqual) => "<=",
        Comparator::Like => "LIKE",
        Comparator::ILike => "ILIKE",
        Comparator::In => "IN",
        Comparator::NotIn => "NOT IN",
        Comparator::IsNull => "IS NULL",
        Comparator::IsNotNull => "IS NOT NULL",
        Comparator::Unknown(text) => return text.to_uppercase(),
    };
    text.to_owned()
}

fn singular(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Metric => "metric",
        KeyKind::Param => "parameter",
        KeyKind::Tag => "tag",
        KeyKind::Attribute => "attribute",
        KeyKind::Dataset => "dataset",
    }
}

fn plural(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Metric => "metrics",
        KeyKind::Param => "params",
        KeyKind::Tag => "tags",
        KeyKind::Attribute => "attributes",
        KeyKind::Dataset => "datasets",
    }
}
