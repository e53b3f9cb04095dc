//! TLS with clients: renewed certificates are taken into use, and slow readers get everything.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use spanbridge::env;
use spanbridge::metrics::Counters;
use spanbridge_gateway::config::{Cluster, Config, ListenerConfig, RouteOptions};
use spanbridge_gateway::gateway::{Gateway, Output};
use spanbridge_gateway::net::options::{NetOptions, TlsOptions};

/// What the broker says, and what a client is told that is behind TLS.
const INFO: &str = "INFO {\"headers\":true}\r\n";
const SAID: &str = "INFO {\"tls_required\":true,\"headers\":true}\r\n";

/// A certificate that signs itself, in `server.pem` and `server.key`.
fn renew(folder: &Path) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    fs::write(folder.join("server.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
    CertificateDer::from_pem_slice(certificate.pem().as_bytes()).unwrap()
}

/// Says this to whoever connects, for as long as the tests run.
fn broker(says: Arc<[u8]>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut sessions = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let says = Arc::clone(&says);
            sessions.push(thread::spawn(move || {
                stream.write_all(&says).unwrap();
                // The connection stays open until the other side ends it.
                let _ = stream.read(&mut [0]);
            }));
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

/// A gateway with a certificate in this folder, before a broker that says this.
fn gateway(folder: &Path, says: &[u8]) -> Gateway {
    let tls = TlsOptions {
        certificate: folder.join("server.pem"),
        key: folder.join("server.key"),
        client_ca: None,
        first: true,
    };
    let broker = format!("nats://127.0.0.1:{}", broker(says.into()));
    let listener = ListenerConfig {
        name: None,
        listen: "nats://127.0.0.1:0".parse().unwrap(),
        brokers: vec![broker.parse().unwrap()],
        route: RouteOptions::default(),
        net: NetOptions { tls: Some(tls), ..NetOptions::default() },
        cluster: Cluster::default(),
    };
    let config = Config { listeners: vec![listener], ..Config::default() };
    let env = env::Settings::default();
    let output = Output::new(None, &env, Arc::<Counters>::default());
    Gateway::start(&config, &env, &output).unwrap()
}

#[test]
fn a_slow_reader_behind_tls_gets_everything() {
    const BYTES: usize = 16 * 1024 * 1024;
    let folder = tempfile::tempdir().unwrap();
    let trusted = renew(folder.path());
    let message = format!("MSG _INBOX.a 1 1000\r\n{}\r\n", "x".repeat(1000));
    let messages = message.repeat(BYTES / message.len());
    let gateway = gateway(folder.path(), format!("{INFO}{messages}").as_bytes());
    let stream = TcpStream::connect(("127.0.0.1", gateway.addresses()[0].port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut client = StreamOwned::new(trusting(&trusted), stream);
    let mut found = Vec::new();
    let mut piece = vec![0; 64 * 1024];
    while found.len() < SAID.len() + messages.len() {
        let count = client.read(&mut piece).expect("the rest comes without anything behind it");
        assert!(count > 0, "{} bytes, and the end", found.len());
        found.extend_from_slice(&piece[..count]);
        // Slower than the gateway writes.
        thread::sleep(Duration::from_millis(1));
    }
    assert!(found == [SAID, &messages].concat().as_bytes(), "the messages were damaged");
    drop(client);
    gateway.stop();
}

#[test]
fn renewed_certificates_are_taken_into_use_and_broken_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let old = renew(folder.path());
    let mut gateway = gateway(folder.path(), INFO.as_bytes());
    let config = gateway.config().clone();
    assert_eq!(greeting(&gateway, &old).unwrap(), SAID);
    let new = renew(folder.path());
    assert!(greeting(&gateway, &new).is_err(), "nobody has said that there is a new one");
    gateway.reload(&config).unwrap();
    assert_eq!(greeting(&gateway, &new).unwrap(), SAID);
    assert!(greeting(&gateway, &old).is_err());

    // A key that does not belong to it, and no certificate at all.
    fs::write(folder.path().join("server.key"), KeyPair::generate().unwrap().serialize_pem())
        .unwrap();
    let mut fewer = config.clone();
    fewer.sessions_max = 1;
    let error = gateway.reload(&fewer).unwrap_err().to_string();
    assert!(error.contains("127.0.0.1") && error.contains("server.key"), "{error}");
    assert_eq!(gateway.config(), &config, "nothing has changed");
    fs::write(folder.path().join("server.pem"), "").unwrap();
    let error = gateway.reload(&config).unwrap_err().to_string();
    assert!(error.contains("server.pem"), "{error}");
    assert_eq!(greeting(&gateway, &new).unwrap(), SAID, "what was in use stays in use");
    gateway.stop();
}
