use std::error::Error as StdError;
use std::io;

use stele_domain::Error;
use tokio_rustls::rustls::{CertificateError, Error as TlsError};

use crate::options::{Roots, TlsOptions};

/// Why TLS was not spoken.
pub(crate) enum TlsFailure<'a> {
    /// The server has none.
    NotOffered,
    Tls(&'a TlsError),
}

impl TlsFailure<'_> {
    /// Nothing when something else was wrong.
    pub(crate) fn of(error: &postgres::Error) -> Option<TlsFailure<'_>> {
        let mut cause = error.source();
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<TlsError>() {
                return Some(TlsFailure::Tls(error));
            }
            // What an IO error holds is not its source, but the source of that.
            let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            if let Some(error) = held.and_then(|held| held.downcast_ref::<TlsError>()) {
                return Some(TlsFailure::Tls(error));
            }
            if error.to_string() == "server does not support TLS" {
                return Some(TlsFailure::NotOffered);
            }
            cause = error.source();
        }
        None
    }

    pub(crate) fn worded(&self, options: &TlsOptions) -> Error {
        let message = match self {
            TlsFailure::NotOffered => {
                format!("the database server speaks no TLS, and sslmode={} wants it", options.mode)
            }
            TlsFailure::Tls(TlsError::InvalidCertificate(CertificateError::UnknownIssuer)) => {
                let trusted = match &options.roots {
                    Some(Roots::File(path)) => format!("in sslrootcert {}", path.display()),
                    Some(Roots::System) | None => "that this machine trusts".to_owned(),
                };
                format!("the certificate of the database server was signed by no authority {trusted}")
            }
            TlsFailure::Tls(TlsError::InvalidCertificate(CertificateError::NotValidForNameContext {
                expected,
                presented,
            })) => format!(
                "the certificate of the database server is not for the host '{}', but for {}",
                expected.to_str(),
                match presented.is_empty() {
                    true => "none (it has no subjectAltName)".to_owned(),
                    false => presented.iter().map(|name| plain(name)).collect::<Vec<_>>().join(", "),
                }
            ),
            TlsFailure::Tls(TlsError::InvalidCertificate(CertificateError::NotValidForName)) => {
                "the certificate of the database server is not for the host of the URL".to_owned()
            }
            TlsFailure::Tls(error) => format!("TLS with the database server failed: {error}"),
        };
        Error::Unavailable { message }
    }
}

/// A name of a certificate without the kind that rustls writes around it, as in `DnsName("db.example.org")`.
fn plain(name: &str) -> String {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
    format!("'{}'", inner.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use tokio_rustls::rustls::pki_types::ServerName;

    use super::*;

    #[test]
    fn a_certificate_for_another_host_is_told_in_a_sentence() {
        let worded = |presented: &[&str]| {
            let error = TlsError::InvalidCertificate(CertificateError::NotValidForNameContext {
                expected: ServerName::try_from("db.example.org").unwrap(),
                presented: presented.iter().map(|name| (*name).to_owned()).collect(),
            });
            let (_, options) = TlsOptions::take("postgres://u@h/d?sslmode=verify-full&sslrootcert=/ca").unwrap();
            TlsFailure::Tls(&error).worded(&options).to_string()
        };
        let told = worded(&["DnsName(\"other.example.org\")", "IpAddress(10.0.0.1)", "plain"]);
        assert!(
            told.ends_with("is not for the host 'db.example.org', but for 'other.example.org', '10.0.0.1', 'plain'")
        );
        assert!(worded(&[]).ends_with("but for none (it has no subjectAltName)"));
    }
}
