//! Recorded and random sessions through the relay, in pieces of any size.

use spanbridge_gateway::relay::Side;

use crate::harness::{Bed, command, entry, list, options, plain_bed, stream, string, strings};
use crate::random::{Random, Seed};

const CELERY: [&[u8]; 2] = [
    include_bytes!("../../../wire/tests/data/celery-redis.c2s.bin"),
    include_bytes!("../../../wire/tests/data/celery-redis.s2c.bin"),
];

/// Feeds both directions in pieces of this length.
fn play(bed: &Bed, [client, broker]: [&[u8]; 2], length: usize) -> (Vec<u8>, Vec<u8>) {
    let mut session = bed.session();
    // The client first: what it asks for is known when the broker answers.
    client.chunks(length).for_each(|piece| session.feed(Side::Client, piece));
    broker.chunks(length).for_each(|piece| session.feed(Side::Broker, piece));
    session.close();
    session.take()
}

#[test]
fn a_recorded_session_without_streams_passes_as_it_came() {
    for length in [usize::MAX, 1, 5, 100] {
        let bed = plain_bed();
        let (to_broker, to_client) = play(&bed, CELERY, length);
        assert!(to_broker == CELERY[0] && to_client == CELERY[1], "in pieces of {length}");
        assert_eq!((bed.counters.sessions_raw.total(), bed.spans().len()), (0, 0));
    }
}

/// A command and its reply, by chance.
fn exchange(random: &mut Random, pending: &mut Vec<String>) -> (Vec<u8>, Vec<u8>) {
    let id = format!("{}-0", random.below(50));
    pending.push(id.clone());
    let stream_name = random.pick(&["s", "t"]);
    let entries = [entry(&id, "a 1"), entry(&format!("{id}1"), "traceparent nonsense")];
    match random.below(10) {
        0 => (command("XADD s * a 1"), string(&id)),
        1 => {
            let words = format!("XREADGROUP GROUP g c STREAMS {stream_name} >");
            (command(&words), stream(stream_name, &entries))
        }
        2 => (command("XREADGROUP GROUP g c STREAMS s 0"), stream("s", &entries)),
        3 => (command(&format!("XCLAIM s g d 0 {id}")), list(&entries)),
        4 => {
            let id = random.take(pending).unwrap_or(id);
            (command(&format!("XACK {stream_name} g {id}")), b":1\r\n".to_vec())
        }
        5 => (command("SELECT 3"), b"-ERR no\r\n".to_vec()),
        6 => (command("LRANGE q 0 -1"), strings(&[&b"x"[..]; 7])),
        7 => (command("XREAD STREAMS s 0"), b"*-1\r\n".to_vec()),
        8 => {
            let sent = ["MULTI", "XADD s * b 2", "GET a", "EXEC"].map(command).concat();
            let exec = list(&[string(&id), string("1")]);
            (sent, [b"+OK\r\n+QUEUED\r\n+QUEUED\r\n".to_vec(), exec].concat())
        }
        _ => (command("BLPOP q 0"), b"*-1\r\n".to_vec()),
    }
}

#[test]
fn random_sessions_lose_no_byte_and_leave_no_span_open_that_is_not_unsettled() {
    for number in 0..200 {
        let seed = Seed(number);
        let mut random = Random(seed.0);
        let bed = Bed::with(1, options(|settings| settings.propagators = Vec::new()));
        let (mut sent, mut got, mut pending) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..50 {
            let (command, reply) = exchange(&mut random, &mut pending);
            sent.extend(command);
            got.extend(reply);
        }
        let length = 1 + random.below(200) as usize;
        assert_eq!(play(&bed, [&sent, &got], length), (sent, got));
        let seen = &bed.counters.messages_seen;
        let total = seen.published.get() + seen.delivered.get();
        assert_eq!(bed.spans().len() as u64 + bed.open_spans.len() as u64, total);
        assert_eq!(bed.counters.sessions_raw.total(), 0);
    }
}

#[test]
fn a_session_that_breaks_off_or_goes_bad_anywhere_has_passed_every_byte() {
    let mut random = Random(7);
    let (mut sent, mut got, mut pending) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..30 {
        let (command, reply) = exchange(&mut random, &mut pending);
        sent.extend(command);
        got.extend(reply);
    }
    for _ in 0..500 {
        let bed = Bed::with(1, options(|settings| settings.propagators = Vec::new()));
        let (mut sent, mut got) = (sent.clone(), got.clone());
        sent.truncate(random.below(sent.len() as u64) as usize);
        got.truncate(random.below(got.len() as u64) as usize);
        for bytes in [&mut sent, &mut got] {
            let at = random.below(bytes.len().max(1) as u64) as usize;
            if let Some(byte) = bytes.get_mut(at) {
                *byte = random.next() as u8;
            }
        }
        let length = 1 + random.below(100) as usize;
        assert_eq!(play(&bed, [&sent, &got], length), (sent, got));
    }
}
