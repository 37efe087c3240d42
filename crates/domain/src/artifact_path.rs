use std::fmt;

use percent_encoding::percent_decode_str;

use crate::{Error, Result};

/// The longest name a file or folder can have on the file systems we store on.
pub const MAX_SEGMENT_BYTES: usize = 255;
/// The longest path; object stores refuse earlier (S3 at 1,024 bytes with its prefix).
pub const MAX_PATH_BYTES: usize = 4096;

/// The message for a file path that names no file, as MLflow words it.
pub const MISSING_FILE_NAME: &str = "Artifact path must include a filename (cannot end with '/').";

/// A relative path below an artifact root that cannot leave it: segments joined by `/`, none of them empty, `.` or `..`,
/// without backslashes and `#`, and with control characters written as `%17`.
///
/// It holds the *decoded* form, and that form is the stored name: MLflow decodes what arrives until it no longer
/// changes and stores the result, so a client that uploads `100%25.txt` finds `100%.txt` in the listing and can
/// fetch it under either name. Its clients do the same to the names in listings, so they could not fetch a file whose
/// stored name still had something to decode.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ArtifactPath(String);

impl ArtifactPath {
    /// The root itself, for listings.
    pub fn root() -> ArtifactPath {
        ArtifactPath(String::new())
    }

    /// Parses a path that must name something below the root.
    ///
    /// Repeated and trailing slashes and `.` segments are dropped, since clients send them and file systems ignore
    /// them. Everything else that is unsafe is `Invalid` with MLflow's message.
    pub fn parse(raw: &str) -> Result<ArtifactPath> {
        let path = ArtifactPath::parse_directory(raw)?;
        if path.is_root() { Err(invalid_path()) } else { Ok(path) }
    }

    /// As [`ArtifactPath::parse`], for uploads: a path that ends in a slash names no file.
    pub fn parse_file(raw: &str) -> Result<ArtifactPath> {
        let decoded = decode_repeatedly(raw)?;
        if decoded.is_empty() || decoded.ends_with('/') && !decoded.starts_with('/') {
            return Err(Error::invalid(MISSING_FILE_NAME));
        }
        ArtifactPath::parse(&decoded)
    }

    /// As [`ArtifactPath::parse`], but the empty path is the root.
    pub fn parse_directory(raw: &str) -> Result<ArtifactPath> {
        let decoded = escape_controls(&decode_repeatedly(raw)?);
        if decoded.len() > MAX_PATH_BYTES || !is_relative(&decoded) || decoded.contains(is_forbidden) {
            return Err(invalid_path());
        }
        let mut kept: Vec<&str> = Vec::new();
        for segment in decoded.split('/') {
            match segment {
                "" | "." => {}
                ".." => return Err(invalid_path()),
                _ if segment.len() > MAX_SEGMENT_BYTES => return Err(invalid_path()),
                _ => kept.push(segment),
            }
        }
        let kept = kept.join("/");
        // What was dropped may have been all that stood before a drive: `./C:/x` is `C:/x`.
        if is_relative(&kept) { Ok(ArtifactPath(kept)) } else { Err(invalid_path()) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|segment| !segment.is_empty())
    }

    /// The last segment; `None` for the root.
    pub fn file_name(&self) -> Option<&str> {
        self.segments().next_back()
    }

    /// The folder that holds this; `None` for the root.
    pub fn parent(&self) -> Option<ArtifactPath> {
        if self.is_root() {
            return None;
        }
        let parent = self.0.rsplit_once('/').map_or("", |(parent, _)| parent);
        Some(ArtifactPath(parent.to_owned()))
    }

    /// `other` below this path.
    pub fn join(&self, other: &ArtifactPath) -> ArtifactPath {
        match (self.is_root(), other.is_root()) {
            (true, _) => other.clone(),
            (_, true) => self.clone(),
            _ => ArtifactPath(format!("{}/{}", self.0, other.0)),
        }
    }
}

impl fmt::Display for ArtifactPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Percent-decodes until nothing changes, so that no layer below can decode a `..` or a `/` out of what was checked.
/// Bytes that are not UTF-8 become U+FFFD.
pub(crate) fn decode_repeatedly(raw: &str) -> Result<String> {
    // MLflow gives up after ten rounds too; nobody encodes a name that often in good faith.
    const ROUNDS: usize = 10;
    let mut current = raw.to_owned();
    for _ in 0..ROUNDS {
        let decoded = percent_decode_str(&current).decode_utf8_lossy().into_owned();
        if decoded == current {
            return Ok(current);
        }
        current = decoded;
    }
    Err(invalid_path())
}

