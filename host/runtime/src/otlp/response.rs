//! A receiver's answer to a request it took: `ExportTraceServiceResponse`.
//!
//! A filled `partial_success` says how many spans were thrown away; with none rejected its message
//! is a warning. Neither is a reason to send again. See "OTLP Specification", section "Partial
//! Success".

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use serde_json::Value;

use super::exporter::Delivered;

/// Largest answer that is read, compressed or not. The specification's default.
pub const RESPONSE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Characters of a receiver's message that reach a log line. A sentence or two; the rest is
/// usually a stack trace.
const MESSAGE_CHARS_MAX: usize = 300;

/// Reads a protobuf answer, or `None` when it is not one.
pub(crate) fn from_protobuf(body: &[u8]) -> Option<Delivered> {
    let partial = ExportTraceServiceResponse::decode(body).ok()?.partial_success;
    let partial = partial.unwrap_or_default();
    let rejected = u64::try_from(partial.rejected_spans).unwrap_or(0);
    Some(Delivered { rejected, message: printable(&partial.error_message) })
}

/// Reads a JSON answer, or `None` when it is not one. The number may be a string, as the protobuf
/// JSON mapping writes 64-bit integers, or a number, as it allows to be read.
pub(crate) fn from_json(body: &[u8]) -> Option<Delivered> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let partial = &answer.as_object()?.get("partialSuccess").unwrap_or(&Value::Null);
    let rejected = match &partial["rejectedSpans"] {
        Value::String(digits) => digits.parse().unwrap_or(0),
        number => number.as_u64().unwrap_or(0),
    };
    let message = printable(partial["errorMessage"].as_str().unwrap_or(""));
    Some(Delivered { rejected, message })
}

/// A receiver's words made fit for one line of a log: shortened, control characters replaced.
pub(crate) fn printable(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(MESSAGE_CHARS_MAX).map(clean).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;

    use super::*;

    fn delivered(rejected: u64, message: &str) -> Option<Delivered> {
        Some(Delivered { rejected, message: message.into() })
    }

    #[test]
    fn a_protobuf_answer_may_be_empty_partial_or_only_a_warning() {
        let encode = |rejected_spans, error_message: &str| {
            let partial =
                ExportTracePartialSuccess { rejected_spans, error_message: error_message.into() };
            ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec()
        };
        assert_eq!(from_protobuf(b""), delivered(0, ""));
        assert_eq!(from_protobuf(&encode(3, "too old")), delivered(3, "too old"));
        assert_eq!(from_protobuf(&encode(0, "soon\nfull")), delivered(0, "soon full"));
        assert_eq!(from_protobuf(&encode(-1, "")), delivered(0, ""));
        assert_eq!(from_protobuf(b"<html>"), None);
    }

    #[test]
    fn a_json_answer_may_write_the_number_either_way() {
        let cases = [
            ("{}", delivered(0, "")),
            (r#"{"partialSuccess":{}}"#, delivered(0, "")),
            (r#"{"partialSuccess":null}"#, delivered(0, "")),
            (r#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"no"}}"#, delivered(2, "no")),
            (r#"{"partialSuccess":{"rejectedSpans":2}}"#, delivered(2, "")),
            (r#"{"partialSuccess":{"rejectedSpans":-2}}"#, delivered(0, "")),
            ("[]", None),
            ("", None),
        ];
        for (body, expected) in cases {
            assert_eq!(from_json(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn a_message_is_cut_and_cannot_draw_on_a_terminal() {
        assert_eq!(printable(&"é".repeat(1000)).chars().count(), MESSAGE_CHARS_MAX);
        assert_eq!(printable("\u{1b}[31mred\u{7}"), "[31mred");
    }
}
