//! Recorded sessions (pika 1.4.4, py-amqp 5.4.2 under Celery 5.7.0, RabbitMQ 3.10.8) through the
//! relay, in pieces of any size.

use spanbridge_gateway::relay::Side;

use crate::frames::{Written, cut};
use crate::harness::{Bed, Options, options};

const PIKA: [&[u8]; 2] = [
    include_bytes!("../../../wire/tests/data/pika.c2s.bin"),
    include_bytes!("../../../wire/tests/data/pika.s2c.bin"),
];
const CELERY: [&[u8]; 2] = [
    include_bytes!("../../../wire/tests/data/celery.c2s.bin"),
    include_bytes!("../../../wire/tests/data/celery.s2c.bin"),
];

/// Feeds both directions in pieces of this length.
fn play(bed: &Bed, [client, broker]: [&[u8]; 2], length: usize) -> (Vec<u8>, Vec<u8>) {
    let mut session = bed.session();
    // The client first: what it asks for is known when the broker answers.
    for piece in client.chunks(length) {
        session.feed(Side::Client, piece);
    }
    for piece in broker.chunks(length) {
        session.feed(Side::Broker, piece);
    }
    session.close();
    assert_eq!(bed.counters.sessions_raw.total(), 0);
    (session.take_to_broker(), session.take_to_client())
}

/// The frames of a client behind its protocol header.
fn frames(bytes: &[u8]) -> Vec<Written> {
    cut(&bytes[8..])
}

#[test]
fn a_recorded_session_goes_through_with_context_added_and_nothing_else() {
    for length in [usize::MAX, 1, 5, 100] {
        let bed = Bed::new(1);
        let (to_broker, to_client) = play(&bed, PIKA, length);
        assert_eq!(to_client, PIKA[1], "deliveries keep their bytes");
        let (sent, original) = (frames(&to_broker), frames(PIKA[0]));
        assert_eq!(sent.len(), original.len());
        let changed: Vec<_> = sent.iter().zip(&original).filter(|(s, o)| s != o).collect();
        assert_eq!(changed.len(), 1, "one message was published");
        let (sent, original) = changed[0];
        assert_eq!((sent.kind, sent.channel), (2, original.channel));
        // Class, weight and body size; the flags; behind the table's length, the old entries.
        assert_eq!(sent.payload[..14], original.payload[..14]);
        let text = String::from_utf8_lossy(&sent.payload).into_owned();
        assert!(text.contains("traceparentS") && text.contains("tracestateS"));
        let at = original.payload.windows(4).position(|it| it == b"\x01sS\x00").unwrap();
        assert_eq!(sent.payload[at..at + 6], original.payload[at..at + 6]);
        let names: Vec<_> = bed.spans().into_iter().map(|span| span.name).collect();
        assert_eq!(names, ["publish q2", "receive q2", "process q2"]);
    }
}

#[test]
fn a_recorded_celery_publish_keeps_the_context_of_its_instrumentation() {
    for length in [usize::MAX, 1, 7] {
        let bed = Bed::new(1);
        let (to_broker, to_client) = play(&bed, CELERY, length);
        assert!(to_broker == CELERY[0] && to_client == CELERY[1], "in pieces of {length}");
        let span = bed.only_span();
        assert!(span.get("spanbridge.job.name").is_some(), "{span:#?}");
        assert!(span.get("messaging.message.id").is_some() && span.parent != Vec::<u8>::new());
    }
}

#[test]
fn a_route_that_traces_nothing_changes_no_byte() {
    let off = || {
        let mut options: Options = options(|_| {});
        options.settings.propagators = Vec::new();
        options.settings.producer_spans = false;
        options.settings.consumer_spans = false;
        options.settings.receive_spans = false;
        options
    };
    for recorded in [PIKA, CELERY] {
        let bed = Bed::with(1, off());
        let (to_broker, to_client) = play(&bed, recorded, 1000);
        assert!(to_broker == recorded[0] && to_client == recorded[1]);
        assert_eq!(bed.spans(), []);
    }
}

#[test]
fn a_session_that_breaks_off_anywhere_has_passed_every_byte() {
    let [client, broker] = PIKA;
    for end in (0..client.len()).step_by(13) {
        let bed = Bed::with(1, options(|settings| settings.propagators = Vec::new()));
        let (to_broker, to_client) =
            play(&bed, [&client[..end], &broker[..end.min(broker.len())]], 64);
        assert_eq!(to_broker, client[..end]);
        assert_eq!(to_client, broker[..end.min(broker.len())]);
        assert!(bed.open_spans.is_empty());
    }
}
