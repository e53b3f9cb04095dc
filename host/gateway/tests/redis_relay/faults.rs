//! When the component fails, every byte goes on as it came.

use spanbridge::{ComponentSource, Limits};

use crate::faulty::faulty;
use crate::harness::{Bed, Options, command, entry, options, plain_bed, stream};

/// What the component does when a destination has this name.
const FAULTS: [&str; 7] = ["trap", "stack", "loop", "memory", "verdicts", "edit", "run"];

#[test]
fn a_component_that_fails_changes_nothing_and_settlements_stay_known() {
    const ROUNDS: u64 = 10;
    for fault in FAULTS {
        let component = ComponentSource::Bytes(faulty());
        let failing = Options { component, limits: Limits::default(), ..options(|_| {}) };
        let bed = Bed::with(1, failing);
        let mut session = bed.session();
        for _ in 0..ROUNDS {
            let sent = [
                command(&format!("XADD {fault} * a 1")),
                command("SET a 1"),
                command(&format!("XREADGROUP GROUP g c STREAMS {fault} >")),
            ];
            let reply = stream(fault, &[entry("5-0", "a 1"), entry("6-0", "a 1")]);
            let got = [b"$3\r\n5-0\r\n+OK\r\n".to_vec(), reply].concat();
            session.client(sent.concat());
            session.broker(&got);
            assert_eq!(session.take(), (sent.concat(), got));
            session.ask(&format!("XACK {fault} g 5-0 6-0"), ":2\r\n");
        }
        session.close();
        assert_eq!(bed.spans(), [], "{fault}");
        assert!(bed.counters.component_failures.total() > 0, "{fault}");
        assert_eq!(bed.counters.messages_untraced.total(), 3 * ROUNDS, "{fault}");
        assert_eq!(bed.counters.settle_unmatched.get(), 0, "{fault}");
        assert!(bed.open_spans.is_empty(), "{fault}");
    }
}

#[test]
fn messages_past_what_a_batch_takes_wait_for_the_write_of_those_before_them() {
    let bed = plain_bed();
    let mut session = bed.session();
    // A batch takes 1024.
    for (count, writes) in [(1024, 1), (1025, 2), (3000, 3)] {
        let (before, spans) = (session.writes, bed.spans().len());
        session.client(command("XADD s * a 1").repeat(count));
        assert_eq!(session.writes - before, writes, "{count}");
        let sent = session.take().0;
        assert_eq!(sent.windows(11).filter(|it| *it == b"traceparent").count(), count);
        session.broker(b"$3\r\n5-0\r\n".repeat(count));
        assert_eq!(bed.spans().len() - spans, count);
    }
    let reads = command("XREADGROUP GROUP g c NOACK STREAMS s >").repeat(5);
    session.client(reads);
    let entries: Vec<_> = (0..400).map(|n| entry(&format!("5-{n}"), "a 1")).collect();
    let (before, spans) = (session.writes, bed.spans().len());
    session.broker(stream("s", &entries).repeat(5));
    assert_eq!((session.writes - before, bed.spans().len() - spans), (3, 2000));
    assert_eq!(bed.counters.messages_untraced.total(), 0);
}

#[test]
fn a_reply_with_more_entries_than_a_batch_takes_goes_on_whole() {
    let bed = plain_bed();
    let mut session = bed.session();
    let entries: Vec<_> = (0..3000).map(|n| entry(&format!("5-{n}"), "a 1")).collect();
    session.ask("XREADGROUP GROUP g c NOACK STREAMS s >", stream("s", &entries));
    assert!(session.unchanged);
    let counted = bed.counters.messages_untraced.overflow.get() as usize;
    assert_eq!(bed.spans().len() + counted, 3000);
    assert!(counted > 0);
}
