//! Random bodies on random routes, cut at random places.

use spanbridge_gateway::relay::Side;

use super::{ROUTE, either, taken_out, with_context};
use crate::frames::{Operation, deliver, operations, publish};
use crate::harness::Session;
use crate::routes::Routed;
use crate::simulation::{Random, Seed};

const SESSIONS: u64 = 60;
const MESSAGES: u64 = 40;

/// A message that a peer sends, and whether its body may be given a context.
struct Sent {
    frame: String,
    fits: bool,
}

fn message(random: &mut Random, side: Side, takes_headers: bool) -> Sent {
    let subject = random.pick(&["json.a", "json.b", "other", "_INBOX.x"]);
    let headers = random.pick(&[None, None, Some("A: b\r\n")]).filter(|_| takes_headers);
    let (body, is_object) = match random.below(6) {
        0 => (with_context(), false),
        1 => (format!("{{\"a\":[{}0]}}", "1 , ".repeat(random.below(20_000) as usize)), true),
        2 => ("{ }".to_owned(), true),
        3 => ("\r\nMSG json.a 1 2\r\n{}".to_owned(), false),
        4 => ("x".repeat(random.below(100) as usize), false),
        _ => ("{\"n\":1.50, \"n\" : -0e+1 }".to_owned(), true),
    };
    let fits = is_object && subject.starts_with("json") && body.len() <= 64 << 10;
    let frame = match side {
        Side::Client => publish(subject, "", headers, &body),
        Side::Broker => deliver(subject, "", headers, &body),
    };
    Sent { frame, fits }
}

/// Feeds what a peer sends in pieces that end anywhere.
fn feed(random: &mut Random, session: &mut Session, side: Side, bytes: &str) {
    let mut left = bytes.as_bytes();
    while !left.is_empty() {
        let longest = random.pick(&[1, 30, 5_000, 65_536]);
        let (piece, rest) = left.split_at((random.below(longest) as usize + 1).min(left.len()));
        session.feed(side, piece);
        left = rest;
    }
    assert!(session.is_at_boundary(side));
}

/// What came out is what went in, but for a context where one belongs.
fn compare(got: &[Operation], sent: &[Sent], gains_in_body: bool) {
    let fed: String = sent.iter().map(|sent| sent.frame.as_str()).collect();
    let fed = operations(fed.as_bytes());
    assert_eq!((got.len(), fed.len()), (sent.len(), sent.len()));
    for ((got, fed), sent) in got.iter().zip(&fed).zip(sent) {
        assert_eq!((&got.words, &got.headers), (&fed.words, &fed.headers));
        let gains = sent.fits && gains_in_body;
        if !gains {
            assert!(got.payload == fed.payload, "a body was changed");
            continue;
        }
        let (body, traceparent) = taken_out(&got.payload);
        assert!(body.as_bytes() == fed.payload, "another byte of a body was changed");
        assert!(traceparent.is_some(), "{:?}", fed.words);
    }
}

#[test]
fn random_bodies_change_in_one_place_or_in_none() {
    let routed = Routed::new(ROUTE);
    for seed in 0..SESSIONS {
        let _seed = Seed(seed);
        let mut random = Random(seed);
        let takes_headers = random.below(2) == 0;
        let mut session = either(&routed.bed, takes_headers);
        for side in [Side::Client, Side::Broker] {
            let sent: Vec<_> =
                (0..MESSAGES).map(|_| message(&mut random, side, takes_headers)).collect();
            let bytes: String = sent.iter().map(|sent| sent.frame.as_str()).collect();
            feed(&mut random, &mut session, side, &bytes);
            let got = match side {
                Side::Client => session.take_to_broker(),
                Side::Broker => session.take_to_client(),
            };
            // Bodies are written to where there are no headers; a delivery keeps what it has.
            let gains_in_body = side == Side::Client && !takes_headers;
            compare(&operations(got.as_bytes()), &sent, gains_in_body);
        }
        session.close();
    }
    let counters = &routed.bed.counters;
    assert_eq!(counters.messages_untraced.total() + counters.injections_skipped.refused.get(), 0);
    assert!(counters.bodies_left_alone.bytes.get() > 0, "some were too long");
}
