//! Whom a connection trusts.

use std::path::Path;
use std::sync::Arc;

use postgres::config::SslNegotiation;
use stele_domain::{Error, Result};
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{WebPkiServerVerifier, verify_server_name};
use tokio_rustls::rustls::crypto::{self, CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};

use crate::options::{Roots, SslMode, TlsOptions};

/// What clients of servers that were never told otherwise offer when they begin with TLS at once.
const PROTOCOL: &[u8] = b"postgresql";

pub(crate) fn client_config(options: &TlsOptions, config: &postgres::Config) -> Result<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let authorities = options.roots.as_ref().map(|roots| Authorities::new(roots, options.checks(), &provider));
    let verifier = Arc::new(Verifier { provider: Arc::clone(&provider), authorities: authorities.transpose()? });
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::internal(format!("TLS cannot be spoken: {e}")))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut client = match &options.identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(certificates("sslcert", certificate)?, private_key(key)?)
            .map_err(|e| Error::invalid(format!("sslcert {} does not go with sslkey: {e}", certificate.display())))?,
    };
    if config.get_ssl_negotiation() == SslNegotiation::Direct {
        client.alpn_protocols = vec![PROTOCOL.to_vec()];
    }
    Ok(client)
}

fn certificates(option: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let cannot = |e: pem::Error| Error::invalid(format!("{option} {} cannot be read: {e}", path.display()));
    let found = CertificateDer::pem_file_iter(path).map_err(cannot)?.collect::<Result<Vec<_>, _>>().map_err(cannot)?;
    if found.is_empty() {
        return Err(Error::invalid(format!("{option} {} holds no certificate in PEM", path.display())));
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|e| Error::invalid(format!("sslkey {} cannot be read: {e}", path.display())))
}

/// Takes certificates that `authorities` do, or any if there are none, as long as the server has the key.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    authorities: Option<Authorities>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        match &self.authorities {
            Some(authorities) => authorities.verify(certificate, between, host, ocsp, now),
            None => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let known = &self.provider.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let known = &self.provider.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Takes certificates that a trusted authority signed, and with `verify-full` only those for the host.
#[derive(Debug)]
struct Authorities {
    all: Arc<WebPkiServerVerifier>,
    /// Those of the file. One that signed itself may be the server's own, which an authority's check would refuse.
    named: Vec<CertificateDer<'static>>,
    host_too: bool,
}

impl Authorities {
    fn new(roots: &Roots, mode: SslMode, provider: &Arc<CryptoProvider>) -> Result<Authorities> {
        let mut store = RootCertStore::empty();
        let named = match roots {
            Roots::File(path) => {
                let named = certificates("sslrootcert", path)?;
                for certificate in &named {
                    store.add(certificate.clone()).map_err(|e| {
                        Error::invalid(format!("sslrootcert {} holds no authority: {e}", path.display()))
                    })?;
                }
                named
            }
            Roots::System => {
                store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                Vec::new()
            }
        };
        let all = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider))
            .build()
            .map_err(|e| Error::invalid(format!("sslrootcert names nobody to trust: {e}")))?;
        Ok(Authorities { all, named, host_too: mode == SslMode::VerifyFull })
    }

    fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        if self.named.contains(certificate) {
            if self.host_too {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, host)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        match self.all.verify_server_cert(certificate, between, host, ocsp, now) {
            // The host is looked at last, so that all else is well.
            Err(TlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.host_too => Ok(ServerCertVerified::assertion()),
            outcome => outcome,
        }
    }
}
