//! Encrypted connections, with certificates made here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use spanbridge::otlp::{
    ClientIdentity, Endpoint, Flush, OtlpTarget, Protocol, TargetError, otlp_exporter,
};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

use super::collector::{Collector, endpoint};
use super::delivery::PROTOCOLS;
use super::rig::{Rig, names, settings};

/// A certificate authority with a server and a client certificate, as PEM files.
struct Authority {
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let write =
            |name: &str, pem: String| std::fs::write(folder.path().join(name), pem).unwrap();
        write("ca.pem", certificate.pem());
        let issuer = Issuer::new(params, key);
        for name in ["server", "client"] {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
            write(&format!("{name}.pem"), params.signed_by(&key, &issuer).unwrap().pem());
            write(&format!("{name}.key"), key.serialize_pem());
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn identity(&self, name: &str) -> ClientIdentity {
        let certificate = self.path(&format!("{name}.pem"));
        ClientIdentity { certificate, key: self.path(&format!("{name}.key")) }
    }

    /// The server's side; with `mutual` a client has to show a certificate.
    fn acceptor(&self, mutual: bool) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if mutual {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(self.path("ca.pem")).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let chain = vec![CertificateDer::from_pem_file(self.path("server.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(self.path("server.key")).unwrap();
        let mut config = builder.with_single_cert(chain, key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }

    fn target(&self, collector: &Collector, protocol: Protocol) -> OtlpTarget {
        let url = format!("https://localhost:{}", collector.address.port());
        let mut target = OtlpTarget::new(protocol, endpoint(protocol, &url));
        target.tls.certificate = Some(self.path("ca.pem"));
        target
    }
}

#[test]
fn spans_arrive_over_tls_with_and_without_a_client_certificate() {
    let authority = Authority::new();
    for protocol in PROTOCOLS {
        for mutual in [false, true] {
            let tls = authority.acceptor(mutual);
            let collector = Collector::start(protocol, vec![], Some(tls));
            let mut target = authority.target(&collector, protocol);
            target.tls.client = mutual.then(|| authority.identity("client"));
            let rig = Rig::otlp(&target);
            rig.push(&["a"]);
            assert_eq!(rig.flush(), Flush::Done, "{protocol:?} mutual {mutual}");
            assert_eq!(names(&collector.wait(1)[0].decode())[0].1, ["a"]);
        }
    }
}

#[test]
fn nothing_is_sent_to_a_receiver_that_is_not_trusted_or_does_not_trust_us() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    for protocol in PROTOCOLS {
        for mutual in [false, true] {
            let tls = authority.acceptor(mutual);
            let collector = Collector::start(protocol, vec![], Some(tls));
            let mut target = authority.target(&collector, protocol);
            if !mutual {
                target.tls.certificate = Some(stranger.path("ca.pem"));
            }
            let mut settings = settings();
            settings.retry.attempts_max = 2;
            let rig = Rig::new(otlp_exporter(&target).unwrap(), settings);
            rig.push(&["a"]);
            assert_eq!(rig.flush(), Flush::Lost { spans: 1 }, "{protocol:?} mutual {mutual}");
            assert_eq!(rig.counters.export_failures.connection.get(), 2, "{protocol:?}");
            assert!(collector.wait(0).is_empty());
        }
    }
}

#[test]
fn unusable_files_are_errors_at_the_start_and_only_where_they_are_used() {
    let authority = Authority::new();
    for protocol in [Protocol::HttpProtobuf, Protocol::Grpc] {
        let target = |certificate: &Path, client: Option<ClientIdentity>| {
            let mut target = OtlpTarget::new(protocol, endpoint(protocol, "https://localhost:1"));
            target.tls.certificate = Some(certificate.to_owned());
            target.tls.client = client;
            target
        };
        let ca = authority.path("ca.pem");
        assert!(otlp_exporter(&target(&ca, Some(authority.identity("client")))).is_ok());
        let missing = otlp_exporter(&target(Path::new("/missing.pem"), None));
        assert!(matches!(missing, Err(TargetError::Pem { .. })));
        let no_certificate = otlp_exporter(&target(&authority.path("client.key"), None));
        assert!(matches!(no_certificate, Err(TargetError::NoCertificate { .. })));
        let mut mixed = authority.identity("client");
        mixed.key = authority.path("server.key");
        assert!(matches!(otlp_exporter(&target(&ca, Some(mixed))), Err(TargetError::Tls(_))));
        let mut plain = target(Path::new("/missing.pem"), None);
        plain.endpoint = Endpoint::http("http://localhost:1").unwrap();
        assert!(otlp_exporter(&plain).is_ok());
    }
}
