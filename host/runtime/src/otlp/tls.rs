//! TLS for the OTLP exporters: rustls with the ring provider, for HTTP and gRPC alike.
//!
//! Trusts the system's certificates, or instead of them those of one file. Verification cannot be
//! turned off.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::client::WantsClientCert;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};

use super::target::{ClientIdentity, OtlpTarget};

/// Longest time to connect. A SYN is repeated after 1 and 3 seconds; a third repeat is a host that
/// is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why an exporter cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// A certificate or key file cannot be read, or is not PEM.
    #[error("cannot read certificates or a key from {path}: {source}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: PemError,
    },
    /// A certificate file holds none.
    #[error("no certificate in {path}")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The system has no trusted certificates, and no file was given.
    #[error("the system has no trusted certificates; name a file with some")]
    NoSystemRoots,
    /// A certificate or key is unusable, or they do not belong together.
    #[error("unusable certificate or key: {0}")]
    Tls(#[from] rustls::Error),
}

/// Version of HTTP spoken over a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Http {
    One,
    Two,
}

/// Makes the connector of a target. Files are read only when the endpoint is `https`.
pub(crate) fn connector(
    target: &OtlpTarget,
    http: Http,
) -> Result<HttpsConnector<HttpConnector>, TargetError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let builder = HttpsConnectorBuilder::new().with_tls_config(config(target)?).https_or_http();
    Ok(match http {
        Http::One => builder.enable_http1().wrap_connector(tcp),
        Http::Two => builder.enable_http2().wrap_connector(tcp),
    })
}

fn config(target: &OtlpTarget) -> Result<ClientConfig, TargetError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    if !target.endpoint.is_tls() {
        return Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth());
    }
    let roots = match &target.tls.certificate {
        Some(path) => roots_of_file(path)?,
        None => system_roots()?,
    };
    let builder = builder.with_root_certificates(roots);
    match &target.tls.client {
        Some(identity) => with_identity(builder, identity),
        None => Ok(builder.with_no_client_auth()),
    }
}

fn roots_of_file(path: &Path) -> Result<RootCertStore, TargetError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}

/// The system's certificates. Single unreadable ones are left out, as browsers do.
fn system_roots() -> Result<RootCertStore, TargetError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(TargetError::NoSystemRoots) } else { Ok(roots) }
}

fn with_identity(
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    identity: &ClientIdentity,
) -> Result<ClientConfig, TargetError> {
    let chain = certificates(&identity.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&identity.key).map_err(pem(&identity.key))?;
    Ok(builder.with_client_auth_cert(chain, key)?)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TargetError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(pem(path))?.collect();
    let all = all.map_err(pem(path))?;
    if all.is_empty() {
        return Err(TargetError::NoCertificate { path: path.to_owned() });
    }
    Ok(all)
}

fn pem(path: &Path) -> impl Fn(PemError) -> TargetError {
    move |source| TargetError::Pem { path: path.to_owned(), source }
}
