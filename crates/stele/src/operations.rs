//! How the server is run: the options of `serve` that have nothing to do with where the record is.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::client_address::Network;
use crate::listen::Limits;
use crate::mlflow_ui::Choice;
use crate::paths;
use crate::tls::Identity;

#[derive(Args)]
pub(crate) struct Operations {
    /// MLflow's web pages: a folder (mlflow/server/js/build of a package), auto for those in the active Python
    /// environment, or none
    #[arg(long, env = "STELE_MLFLOW_UI", default_value = "auto", value_name = "DIR")]
    mlflow_ui: String,

    /// Path in front of everything, such as /stele, for a reverse proxy that passes it on
    #[arg(long, env = "STELE_STATIC_PREFIX", default_value = "", hide_default_value = true, value_name = "PATH")]
    static_prefix: String,

    /// PEM file with the certificate to speak TLS with, and those that vouch for it
    #[arg(long, env = "STELE_TLS_CERT", value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// PEM file with the private key of the certificate
    #[arg(long, env = "STELE_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,

    /// The most connections at once; further ones wait
    #[arg(long, env = "STELE_MAX_CONNECTIONS", default_value_t = 4096, value_name = "N", value_parser = connections)]
    max_connections: usize,

    /// The largest body of any request, in bytes; uploads have no limit of their own [default: none]
    #[arg(long, env = "STELE_MAX_BODY", value_name = "BYTES")]
    max_body: Option<usize>,

    /// Whether artifacts go through this server in any case, for a bucket that clients do not reach; without it they are
    /// led to the bucket itself where they can
    #[arg(long, env = "STELE_PROXY_ARTIFACTS")]
    pub(crate) proxy_artifacts: bool,

    /// Seconds after which an idle connection, or one that does not say what it wants, is closed
    #[arg(long, env = "STELE_IDLE_TIMEOUT", default_value_t = 75, value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    idle_timeout: u64,

    /// Reverse proxies whose X-Forwarded-For says where requests come from: addresses or networks such as 10.0.0.0/8
    #[arg(long, env = "STELE_TRUSTED_PROXIES", value_delimiter = ',', value_name = "NETWORK")]
    pub(crate) trusted_proxies: Vec<Network>,

    /// Seconds that requests under way may take to finish once the server is told to stop
    #[arg(long, env = "STELE_STOP_TIMEOUT", default_value_t = 15, value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(0..=86_400))]
    stop_timeout: u64,

    /// How the log is written, to standard error
    #[arg(long, env = "STELE_LOG_FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,

    /// URL of a collector that spans of requests are sent to by OTLP, such as http://127.0.0.1:4318
    #[arg(long, env = "STELE_OTLP_ENDPOINT", value_name = "URL")]
    pub(crate) otlp_endpoint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// An object a line, for machines
    Json,
}

/// The options, looked at as far as that is possible before anything is started.
pub(crate) struct Checked {
    /// The folder with MLflow's web pages.
    pub(crate) pages: Option<PathBuf>,
    pub(crate) prefix: String,
    pub(crate) identity: Option<Arc<Identity>>,
    pub(crate) limits: Limits,
    pub(crate) max_body: Option<usize>,
}

impl Operations {
    pub(crate) fn check(&self) -> Result<Checked> {
        Ok(Checked {
            pages: Choice::parse(&self.mlflow_ui).folder()?,
            prefix: paths::prefix(&self.static_prefix)?,
            identity: Identity::read(self.tls_cert.as_deref(), self.tls_key.as_deref())?,
            limits: Limits {
                connections: self.max_connections,
                idle: Duration::from_secs(self.idle_timeout),
                grace: Duration::from_secs(self.stop_timeout),
            },
            max_body: self.max_body,
        })
    }
}

/// From one to what a semaphore can count.
fn connections(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=1_000_000).contains(number));
    number.ok_or_else(|| "expected a number from 1 to 1000000".to_owned())
}
