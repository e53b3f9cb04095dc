//! One session, recorded without and with the gateway: what may differ, and nothing else.
//!
//! ```text
//! script ──▶ Recorder ─────────────────────────▶ broker
//! script ──▶ Recorder ──▶ gateway ──▶ Recorder ──▶ broker
//! ```

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use spanbridge_tests::gateway::Settings;
use spanbridge_tests::recorder::Session;
use spanbridge_tests::{Client, Flavour, NatsServer, RawNats, Receiver, Recorder};

use super::on_both_brokers;

/// Members of INFO that tell of one connection, or of other ways to the broker.
const INFO_MAY_DIFFER: [&str; 6] =
    ["client_id", "client_ip", "connect_urls", "ws_connect_urls", "nonce", "proxy_id"];

/// Header names that the gateway may add to a message without context.
const CONTEXT_NAMES: [&str; 2] = ["traceparent", "tracestate"];

/// What a client sends: oddly spelt, but what brokers take.
const SCRIPT: &[u8] = b"CONNECT  {\"verbose\":true, \"headers\":true,\"name\":\"odd one\"} \r\n\
    SUB a.>\t1\r\n\
    sub  b.*  group  2 \r\n\
    PUB a.one 3\r\nabc\r\n\
    pub\ta.empty\t0\r\n\r\n\
    PUB b.reply _INBOX.x.y 22\r\n\r\nPUB a.never 3\r\nabc\r\n\r\n\
    HPUB a.two 33 36\r\nNATS/1.0\r\nKey:  v \r\nkEY:\r\nX:1\r\n\r\nabc\r\n\
    HPUB a.empty.block 12 15\r\nNATS/1.0\r\n\r\nabc\r\n\
    HPUB a.mine 82 85\r\n\
    NATS/1.0\r\nTraceParent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\nabc\r\n\
    HPUB a.status 27 27\r\nNATS/1.0 100 Idle\r\nA: b\r\n\r\n\r\n\
    UNSUB 2 1\r\n\
    PUB b.gone 1\r\nx\r\n\
    UNSUB 1\r\n\
    PUB a.nobody 1\r\nx\r\n";

on_both_brokers! {
    session_differs_in_context_only => differs_in_context_only;
    jetstream_session_of_nats_py_differs_in_context_only => nats_py_differs_in_context_only;
}

/// One operation of either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Operation {
    /// The whole control line.
    line: Vec<u8>,
    headers: Vec<u8>,
    payload: Vec<u8>,
}

fn differs_in_context_only(flavour: Flavour) -> Result<()> {
    let Some(server) = NatsServer::start(flavour)? else { return Ok(()) };
    let Some(receiver) = Receiver::shared()? else { return Ok(()) };
    let direct = {
        let recorder = Recorder::start(server.address())?;
        play(&recorder, usize::MAX)?
    };
    // All at once, and in pieces that end anywhere.
    for piece in [usize::MAX, 7, 1] {
        let broker_side = Recorder::start(server.address())?;
        let tap = receiver.tap();
        let gateway = Settings::to(&broker_side.url()).variables(tap.grpc()).start()?;
        let client_side = Recorder::start(gateway.address())?;
        let seen = play(&client_side, piece)?;
        ensure!(seen.to_target == direct.to_target, "the script sends the same");

        let arrived = broker_side.sessions().pop().context("no session with the broker")?;
        compare(&direct.to_target, &arrived.to_target, "to the broker")?;
        compare(&direct.to_client, &seen.to_client, "to the client")?;
        gateway.stop()?;
    }
    Ok(())
}

/// Both sides of the gateway, for sessions whose answers are never twice the same.
fn nats_py_differs_in_context_only(flavour: Flavour) -> Result<()> {
    for role in ["settle", "ordered", "all", "statuses"] {
        let Some(server) = NatsServer::start(flavour)? else { return Ok(()) };
        let Some(receiver) = Receiver::shared()? else { return Ok(()) };
        let broker_side = Recorder::start(server.address())?;
        let tap = receiver.tap();
        let gateway = Settings::to(&broker_side.url()).variables(tap.grpc()).start()?;
        let client_side = Recorder::start(gateway.address())?;
        Client::run("nats_consumers.py", &[role, "--server", &client_side.url()])?;
        gateway.stop()?;
        let sent = client_side.sessions().pop().context("no session with the gateway")?;
        let arrived = broker_side.sessions().pop().context("no session with the broker")?;
        compare(&sent.to_target, &arrived.to_target, "to the broker")?;
        compare(&arrived.to_client, &sent.to_client, "to the client")?;
        ensure!(sent.to_target != arrived.to_target, "a context was added somewhere");
    }
    Ok(())
}

