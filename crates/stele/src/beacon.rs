//! The small file in the data folder with which a running server is found.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use stele_domain::id::IdSource;

use crate::system::{OrderedIds, SystemClock};

const FILE: &str = "server.json";

/// Where a server is. The file may have outlived it, so whoever reads it asks the server for its instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Beacon {
    pub(crate) url: String,
    pub(crate) pid: u32,
    pub(crate) instance: String,
}

impl Beacon {
    /// The beacon of this process, which listens on `address` and speaks `http` or `https`.
    pub(crate) fn of_this_server(scheme: &str, address: SocketAddr) -> Beacon {
        use stele_domain::id::Clock;

        let host = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            ip => ip,
        };
        let url = format!("{scheme}://{}", SocketAddr::new(host, address.port()));
        let instance = OrderedIds.next(SystemClock.now()).simple().to_string();
        Beacon { url, pid: std::process::id(), instance }
    }

    /// Lights it; it goes out when the guard is dropped.
    pub(crate) fn light(&self, data: &Path) -> Result<Lit> {
        let path = data.join(FILE);
        let written = || {
            // Never half a file: a command may be reading it.
            let fresh = data.join(format!("{FILE}.{}", self.pid));
            std::fs::write(&fresh, serde_json::to_vec_pretty(self)?)?;
            std::fs::rename(&fresh, &path)?;
            anyhow::Ok(())
        };
        written().with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Lit { path, instance: self.instance.clone() })
    }

    /// The beacon in a data folder, if there is one that can be read.
    pub(crate) fn seen(data: &Path) -> Option<Beacon> {
        serde_json::from_slice(&std::fs::read(data.join(FILE)).ok()?).ok()
    }
}

pub(crate) struct Lit {
    path: PathBuf,
    instance: String,
}

impl Drop for Lit {
    fn drop(&mut self) {
        // Another server may have taken over the folder.
        let ours = self.path.parent().and_then(Beacon::seen).is_some_and(|beacon| beacon.instance == self.instance);
        if ours && let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, "the beacon stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beacon_is_seen_while_its_server_runs() {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(Beacon::seen(data.path()), None);
        let first = Beacon::of_this_server("http", "0.0.0.0:5000".parse().unwrap());
        assert_eq!(first.url, "http://127.0.0.1:5000");
        let lit = first.light(data.path()).unwrap();
        assert_eq!(Beacon::seen(data.path()), Some(first));

        let second = Beacon::of_this_server("https", "[::1]:5001".parse().unwrap());
        let taken_over = second.light(data.path()).unwrap();
        drop(lit);
        assert_eq!(Beacon::seen(data.path()), Some(second));
        drop(taken_over);
        assert_eq!(Beacon::seen(data.path()), None);
    }
}
