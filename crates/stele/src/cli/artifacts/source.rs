use crate::cli::Failure;
use crate::cli::client::Client;
use crate::cli::models::version_number;

/// Files in the record: whose, and the path below its root.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Source {
    owner: Owner,
    pub(super) path: String,
}

#[derive(Debug, Clone, PartialEq)]
enum Owner {
    Run(String),
    LoggedModel(String),
    /// `version` is a number, or an alias with an `@`.
    ModelVersion {
        model: String,
        version: String,
    },
}

/// The path of the native API below which the files are.
pub(super) struct Root(Vec<String>);

impl Root {
    pub(super) fn parts(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }
}

impl Source {
    pub(super) fn parse(text: &str) -> Result<Source, &'static str> {
        const EXPECTED: &str = "expected RUN/PATH, MODEL_ID/PATH, models:/NAME/VERSION/PATH or models:/NAME@ALIAS/PATH";

        let cut = |text: &str| match text.split_once('/') {
            Some((first, rest)) => (first.to_owned(), rest.to_owned()),
            None => (text.to_owned(), String::new()),
        };
        let (owner, path) = match text.strip_prefix("models:/") {
            Some(rest) => {
                let (model, rest) = cut(rest);
                let (model, version, path) = match model.split_once('@') {
                    Some((model, alias)) => (model.to_owned(), format!("@{alias}"), rest),
                    None => {
                        let (version, path) = cut(&rest);
                        (model, version, path)
                    }
                };
                if model.is_empty() || version.trim_start_matches('@').is_empty() {
                    return Err(EXPECTED);
                }
                (Owner::ModelVersion { model, version }, path)
            }
            None => {
                let (id, path) = cut(text.strip_prefix("runs:/").unwrap_or(text));
                if id.is_empty() || id.contains(':') {
                    return Err(EXPECTED);
                }
                (if is_logged_model(&id) { Owner::LoggedModel(id) } else { Owner::Run(id) }, path)
            }
        };
        Ok(Source { owner, path: path.trim_matches('/').to_owned() })
    }

    /// Where the native API has the files; an alias is looked up.
    pub(super) async fn root(&self, client: &Client) -> anyhow::Result<Root> {
        Ok(Root(match &self.owner {
            Owner::Run(id) => vec!["runs".to_owned(), id.clone()],
            Owner::LoggedModel(id) => vec!["logged-models".to_owned(), id.clone()],
            Owner::ModelVersion { model, version } => {
                let number = version_number(client, model, version).await?;
                vec!["models".to_owned(), model.clone(), "versions".to_owned(), number]
            }
        }))
    }

    /// The last part of the path, or what the files belong to.
    pub(super) fn name(&self) -> Result<String, Failure> {
        let name = match (self.path.rsplit('/').next().filter(|name| !name.is_empty()), &self.owner) {
            (Some(name), _) => name.to_owned(),
            (None, Owner::Run(id) | Owner::LoggedModel(id)) => id.clone(),
            (None, Owner::ModelVersion { model, version }) => format!("{model}-{}", version.trim_start_matches('@')),
        };
        // Names come from the record, and must not leave the folder that is written to.
        if name.contains(['/', '\\', '\0']) || matches!(name.as_str(), "" | "." | "..") {
            return Err(Failure::usage(format!("'{name}' cannot be the name of a file here")).hint("name the target"));
        }
        Ok(name)
    }
}

/// `m-` and 32 hex digits, as servers make them.
fn is_logged_model(id: &str) -> bool {
    id.strip_prefix("m-").is_some_and(|rest| rest.len() == 32 && rest.chars().all(|c| c.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_people_write_them() {
        let model = "m-0123456789abcdef0123456789abcdef";
        let of = |owner: Owner, path: &str| Ok(Source { owner, path: path.to_owned() });
        let version = |version: &str| Owner::ModelVersion { model: "churn".to_owned(), version: version.to_owned() };
        assert_eq!(Source::parse("abc"), of(Owner::Run("abc".to_owned()), ""));
        assert_eq!(Source::parse("abc/a/b.txt"), of(Owner::Run("abc".to_owned()), "a/b.txt"));
        assert_eq!(Source::parse("runs:/abc/a/"), of(Owner::Run("abc".to_owned()), "a"));
        assert_eq!(Source::parse(&format!("{model}/MLmodel")), of(Owner::LoggedModel(model.to_owned()), "MLmodel"));
        assert_eq!(Source::parse("models:/churn/3"), of(version("3"), ""));
        assert_eq!(Source::parse("models:/churn/3/a/b"), of(version("3"), "a/b"));
        assert_eq!(Source::parse("models:/churn@best/a"), of(version("@best"), "a"));
        for odd in ["", "/", "models:/", "models:/churn", "models:/churn@", "models://3", "s3://bucket/key"] {
            assert!(Source::parse(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_name_from_the_record_stays_in_its_folder() {
        assert_eq!(Source::parse("abc/a/b.txt").unwrap().name().unwrap(), "b.txt");
        assert_eq!(Source::parse("models:/churn@best").unwrap().name().unwrap(), "churn-best");
        assert!(Source::parse("abc/..").unwrap().name().is_err());
    }
}