/// Sends the script in pieces of this many bytes and waits until the broker has answered all.
fn play(recorder: &Recorder, piece: usize) -> Result<Session> {
    let address: SocketAddr = recorder.address();
    let mut client = RawNats::connect(address)?;
    for bytes in SCRIPT.chunks(piece) {
        client.send(bytes)?;
    }
    client.send(b"PING\r\n")?;
    // Payloads hold no line that is PONG alone.
    while client.line()? != b"PONG\r\n" {}
    recorder.sessions().pop().context("nothing was recorded")
}

fn compare(without: &[u8], with: &[u8], way: &str) -> Result<()> {
    let (without, with) = (operations(without)?, operations(with)?);
    for (expected, found) in without.iter().zip(&with) {
        if expected == found {
            continue;
        }
        let may_differ = if expected.line.starts_with(b"INFO ") {
            info(&expected.line)? == info(&found.line)?
        } else {
            !expected.has_context() && expected.words()? == found.without_context()?.words()?
        };
        ensure!(may_differ, "{way}: expected {expected:#?}, found {found:#?}");
    }
    ensure!(without.len() == with.len(), "{way}: {} operations, {}", without.len(), with.len());
    Ok(())
}

/// INFO without what may differ.
fn info(line: &[u8]) -> Result<Value> {
    let mut info: Value = serde_json::from_slice(line.get(5..).unwrap_or_default())?;
    let members = info.as_object_mut().context("INFO is an object")?;
    members.retain(|name, _| !INFO_MAY_DIFFER.contains(&name.as_str()));
    Ok(info)
}

/// Cuts a recorded direction into its operations.
fn operations(mut bytes: &[u8]) -> Result<Vec<Operation>> {
    let mut operations = Vec::new();
    while !bytes.is_empty() {
        let end = bytes.windows(2).position(|pair| pair == b"\r\n").context("half a line")? + 2;
        let (line, rest) = bytes.split_at(end);
        let mut operation = Operation { line: line.to_vec(), headers: vec![], payload: vec![] };
        bytes = rest;
        let words = words(line);
        let verb = words.first().map(|word| word.to_ascii_uppercase()).unwrap_or_default();
        let with_headers = ["HPUB", "HMSG"].contains(&verb.as_str());
        if with_headers || ["PUB", "MSG"].contains(&verb.as_str()) {
            let length = |from_end: usize| -> Result<usize> {
                let word = words.iter().nth_back(from_end).context("a message without length")?;
                Ok(word.parse()?)
            };
            let headers = if with_headers { length(1)? } else { 0 };
            let (content, rest) = bytes.split_at_checked(length(0)?).context("half a message")?;
            let (headers, payload) = content.split_at_checked(headers).context("bad lengths")?;
            (operation.headers, operation.payload) = (headers.to_vec(), payload.to_vec());
            bytes = rest.strip_prefix(b"\r\n").context("a message without its line end")?;
        }
        operations.push(operation);
    }
    Ok(operations)
}

fn words(line: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(line).split_whitespace().map(str::to_owned).collect()
}

impl Operation {
    fn has_context(&self) -> bool {
        self.header_lines().any(|line| is_context(&line))
    }

    fn header_lines(&self) -> impl Iterator<Item = String> {
        let text = String::from_utf8_lossy(&self.headers).into_owned();
        text.split_inclusive("\r\n").map(str::to_owned).collect::<Vec<_>>().into_iter()
    }

    /// The same message before a context was added.
    fn without_context(&self) -> Result<Self> {
        let kept: String = self.header_lines().filter(|line| !is_context(line)).collect();
        Ok(Self { headers: kept.into_bytes(), ..self.clone() })
    }

    /// All but the spelling of the control line: a message that gains a header block gains a
    /// letter and a length there.
    fn words(&self) -> Result<(Vec<String>, Vec<u8>, Vec<u8>)> {
        let mut words = words(&self.line);
        let verb = words.first_mut().context("an empty line")?;
        let with_headers = verb.to_ascii_uppercase().starts_with('H');
        *verb = verb.to_ascii_uppercase().trim_start_matches('H').to_owned();
        let lengths = if with_headers { 2 } else { 1 };
        words.truncate(words.len().saturating_sub(lengths));
        let empty = self.headers.is_empty() || self.headers == b"NATS/1.0\r\n\r\n";
        let headers = if empty { Vec::new() } else { self.headers.clone() };
        Ok((words, headers, self.payload.clone()))
    }
}

fn is_context(line: &str) -> bool {
    let name = line.split(':').next().unwrap_or_default().trim();
    CONTEXT_NAMES.iter().any(|context| name.eq_ignore_ascii_case(context))
}
