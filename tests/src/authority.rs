//! A certificate authority of one test, with certificates of a server and of a client.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// An authority, and what it has signed, as PEM files: `ca.pem`, `server.pem`, `server.key`,
/// `client.pem`, `client.key`.
#[derive(Debug)]
pub struct Authority {
    folder: TempDir,
}

impl Authority {
    /// Makes one, and signs for `localhost` and 127.0.0.1.
    ///
    /// # Errors
    /// When keys cannot be made or files not be written.
    pub fn new() -> Result<Self> {
        let folder = TempDir::new()?;
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new([])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority of a test");
        fs::write(folder.path().join("ca.pem"), params.self_signed(&key)?.pem())?;
        let issuer = Issuer::new(params, key);
        for name in ["server", "client"] {
            let key = KeyPair::generate()?;
            let mut params = CertificateParams::new(["localhost".into(), "127.0.0.1".into()])?;
            params.distinguished_name.push(DnType::CommonName, name);
            let certificate = params.signed_by(&key, &issuer)?;
            fs::write(folder.path().join(format!("{name}.pem")), certificate.pem())?;
            fs::write(folder.path().join(format!("{name}.key")), key.serialize_pem())?;
        }
        Ok(Self { folder })
    }

    /// Where a file of it lies.
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// The same, for a configuration or a command line.
    pub fn text(&self, file: &str) -> String {
        self.path(file).display().to_string()
    }

    /// The `tls` block of a nats-server with the server's certificate, and further lines in it.
    pub fn nats_block(&self, more: &str) -> String {
        let (certificate, key) = (self.path("server.pem"), self.path("server.key"));
        let ca = self.path("ca.pem");
        format!(
            "tls {{ cert_file: {certificate:?}, key_file: {key:?}, ca_file: {ca:?}, timeout: 5\n\
             {more}\n}}"
        )
    }
}
