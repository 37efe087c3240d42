//! Artifact root URIs: taking them apart, joining paths to them, and judging which ones a client may name.
//!
//! They are split the way Python's `urllib.parse` does it, because MLflow's clients do that with every URI they are
//! given, and a server that read one differently would look elsewhere than its clients.

use percent_encoding::percent_decode_str;

use crate::artifact_path::decode_repeatedly;
use crate::{ArtifactPath, Error, Result};

/// The parts of a URI or plain path. `scheme` is lowercase and empty for a plain path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UriParts<'a> {
    pub scheme: String,
    pub authority: &'a str,
    pub path: &'a str,
    pub params: &'a str,
    pub query: &'a str,
    pub fragment: &'a str,
}

/// The schemes whose last path segment can carry `;params`.
const SCHEMES_WITH_PARAMS: [&str; 5] = ["", "ftp", "http", "https", "sftp"];
/// The schemes that are written with `//` even when the authority is empty.
const SCHEMES_WITH_AUTHORITY: [&str; 5] = ["file", "ftp", "http", "https", "sftp"];
const PROXY_ROUTE: &str = "/api/2.0/mlflow-artifacts/artifacts/";

impl<'a> UriParts<'a> {
    pub fn split(uri: &'a str) -> UriParts<'a> {
        let (scheme, rest) = split_scheme(uri);
        let (authority, rest) = match rest.strip_prefix("//") {
            Some(rest) => rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len())),
            None => ("", rest),
        };
        let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (path, params) =
            if SCHEMES_WITH_PARAMS.contains(&scheme.as_str()) { split_params(path) } else { (path, "") };
        UriParts { scheme, authority, path, params, query, fragment }
    }

    fn with_path(&self, path: &str) -> String {
        let mut uri = String::new();
        if !self.scheme.is_empty() {
            uri.push_str(&self.scheme);
            uri.push(':');
        }
        // Judged by the path the URI came with: clients keep a relative `file:a` relative.
        let needs_authority = SCHEMES_WITH_AUTHORITY.contains(&self.scheme.as_str()) && self.path.starts_with('/');
        if !self.authority.is_empty() {
            uri.push_str("//");
            uri.push_str(self.authority);
            if !path.is_empty() && !path.starts_with('/') {
                uri.push('/');
            }
        } else if path.starts_with("//") || needs_authority {
            uri.push_str("//");
        }
        uri.push_str(path);
        for (mark, part) in [(';', self.params), ('?', self.query), ('#', self.fragment)] {
            if !part.is_empty() {
                uri.push(mark);
                uri.push_str(part);
            }
        }
        uri
    }
}

/// Appends a `/`-path to the path of `uri`; its query and fragment stay at the end.
///
/// `s3://bucket/root?versionId=1` and `a/b` make `s3://bucket/root/a/b?versionId=1`. A plain path is joined as it is.
pub fn append_to_uri_path(uri: &str, path: &str) -> Result<String> {
    let parts = UriParts::split(uri);
    validate_query(parts.query)?;
    if parts.scheme.is_empty() {
        return Ok(join_posix(uri, path));
    }
    Ok(parts.with_path(&join_posix(parts.path, path)))
}

/// Whether `source` is `root` or lies below it: same store, and the decoded path segments of `root` are a prefix of those
/// of `source`. Nothing lies within a root without a path.
pub fn is_uri_within(source: &str, root: &str) -> bool {
    let (source, root) = (UriParts::split(source), UriParts::split(root));
    let root_segments = decoded_segments(root.path);
    store(&source) == store(&root)
        && !root_segments.is_empty()
        && decoded_segments(source.path).starts_with(&root_segments)
}

/// Whether one of two places lies within the other.
pub fn do_uris_overlap(one: &str, other: &str) -> bool {
    is_uri_within(one, other) || is_uri_within(other, one)
}

/// Scheme and authority, in one spelling for stores that are known by several.
fn store(parts: &UriParts<'_>) -> (String, String) {
    let authority = parts.authority.to_ascii_lowercase();
    match parts.scheme.as_str() {
        "s3a" => ("s3".to_owned(), authority),
        "wasbs" | "abfss" => ("wasbs".to_owned(), authority.replacen(".dfs.core.", ".blob.core.", 1)),
        scheme => (scheme.to_owned(), authority),
    }
}

/// The folder a plain path or `file:` URI names, percent-decoded once; `None` for other schemes.
pub fn local_path(uri: &str) -> Result<Option<String>> {
    let parts = UriParts::split(uri);
    let path = match parts.scheme.as_str() {
        "" => uri,
        "file" if is_this_machine(parts.authority) => parts.path,
        "file" => {
            return Err(Error::invalid(format!(
                "{uri} is not a valid remote uri. For remote access on windows, please consider using a different \
                 scheme such as SMB (e.g. smb://<hostname>/<path>)."
            )));
        }
        _ => return Ok(None),
    };
    Ok(Some(percent_decode_str(path).decode_utf8_lossy().into_owned()))
}

