//! What the peers of a random session say.

use std::io::Write as _;

use crate::frames::{StreamMessage, acknowledge, deliver, deliver_from_stream, publish, status};
use crate::random::Random;

/// Context of somebody else, sampled or not.
const SAMPLED: &str = "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
const UNSAMPLED: &str = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00\r\n";

/// First words of the subjects, at which the component of `tests/components/faulty` fails.
/// Those that take the whole deadline are rare.
const WORDS: [&str; 9] =
    ["trap", "trap", "verdicts", "verdicts", "edit", "edit", "run", "stack", "memory"];
const RARE_WORDS: [&str; 1] = ["loop"];
const RARELY: u64 = 200;

/// Messages and replies that are remembered, to be spoken of later or never.
const REMEMBERED_MAX: usize = 512;

/// A payload that takes more than one read.
const LARGE_PAYLOAD_BYTES: usize = 70_000;

/// What a process's brokers and programs remember together: messages are settled on any session.
#[derive(Debug, Default)]
pub(crate) struct Common {
    sequence: u64,
    replies: u64,
    /// Some contexts are not sampled.
    unsampled: bool,
    unsettled: Vec<StreamMessage>,
    refused: Vec<StreamMessage>,
    settled: Vec<StreamMessage>,
}

/// Keeps `list` within bounds by forgetting somebody.
fn remember<T>(random: &mut Random, list: &mut Vec<T>, one: T) {
    if list.len() == REMEMBERED_MAX {
        random.take(list);
    }
    list.push(one);
}

impl Common {
    pub(crate) fn new(unsampled: bool) -> Self {
        Self { unsampled, ..Self::default() }
    }

    fn subject(random: &mut Random) -> String {
        let words = if random.below(RARELY) == 0 { &RARE_WORDS[..] } else { &WORDS[..] };
        format!("{}.{}", random.pick(words), random.below(1000))
    }

    fn headers(&self, random: &mut Random) -> Option<&'static str> {
        let last = if self.unsampled { UNSAMPLED } else { SAMPLED };
        random.pick(&[None, None, None, Some("A: b\r\n"), Some(SAMPLED), Some(last)])
    }

    /// One operation of a client. `asked` holds the reply subjects of its session.
    pub(crate) fn client(&mut self, random: &mut Random, asked: &mut Vec<u64>, out: &mut Vec<u8>) {
        let said = match random.below(20) {
            0 => random.pick(&["PING\r\n", "PONG\r\n", "SUB x q 9\r\n", "UNSUB 9 1\r\n"]).into(),
            1 => publish("$JS.API.CONSUMER.MSG.NEXT.ORDERS.billing", "_INBOX.m", None, "1"),
            2..7 => self.acknowledge(random),
            _ => self.publish(random, asked),
        };
        out.extend_from_slice(said.as_bytes());
    }

    fn publish(&mut self, random: &mut Random, asked: &mut Vec<u64>) -> String {
        let mut reply = String::new();
        if random.below(3) == 0 {
            self.replies += 1;
            remember(random, asked, self.replies);
            reply = format!("_INBOX.me.{}", self.replies);
        }
        let payload = match random.below(RARELY * 5) {
            0 => "x".repeat(LARGE_PAYLOAD_BYTES),
            n if n % 4 == 0 => "\r\nPUB a 1\r\nx\r\n".into(),
            n => "y".repeat(n as usize % 200),
        };
        publish(&Self::subject(random), &reply, self.headers(random), &payload)
    }

    fn acknowledge(&mut self, random: &mut Random) -> String {
        // Now and then what is settled already.
        if random.below(20) == 0
            && let Some(message) = random.take(&mut self.settled)
        {
            return acknowledge(&message, "+ACK");
        }
        let Some(message) = random.take(&mut self.unsettled) else { return "PING\r\n".into() };
        let said = random.pick(&["+ACK", "+ACK", "", "-NAK", "+TERM because", "+WPI"]);
        let list = match said {
            "-NAK" => &mut self.refused,
            "+WPI" => &mut self.unsettled,
            _ => &mut self.settled,
        };
        remember(random, list, message.clone());
        acknowledge(&message, said)
    }

    /// One operation of a broker. `now` is when its messages were stored.
    pub(crate) fn broker(
        &mut self,
        random: &mut Random,
        asked: &mut Vec<u64>,
        now: u64,
        out: &mut Vec<u8>,
    ) {
        match random.below(20) {
            0 => out.extend_from_slice(random.pick(&[&b"PING\r\n"[..], b"+OK\r\n"])),
            1 => {
                let said = random.pick(&["100 Idle Heartbeat", "404 No Messages", "409 Gone"]);
                out.extend_from_slice(status("_INBOX.other", said).as_bytes());
            }
            2..7 => {
                let said = deliver(&Self::subject(random), "", self.headers(random), "news");
                out.extend_from_slice(said.as_bytes());
            }
            7..12 => match random.take(asked) {
                Some(number) => answer(random, number, out),
                None => out.extend_from_slice(deliver("_INBOX.me.0", "", None, "{}").as_bytes()),
            },
            _ => {
                let message = self.message(random, now);
                let said = deliver_from_stream(&message, self.headers(random));
                remember(random, &mut self.unsettled, message);
                out.extend_from_slice(said.as_bytes());
            }
        }
    }

    /// A message that is new, was refused, or was silent for too long.
    fn message(&mut self, random: &mut Random, stored: u64) -> StreamMessage {
        let again = match random.below(10) {
            0 => random.take(&mut self.unsettled),
            1 => random.take(&mut self.refused),
            _ => None,
        };
        again.map_or_else(
            || {
                self.sequence += 1;
                let subject = Self::subject(random);
                StreamMessage { subject, sequence: self.sequence, attempt: 1, stored }
            },
            |old| old.again(),
        )
    }
}

/// What comes on a reply subject: what a stream says, what somebody says, that nobody listens.
fn answer(random: &mut Random, number: u64, out: &mut Vec<u8>) {
    let reply = format!("_INBOX.me.{number}");
    let said = match random.below(4) {
        0 => deliver(&reply, "", None, r#"{"stream":"ORDERS","seq":1}"#),
        1 => deliver(&reply, "", None, r#"{"error":{"code":503,"description":"no"}}"#),
        2 => status(&reply, "503"),
        _ => deliver(&reply, "", Some("A: b\r\n"), "an answer of somebody"),
    };
    // Doubled answers do not fail either.
    let times = if random.below(50) == 0 { 2 } else { 1 };
    for _ in 0..times {
        out.write_all(said.as_bytes()).expect("a vector takes everything");
    }
}
