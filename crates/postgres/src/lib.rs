//! How PostgreSQL is reached: the URL of a database as libpq reads it, with TLS.

mod failure;
mod options;
mod trust;

use std::time::Duration;

use postgres::error::SqlState;
use postgres::{Client, NoTls, config};
use stele_domain::{Error, Result};
use tokio_postgres_rustls::MakeRustlsConnect;

use failure::TlsFailure;
pub use options::SslMode;
use options::TlsOptions;

/// Where a database is and how to speak with it.
#[derive(Debug, Clone)]
pub struct Server {
    config: postgres::Config,
    tls: TlsOptions,
}

/// How a connection came to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// Such as `TLSv1.3`, if what is sent is encrypted.
    pub tls: Option<String>,
    pub mode: SslMode,
}

impl Server {
    /// Reads `postgres://USER:PASSWORD@HOST/NAME?sslmode=..`, without looking at the files that it names.
    pub fn parse(url: &str) -> Result<Server> {
        let shown = || without_password(url);
        let (rest, tls) = TlsOptions::take(url).map_err(|e| Error::invalid(format!("in '{}': {e}", shown())))?;
        let mut config: postgres::Config =
            rest.parse().map_err(|e| Error::invalid(format!("'{}' is not a PostgreSQL URL: {e}", shown())))?;
        // A database host that vanishes sends nothing; without these a query would wait for hours.
        config
            .keepalives_idle(Duration::from_secs(30))
            .keepalives_interval(Duration::from_secs(10))
            .keepalives_retries(3);
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(Duration::from_secs(60));
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(10));
        }
        Ok(Server { config, tls })
    }

    /// Connects. Blocks. The files of certificates are read each time, so that renewed ones serve the next connection.
    pub fn connect(&self) -> Result<Client> {
        // libpq speaks no TLS through a socket of this machine, whatever is asked for.
        let local = self.config.get_hosts().iter().all(|host| matches!(host, config::Host::Unix(_)));
        if local && self.config.get_hostaddrs().is_empty() {
            return self.plain().map_err(|e| self.failed(&e));
        }
        match self.tls.mode {
            SslMode::Disable => self.plain().map_err(|e| self.failed(&e)),
            SslMode::Allow => match self.plain() {
                Err(error) if refused_by_rule(&error) => self.encrypted(config::SslMode::Require),
                outcome => outcome.map_err(|e| self.failed(&e)),
            },
            SslMode::Prefer => self.preferred(),
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => self.encrypted(config::SslMode::Require),
        }
    }

    /// How `client`, which this server gave, is connected. Blocks.
    pub fn connected(&self, client: &mut Client) -> Result<Connected> {
        const SQL: &str = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl";
        let row = client.query_opt(SQL, &[]).map_err(|e| self.failed(&e))?;
        Ok(Connected { tls: row.and_then(|row| row.get(0)), mode: self.tls.checks() })
    }

    /// With TLS where the server has it, and without where it has none or wants none.
    fn preferred(&self) -> Result<Client> {
        let tls = MakeRustlsConnect::new(trust::client_config(&self.tls, &self.config)?);
        let mut config = self.config.clone();
        config.ssl_mode(config::SslMode::Prefer);
        match config.connect(tls) {
            Err(error) if refused_by_rule(&error) || TlsFailure::of(&error).is_some() => {
                tracing::debug!(%error, "connecting to the database without TLS");
                // What was wrong with the better way is what there is to mend.
                self.plain().map_err(|_| self.failed(&error))
            }
            outcome => outcome.map_err(|e| self.failed(&e)),
        }
    }

    fn encrypted(&self, mode: config::SslMode) -> Result<Client> {
        let tls = MakeRustlsConnect::new(trust::client_config(&self.tls, &self.config)?);
        self.config.clone().ssl_mode(mode).connect(tls).map_err(|e| self.failed(&e))
    }

    fn plain(&self) -> Result<Client, postgres::Error> {
        self.config.clone().ssl_mode(config::SslMode::Disable).connect(NoTls)
    }

    fn failed(&self, error: &postgres::Error) -> Error {
        match TlsFailure::of(error) {
            Some(failure) => failure.worded(&self.tls),
            None => unavailable(error),
        }
    }
}

/// The error of something that failed for want of the database, with its cause.
pub fn unavailable(error: &dyn std::error::Error) -> Error {
    let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    Error::Unavailable { message: format!("the database does not answer: {error}{cause}") }
}

/// The URL as it may be shown.
pub fn without_password(url: &str) -> String {
    const SHOWN: &str = "***";

    let Ok(mut parsed) = url::Url::parse(url) else { return "a URL that cannot be read".to_owned() };
    let is_secret = |name: &str| matches!(name, "password" | "sslpassword");
    let in_query = parsed.query_pairs().any(|(name, _)| is_secret(&name));
    if parsed.password().is_none() && !in_query {
        return url.to_owned();
    }
    if parsed.password().is_some() {
        // Fails only for URLs that cannot have one.
        let _ = parsed.set_password(Some(SHOWN));
    }
    if in_query {
        let query = parsed.query().unwrap_or_default().split('&').map(|pair| {
            // An escaped name means the same to who reads the URL.
            let name = url::form_urlencoded::parse(pair.as_bytes()).next().map(|(name, _)| name.into_owned());
            if is_secret(&name.unwrap_or_default()) { format!("password={SHOWN}") } else { pair.to_owned() }
        });
        let query = query.collect::<Vec<_>>().join("&");
        parsed.set_query(Some(&query));
    }
    parsed.to_string()
}

/// Whether the rules of the server (`pg_hba.conf`) refuse this user on this kind of connection.
fn refused_by_rule(error: &postgres::Error) -> bool {
    error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(without_password("postgres://u:secret@h/d"), "postgres://u:***@h/d");
        assert_eq!(without_password("postgres://u@h/d?sslmode=require"), "postgres://u@h/d?sslmode=require");
        assert_eq!(without_password("postgres://u@h/d?password=secret&a=b"), "postgres://u@h/d?password=***&a=b");
        assert_eq!(without_password("postgres://u:x@h/d?p%61ssword=secret"), "postgres://u:***@h/d?password=***");
        assert!(!without_password("host=h password=secret").contains("secret"));
        for url in [
            "postgres://u:secret@h/d?sslmode=perhaps",
            "postgres://u:secret@h/d?what=1",
            "postgres://u@h/d?password=secret&sslmode=perhaps",
            "postgres://u@h/d?password=secret&what=1",
        ] {
            assert!(!Server::parse(url).unwrap_err().to_string().contains("secret"), "{url}");
        }
    }
}