/// `uri` as it reads from any working directory: a relative path or `file:` URI is taken as relative to `folder`, an
/// absolute path. Other URIs stay as they are.
pub fn absolute_location(uri: &str, folder: &str) -> String {
    let parts = UriParts::split(uri);
    let path = match parts.scheme.as_str() {
        "" => uri,
        "file" if parts.authority.is_empty() => parts.path,
        _ => return uri.to_owned(),
    };
    if path.starts_with('/') {
        return uri.to_owned();
    }
    let segments = path.split('/').filter(|segment| !matches!(*segment, "" | "."));
    let path = segments.fold(folder.trim_end_matches('/').to_owned(), |path, segment| path + "/" + segment);
    if parts.scheme.is_empty() {
        return path;
    }
    let query = if parts.query.is_empty() { String::new() } else { format!("?{}", parts.query) };
    format!("file://{path}{query}")
}

/// The place below `folder`, an absolute path, that a plain path or `file:` URI names; `None` when it lies elsewhere.
pub fn place_in_folder(uri: &str, folder: &str) -> Result<Option<ArtifactPath>> {
    let Some(path) = local_path(uri)? else { return Ok(None) };
    let mut segments = path.split('/').filter(|segment| !matches!(*segment, "" | "."));
    let is_below =
        folder.split('/').filter(|segment| !matches!(*segment, "" | ".")).all(|name| segments.next() == Some(name));
    let rest: Vec<&str> = segments.collect();
    if !path.starts_with('/') || !is_below || rest.contains(&"..") {
        return Ok(None);
    }
    ArtifactPath::parse_directory(&rest.join("/")).map(Some)
}

/// The place below the server's own artifact destination that a proxied root (`mlflow-artifacts:` or an `http(s)` URL
/// of the artifact route) names; `None` for roots that clients reach without the server.
pub fn proxied_path(uri: &str) -> Result<Option<ArtifactPath>> {
    let parts = UriParts::split(uri);
    let path = match parts.scheme.as_str() {
        "mlflow-artifacts" => parts.path.trim_start_matches('/'),
        "http" | "https" => match parts.path.split_once(PROXY_ROUTE) {
            Some((_, path)) => path,
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    ArtifactPath::parse_directory(path).map(Some)
}

/// Whether `uri` names something that is read through this kind of server, however it is encoded: the scheme
/// `mlflow-artifacts`, or an `http(s)` URL with the artifact route anywhere in its path.
pub fn is_proxied(uri: &str) -> bool {
    let parts = UriParts::split(uri);
    let route: Vec<&str> = PROXY_ROUTE.split('/').filter(|segment| !segment.is_empty()).collect();
    match parts.scheme.as_str() {
        "mlflow-artifacts" => true,
        "http" | "https" => decoded_segments(parts.path).windows(route.len()).any(|segments| segments == route),
        _ => false,
    }
}

/// Whether the path of `uri` is absolute, names something and says so plainly, however it is encoded: no `.` or `..`
/// segments (`..` nowhere in the URI) and no NUL.
pub fn is_plainly_absolute(uri: &str) -> bool {
    let decoded = decode_fully(&uri.replace('+', " "));
    if decoded.split('/').any(|segment| segment == "..") {
        return false;
    }
    let path = UriParts::split(&decoded).path;
    let is_named = !path.trim_end_matches('/').is_empty();
    is_named && path.starts_with('/') && !path.contains('\0') && path.split('/').all(|segment| segment != ".")
}

/// Which artifact locations clients may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocationPolicy {
    /// The server's default artifact root and artifact destination: their hosts may be named.
    pub trusted_roots: Vec<String>,
    /// Schemes allowed although they make the server connect to any host a client names.
    pub allowed_schemes: Vec<String>,
    /// In characters.
    pub max_length: usize,
}

impl Default for LocationPolicy {
    fn default() -> Self {
        LocationPolicy { trusted_roots: Vec::new(), allowed_schemes: Vec::new(), max_length: 2048 }
    }
}

impl LocationPolicy {
    /// Judges an experiment's or workspace's artifact location. `field` is the request field that holds it.
    pub fn validate_location(&self, location: &str, field: &str) -> Result<()> {
        let parts = UriParts::split(location);
        if !parts.fragment.is_empty() || !parts.params.is_empty() {
            return Err(Error::invalid(format!("'{field}' URL can't include fragments or params.")));
        }
        validate_query(parts.query)?;
        self.validate_host(location, field)?;
        if location.starts_with("runs:") {
            return Err(Error::invalid(format!("Artifact location cannot be a runs:/ URI. Given: '{location}'")));
        }
        if location.chars().count() > self.max_length {
            return Err(Error::invalid(format!(
                "Invalid artifact path length. The length of the artifact path cannot be greater than {} characters. \
                 To configure this limit, please set the MLFLOW_ARTIFACT_LOCATION_MAX_LENGTH environment variable.",
                self.max_length
            )));
        }
        Ok(())
    }

    /// Refuses a URI that would make the server connect to a host other than those of its own artifact storage.
    pub fn validate_host(&self, uri: &str, field: &str) -> Result<()> {
        let Some(targets) = host_targets(uri) else { return Ok(()) };
        let scheme = UriParts::split(uri).scheme;
        let is_allowed = self.allowed_schemes.iter().any(|allowed| allowed.eq_ignore_ascii_case(&scheme));
        let is_trusted =
            self.trusted_roots.iter().filter_map(|root| host_targets(root)).flatten().any(|t| targets.contains(&t));
        if is_allowed || is_trusted {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "'{field}' cannot use the '{scheme}' scheme: the '{scheme}' scheme addresses a host other than the \
             tracking server's configured artifact storage, so the server would connect to the host named in the \
             URI. Set the MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES environment variable on the server to \
             allow it."
        )))
    }
}

