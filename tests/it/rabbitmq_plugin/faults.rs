//! Components that trap, loop or eat memory inside the broker: it lives, and messages go on as they
//! came.

use std::net::SocketAddr;
use std::thread;

use anyhow::{Context as _, Result, anyhow, ensure};
use spanbridge_tests::raw_amqp::{Frame, Method, Opening, publish};
use spanbridge_tests::{PluginBed, Properties, RawAmqp, Release};

use super::{context, send_and_take};

/// Messages to each destination: more than the breaker needs to open.
const MESSAGES: usize = 100;

/// Messages to each destination under load, and how many leave in one write.
const LOADED: usize = 2000;
const WRITE: usize = 50;

/// A method of class basic: a delivery.
const DELIVER: u16 = 60;

/// Where flags and properties begin in a content header: behind class, weight and body size.
const PROPERTIES_AT: usize = 12;

#[test]
fn faulty_component_harms_neither_the_broker_nor_a_message() -> Result<()> {
    does_no_harm(Release::Installed)
}

/// Has the component do all its harm, and looks at messages and at the broker.
pub(super) fn does_no_harm(release: Release) -> Result<()> {
    let Some(bed) = PluginBed::start(release, true, "[]")? else { return Ok(()) };
    bed.enable()?;
    let pid = bed.server.pid()?;
    // The component does harm where a destination is called like the fault.
    for fault in ["trap", "loop", "memory", "stack", "edit", "run", "pointer"] {
        let before = bed.counted("component_failures")?;
        let messages = send_and_take("amqp_pika.py", &bed.url("/"), fault, MESSAGES)?;
        assert_eq!(messages.len(), MESSAGES);
        for (number, message) in messages.iter().enumerate() {
            assert_eq!(message["payload"], format!("order {number}"));
            assert_eq!(message["headers"]["Color"], "red", "{message}");
            assert_eq!(context(message), None, "{message}");
        }
        // Each thread's breaker may be open still, but one of five seconds' calls was made.
        let failures = bed.counted("component_failures")? + bed.counted("component_bypasses")?;
        assert!(failures > before, "{fault} did no harm");
        assert_eq!(bed.server.pid()?, pid);
        assert!(std::path::Path::new(&format!("/proc/{pid}")).exists(), "{fault} ended the node");
    }
    assert!(bed.counted("messages_untraced")? > 0);
    bed.disable()
}

#[test]
fn faulty_component_under_load_changes_nothing_of_anybody() -> Result<()> {
    changes_nothing_under_load(Release::Installed)
}

/// Publishes to destinations that do harm and to others at once, and looks at every message.
pub(super) fn changes_nothing_under_load(release: Release) -> Result<()> {
    let Some(bed) = PluginBed::start(release, true, "[]")? else { return Ok(()) };
    bed.enable()?;
    let (address, pid) = (bed.server.address(), bed.server.pid()?);
    // All at once, so that failing calls and good ones share schedulers and instances. The good
    // ones get no context: this component writes none.
    let faults = ["trap", "loop", "memory", "stack"];
    let good = ["orders.1", "orders.2", "orders.3", "orders.4"];
    let queues = || faults.into_iter().chain(good);
    thread::scope(|scope| {
        let loads: Vec<_> =
            queues().map(|queue| (queue, scope.spawn(move || load(address, queue)))).collect();
        loads.into_iter().try_for_each(|(queue, load)| {
            let done = load.join().map_err(|_| anyhow!("a client panicked"))?;
            done.with_context(|| format!("queue {queue}"))
        })
    })?;
    assert_eq!(bed.server.pid()?, pid);
    let [seen, failed] = [queues().count(), faults.len()].map(|count| (count * LOADED) as u64);
    assert_eq!(bed.counted("messages_seen")?, seen);
    assert_eq!(bed.counted("contexts_written")?, 0);
    let untraced = bed.counted("messages_untraced")?;
    assert!((failed..=seen).contains(&untraced), "{untraced} of {seen}, {failed} of them faults");
    assert!(bed.counted("component_failures")? > 0);
    bed.disable()
}

/// Publishes to a queue as fast as it goes, and takes everything out meanwhile: in order, each
/// once, nothing changed.
fn load(address: SocketAddr, queue: &str) -> Result<()> {
    let mut worker = RawAmqp::open(address, &Opening::default())?;
    worker.declare(queue, b"")?;
    worker.consume(queue, true)?;
    thread::scope(|scope| {
        let sending = scope.spawn(|| send(address, queue));
        for number in 0..LOADED {
            let content = worker.content(DELIVER)?;
            let body = String::from_utf8_lossy(&content.body).into_owned();
            ensure!(body == format!("order {number}"), "expected order {number}, found {body}");
            let (found, sent) = (by_name(&content.header)?, properties(number));
            let mut expected = content.header;
            expected.payload.truncate(PROPERTIES_AT);
            expected.payload.extend_from_slice(&sent);
            ensure!(found == by_name(&expected)?, "order {number} came as {found:?}");
        }
        sending.join().map_err(|_| anyhow!("the producer panicked"))?
    })
}

/// Properties with their headers by name: the order in which RabbitMQ 4 puts them.
fn by_name(header: &Frame) -> Result<Properties> {
    let mut properties = Properties::read(header)?;
    properties.headers.iter_mut().for_each(|it| it.sort_by(|a, b| a.name.cmp(&b.name)));
    Ok(properties)
}

fn send(address: SocketAddr, queue: &str) -> Result<()> {
    let mut producer = RawAmqp::open(address, &Opening::default())?;
    for first in (0..LOADED).step_by(WRITE) {
        let mut bytes = Vec::new();
        for number in first..first + WRITE {
            let body = format!("order {number}");
            let frames = publish(1, ("", queue), &properties(number), body.as_bytes(), 131_072);
            frames.iter().for_each(|frame| bytes.extend_from_slice(&frame.bytes()));
        }
        producer.send(&bytes)?;
    }
    // Answered once all before it was taken.
    producer.ask(&Method::of(20, 40).raw(&[0, 200]).short("").raw(&[0; 4]).on(1), 20, 41).map(drop)
}

/// Flags and properties of a message: a content type, a table of several types, a delivery mode.
fn properties(number: usize) -> Vec<u8> {
    let number = u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
    let table = [b"\x06numberI", &number[..], b"\x05ColorS\0\0\0\x03red\x04flagt\x01\x04voidV"];
    let table = Method::table(&table.concat());
    [b"\xb0\0\x0atext/plain", &table[..], b"\x01"].concat()
}
