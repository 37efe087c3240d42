//! Content types by file name, as MLflow's server gives them.

use std::borrow::Cow;

/// What is shown as text, whatever type is registered for it.
const TEXT: [&str; 26] = [
    "txt",
    "log",
    "err",
    "cfg",
    "conf",
    "cnf",
    "cf",
    "ini",
    "properties",
    "prop",
    "hocon",
    "toml",
    "yaml",
    "yml",
    "xml",
    "json",
    "js",
    "py",
    "py3",
    "csv",
    "tsv",
    "md",
    "rst",
    "ipynb",
    "MLmodel",
    "MLproject",
];

const ANY: &str = "application/octet-stream";

/// The content type to serve a file with.
pub(super) fn content_type(name: &str) -> Cow<'static, str> {
    let extension = match extension(name) {
        "" => name,
        extension => extension,
    };
    if TEXT.contains(&extension) { "text/plain".into() } else { registered_type(name) }
}

/// The content type registered for the extension of a file; that of what is inside for a compressed one.
pub(super) fn registered_type(name: &str) -> Cow<'static, str> {
    let inner = ["gz", "Z", "bz2", "xz", "br"].into_iter().find_map(|encoding| {
        let inner = name.strip_suffix(encoding)?.strip_suffix('.')?;
        (!inner.trim_start_matches('.').is_empty()).then_some(inner)
    });
    let extension = match (inner, extension(name)) {
        (Some(inner), _) => extension(inner),
        (None, "tgz" | "taz" | "tz" | "tbz2" | "txz") => "tar",
        (None, extension) => extension,
    };
    if let Some((_, known)) = DIFFERENT.iter().find(|(known, _)| extension.eq_ignore_ascii_case(known)) {
        return Cow::Borrowed(known);
    }
    mime_guess::from_ext(extension).first_raw().unwrap_or(ANY).into()
}

/// What follows the last dot, when something but dots is before it.
fn extension(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.trim_start_matches('.').is_empty() => extension,
        _ => "",
    }
}

/// Where Python's table, which MLflow's server uses, has another type than ours.
const DIFFERENT: &[(&str, &str)] = &[
    ("3g2", "audio/3gpp2"),
    ("3gp", "audio/3gpp"),
    ("3gpp", "audio/3gpp"),
    ("3gpp2", "audio/3gpp2"),
    ("a", "application/octet-stream"),
    ("aif", "audio/x-aiff"),
    ("aifc", "audio/x-aiff"),
    ("aiff", "audio/x-aiff"),
    ("ass", "audio/aac"),
    ("bat", "text/plain"),
    ("cdf", "application/x-netcdf"),
    ("dll", "application/octet-stream"),
    ("h5", "application/x-hdf5"),
    ("ico", "image/vnd.microsoft.icon"),
    ("js", "application/javascript"),
    ("ksh", "text/plain"),
    ("loas", "audio/aac"),
    ("m3u", "application/vnd.apple.mpegurl"),
    ("m3u8", "application/vnd.apple.mpegurl"),
    ("mif", "application/x-mif"),
    ("o", "application/octet-stream"),
    ("obj", "application/octet-stream"),
    ("opus", "audio/opus"),
    ("pl", "text/plain"),
    ("py", "text/x-python"),
    ("pyc", "application/x-python-code"),
    ("pyo", "application/x-python-code"),
    ("ram", "application/x-pn-realaudio"),
    ("rdf", "application/xml"),
    ("sgm", "text/x-sgml"),
    ("sgml", "text/x-sgml"),
    ("srt", "text/plain"),
    ("wav", "audio/x-wav"),
    ("wsdl", "application/xml"),
    ("xlb", "application/vnd.ms-excel"),
    ("xpdl", "application/xml"),
    ("xsl", "application/xml"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_types_that_mlflow_gives_them() {
        for (name, expected) in [
            ("a.json", "text/plain"),
            ("MLmodel", "text/plain"),
            (".json", ANY),
            ("page.html", "text/html"),
            ("x.PNG", "image/png"),
            ("plot.svg", "image/svg+xml"),
            ("weights.h5", "application/x-hdf5"),
            ("data.tar.gz", "application/x-tar"),
            ("data.tgz", "application/x-tar"),
            ("lone.gz", ANY),
            ("model.pkl", ANY),
            ("no-extension", ANY),
        ] {
            assert_eq!(content_type(name), expected, "{name}");
        }
        assert_eq!(registered_type("a.json"), "application/json");
    }
}
