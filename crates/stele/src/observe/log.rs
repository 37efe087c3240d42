use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

use crate::operations::LogFormat;

/// From now on events are written to standard error, as many as `STELE_LOG` says.
pub(crate) fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_env("STELE_LOG").unwrap_or_else(|_| EnvFilter::new("info,refinery_core=warn"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    match format {
        LogFormat::Text => log.with_ansi(stderr().is_terminal()).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}
