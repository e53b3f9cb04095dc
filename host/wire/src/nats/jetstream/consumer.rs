//! Requests about consumers, and what the answers say of them.
//!
//! ```text
//! $JS.API.CONSUMER.CREATE.<stream>[.<consumer>[.<filter>]]    a description is answered
//! $JS.API.CONSUMER.DURABLE.CREATE.<stream>.<consumer>         likewise
//! $JS.API.CONSUMER.INFO.<stream>.<consumer>                   likewise
//! $JS.API.CONSUMER.DELETE.<stream>.<consumer>                 it is gone
//! ```
//!
//! With a domain, each begins with `$JS.<domain>.API`.

use super::publish::api_tokens;
use crate::json::{self, Value};

/// A request about one consumer, by its subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsumerRequest<'a> {
    /// Its answer is a [`ConsumerAnswer`].
    Describe,
    /// The consumer is to be deleted.
    Delete {
        /// The stream.
        stream: &'a [u8],
        /// The consumer.
        consumer: &'a [u8],
    },
}

/// What a consumer has to acknowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckPolicy {
    /// Nothing: a delivery is taken for done. Its reply subject is that of an acknowledgement all
    /// the same.
    None,
    /// One acknowledgement stands for all earlier messages as well.
    All,
    /// Each message.
    Explicit,
}

/// The description of a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerAnswer<'a> {
    /// The stream, a string.
    pub stream: Value<'a>,
    /// The consumer, a string.
    pub consumer: Value<'a>,
    /// `None`: it says nothing, or a word that is not known here.
    pub ack_policy: Option<AckPolicy>,
}

impl<'a> ConsumerRequest<'a> {
    /// Reads a subject. Answers `None` for every other subject.
    pub fn parse(subject: &'a [u8]) -> Option<Self> {
        let (_, mut tokens) = api_tokens(subject)?;
        tokens.next().filter(|&token| token == b"CONSUMER")?;
        match tokens.next()? {
            b"CREATE" | b"INFO" => Some(Self::Describe),
            b"DURABLE" => (tokens.next()? == b"CREATE").then_some(Self::Describe),
            b"DELETE" => {
                let mut name = || tokens.next().filter(|token| !token.is_empty());
                let (stream, consumer) = (name()?, name()?);
                tokens.next().is_none().then_some(Self::Delete { stream, consumer })
            }
            _ => None,
        }
    }
}

impl<'a> ConsumerAnswer<'a> {
    /// Reads the payload of an answer. Answers `None` for every other payload, an error included.
    pub fn parse(payload: &'a [u8]) -> Option<Self> {
        let [stream, name, config] =
            json::find(payload, [b"stream_name".as_slice(), b"name", b"config"])?;
        let [ack_policy] = json::find(config?.raw(), [b"ack_policy"])?;
        let is_name = |value: &Value<'_>| value.raw().starts_with(b"\"") && !value.is_blank();
        Some(Self {
            stream: stream.filter(is_name)?,
            consumer: name.filter(is_name)?,
            ack_policy: ack_policy.and_then(|policy| match policy.raw() {
                b"\"none\"" => Some(AckPolicy::None),
                b"\"all\"" => Some(AckPolicy::All),
                b"\"explicit\"" => Some(AckPolicy::Explicit),
                _ => None,
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_about_consumers_are_told_from_other_requests() {
        let describe = Some(ConsumerRequest::Describe);
        let delete = Some(ConsumerRequest::Delete { stream: b"S", consumer: b"C" });
        let table = [
            ("$JS.API.CONSUMER.CREATE.S", describe),
            ("$JS.API.CONSUMER.CREATE.S.C.orders.>", describe),
            ("$JS.API.CONSUMER.DURABLE.CREATE.S.C", describe),
            ("$JS.hub.API.CONSUMER.INFO.S.C", describe),
            ("$JS.API.CONSUMER.DELETE.S.C", delete),
            ("$JS.API.CONSUMER.DELETE.S", None),
            ("$JS.API.CONSUMER.DELETE.S.", None),
            ("$JS.API.CONSUMER.DELETE.S.C.x", None),
            ("$JS.API.CONSUMER.DURABLE.S.C", None),
            ("$JS.API.CONSUMER.MSG.NEXT.S.C", None),
            ("$JS.API.CONSUMER.LIST.S", None),
            ("$JS.API.STREAM.INFO.S", None),
            ("$JS.ACK.CONSUMER.INFO.S.C", None),
            ("orders.API.CONSUMER.INFO.S.C", None),
        ];
        for (subject, wanted) in table {
            assert_eq!(ConsumerRequest::parse(subject.as_bytes()), wanted, "{subject}");
        }
    }

    #[test]
    fn a_consumer_says_how_it_acknowledges() {
        let policy = |word: &str| {
            let payload = format!(
                r#"{{"type":"io.nats.jetstream.api.v1.consumer_create_response","stream_name":"S",
                "name":"C","config":{{"durable_name":"C","ack_policy":{word},"name":"x"}}}}"#
            );
            let answer = ConsumerAnswer::parse(payload.as_bytes()).unwrap();
            assert_eq!(
                (answer.stream.raw(), answer.consumer.raw()),
                (&b"\"S\""[..], &b"\"C\""[..])
            );
            answer.ack_policy
        };
        assert_eq!(policy("\"none\""), Some(AckPolicy::None));
        assert_eq!(policy("\"all\""), Some(AckPolicy::All));
        assert_eq!(policy("\"explicit\""), Some(AckPolicy::Explicit));
        assert_eq!(policy("\"flow_control\""), None);
        assert_eq!(policy("0"), None);
    }

    #[test]
    fn other_payloads_describe_no_consumer() {
        let table = [
            "",
            "{}",
            r#"{"error":{"code":404,"description":"consumer not found"}}"#,
            r#"{"stream_name":"S","name":"C"}"#,
            r#"{"stream_name":"S","name":"C","config":[]}"#,
            r#"{"stream_name":"","name":"C","config":{}}"#,
            r#"{"stream_name":"S","name":7,"config":{}}"#,
        ];
        for payload in table {
            assert_eq!(ConsumerAnswer::parse(payload.as_bytes()), None, "{payload}");
        }
    }
}
