//! One session, recorded without and with the gateway: what may differ, and nothing else.
//!
//! ```text
//! script ──▶ Recorder ─────────────────────────▶ server
//! script ──▶ Recorder ──▶ gateway ──▶ Recorder ──▶ server
//! ```

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use anyhow::{Context, Result, bail, ensure};
use spanbridge_tests::gateway::Settings;
use spanbridge_tests::recorder::Session;
use spanbridge_tests::{BOUND, Receiver, Recorder, RedisServer};

/// Fields that the gateway may add to an entry without context.
const CONTEXT_NAMES: [&[u8]; 2] = [b"traceparent", b"tracestate"];

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// An element of RESP. Maps and pushes are lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Element {
    Line(Vec<u8>),
    String(Vec<u8>),
    List(Vec<Self>),
}

/// What the client sends. Ids are its own, so that both servers answer the same.
fn script() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut say = |words: &str| {
        let words: Vec<_> = words.split(' ').collect();
        bytes.extend(format!("*{}\r\n", words.len()).bytes());
        words.iter().for_each(|it| bytes.extend(format!("${}\r\n{it}\r\n", it.len()).bytes()));
    };
    for words in [
        "CLIENT SETNAME odd",
        "XGROUP CREATE s g 0 MKSTREAM",
        "xadd s 1-1 a 1 a 2",
        "XADD s MAXLEN ~ 100 LIMIT 5 1-2 a 1",
        &format!("XADD s 1-3 TraceParent {TRACEPARENT} b 2"),
        "XADD s 1-1 a too-small",
        "XADD s 1-5 a",
        "XADD s NOOPTION 1-5 a 1",
        "XADD nothing NOMKSTREAM * a 1",
        "SET a 1",
        "XADD a 1-1 a 1",
        "MULTI",
        "XADD s 1-6 a 1",
        "GET a",
        "XADD s",
        "EXEC",
        "MULTI",
        "XADD s 1-7 a 1",
        "GET a",
        "EXEC",
        "MULTI",
        "XADD s 1-8 a 1",
        "DISCARD",
        "XREADGROUP GROUP g c COUNT 2 STREAMS s >",
        "XREADGROUP GROUP g c NOACK STREAMS s >",
        "XREADGROUP GROUP none c STREAMS s >",
        "XACK s g 1-1",
        "XREADGROUP GROUP g c STREAMS s 0",
        "XCLAIM s g d 0 1-2",
        "XAUTOCLAIM s g e 0 0",
        "XREAD COUNT 2 STREAMS s 0",
        "XRANGE s - +",
        "SELECT 3",
        "SELECT 99",
        "XREAD STREAMS s 0",
        "EVAL return{1,{2}} 0",
        "CLIENT REPLY SKIP",
        "XADD s 2-1 a 1",
        "CLIENT REPLY OFF",
        "XADD s 2-2 a 1",
        "CLIENT REPLY ON",
        "SUBSCRIBE x y",
        "PING",
        "UNSUBSCRIBE y x",
        "XADD s 3-1 a 1",
        "NOCOMMAND a b",
    ] {
        say(words);
    }
    say_quit(&mut bytes);
    bytes
}

pub(super) fn say_quit(bytes: &mut Vec<u8>) {
    bytes.extend(b"*1\r\n$4\r\nQUIT\r\n");
}

/// Sends the script in pieces of this many bytes, and reads until the server hangs up.
pub(super) fn play(recorder: &Recorder, script: &[u8], piece: usize) -> Result<Session> {
    let mut client = TcpStream::connect(recorder.address())?;
    client.set_nodelay(true)?;
    client.set_read_timeout(Some(BOUND))?;
    for bytes in script.chunks(piece) {
        client.write_all(bytes)?;
    }
    client.read_to_end(&mut Vec::new())?;
    recorder.sessions().pop().context("nothing was recorded")
}

