//! The harness itself, without the program under test: a test bed that cannot fail proves nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Result;
use spanbridge_tests::{
    BOUND, Client, Fault, Flavour, Kind, NatsServer, RawNats, Receiver, Recorder, eventually,
};

#[test]
fn broker_of_debian_keeps_its_port_over_a_crash() -> Result<()> {
    broker_keeps_its_port_over_a_crash(Flavour::Debian)
}

#[test]
fn current_broker_keeps_its_port_over_a_crash() -> Result<()> {
    broker_keeps_its_port_over_a_crash(Flavour::Current)
}

fn broker_keeps_its_port_over_a_crash(flavour: Flavour) -> Result<()> {
    let Some(mut server) = NatsServer::start(flavour)? else { return Ok(()) };
    let mut client = RawNats::open(server.address(), r#"{"verbose":false}"#)?;
    server.kill()?;
    assert!(client.round_trip().is_err(), "a killed broker must not answer");
    assert!(RawNats::connect(server.address()).is_err(), "a killed broker must not listen");
    server.restart()?;
    RawNats::open(server.address(), r#"{"verbose":false}"#)?;
    Ok(())
}

#[test]
fn raw_client_reads_what_it_published() -> Result<()> {
    let Some(server) = NatsServer::start(Flavour::Debian)? else { return Ok(()) };
    let mut client = RawNats::open(server.address(), r#"{"verbose":false,"headers":true}"#)?;
    client.send(b"SUB a.b 1\r\n")?;
    client.publish_with_headers("a.b", b"NATS/1.0\r\nKey: value\r\n\r\n", b"with\r\n")?;
    client.publish("a.b", b"")?;
    let first = client.message()?;
    assert_eq!((first.header("key"), first.payload), (Some("value".into()), b"with\r\n".to_vec()));
    let second = client.message()?;
    assert_eq!((second.control.as_str(), second.payload), ("MSG a.b 1 0", Vec::new()));
    Ok(())
}

#[test]
fn recorder_keeps_both_directions_and_changes_neither() -> Result<()> {
    let Some(server) = NatsServer::start(Flavour::Debian)? else { return Ok(()) };
    let recorder = Recorder::start(server.address())?;
    let mut client = RawNats::open(recorder.address(), r#"{"verbose":false}"#)?;
    client.send(b"SUB x 1\r\nPUB x 3\r\nabc\r\n")?;
    assert_eq!(client.message()?.payload, b"abc");
    let session = &recorder.sessions()[0];
    let sent = b"CONNECT {\"verbose\":false}\r\nPING\r\nSUB x 1\r\nPUB x 3\r\nabc\r\n";
    assert_eq!(session.to_target, sent);
    assert_eq!(session.to_client, [client.info(), b"PONG\r\nMSG x 1 3\r\nabc\r\n"].concat());
    Ok(())
}

#[test]
fn receiver_decodes_a_span_sent_over_http() -> Result<()> {
    let Some(receiver) = Receiver::http()? else { return Ok(()) };
    let tap = receiver.tap();
    let answer = post(&receiver.http_endpoint(), &header_of(&tap.http()), &one_span())?;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let spans = tap.spans()?;
    assert_eq!(spans.len(), 1);
    let span = &spans[0];
    assert_eq!((span.service.as_str(), span.name.as_str()), ("shop", "publish a"));
    assert_eq!((span.kind, span.start, span.end), (Kind::Producer, 7, 9));
    assert_eq!(span.trace_id, "11".repeat(16));
    assert_eq!((span.span_id.as_str(), span.parent.as_str()), ("2222222222222222", ""));
    assert_eq!(span.number("size"), Some(5.0));
    assert!(span.is_linked_to_ids(&"33".repeat(16), &"44".repeat(8)));
    assert!(receiver.tap().spans()?.is_empty(), "another tap must not see it");
    Ok(())
}

#[test]
fn receiver_decodes_a_span_sent_over_grpc() -> Result<()> {
    let Some(receiver) = Receiver::shared()? else { return Ok(()) };
    let tap = receiver.tap();
    let target = receiver.grpc_endpoint().replace("http://", "");
    let header = header_of(&tap.grpc());
    let arguments = ["--target", &target, "--header", &header, "--name", "over grpc"];
    let client = Client::start("otlp_send.py", &arguments)?;
    let spans = tap.wait_for_spans("the span", |spans| !spans.is_empty())?;
    assert_eq!((spans[0].service.as_str(), spans[0].name.as_str()), ("sender", "over grpc"));
    client.finish()?;
    Ok(())
}

#[test]
fn receiver_answers_as_scripted() -> Result<()> {
    let Some(receiver) = Receiver::http()? else { return Ok(()) };
    let tap = receiver.tap();
    let (endpoint, header) = (receiver.http_endpoint(), header_of(&tap.http()));
    let fault = |status| Fault { status: Some(status), times: Some(1), ..Fault::default() };

    receiver.set_fault(Some(&Fault { retry_after: Some(7), ..fault(503) }))?;
    let refused = post(&endpoint, &header, &one_span())?;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after: 7"), "{refused}");
    assert!(tap.spans()?.is_empty(), "what was refused does not count as received");
    assert!(post(&endpoint, &header, &one_span())?.starts_with("HTTP/1.1 200"), "once only");
    assert_eq!(receiver.requests()?.iter().map(|r| r.status).collect::<Vec<_>>(), [503, 200]);

    receiver.set_fault(Some(&Fault { rejected: Some(1), ..Fault::default() }))?;
    assert!(post(&endpoint, &header, &one_span())?.contains("refused by the test's script"));
    receiver.set_fault(Some(&Fault { half: true, ..Fault::default() }))?;
    assert!(post(&endpoint, &header, &one_span())?.contains("content-length: 10"));
    receiver.set_fault(None)?;
    assert!(post(&endpoint, &header, &one_span())?.contains("content-length: 0"));
    Ok(())
}

#[test]
fn receiver_keeps_its_port_and_its_spans_over_a_restart() -> Result<()> {
    let Some(receiver) = Receiver::http()? else { return Ok(()) };
    let tap = receiver.tap();
    let (endpoint, header) = (receiver.http_endpoint(), header_of(&tap.http()));
    post(&endpoint, &header, &one_span())?;
    receiver.stop()?;
    assert!(post(&endpoint, &header, &one_span()).is_err(), "a stopped receiver must not listen");
    receiver.restart()?;
    post(&endpoint, &header, &one_span())?;
    assert_eq!(tap.spans()?.len(), 2);
    Ok(())
}

#[test]
fn clients_work_without_a_gateway() -> Result<()> {
    if Receiver::shared()?.is_none() {
        return Ok(());
    }
    let Some(server) = NatsServer::start(Flavour::Current)? else { return Ok(()) };
    let url = server.url();
    let stream = ["--server", &url, "--stream", "ORDERS", "--subject", "orders.new"];
    let published = Client::run("nats_producer.py", &[&stream[..], &["--count", "2"]].concat())?;
    assert_eq!(published.len(), 2);
    for mode in ["pull", "push"] {
        let worker = ["--mode", mode, "--durable", mode, "--count", "3", "--nak-first", "0.1"];
        let said = Client::run("nats_worker.py", &[&stream[..], &worker].concat())?;
        let attempts = said.iter().filter(|event| event["event"] == "message");
        let refused = attempts.clone().filter(|event| event["answer"] == "nak").count();
        assert_eq!((attempts.count(), refused), (3, 1), "{mode}: {said:?}");
    }
    let core = ["--server", &url, "--subject", "core.ask"];
    let replier = Client::start("nats_core.py", &[&["reply"], &core[..]].concat())?;
    replier.wait_for("ready")?;
    let asked = Client::run("nats_core.py", &[&["request"], &core[..]].concat())?;
    assert_eq!(asked[0]["payload"], "QUESTION 0");
    replier.finish()?;
    Ok(())
}

#[test]
fn what_never_comes_is_an_error() {
    let error = eventually("rain", Duration::ZERO, || Ok(None::<()>)).unwrap_err();
    assert!(error.to_string().contains("rain"));
}

/// The `name=value` pair that tells a tap's requests apart.
fn header_of(variables: &[(String, String)]) -> String {
    let header = variables.iter().find(|(name, _)| name == "OTEL_EXPORTER_OTLP_HEADERS");
    header.map(|(_, value)| value.clone()).unwrap_or_default()
}

/// An export request, put together by hand from the field numbers of `trace.proto`.
fn one_span() -> Vec<u8> {
    let attribute = |number: u8, name: &str, value: &[u8]| {
        field(number, &[field(1, name.as_bytes()), field(2, value)].concat())
    };
    let link = [field(1, &[0x33; 16]), field(2, &[0x44; 8])].concat();
    let fixed = |number: u8, value: u64| [&[number << 3 | 1], &value.to_le_bytes()[..]].concat();
    let span = [
        field(1, &[0x11; 16]),
        field(2, &[0x22; 8]),
        field(5, b"publish a"),
        vec![6 << 3, 4],
        fixed(7, 7),
        fixed(8, 9),
        // `int_value` 5.
        attribute(9, "size", &[3 << 3, 5]),
        field(13, &link),
    ];
    let resource = attribute(1, "service.name", &field(1, b"shop"));
    let scope_spans = field(2, &field(2, &span.concat()));
    field(1, &[field(1, &resource), scope_spans].concat())
}

/// A length-delimited protobuf field of under 16 384 bytes.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let (low, high) = (content.len() & 0x7f, content.len() >> 7);
    let length = if high == 0 { vec![low as u8] } else { vec![0x80 | low as u8, high as u8] };
    [&[number << 3 | 2], &length[..], content].concat()
}

/// Posts a request and answers everything that comes back.
fn post(endpoint: &str, header: &str, body: &[u8]) -> Result<String> {
    let address: SocketAddr = endpoint.trim_start_matches("http://").parse()?;
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(BOUND))?;
    let (name, value) = header.split_once('=').expect("a header");
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{name}: {value}\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).to_ascii_lowercase().replace("http/1.1", "HTTP/1.1"))
}
