//! TLS towards clients and towards brokers: rustls with the ring provider.
//!
//! Verification cannot be turned off. Files are read at the start and when they are reloaded, not
//! for each connection; a file that cannot be used is an error there, and what was in use stays.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{Error as PemError, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::options::{BrokerTlsOptions, TlsOptions};

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is not PEM.
    #[error("cannot read certificates or a key from {path}: {source}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: PemError,
    },
    /// A file holds no certificate.
    #[error("no certificate in {path}")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The system has no trusted certificates, and no file was given.
    #[error("the system has no trusted certificates; name a file in broker_tls.ca")]
    NoSystemRoots,
    /// The name that a broker is to have.
    #[error("broker_tls.server_name: expected a DNS name or an IP address, found `{0}`")]
    ServerName(String),
    /// A certificate is unusable, or TLS itself.
    #[error("unusable certificate: {0}")]
    Rustls(#[from] rustls::Error),
    /// A certificate or its key is unusable, or they do not belong together.
    #[error("unusable certificate {certificate} or key {key}: {source}")]
    Identity {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What is wrong with them.
        source: rustls::Error,
    },
    /// Nothing a client shows could be verified.
    #[error("unusable client_ca {path}: {source}")]
    ClientCa {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: rustls::server::VerifierBuilderError,
    },
}

/// Our side towards clients.
#[derive(Debug)]
pub(crate) struct ToClients {
    options: TlsOptions,
    config: RwLock<Arc<ServerConfig>>,
}

impl ToClients {
    pub(crate) fn new(options: &TlsOptions) -> Result<Self, TlsError> {
        let config = RwLock::new(server_config(options)?);
        Ok(Self { options: options.clone(), config })
    }

    pub(crate) fn is_first(&self) -> bool {
        self.options.first
    }

    /// Reads the files again.
    pub(crate) fn prepare(&self) -> Result<Arc<ServerConfig>, TlsError> {
        server_config(&self.options)
    }

    /// Takes what [`Self::prepare`] has read into use.
    pub(crate) fn swap(&self, config: Arc<ServerConfig>) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    pub(crate) async fn accept(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        let config = Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner));
        Ok(TlsAcceptor::from(config).accept(stream).await?.into())
    }
}

/// Our side towards brokers.
#[derive(Debug)]
pub(crate) struct ToBrokers {
    options: BrokerTlsOptions,
    server_name: Option<ServerName<'static>>,
    config: RwLock<Arc<ClientConfig>>,
}

impl ToBrokers {
    pub(crate) fn new(options: &BrokerTlsOptions) -> Result<Self, TlsError> {
        let server_name = options.server_name.as_deref().map(server_name).transpose()?;
        let config = RwLock::new(client_config(options)?);
        Ok(Self { options: options.clone(), server_name, config })
    }

    pub(crate) fn is_first(&self) -> bool {
        self.options.first
    }

    /// Answers whether there is a certificate to show.
    pub(crate) fn has_identity(&self) -> bool {
        self.options.certificate.is_some()
    }

    /// Reads the files again.
    pub(crate) fn prepare(&self) -> Result<Arc<ClientConfig>, TlsError> {
        client_config(&self.options)
    }

    /// Takes what [`Self::prepare`] has read into use.
    pub(crate) fn swap(&self, config: Arc<ClientConfig>) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// `host` is the broker's, as it is configured.
    pub(crate) async fn connect(
        &self,
        stream: TcpStream,
        host: &str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => server_name(host).map_err(std::io::Error::other)?,
        };
        let config = Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner));
        Ok(TlsConnector::from(config).connect(name, stream).await?.into())
    }
}

fn server_name(text: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(text.to_owned()).map_err(|_| TlsError::ServerName(text.to_owned()))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn server_config(options: &TlsOptions) -> Result<Arc<ServerConfig>, TlsError> {
    let builder =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = match &options.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let roots = Arc::new(roots_of_file(path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
            let verifier =
                verifier.map_err(|source| TlsError::ClientCa { path: path.clone(), source })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let (chain, key) = identity(&options.certificate, &options.key)?;
    let config = builder.with_single_cert(chain, key);
    Ok(Arc::new(config.map_err(unusable(&options.certificate, &options.key))?))
}

fn client_config(options: &BrokerTlsOptions) -> Result<Arc<ClientConfig>, TlsError> {
    let builder =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let roots = match &options.ca {
        Some(path) => roots_of_file(path)?,
        None => system_roots()?,
    };
    let builder = builder.with_root_certificates(roots);
    Ok(Arc::new(match (&options.certificate, &options.key) {
        (Some(certificate), Some(key)) => {
            let (chain, private) = identity(certificate, key)?;
            let config = builder.with_client_auth_cert(chain, private);
            config.map_err(unusable(certificate, key))?
        }
        _ => builder.with_no_client_auth(),
    }))
}

fn roots_of_file(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate)?;
    }
    Ok(roots)
}

/// The system's certificates. Single unreadable ones are left out, as browsers do.
fn system_roots() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(TlsError::NoSystemRoots) } else { Ok(roots) }
}

fn identity(
    certificate: &Path,
    key: &Path,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let chain = certificates(certificate)?;
    Ok((chain, PrivateKeyDer::from_pem_file(key).map_err(pem(key))?))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(pem(path))?.collect();
    let all = all.map_err(pem(path))?;
    if all.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(all)
}

fn unusable(certificate: &Path, key: &Path) -> impl Fn(rustls::Error) -> TlsError {
    move |source| TlsError::Identity {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        source,
    }
}

fn pem(path: &Path) -> impl Fn(PemError) -> TlsError {
    move |source| TlsError::Pem { path: path.to_owned(), source }
}
