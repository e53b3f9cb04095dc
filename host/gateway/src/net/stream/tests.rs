use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::AsyncReadExt as _;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;

/// Both ends of a connection behind TLS.
async fn pair() -> (Stream, Stream) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connect = TcpStream::connect(listener.local_addr().unwrap());
    let (connected, accepted) = tokio::join!(connect, listener.accept());
    let name = ServerName::try_from("localhost").unwrap();
    let (connected, accepted) = tokio::join!(
        TlsConnector::from(Arc::new(client)).connect(name, connected.unwrap()),
        TlsAcceptor::from(Arc::new(server)).accept(accepted.unwrap().0),
    );
    let stream = |tls: TlsStream<TcpStream>| Stream::Tls(Box::new(tls));
    (stream(connected.unwrap().into()), stream(accepted.unwrap().into()))
}

/// Bytes that TLS has taken and the socket has not are not on their way: a session that forgot
/// them would wait for an answer to a message that nobody got.
#[tokio::test(flavor = "current_thread")]
async fn records_that_the_socket_did_not_take_are_known_until_they_are_flushed() {
    let (mut reader, mut writer) = pair().await;
    let piece = [b'x'; 1024];
    let mut written = 0;
    // One piece at a time, until one of them stays inside of TLS.
    while !writer.has_unflushed() {
        let write = poll_fn(|cx| Pin::new(&mut writer).poll_write(cx, &piece));
        let count = tokio::time::timeout(Duration::from_secs(20), write).await;
        written += count.expect("what is inside of TLS is seen before it is full").unwrap();
    }
    let flush = poll_fn(|cx| Poll::Ready(Pin::new(&mut writer).poll_flush(cx))).await;
    assert!(flush.is_pending(), "the socket is full");
    let mut found = vec![0; written];
    let flushed = poll_fn(|cx| Pin::new(&mut writer).poll_flush(cx));
    let (flushed, read) = tokio::join!(flushed, reader.read_exact(&mut found));
    flushed.unwrap();
    assert_eq!(read.unwrap(), written);
    assert!(!writer.has_unflushed() && found.iter().all(|&byte| byte == b'x'));
}

#[tokio::test(flavor = "current_thread")]
async fn an_end_that_tls_does_not_know_of_is_an_end() {
    let (mut reader, writer) = pair().await;
    drop(writer);
    let mut found = Vec::new();
    assert_eq!(reader.read_to_end(&mut found).await.unwrap(), 0);
}
