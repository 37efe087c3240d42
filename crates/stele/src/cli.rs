use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// One record of a team's machine-learning work, for MLflow clients and more.
#[derive(Parser)]
#[command(version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Serve(Serve),
}

#[derive(Args)]
pub(crate) struct Serve {
    /// Address to listen on; only loopback, as there is no login yet
    #[arg(long, env = "STELE_HOST", default_value = "127.0.0.1", value_parser = host)]
    pub(crate) host: IpAddr,

    /// Port to listen on; 0 takes any free one
    #[arg(long, env = "STELE_PORT", default_value_t = 5000)]
    pub(crate) port: u16,

    /// Folder for everything that is not told to lie elsewhere
    #[arg(long, env = "STELE_DATA", default_value = "./stele-data", value_name = "DIR")]
    pub(crate) data: PathBuf,

    /// sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME [default: sqlite:DATA/stele.db]
    #[arg(long, env = "STELE_DATABASE", hide_env_values = true, value_name = "URL")]
    pub(crate) database: Option<String>,

    /// Folder, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX [default: DATA/artifacts]
    #[arg(long, env = "STELE_ARTIFACTS", value_name = "PLACE")]
    pub(crate) artifacts: Option<String>,

    /// Host names, besides loopback and private addresses, under which browsers may reach the server
    #[arg(long, env = "STELE_ALLOWED_HOSTS", value_delimiter = ',', value_name = "HOST")]
    pub(crate) allowed_hosts: Vec<String>,

    /// Origins, besides loopback, whose pages may change things
    #[arg(long, env = "STELE_ALLOWED_ORIGINS", value_delimiter = ',', value_name = "ORIGIN")]
    pub(crate) allowed_origins: Vec<String>,

    #[command(flatten)]
    pub(crate) operations: crate::operations::Operations,
}

/// An address, or `localhost`.
fn host(text: &str) -> Result<IpAddr, String> {
    match text {
        "localhost" => Ok(IpAddr::from([127, 0, 0, 1])),
        address => address.parse().map_err(|_| "expected an IP address or localhost".to_owned()),
    }
}
