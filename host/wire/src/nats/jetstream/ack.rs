//! Acknowledgements of deliveries: the subject they go to, and what they say.
//!
//! ```text
//! $JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<time>.<pending>
//! $JS.ACK.<domain>.<account hash>.  …the same…                             .<token>
//! ```
//!
//! The first form has nine tokens (eight before a server counted what is pending), the second at
//! least eleven; a server appends a token there that means nothing.

use crate::decimal::parse_u64;
use crate::json::{self, Value};

/// The subject to which a delivery's acknowledgement goes: the delivery's reply subject.
///
/// The same for everyone who handles the delivery, so it names it across connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckSubject<'a> {
    /// The JetStream domain, if there is one.
    pub domain: Option<&'a [u8]>,
    /// The hash of the account, if the server says it.
    pub account_hash: Option<&'a [u8]>,
    /// The stream.
    pub stream: &'a [u8],
    /// The consumer.
    pub consumer: &'a [u8],
    /// How often this message has been delivered, this time included. From 1.
    pub delivered: u64,
    /// The message's sequence number in the stream.
    pub stream_sequence: u64,
    /// The delivery's sequence number in the consumer.
    pub consumer_sequence: u64,
    /// When the broker stored the message, in nanoseconds since the Unix epoch, by its clock.
    pub stored_unix_ns: u64,
    /// The messages that were waiting for this consumer behind this one.
    pub pending: Option<u64>,
}

/// What a consumer says about a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack<'a> {
    /// `+ACK`, `+OK` or nothing: done.
    Done,
    /// `+NXT`: done, and the next one please. What follows is a pull request.
    DoneAndNext,
    /// `-NAK`: not done, deliver again.
    Retry {
        /// Not before so many nanoseconds. `None`: at once, or not said in this way.
        delay_ns: Option<u64>,
    },
    /// `+WPI`: still at it.
    InProgress,
    /// `+TERM`: will never be done.
    Terminated {
        /// Why, in the consumer's words; may be empty.
        reason: &'a [u8],
    },
}

impl<'a> AckSubject<'a> {
    /// Reads a subject. Answers `None` for every other subject.
    pub fn parse(subject: &'a [u8]) -> Option<Self> {
        let rest = subject.strip_prefix(b"$JS.ACK.")?;
        let mut tokens = rest.split(|&byte| byte == b'.');
        // Counted without the two tokens that are gone.
        let (domain, account_hash) = match tokens.clone().count() {
            6 | 7 => (None, None),
            9.. => (Some(tokens.next()?), Some(tokens.next()?)),
            _ => return None,
        };
        let mut name = || tokens.next().filter(|token| !token.is_empty());
        let stream = name()?;
        let consumer = name()?;
        let mut number = || tokens.next().map(parse_u64);
        Some(Self {
            // An underscore stands for "no domain", so that there is a token.
            domain: domain.filter(|&domain| domain != b"_" && !domain.is_empty()),
            account_hash: account_hash.filter(|hash| !hash.is_empty()),
            stream,
            consumer,
            delivered: number()??,
            stream_sequence: number()??,
            consumer_sequence: number()??,
            stored_unix_ns: number()??,
            // Absent is fine; present but no number is not.
            pending: match number() {
                None => None,
                Some(pending) => Some(pending?),
            },
        })
    }
}

impl<'a> Ack<'a> {
    /// Reads the payload of a message to an [`AckSubject`], without its header block.
    ///
    /// Answers `None` for what nats-server ignores.
    pub fn parse(payload: &'a [u8]) -> Option<Self> {
        match payload {
            b"" | b"+ACK" | b"+OK" => Some(Self::Done),
            b"+WPI" => Some(Self::InProgress),
            [b'+', b'N', b'X', b'T', ..] => Some(Self::DoneAndNext),
            [b'-', b'N', b'A', b'K', rest @ ..] => Some(Self::Retry { delay_ns: delay(rest) }),
            [b'+', b'T', b'E', b'R', b'M', rest @ ..] => {
                Some(Self::Terminated { reason: rest.trim_ascii() })
            }
            _ => None,
        }
    }

