//! TLS, by a certificate and a key in PEM files.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What speaks TLS with the certificate (and those that vouch for it) in one file and its key in another; nothing when
/// none is named.
pub(crate) fn acceptor(certificate: Option<&Path>, key: Option<&Path>) -> Result<Option<TlsAcceptor>> {
    let (certificate, key) = match (certificate, key) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => (certificate, key),
        _ => bail!("TLS needs a certificate and its key\nhint: name both files, with --tls-cert and --tls-key"),
    };
    let unreadable = |path: &Path| format!("cannot read {} as PEM", path.display());
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(|found| found.collect::<Result<Vec<_>, _>>())
        .with_context(|| unreadable(certificate))?;
    if chain.is_empty() {
        bail!("there is no certificate in {}", certificate.display());
    }
    let key_in_file = PrivateKeyDer::from_pem_file(key).with_context(|| unreadable(key))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key_in_file)
        .with_context(|| format!("the key in {} does not fit {}", key.display(), certificate.display()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_and_its_key_come_together() {
        assert!(acceptor(None, None).unwrap().is_none());
        let file = Path::new("/nowhere/cert.pem");
        assert!(acceptor(Some(file), None).err().unwrap().to_string().contains("hint:"));
        let missing = acceptor(Some(file), Some(file)).err().unwrap().to_string();
        assert!(missing.contains("/nowhere/cert.pem"), "{missing}");
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("cert.pem");
        std::fs::write(&empty, "nothing").unwrap();
        assert!(acceptor(Some(&empty), Some(&empty)).err().unwrap().to_string().contains("no certificate"));
    }
}
