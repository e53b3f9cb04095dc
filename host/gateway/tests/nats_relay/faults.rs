//! When the component fails, every byte goes on as it came.

use std::path::Path;
use std::process::Command;

use spanbridge::ComponentSource;

use crate::frames::{StreamMessage, acknowledge, deliver, deliver_from_stream, publish};
use crate::harness::{Bed, Options, START};

/// Variables with which this test's own build must not reach that of the component.
const NOT_HANDED_DOWN: [&str; 4] =
    ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR"];

/// The component of `tests/components/faulty`, which traps on a destination that begins with
/// `trap`.
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

#[test]
fn a_component_that_traps_changes_nothing_and_settlements_stay_known() {
    let component = ComponentSource::Bytes(faulty());
    let bed = Bed::with(1, Options { component, ..Options::default() });
    let mut session = bed.connected();
    session.client("SUB trap.> 1\r\n");
    session.take_to_broker();
    for number in 0..50 {
        let sent = publish("trap.a", "", None, "x")
            + &publish("trap.b", &format!("_INBOX.{number}"), Some("A: b\r\n"), "x");
        session.client(&sent);
        assert_eq!(session.take_to_broker(), sent);
        let subject = "trap.c".to_owned();
        let message = StreamMessage { subject, sequence: number, attempt: 1, stored: START };
        let got = deliver("trap.a", "", None, "x") + &deliver_from_stream(&message, None);
        session.broker(&got);
        assert_eq!(session.take_to_client(), got);
        let sent = acknowledge(&message, "+ACK");
        session.client(&sent);
        assert_eq!(session.take_to_broker(), sent);
    }
    session.close();
    assert_eq!(bed.spans(), []);
    assert!(bed.counters.component_failures.trap.get() > 0);
    assert_eq!(bed.counters.messages_untraced.total(), 200);
    assert_eq!(bed.counters.settle_unmatched.get(), 0);
    assert!(bed.open_spans.is_empty());
}

#[test]
fn more_messages_than_a_batch_takes_go_on_untraced() {
    let bed = Bed::new(1);
    let mut session = bed.connected();
    let read: String = (0..2000).map(|n| publish(&format!("a.{n}"), "", None, "")).collect();
    session.client(&read);
    let sent = crate::frames::operations(session.take_to_broker().as_bytes());
    let injected = sent.iter().filter(|operation| operation.traceparent.is_some()).count();
    let untraced = bed.counters.messages_untraced.overflow.get() as usize;
    assert_eq!((sent.len(), injected + untraced, bed.spans().len()), (2000, 2000, injected));
    assert!(untraced > 0);
}