    /// Whether the delivery is over. It is not while somebody is still at it.
    pub const fn settles(&self) -> bool {
        !matches!(self, Self::InProgress)
    }
}

/// The delay of `-NAK {"delay":1000}`. A server also takes Go's notation (`1.5s`), which no
/// client library sends; it is not read.
fn delay(argument: &[u8]) -> Option<u64> {
    let [delay] = json::find(argument, [b"delay"])?;
    delay.and_then(Value::as_u64).filter(|&delay| delay > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: u64 = 1_699_999_999_123_456_789;

    #[test]
    fn all_forms_of_the_subject_are_read() {
        let plain = AckSubject {
            domain: None,
            account_hash: None,
            stream: b"S",
            consumer: b"C",
            delivered: 2,
            stream_sequence: 10,
            consumer_sequence: 20,
            stored_unix_ns: TIME,
            pending: None,
        };
        let counted = AckSubject { pending: Some(7), ..plain };
        let hashed = AckSubject { account_hash: Some(b"h"), ..counted };
        let remote = AckSubject { domain: Some(b"hub"), ..hashed };
        let table = [
            ("S.C.2.10.20.1699999999123456789", plain),
            ("S.C.2.10.20.1699999999123456789.7", counted),
            ("_.h.S.C.2.10.20.1699999999123456789.7", hashed),
            ("hub.h.S.C.2.10.20.1699999999123456789.7", remote),
            ("hub.h.S.C.2.10.20.1699999999123456789.7.token", remote),
            ("hub.h.S.C.2.10.20.1699999999123456789.7.token.more", remote),
        ];
        for (rest, wanted) in table {
            let subject = format!("$JS.ACK.{rest}");
            assert_eq!(AckSubject::parse(subject.as_bytes()), Some(wanted), "{subject}");
        }
    }

    #[test]
    fn other_subjects_are_not_ack_subjects() {
        let table = [
            "",
            "$JS.ACK.",
            "$JS.ACK.S.C.2.10.20",
            "$JS.ACK.x.S.C.2.10.20.30.7",
            "$JS.ACK..C.2.10.20.30.7",
            "$JS.ACK.S.C.2.10.20.30.x",
            "$JS.ACK.S.C.2.10.20.30.",
            "$JS.ACK.S.C.-2.10.20.30.7",
            "$JS.ACK.S.C.2.18446744073709551616.20.30.7",
            "$JS.API.S.C.2.10.20.30.7",
            "$js.ack.S.C.2.10.20.30.7",
        ];
        for subject in table {
            assert_eq!(AckSubject::parse(subject.as_bytes()), None, "{subject}");
        }
    }

    #[test]
    fn all_kinds_of_answers_are_told_apart() {
        let retry = |delay_ns| Some(Ack::Retry { delay_ns });
        let table = [
            ("", Some(Ack::Done)),
            ("+ACK", Some(Ack::Done)),
            ("+OK", Some(Ack::Done)),
            ("+WPI", Some(Ack::InProgress)),
            ("+NXT", Some(Ack::DoneAndNext)),
            ("+NXT {\"batch\":1}", Some(Ack::DoneAndNext)),
            ("-NAK", retry(None)),
            ("-NAK {\"delay\":5000000000}", retry(Some(5_000_000_000))),
            ("-NAK {\"delay\":0}", retry(None)),
            ("-NAK {\"delay\":\"5s\"}", retry(None)),
            ("-NAK 5s", retry(None)),
            ("+TERM", Some(Ack::Terminated { reason: b"" })),
            ("+TERM no such order", Some(Ack::Terminated { reason: b"no such order" })),
            ("+ack", None),
            ("+ACK ", None),
            ("+WPI x", None),
            ("hello", None),
        ];
        for (payload, wanted) in table {
            assert_eq!(Ack::parse(payload.as_bytes()), wanted, "{payload}");
        }
    }
}
