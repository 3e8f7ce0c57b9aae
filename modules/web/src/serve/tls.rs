//! TLS, from the files of the operator.

use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::version::TLS13;

use crate::settings::Tls;

/// The acceptor of encrypted connections.
pub fn acceptor(files: &Tls) -> Result<TlsAcceptor, String> {
    let Tls { certificate, key } = files;
    let failed = |what: &str, path: &str, error: &dyn std::fmt::Display| {
        let text = error.to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        format!("{what}: {path}: {text}")
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| failed("web.tls-certificate", certificate, &error))?;
    if chain.is_empty() {
        return Err(format!(
            "web.tls-certificate: {certificate}: there is no certificate in it"
        ));
    }
    let secret =
        PrivateKeyDer::from_pem_file(key).map_err(|error| failed("web.tls-key", key, &error))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .and_then(|builder| {
            builder
                .with_no_client_auth()
                .with_single_cert(chain, secret)
        })
        .map_err(|error| failed("web.tls-key", key, &error))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
