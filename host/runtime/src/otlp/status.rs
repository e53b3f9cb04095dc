//! `google.rpc.Status`: the error body of OTLP over HTTP, and the details of a gRPC status.
//!
//! Only what the retry rules need is declared: the message, and `google.rpc.RetryInfo` among the
//! details. See "OTLP Specification", sections "Failures" and "OTLP/gRPC Throttling".

use std::time::Duration;

use prost::Message;

/// Type of the one detail that is read. The part before the slash may be any host.
const RETRY_INFO: &str = "google.rpc.RetryInfo";

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Status {
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

impl Status {
    /// The delay of a `RetryInfo`: `None` when there is no such detail, zero when it names no
    /// delay or a negative one.
    pub(crate) fn retry_delay(&self) -> Option<Duration> {
        let is_retry_info = |any: &&Any| any.type_url.rsplit('/').next() == Some(RETRY_INFO);
        let any = self.details.iter().find(is_retry_info)?;
        let delay = RetryInfo::decode(&*any.value).ok()?.retry_delay.unwrap_or_default();
        let seconds = u64::try_from(delay.seconds).unwrap_or(0);
        let nanos = u32::try_from(delay.nanos).unwrap_or(0).min(999_999_999);
        Some(Duration::new(seconds, nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(type_url: &str, value: Vec<u8>) -> Status {
        let details = vec![Any { type_url: type_url.into(), value }];
        Status { message: String::new(), details }
    }

    #[test]
    fn a_delay_is_read_from_retry_info_alone() {
        let info = |seconds, nanos| {
            RetryInfo { retry_delay: Some(Delay { seconds, nanos }) }.encode_to_vec()
        };
        let google = "type.googleapis.com/google.rpc.RetryInfo";
        let cases = [
            (status(google, info(2, 500_000_000)), Some(Duration::from_millis(2500))),
            (status("google.rpc.RetryInfo", info(1, 0)), Some(Duration::from_secs(1))),
            (status(google, Vec::new()), Some(Duration::ZERO)),
            (status(google, info(-5, -1)), Some(Duration::ZERO)),
            (status("type.googleapis.com/google.rpc.ErrorInfo", info(1, 0)), None),
            (status(google, vec![0xff]), None),
            (Status::default(), None),
        ];
        for (status, expected) in cases {
            assert_eq!(status.retry_delay(), expected, "{status:?}");
        }
    }

    #[test]
    fn an_absurd_delay_neither_panics_nor_wraps() {
        let value = RetryInfo { retry_delay: Some(Delay { seconds: i64::MAX, nanos: i32::MAX }) };
        let delay = status(RETRY_INFO, value.encode_to_vec()).retry_delay();
        assert_eq!(delay, Some(Duration::new(i64::MAX.unsigned_abs(), 999_999_999)));
    }
}
