use std::fmt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;

/// How much is asked of a connection, in libpq's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SslMode {
    /// No TLS.
    Disable,
    /// TLS only if the server wants it.
    Allow,
    /// TLS if the server has it.
    Prefer,
    /// TLS, with whatever certificate.
    Require,
    /// TLS, with a certificate that an authority that is trusted signed.
    VerifyCa,
    /// TLS, with such a certificate for the host that was asked for.
    VerifyFull,
}

/// Who may sign the certificate of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Roots {
    /// Those in a PEM file.
    File(PathBuf),
    /// Those that this machine trusts.
    System,
}

/// What the URL of a database says of TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TlsOptions {
    pub(crate) mode: SslMode,
    pub(crate) roots: Option<Roots>,
    /// The PEM files of the certificate that a client shows and of its key.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
}

const MODES: [SslMode; 6] =
    [SslMode::Disable, SslMode::Allow, SslMode::Prefer, SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull];

impl SslMode {
    fn parse(text: &str) -> Result<SslMode, String> {
        MODES.into_iter().find(|mode| mode.to_string() == text).ok_or_else(|| {
            let known = MODES.map(|mode| mode.to_string()).join(", ");
            format!("sslmode '{text}' is none of {known}")
        })
    }
}

impl fmt::Display for SslMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SslMode::Disable => "disable",
            SslMode::Allow => "allow",
            SslMode::Prefer => "prefer",
            SslMode::Require => "require",
            SslMode::VerifyCa => "verify-ca",
            SslMode::VerifyFull => "verify-full",
        })
    }
}

impl TlsOptions {
    /// Takes what is about TLS out of a URL, and gives back what is left of it for the driver, which knows fewer
    /// options. Files in the home folder of the user are not looked for, as libpq does: a server is configured in one
    /// place.
    pub(crate) fn take(url: &str) -> Result<(String, TlsOptions), String> {
        let (mut mode, mut roots, mut certificate, mut key) = (None, None, None, None);
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let mut left: Vec<&str> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8().map_err(|_| format!("{name} is no UTF-8"))?;
            // An option without a value is as if it were not there.
            let path = (!value.is_empty()).then(|| PathBuf::from(value.as_ref()));
            match name {
                "sslmode" if value.is_empty() => {}
                "sslmode" => mode = Some(SslMode::parse(&value)?),
                "sslrootcert" => roots = path,
                "sslcert" => certificate = path,
                "sslkey" => key = path,
                _ => left.push(pair),
            }
        }
        let roots = roots.map(|path| if path.as_os_str() == "system" { Roots::System } else { Roots::File(path) });
        let identity = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err("sslcert and sslkey go together".to_owned()),
        };
        let mode = match mode {
            // Anybody has a certificate of such an authority, so that only the host tells who it is.
            Some(mode) if roots == Some(Roots::System) && mode != SslMode::VerifyFull => {
                return Err(format!("sslrootcert=system wants sslmode=verify-full, not {mode}"));
            }
            Some(mode) => mode,
            None if roots == Some(Roots::System) => SslMode::VerifyFull,
            None => SslMode::Prefer,
        };
        if matches!(mode, SslMode::VerifyCa | SslMode::VerifyFull) && roots.is_none() {
            return Err(format!(
                "sslmode={mode} wants sslrootcert, a PEM file with the authority that signed the server's certificate, \
                 or sslrootcert=system"
            ));
        }
        let rest = if left.is_empty() { base.to_owned() } else { format!("{base}?{}", left.join("&")) };
        Ok((rest, TlsOptions { mode, roots, identity }))
    }

    /// What is checked once TLS is spoken. Where authorities are named, `require` means `verify-ca`, as it does to libpq.
    pub(crate) fn checks(&self) -> SslMode {
        match self.mode {
            SslMode::Require if self.roots.is_some() => SslMode::VerifyCa,
            mode => mode,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(query: &str) -> (String, TlsOptions) {
        TlsOptions::take(&format!("postgres://u@h/d{query}")).unwrap()
    }

    #[test]
    fn the_driver_gets_what_it_knows() {
        let (rest, tls) = taken("?sslmode=verify-full&application_name=x&sslrootcert=%2Fa%20b.crt&connect_timeout=3");
        assert_eq!(rest, "postgres://u@h/d?application_name=x&connect_timeout=3");
        assert_eq!(tls.mode, SslMode::VerifyFull);
        assert_eq!(tls.roots, Some(Roots::File("/a b.crt".into())));
        assert_eq!(taken("?sslmode=disable").0, "postgres://u@h/d");
    }

    #[test]
    fn modes_mean_what_they_mean_to_libpq() {
        for mode in MODES {
            let (_, tls) = taken(&format!("?sslmode={mode}&sslrootcert=/ca"));
            assert_eq!(tls.mode, mode);
        }
        assert_eq!(taken("").1.mode, SslMode::Prefer);
        assert_eq!(taken("?sslmode=require").1.checks(), SslMode::Require);
        assert_eq!(taken("?sslmode=require&sslrootcert=/ca").1.checks(), SslMode::VerifyCa);
        assert_eq!(taken("?sslrootcert=system").1.mode, SslMode::VerifyFull);
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        for query in [
            "?sslmode=yes",
            "?sslmode=verify-full",
            "?sslmode=verify-ca",
            "?sslmode=require&sslrootcert=system",
            "?sslcert=/c",
            "?sslkey=/k",
        ] {
            assert!(TlsOptions::take(&format!("postgres://u@h/d{query}")).is_err(), "{query}");
        }
    }
}
