//! TLS, by a certificate and a key in PEM files.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use crate::cli::Failure;

/// How often the files are looked at; a hang-up signal looks at once.
const LOOK: Duration = Duration::from_secs(10);

/// A certificate (and those that vouch for it) in one file and its key in another, read again when they change.
#[derive(Debug)]
pub(crate) struct Identity {
    certificate: PathBuf,
    key: PathBuf,
    shown: RwLock<Arc<CertifiedKey>>,
}

impl Identity {
    /// Nothing when no file is named.
    pub(crate) fn read(certificate: Option<&Path>, key: Option<&Path>) -> Result<Option<Arc<Identity>>> {
        let (certificate, key) = match (certificate, key) {
            (None, None) => return Ok(None),
            (Some(certificate), Some(key)) => (certificate, key),
            _ => {
                return Err(Failure::usage("TLS needs a certificate and its key")
                    .hint("name both files, with --tls-cert and --tls-key")
                    .into());
            }
        };
        let shown = pair(certificate, key).map_err(|error| {
            Failure::usage(format!("{error:#}"))
                .hint("--tls-cert and --tls-key name PEM files that the user of the server can read")
        })?;
        let shown = RwLock::new(Arc::new(shown));
        Ok(Some(Arc::new(Identity { certificate: certificate.to_owned(), key: key.to_owned(), shown })))
    }

    /// What speaks TLS with the pair that was read last, connection by connection.
    pub(crate) fn acceptor(self: &Arc<Identity>) -> Result<TlsAcceptor> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Follows the files for as long as the server runs. Those that do not fit together, as while one of the two is
    /// replaced, leave the pair that was read before.
    pub(crate) async fn follow(self: Arc<Identity>) {
        let mut hangup = match signal(SignalKind::hangup()) {
            Ok(hangup) => Some(hangup),
            Err(error) => {
                tracing::warn!(%error, "cannot wait for SIGHUP");
                None
            }
        };
        let mut complaint = String::new();
        loop {
            let told = async {
                match &mut hangup {
                    Some(hangup) => drop(hangup.recv().await),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = told => complaint.clear(),
                () = tokio::time::sleep(LOOK) => {}
            }
            let identity = Arc::clone(&self);
            let renewed = tokio::task::spawn_blocking(move || identity.renew()).await;
            match renewed.map_err(anyhow::Error::from).flatten() {
                Ok(changed) => {
                    complaint.clear();
                    if changed {
                        tracing::info!(file = %self.certificate.display(), "serving a new certificate");
                    }
                }
                // Once for each reason, not at each look.
                Err(error) => {
                    let reason = format!("{error:#}");
                    if reason != complaint {
                        tracing::error!(error = reason, "keeping the old certificate");
                        complaint = reason;
                    }
                }
            }
        }
    }

    /// Whether the files hold another pair than before.
    fn renew(&self) -> Result<bool> {
        let found = pair(&self.certificate, &self.key)?;
        let mut shown = self.shown.write().unwrap_or_else(PoisonError::into_inner);
        let changed = found.cert != shown.cert;
        if changed {
            *shown = Arc::new(found);
        }
        Ok(changed)
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.shown.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn pair(certificate: &Path, key: &Path) -> Result<CertifiedKey> {
    let unreadable = |path: &Path| format!("cannot read {} as PEM", path.display());
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(|found| found.collect::<Result<Vec<_>, _>>())
        .with_context(|| unreadable(certificate))?;
    if chain.is_empty() {
        bail!("there is no certificate in {}", certificate.display());
    }
    let key_in_file = PrivateKeyDer::from_pem_file(key).with_context(|| unreadable(key))?;
    CertifiedKey::from_der(chain, key_in_file, &aws_lc_rs::default_provider())
        .with_context(|| format!("the key in {} does not fit {}", key.display(), certificate.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_and_its_key_come_together() {
        assert!(Identity::read(None, None).unwrap().is_none());
        let file = Path::new("/nowhere/cert.pem");
        let half = Identity::read(Some(file), None).err().unwrap();
        assert!(half.downcast_ref::<Failure>().unwrap().in_full().contains("hint: name both files"));
        let missing = Identity::read(Some(file), Some(file)).err().unwrap().to_string();
        assert!(missing.contains("/nowhere/cert.pem"), "{missing}");
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("cert.pem");
        std::fs::write(&empty, "nothing").unwrap();
        assert!(Identity::read(Some(&empty), Some(&empty)).err().unwrap().to_string().contains("no certificate"));
    }
}
