//! Answers to a publish, and requests for deliveries.

use crate::json::{self, Value};
use crate::nats::ControlSubject;

/// What a stream answers to a publish, on its reply subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishAnswer<'a> {
    /// `{"stream":"S","seq":1}`: the message is stored.
    Stored {
        /// The stream, a string.
        stream: Value<'a>,
        /// The message's sequence number in the stream.
        sequence: u64,
        /// Whether the stream had it already, and so did not store it again.
        duplicate: bool,
    },
    /// `{"error":{"code":503,"description":"…"}}`: it is not.
    Refused {
        /// The error's code, spelled like a status of HTTP.
        code: Option<u64>,
        /// JetStream's own, finer code.
        err_code: Option<u64>,
        /// The error in words, a string.
        description: Option<Value<'a>>,
    },
}

impl<'a> PublishAnswer<'a> {
    /// Reads the payload of an answer.
    ///
    /// Answers `None` for every other payload: a reply subject may also belong to a request that
    /// has nothing to do with a stream.
    pub fn parse(payload: &'a [u8]) -> Option<Self> {
        let [stream, seq, duplicate, error] =
            json::find(payload, [b"stream", b"seq", b"duplicate", b"error"])?;
        if let Some(error) = error {
            let [code, err_code, description] =
                json::find(error.raw(), [b"code", b"err_code", b"description"])?;
            let code = code.and_then(Value::as_u64);
            let err_code = err_code.and_then(Value::as_u64);
            // A service may answer with an `error` of its own: a stream's has a number.
            return (code.is_some() || err_code.is_some()).then_some(Self::Refused {
                code,
                err_code,
                description,
            });
        }
        Some(Self::Stored {
            stream: stream
                .filter(|stream| stream.raw().starts_with(b"\"") && !stream.is_blank())?,
            sequence: seq?.as_u64()?,
            duplicate: duplicate.and_then(Value::as_bool).unwrap_or(false),
        })
    }
}

/// The subject of a request for deliveries.
///
/// ```text
/// $JS.API.CONSUMER.MSG.NEXT.<stream>.<consumer>
/// $JS.<domain>.API.CONSUMER.MSG.NEXT.<stream>.<consumer>
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PullSubject<'a> {
    /// The JetStream domain, if there is one.
    pub domain: Option<&'a [u8]>,
    /// The stream.
    pub stream: &'a [u8],
    /// The consumer.
    pub consumer: &'a [u8],
}

impl<'a> PullSubject<'a> {
    /// Reads a subject. Answers `None` for every other subject.
    ///
    /// A domain named like another of JetStream's words (`ACK`) is taken for that word, as it is
    /// everywhere else.
    pub fn parse(subject: &'a [u8]) -> Option<Self> {
        let (domain, mut tokens) = api_tokens(subject)?;
        for wanted in [b"CONSUMER".as_slice(), b"MSG", b"NEXT"] {
            tokens.next().filter(|&token| token == wanted)?;
        }
        let stream = tokens.next().filter(|stream| !stream.is_empty())?;
        let consumer = tokens.next().filter(|consumer| !consumer.is_empty())?;
        tokens.next().is_none().then_some(Self { domain, stream, consumer })
    }
}

/// The domain and what follows `API` in the subject of a request. `None` for every other subject.
pub(super) fn api_tokens(subject: &[u8]) -> Option<(Option<&[u8]>, impl Iterator<Item = &[u8]>)> {
    if ControlSubject::of(subject) != Some(ControlSubject::JetStreamApi) {
        return None;
    }
    let mut tokens = subject.strip_prefix(b"$JS.")?.split(|&byte| byte == b'.');
    let domain = match tokens.next()? {
        b"API" => None,
        domain => {
            tokens.next().filter(|&token| token == b"API")?;
            Some(domain)
        }
    };
    Some((domain, tokens))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_messages_are_told() {
        let table = [
            (r#"{"stream":"S", "seq":2}"#, 2, false),
            (r#"{"stream":"S","domain":"hub","seq":7,"duplicate":true}"#, 7, true),
        ];
        for (payload, number, again) in table {
            match PublishAnswer::parse(payload.as_bytes()) {
                Some(PublishAnswer::Stored { stream, sequence, duplicate }) => {
                    assert_eq!(stream.raw(), b"\"S\"");
                    assert_eq!((sequence, duplicate), (number, again));
                }
                other => panic!("{payload}: {other:?}"),
            }
        }
    }

    #[test]
    fn refused_messages_are_told() {
        let payload = br#"{"error":{"code":400,"err_code":10054,
            "description":"message size exceeds maximum allowed"},"stream":"S","seq":0}"#;
        match PublishAnswer::parse(payload) {
            Some(PublishAnswer::Refused { code, err_code, description }) => {
                assert_eq!((code, err_code), (Some(400), Some(10_054)));
                let text = description.unwrap().as_text(64).unwrap();
                assert_eq!(text, "message size exceeds maximum allowed");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn other_payloads_are_no_answers_of_a_stream() {
        let table: [&[u8]; 9] = [
            b"",
            b"+ACK",
            b"hello",
            b"{}",
            br#"{"seq":2}"#,
            br#"{"stream":"S"}"#,
            br#"{"stream":"","seq":2}"#,
            br#"{"stream":"S","seq":"2"}"#,
            br#"{"error":{"reason":"x"}}"#,
        ];
        for payload in table {
            assert_eq!(PublishAnswer::parse(payload), None, "{}", payload.escape_ascii());
        }
    }

    #[test]
    fn requests_for_deliveries_are_told_from_other_requests() {
        let here = PullSubject { domain: None, stream: b"S", consumer: b"C" };
        let there = PullSubject { domain: Some(b"hub"), ..here };
        let table = [
            ("$JS.API.CONSUMER.MSG.NEXT.S.C", Some(here)),
            ("$JS.hub.API.CONSUMER.MSG.NEXT.S.C", Some(there)),
            ("$JS.API.CONSUMER.MSG.NEXT.S", None),
            ("$JS.API.CONSUMER.MSG.NEXT.S.", None),
            ("$JS.API.CONSUMER.MSG.NEXT.S.C.x", None),
            ("$JS.API.CONSUMER.INFO.S.C", None),
            ("$JS.ACK.CONSUMER.MSG.NEXT.S.C", None),
            ("$JS.ACK.API.CONSUMER.MSG.NEXT.S.C", None),
            ("orders.API.CONSUMER.MSG.NEXT.S.C", None),
        ];
        for (subject, wanted) in table {
            assert_eq!(PullSubject::parse(subject.as_bytes()), wanted, "{subject}");
        }
    }
}
