//! When the component fails, every byte goes on as it came.

use std::path::Path;
use std::process::Command;

use spanbridge::{ComponentSource, Limits};
use spanbridge_gateway::relay::Side;

use crate::frames::{StreamMessage, acknowledge, deliver, deliver_from_stream, publish};
use crate::harness::{Bed, Options, START, Session};

/// Variables with which this test's own build must not reach that of the component.
const NOT_HANDED_DOWN: [&str; 4] =
    ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR"];

/// The component of `tests/components/faulty`, which fails as a destination tells it to.
pub(crate) fn faulty() -> Vec<u8> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = manifest.join("../../tests/components/faulty/Cargo.toml");
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faulty");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--target", "wasm32-wasip2", "--quiet"]);
    cargo.arg("--manifest-path").arg(manifest).arg("--target-dir").arg(&target_dir);
    for name in NOT_HANDED_DOWN {
        cargo.env_remove(name);
    }
    assert!(cargo.status().unwrap().success(), "the component does not build");
    std::fs::read(target_dir.join("wasm32-wasip2/release/faulty.wasm")).unwrap()
}

/// What the component does when a destination has this name.
pub(crate) const FAULTS: [&str; 8] =
    ["trap", "stack", "loop", "memory", "verdicts", "edit", "splice", "run"];

#[test]
fn a_component_that_fails_changes_nothing_and_settlements_stay_known() {
    const ROUNDS: u64 = 10;
    let component = faulty();
    for fault in FAULTS {
        let component = ComponentSource::Bytes(component.clone());
        let options = Options { component, limits: Limits::default(), ..Options::default() };
        let bed = Bed::with(1, options);
        let mut session = bed.connected();
        for number in 0..ROUNDS {
            round(&mut session, fault, number);
        }
        session.close();
        assert_eq!(bed.spans(), [], "{fault}");
        assert!(bed.counters.component_failures.total() > 0, "{fault}");
        assert_eq!(bed.counters.messages_untraced.total(), 4 * ROUNDS, "{fault}");
        assert_eq!(bed.counters.settle_unmatched.get(), 0, "{fault}");
        assert!(bed.open_spans.is_empty(), "{fault}");
    }
}

/// Two publishes, two deliveries, one settlement.
fn round(session: &mut Session, subject: &str, number: u64) {
    let sent = publish(subject, "", None, "x")
        + &publish(subject, &format!("_INBOX.{number}"), Some("A: b\r\n"), "x");
    session.client(&sent);
    assert_eq!(session.take_to_broker(), sent);
    let subject = subject.to_owned();
    let message = StreamMessage { subject, sequence: number, attempt: 1, stored: START };
    let got = deliver(&message.subject, "", None, "x") + &deliver_from_stream(&message, None);
    session.broker(&got);
    assert_eq!(session.take_to_client(), got);
    let sent = acknowledge(&message, "+ACK");
    session.client(&sent);
    assert_eq!(session.take_to_broker(), sent);
}

#[test]
fn a_settlement_that_fails_is_asked_for_behind_the_write_and_once_a_read() {
    // As many as a read of 64 KiB has of the shortest acknowledgements, and then some.
    const COUNT: u64 = 3000;
    for fault in ["trap", "loop"] {
        settle_badly(fault, COUNT);
    }
}

fn settle_badly(fault: &str, count: u64) {
    let component = ComponentSource::Bytes(faulty());
    // A tenth of a second: on a busy machine nothing else takes as long.
    let batch_cpu_max = std::time::Duration::from_millis(100);
    let limits = Limits { batch_cpu_max, ..Limits::default() };
    let bed = Bed::with(1, Options { component, limits, ..Options::default() });
    let mut session = bed.connected();
    let message =
        |sequence| StreamMessage { subject: "open".into(), sequence, attempt: 1, stored: START };
    for sequence in 0..count {
        session.broker(deliver_from_stream(&message(sequence), None));
    }
    session.take_to_client();
    let failures = &bed.counters.component_failures;
    assert_eq!((failures.total(), bed.open_spans.len()), (0, count as usize));

    let acks: String =
        (0..count).map(|n| acknowledge(&message(n), &format!("+TERM {fault}"))).collect();
    session.feed_only(Side::Client, acks.as_bytes());
    assert_eq!(session.take_to_broker(), acks);
    assert_eq!(failures.total(), 0, "the component is not called before the bytes are out");
    assert!(bed.open_spans.is_empty());
    session.tools.settle_ended();
    assert_eq!(failures.total(), 1, "the rest of what the read ended is given up");
    assert_eq!(bed.counters.settlements_lost.failed.get(), count);
}

#[test]
fn what_one_read_ends_past_the_bound_of_a_batch_is_lost_and_counted() {
    let limits = Limits { settlements_max: 10, ..Options::default().limits };
    let bed = Bed::with(1, Options { limits, ..Options::default() });
    let mut session = bed.connected();
    let message = |sequence| StreamMessage {
        subject: "orders.new".into(),
        sequence,
        attempt: 1,
        stored: START,
    };
    for sequence in 0..12 {
        session.broker(deliver_from_stream(&message(sequence), None));
    }
    session.client((0..12).map(|n| acknowledge(&message(n), "+ACK")).collect::<String>());
    assert_eq!(bed.spans().len(), 10);
    assert_eq!(bed.counters.settlements_lost.overflow.get(), 2);
    assert!(bed.open_spans.is_empty());
}

#[test]
fn messages_past_what_a_batch_takes_wait_for_the_write_of_those_before_them() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    session.writes = 0;
    // A batch takes 1024.
    for (count, writes) in [(1024, 1), (1025, 2), (3000, 3)] {
        let (before, spans) = (session.writes, bed.spans().len());
        let read: String = (0..count).map(|n| publish(&format!("a.{n}"), "", None, "x")).collect();
        // The last one's payload comes later.
        let (read, rest) = read.split_at(read.len() - 2);
        session.client(read);
        assert_eq!(session.writes - before, writes, "{count}");
        session.client(rest);
        let sent = crate::frames::operations(session.take_to_broker().as_bytes());
        let expected = (0..count).map(|n| ["PUB".to_owned(), format!("a.{n}")]);
        assert!(sent.iter().map(|operation| &operation.words[..]).eq(expected), "{count}");
        assert!(sent.iter().all(|operation| operation.traceparent.is_some()), "{count}");
        assert_eq!(bed.spans().len() - spans, count);
    }
    let read: String = (0..3000).map(|n| deliver(&format!("a.{n}"), "", None, "x")).collect();
    session.broker(&read);
    assert_eq!(session.take_to_client(), read);
    assert_eq!(bed.counters.messages_untraced.total(), 0);
}