#[test]
fn redis_session_differs_in_context_only() -> Result<()> {
    let Some(receiver) = Receiver::shared()? else { return Ok(()) };
    let Some(server) = RedisServer::start()? else { return Ok(()) };
    let direct = play(&Recorder::start(server.address())?, &script(), usize::MAX)?;
    for piece in [usize::MAX, 1000, 7, 1] {
        // Each time from the beginning: streams take each id once.
        let Some(server) = RedisServer::start()? else { return Ok(()) };
        let broker_side = Recorder::start(server.address())?;
        let url = format!("redis://{}", broker_side.address());
        let gateway = Settings::to(&url).variables(receiver.tap().grpc()).start()?;
        let client_side = Recorder::start(gateway.address())?;
        let through = play(&client_side, &script(), piece)?;
        let exit = gateway.stop()?;
        ensure!(exit.counted(&["sessions_raw"]) == 0.0, "{:#?}", exit.summary);
        let arrived = broker_side.sessions().pop().context("no session with the server")?;
        ensure!(direct.to_target == through.to_target, "the client always says the same");
        ensure!(direct.to_target != arrived.to_target, "a context was added somewhere");
        ensure!(arrived.to_client == through.to_client, "what comes from the server is kept");
        let what = |way: &str| format!("pieces of {piece}, {way}");
        compare(&direct.to_target, &arrived.to_target, &what("to the server"))?;
        compare(&direct.to_client, &through.to_client, &what("to the client"))?;
    }
    Ok(())
}

#[test]
fn lines_of_words_pass_as_they_came() -> Result<()> {
    let Some(receiver) = Receiver::shared()? else { return Ok(()) };
    let Some(server) = RedisServer::start()? else { return Ok(()) };
    let broker_side = Recorder::start(server.address())?;
    let url = format!("redis://{}", broker_side.address());
    let gateway = Settings::to(&url).variables(receiver.tap().grpc()).start()?;
    let client_side = Recorder::start(gateway.address())?;
    let mut script = b"\r\nPING\r\nset a 1\r\nget  a \r\n*0\r\nXADD s 1-1 a 1\r\n".to_vec();
    say_quit(&mut script);
    let through = play(&client_side, &script, 3)?;
    gateway.stop()?;
    let arrived = broker_side.sessions().pop().context("no session with the server")?;
    assert_eq!(arrived.to_target, script);
    assert_eq!(through.to_client, b"+PONG\r\n+OK\r\n$1\r\n1\r\n$3\r\n1-1\r\n+OK\r\n");
    Ok(())
}

fn compare(without: &[u8], with: &[u8], way: &str) -> Result<()> {
    let (without, with) = (elements(without)?, elements(with)?);
    for (expected, found) in without.iter().zip(&with) {
        ensure!(
            expected == found || *expected == stripped(found),
            "{way}: expected {expected:?}, found {found:?}"
        );
    }
    ensure!(without.len() == with.len(), "{way}: {} and {}", without.len(), with.len());
    Ok(())
}

/// The same without the fields that the gateway adds, which come in pairs behind all others.
fn stripped(element: &Element) -> Element {
    let Element::List(list) = element else { return element.clone() };
    let is_added = |pair: &[Element]| {
        let [Element::String(name), Element::String(_)] = pair else { return false };
        CONTEXT_NAMES.contains(&name.as_slice())
    };
    let mut list: Vec<_> = list.iter().map(stripped).collect();
    while list.len() > 2 && is_added(&list[list.len() - 2..]) {
        list.truncate(list.len() - 2);
    }
    Element::List(list)
}

/// The elements of one direction.
pub(super) fn elements(mut bytes: &[u8]) -> Result<Vec<Element>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        found.push(element(&mut bytes)?);
    }
    Ok(found)
}

fn element(bytes: &mut &[u8]) -> Result<Element> {
    let end = bytes.windows(2).position(|it| it == b"\r\n").context("half a line")?;
    let (line, rest) = bytes.split_at(end);
    *bytes = &rest[2..];
    let length = || Ok::<_, anyhow::Error>(std::str::from_utf8(&line[1..])?.parse::<usize>()?);
    match line.first() {
        Some(b'+' | b'-' | b':' | b'_') => Ok(Element::Line(line.to_vec())),
        Some(b'$' | b'*') if &line[1..] == b"-1" => Ok(Element::Line(line.to_vec())),
        Some(b'$') => {
            let (text, rest) = bytes.split_at_checked(length()?).context("half a string")?;
            let text = Element::String(text.to_vec());
            *bytes = rest.strip_prefix(b"\r\n").context("no line end")?;
            Ok(text)
        }
        Some(kind @ (b'*' | b'>' | b'%')) => {
            let elements = if *kind == b'%' { 2 * length()? } else { length()? };
            (0..elements).map(|_| element(bytes)).collect::<Result<_>>().map(Element::List)
        }
        found => bail!("expected the beginning of an element, found {found:?}"),
    }
}
