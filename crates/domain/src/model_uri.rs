//! `models:/` URIs: how clients name a version of a model, or a logged model, where a location is wanted.

use crate::artifact_uri::UriParts;
use crate::id::LoggedModelId;

/// What a `models:/` URI names. Model names and aliases are as written; nothing says that they exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelUri {
    /// `models:/m-0123..`
    LoggedModel(LoggedModelId),
    /// `models:/name/7`
    Version { model: String, number: String },
    /// `models:/name/latest`, in any case
    Latest { model: String },
    /// `models:/name/Production`; any other word after the name is read as a stage.
    Stage { model: String, stage: String },
    /// `models:/name@champion`
    Alias { model: String, alias: String },
}

/// Whether `uri` has the scheme of model URIs.
pub fn is_model_uri(uri: &str) -> bool {
    UriParts::split(uri).scheme == "models"
}

impl ModelUri {
    /// Reads the path of a URI whose scheme is `models`; `None` when it has none of the known forms.
    pub fn parse(uri: &str) -> Option<ModelUri> {
        let parts = UriParts::split(uri);
        if parts.scheme != "models" {
            return None;
        }
        // A fragment belongs to the name, since clients allow `#` in model names.
        let fragment = if parts.fragment.is_empty() { String::new() } else { format!("#{}", parts.fragment) };
        let path = format!("{}{fragment}", parts.path.strip_prefix('/')?);
        let path = path.trim_start_matches('/');
        let (first, suffix) = match path.split_once('/') {
            Some((first, suffix)) => (first, Some(suffix)),
            None => (path, None),
        };
        if first.trim().is_empty() {
            return None;
        }
        let Some(suffix) = suffix else {
            return match first.rsplit_once('@') {
                Some((_, alias)) if alias.trim().is_empty() => None,
                Some((model, alias)) => Some(ModelUri::Alias { model: model.to_owned(), alias: alias.to_owned() }),
                None => Some(ModelUri::LoggedModel(LoggedModelId(first.to_owned()))),
            };
        };
        if suffix.trim().is_empty() || suffix.contains('/') {
            return None;
        }
        let model = first.to_owned();
        Some(if suffix.bytes().all(|byte| byte.is_ascii_digit()) {
            ModelUri::Version { model, number: suffix.to_owned() }
        } else if suffix.eq_ignore_ascii_case("latest") {
            ModelUri::Latest { model }
        } else {
            ModelUri::Stage { model, stage: suffix.to_owned() }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_told_apart() {
        let model = || "fraud".to_owned();
        let cases = [
            ("models:/m-12", Some(ModelUri::LoggedModel(LoggedModelId("m-12".to_owned())))),
            ("models:/fraud/12", Some(ModelUri::Version { model: model(), number: "12".to_owned() })),
            ("models:/fraud/LATEST", Some(ModelUri::Latest { model: model() })),
            ("models:/fraud/Staging", Some(ModelUri::Stage { model: model(), stage: "Staging".to_owned() })),
            ("models:/fraud@best", Some(ModelUri::Alias { model: model(), alias: "best".to_owned() })),
            ("models:/a@b@c", Some(ModelUri::Alias { model: "a@b".to_owned(), alias: "c".to_owned() })),
            ("models:/fraud@", None),
            ("models:/fraud/", None),
            ("models:/fraud/1/2", None),
            ("models:/", None),
            ("models:fraud/1", None),
            ("runs:/fraud/1", None),
        ];
        for (uri, expected) in cases {
            assert_eq!(ModelUri::parse(uri), expected, "{uri}");
        }
    }
}