#[derive(Debug, PartialEq, Eq)]
enum HostTarget {
    Host { family: &'static str, host: String, port: Option<u16> },
    // Clients disagree about where such an authority ends, so it is never trusted, not even as the same text.
    Malformed,
}

/// The hosts that using `uri` would connect to; `None` when it names no host.
fn host_targets(uri: &str) -> Option<Vec<HostTarget>> {
    let parts = UriParts::split(uri);
    // An omitted port means the scheme's own, and a portless mlflow-artifacts URI follows the tracking URI's scheme.
    let (family, ports): (&'static str, &[Option<u16>]) = match parts.scheme.as_str() {
        "ftp" => ("ftp", &[Some(21)]),
        "sftp" => ("sftp", &[Some(22)]),
        "hdfs" | "viewfs" => ("hdfs", &[None]),
        "http" => ("http", &[Some(80)]),
        "https" => ("http", &[Some(443)]),
        "mlflow-artifacts" if parts.authority.is_empty() => return None,
        "mlflow-artifacts" => ("http", &[Some(80), Some(443)]),
        "r2" => ("r2", &[Some(443)]),
        "b2" => ("b2", &[Some(443)]),
        "abfss" => ("abfss", &[Some(443)]),
        _ => return None,
    };
    if parts.authority.contains(|c: char| c == '\\' || c.is_whitespace()) {
        return Some(vec![HostTarget::Malformed]);
    }
    let (host, port) = match host_and_port(parts.authority) {
        Some(found) => found,
        None => return Some(vec![HostTarget::Malformed]),
    };
    let ports = port.map_or_else(|| ports.to_vec(), |port| vec![Some(port)]);
    Some(ports.into_iter().map(|port| HostTarget::Host { family, host: host.clone(), port }).collect())
}

fn host_and_port(authority: &str) -> Option<(String, Option<u16>)> {
    let host_port = authority.rsplit_once('@').map_or(authority, |(_, host_port)| host_port);
    let (host, port) = match host_port.strip_prefix('[') {
        Some(bracketed) => {
            let (host, rest) = bracketed.split_once(']')?;
            (host, rest.strip_prefix(':').unwrap_or(""))
        }
        None => host_port.split_once(':').unwrap_or((host_port, "")),
    };
    let port = if port.is_empty() { None } else { Some(port.parse().ok()?) };
    Some((host.to_ascii_lowercase(), port))
}

fn is_this_machine(authority: &str) -> bool {
    let host = host_and_port(authority).map_or_else(|| authority.to_ascii_lowercase(), |(host, _)| host);
    host.is_empty() || host == "." || host.starts_with("localhost") || host.starts_with("127.0.0.1")
}

fn validate_query(query: &str) -> Result<()> {
    if decode_repeatedly(query)?.contains("..") { Err(Error::invalid("Invalid query string")) } else { Ok(()) }
}

fn decoded_segments(path: &str) -> Vec<String> {
    path.split('/').filter(|segment| !segment.is_empty()).map(decode_fully).collect()
}

fn decode_fully(segment: &str) -> String {
    let mut current = segment.to_owned();
    loop {
        let decoded = percent_decode_str(&current).decode_utf8_lossy().into_owned();
        if decoded == current {
            return current;
        }
        current = decoded;
    }
}

/// `suffix` below `prefix`, even when it starts with a slash.
fn join_posix(prefix: &str, suffix: &str) -> String {
    if prefix.is_empty() {
        return suffix.to_owned();
    }
    let suffix = suffix.trim_start_matches('/');
    if prefix.ends_with('/') { format!("{prefix}{suffix}") } else { format!("{prefix}/{suffix}") }
}

fn split_scheme(uri: &str) -> (String, &str) {
    let Some((scheme, rest)) = uri.split_once(':') else { return (String::new(), uri) };
    let starts_well = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    if starts_well && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)) {
        (scheme.to_ascii_lowercase(), rest)
    } else {
        (String::new(), uri)
    }
}

fn split_params(path: &str) -> (&str, &str) {
    let last_segment = path.rfind('/').unwrap_or(0);
    match path[last_segment..].find(';') {
        Some(at) => (&path[..last_segment + at], &path[last_segment + at + 1..]),
        None => (path, ""),
    }
}

#[cfg(test)]
#[path = "artifact_uri_tests.rs"]
mod tests;
