//! Certificates that are renewed while a gateway runs.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use spanbridge::env;
use spanbridge::metrics::Counters;
use spanbridge_gateway::config::{Config, ListenerConfig, RouteOptions};
use spanbridge_gateway::gateway::{Gateway, Output};
use spanbridge_gateway::net::options::{NetOptions, TlsOptions};

/// A certificate that signs itself, in `server.pem` and `server.key`.
fn renew(folder: &Path) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    fs::write(folder.join("server.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
    CertificateDer::from_pem_slice(certificate.pem().as_bytes()).unwrap()
}

/// Greets whoever connects, for as long as the tests run.
fn broker() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut sessions = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.write_all(b"INFO {\"headers\":true}\r\n").unwrap();
            sessions.push(stream);
        }
    });
    port
}

/// A client that trusts this certificate and no other.
fn trusting(trusted: &CertificateDer<'static>) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    ClientConnection::new(Arc::new(config), name).unwrap()
}

/// Answers the INFO line, or why a client that trusts this certificate got none.
fn greeting(gateway: &Gateway, trusted: &CertificateDer<'static>) -> std::io::Result<String> {
    let stream = TcpStream::connect(("127.0.0.1", gateway.addresses()[0].port))?;
    let mut line = String::new();
    BufReader::new(StreamOwned::new(trusting(trusted), stream)).read_line(&mut line)?;
    Ok(line)
}

#[test]
fn renewed_certificates_are_taken_into_use_and_broken_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let old = renew(folder.path());
    let tls = TlsOptions {
        certificate: folder.path().join("server.pem"),
        key: folder.path().join("server.key"),
        client_ca: None,
        first: true,
    };
    let listener = ListenerConfig {
        listen: "nats://127.0.0.1:0".parse().unwrap(),
        brokers: vec![format!("nats://127.0.0.1:{}", broker()).parse().unwrap()],
        route: RouteOptions::default(),
        net: NetOptions { tls: Some(tls), ..NetOptions::default() },
    };
    let config = Config { listeners: vec![listener], ..Config::default() };
    let env = env::Settings::default();
    let output = Output::new(None, &env, Arc::<Counters>::default());
    let gateway = Gateway::start(&config, &env, &output).unwrap();

    let said = "INFO {\"tls_required\":true,\"headers\":true}\r\n";
    assert_eq!(greeting(&gateway, &old).unwrap(), said);
    let new = renew(folder.path());
    assert!(greeting(&gateway, &new).is_err(), "nobody has said that there is a new one");
    gateway.reload_certificates().unwrap();
    assert_eq!(greeting(&gateway, &new).unwrap(), said);
    assert!(greeting(&gateway, &old).is_err());

    // A key that does not belong to it, and no certificate at all.
    fs::write(folder.path().join("server.key"), KeyPair::generate().unwrap().serialize_pem())
        .unwrap();
    let error = gateway.reload_certificates().unwrap_err().to_string();
    assert!(error.contains("127.0.0.1"), "{error}");
    fs::write(folder.path().join("server.pem"), "").unwrap();
    let error = gateway.reload_certificates().unwrap_err().to_string();
    assert!(error.contains("server.pem"), "{error}");
    assert_eq!(greeting(&gateway, &new).unwrap(), said, "what was in use stays in use");
    gateway.stop();
}
