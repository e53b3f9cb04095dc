//! When the component fails, every byte goes on as it came.

use std::path::Path;
use std::process::Command;

use spanbridge::{ComponentSource, Limits};

use crate::frames::{StreamMessage, acknowledge, deliver, deliver_from_stream, publish};
use crate::harness::{Bed, Options, START, Session};

/// Variables with which this test's own build must not reach that of the component.
const NOT_HANDED_DOWN: [&str; 4] =
    ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR"];

/// The component of `tests/components/faulty`, which fails as a destination tells it to.
fn faulty() -> Vec<u8> {
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
const FAULTS: [&str; 7] = ["trap", "stack", "loop", "memory", "verdicts", "edit", "run"];

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
fn more_messages_than_a_batch_takes_go_on_untraced() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    let read: String = (0..2000).map(|n| publish(&format!("a.{n}"), "", None, "")).collect();
    session.client(&read);
    let sent = crate::frames::operations(session.take_to_broker().as_bytes());
    let injected = sent.iter().filter(|operation| operation.traceparent.is_some()).count();
    let untraced = bed.counters.messages_untraced.total() as usize;
    assert_eq!((sent.len(), injected + untraced, bed.spans().len()), (2000, 2000, injected));
    assert!(bed.counters.messages_untraced.overflow.get() > 0);
}