/// Writes control characters as `%17`, as MLflow does after decoding: its 2.x clients name images
/// `key%step%1%timestamp%1795426864268%..`, where every `%17` decodes to one.
fn escape_controls(decoded: &str) -> String {
    let mut escaped = String::with_capacity(decoded.len());
    for character in decoded.chars() {
        if character.is_ascii_control() && character != '\0' {
            escaped.push_str(&format!("%{:02x}", u32::from(character)));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

fn is_relative(path: &str) -> bool {
    let bytes = path.as_bytes();
    let has_drive = bytes.len() >= 3 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && bytes[2] == b'/';
    let is_file_uri = bytes.len() >= 5 && bytes[..5].eq_ignore_ascii_case(b"file:");
    !path.starts_with('/') && !has_drive && !is_file_uri
}

fn is_forbidden(character: char) -> bool {
    matches!(character, '\0' | '#' | '\\')
}

fn invalid_path() -> Error {
    Error::invalid("Invalid path")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ordinary_names_are_kept() {
        for raw in [
            "a",
            "a/b.txt",
            "with space/ü.bin",
            "日本/模型.pkl",
            "a+b@c=d",
            "..a/b..",
            "...",
            "q?y",
            "r/C:x",
            ".hidden",
        ] {
            assert_eq!(ArtifactPath::parse(raw).unwrap().as_str(), raw);
        }
    }

    #[test]
    fn names_are_stored_decoded() {
        for (raw, stored) in [
            ("a%20b", "a b"),
            ("100%25.txt", "100%.txt"),
            ("a%252520b", "a b"),
            ("half%", "half%"),
            ("%ff.bin", "\u{fffd}.bin"),
            ("a%2Fb", "a/b"),
            ("a%25step%251%25timestamp%251795.png", "a%step%1%timestamp%1795.png"),
            ("a%0Ab", "a%0ab"),
            ("a\u{7f}", "a%7f"),
            ("r//x/./y/", "r/x/y"),
        ] {
            assert_eq!(ArtifactPath::parse(raw).unwrap().as_str(), stored, "{raw}");
        }
    }

    #[test]
    fn unsafe_paths_are_refused() {
        let long_segment = "x".repeat(MAX_SEGMENT_BYTES + 1);
        let long_path = "x/".repeat(MAX_PATH_BYTES);
        let deeply_encoded = format!("%{}2e%2e/x", "25".repeat(12));
        for raw in [
            "..",
            "../x",
            "a/../b",
            "a/..",
            "%2e%2e/x",
            "%252e%252e%252fx",
            "a/%2e./b",
            "/etc/passwd",
            "//host/x",
            "%2Fetc",
            "a\\..\\b",
            "..%5cx",
            "C:/x",
            "c:/x",
            "C%3A/x",
            "./C:/x",
            "./file:x",
            "\\\\host\\share",
            "file:///etc/passwd",
            "FILE:x",
            "a#b",
            "a%23",
            "a\0b",
            "a%00b",
            "",
            ".",
            "./",
            &long_segment,
            &long_path,
            &deeply_encoded,
        ] {
            let error = ArtifactPath::parse(raw).unwrap_err();
            assert_eq!(error.to_string(), "Invalid path", "{raw}");
        }
    }

    #[test]
    fn the_root_is_a_directory_only() {
        assert!(ArtifactPath::parse_directory("").unwrap().is_root());
        assert!(ArtifactPath::parse_directory("./").unwrap().is_root());
        assert!(ArtifactPath::parse_directory("../").is_err());
        assert_eq!(ArtifactPath::parse_file("a/").unwrap_err().to_string(), MISSING_FILE_NAME);
        assert_eq!(ArtifactPath::parse_file("").unwrap_err().to_string(), MISSING_FILE_NAME);
        assert_eq!(ArtifactPath::parse_file("/a/").unwrap_err().to_string(), "Invalid path");
    }

    #[test]
    fn paths_join_and_split() {
        let run = ArtifactPath::parse("1/abc/artifacts").unwrap();
        let file = run.join(&ArtifactPath::parse("model/MLmodel").unwrap());
        assert_eq!(file.as_str(), "1/abc/artifacts/model/MLmodel");
        assert_eq!(file.file_name(), Some("MLmodel"));
        assert_eq!(file.parent().unwrap().as_str(), "1/abc/artifacts/model");
        assert_eq!(ArtifactPath::parse("x").unwrap().parent(), Some(ArtifactPath::root()));
        assert_eq!(run.join(&ArtifactPath::root()), run);
        assert_eq!(ArtifactPath::root().join(&run), run);
        assert_eq!(ArtifactPath::root().parent(), None);
    }

    proptest! {
        #[test]
        fn what_parses_is_safe_and_stable(raw in "(\\.|/|%|2|e|f|5c|a|\\\\|:|é){0,24}") {
            if let Ok(path) = ArtifactPath::parse(&raw) {
                prop_assert!(!path.as_str().starts_with('/'));
                prop_assert!(path.as_str().split('/').all(|segment| !matches!(segment, "" | "." | "..")));
                prop_assert_eq!(ArtifactPath::parse(path.as_str()).unwrap(), path);
            }
        }
    }
}
