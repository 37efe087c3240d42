//! Where a request is answered: clients and proxies put things in front of the paths that the routes know.

use anyhow::Result;
use axum::extract::Request;
use axum::http::{Extensions, Uri};

use crate::cli::Failure;
use crate::mlflow_ui;

/// A path in front of everything, such as `/stele`, without a slash at its end; or nothing.
pub(crate) fn prefix(text: &str) -> Result<String> {
    let prefix = text.trim_end_matches('/');
    let is_plain = |segment: &str| {
        let mut bytes = segment.bytes();
        !segment.is_empty()
            && !segment.starts_with('.')
            && bytes.all(|b| b.is_ascii_alphanumeric() || b"._-~".contains(&b))
    };
    if !prefix.is_empty() && !prefix.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_plain)) {
        return Err(Failure::usage(format!("the prefix '{text}' cannot be used"))
            .hint("it is a path such as /stele, of letters, digits, '.', '_', '-' and '~'")
            .into());
    }
    Ok(prefix.to_owned())
}

/// Takes away what is in front: a second slash, since clients whose tracking URI ends in one ask for `//api/..`; the
/// prefix, unless a proxy has done so; and the place of MLflow's pages, whose calls are those of any client. Slashes
/// inside are left alone: they may be part of an artifact path.
///
/// A request of one of AWS's services whose paths are anybody's is led to where it is answered.
pub(crate) fn plain(mut request: Request, prefix: &str) -> Request {
    if let Some(path) = stele_aws::route(request.uri(), request.headers()) {
        let sent = std::mem::replace(request.uri_mut(), Uri::from_static(path));
        request.extensions_mut().insert(stele_aws::Sent(sent.clone()));
        request.extensions_mut().insert(AsSent(sent));
        return request;
    }
    let given = request.uri().path_and_query().map_or("/", |given| given.as_str());
    if let Some(plain) = inner(given, prefix)
        && let Ok(plain) = plain.parse::<Uri>()
    {
        let sent = AsSent(std::mem::replace(request.uri_mut(), plain));
        request.extensions_mut().insert(sent);
    }
    request
}

/// What was asked for before something was taken away in front, which is what clients have signed.
#[derive(Debug, Clone)]
pub(crate) struct AsSent(Uri);

impl AsSent {
    pub(crate) fn uri_of<'a>(uri: &'a Uri, extensions: &'a Extensions) -> &'a Uri {
        extensions.get::<AsSent>().map_or(uri, |AsSent(uri)| uri)
    }
}

/// The path and query to answer, if it is not the given one.
fn inner(given: &str, prefix: &str) -> Option<String> {
    let (path, query) = given.split_at(given.find('?').unwrap_or(given.len()));
    let mut plain = one_leading_slash(path);
    if let Some(rest) = plain.strip_prefix(prefix)
        && (rest.is_empty() || rest.starts_with('/'))
    {
        plain = one_leading_slash(rest);
    }
    if let Some(root) = mlflow_ui::at_the_root(plain) {
        plain = one_leading_slash(root);
    }
    (plain != path).then(|| if plain.is_empty() { format!("/{query}") } else { format!("{plain}{query}") })
}

fn one_leading_slash(path: &str) -> &str {
    let slashes = path.len() - path.trim_start_matches('/').len();
    &path[slashes.saturating_sub(1)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_front_is_taken_away() {
        for (given, prefix, expected) in [
            ("/api/2.0/x?y=//z", "", None),
            ("//api/2.0/x?y=1", "", Some("/api/2.0/x?y=1")),
            ("/mlflow/graphql", "", Some("/graphql")),
            ("/mlflow//graphql", "", Some("/graphql")),
            ("/mlflow/", "", None),
            ("/mlflow", "", None),
            ("/", "/stele", None),
            ("/stele", "/stele", Some("/")),
            ("/stele?a=b", "/stele", Some("/?a=b")),
            ("/stele/", "/stele", Some("/")),
            ("//stele//api/x", "/stele", Some("/api/x")),
            ("/stele/mlflow/", "/stele", Some("/mlflow/")),
            ("/stele/mlflow/get-artifact?path=a//b", "/stele", Some("/get-artifact?path=a//b")),
            ("/stelean/x", "/stele", None),
            ("/api/x", "/stele", None),
            ("/api/2.0/mlflow-artifacts/artifacts//stele/x", "/stele", None),
        ] {
            assert_eq!(inner(given, prefix).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn prefixes_are_plain_paths() {
        for (text, expected) in [("", ""), ("/", ""), ("/a", "/a"), ("/a/b/", "/a/b")] {
            assert_eq!(prefix(text).unwrap(), expected);
        }
        for text in ["a", "/a//b", "/..", "/a b", "/{x}", "/a?b"] {
            assert!(prefix(text).is_err(), "{text}");
        }
    }
}
