//! OTLP JSON: the protobuf JSON mapping with the deviations of the OTLP specification.
//!
//! `opentelemetry-proto` writes ids as lower-case hex, 64-bit integers as strings, enums as
//! integers and keys in lowerCamelCase; the tests here hold it to that. One value has no place in
//! its types: a double that is not finite becomes a string, because JSON has no such number. See
//! "OTLP Specification", section "JSON Protobuf Encoding".

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;

use super::exporter::{Failure, FailureKind};

/// Writes a request as one JSON object, without line breaks.
pub(crate) fn encode(request: &ExportTraceServiceRequest) -> Result<Vec<u8>, Failure> {
    let failed = |error: serde_json::Error| {
        Failure::permanent(FailureKind::Encode, format!("cannot write JSON: {error}"))
    };
    let mut request = request.clone();
    let resources = request.resource_spans.iter_mut();
    for span in resources.flat_map(|r| &mut r.scope_spans).flat_map(|s| &mut s.spans) {
        tidy(span);
    }
    serde_json::to_vec(&request).map_err(failed)
}

/// Makes a span fit for JSON.
fn tidy(span: &mut Span) {
    // An absent status would be written as null.
    span.status.get_or_insert_default();
    finite(&mut span.attributes);
    span.events.iter_mut().for_each(|event| finite(&mut event.attributes));
    span.links.iter_mut().for_each(|link| finite(&mut link.attributes));
}

/// Replaces doubles that JSON cannot carry by the words of the protobuf JSON mapping.
fn finite(attributes: &mut [KeyValue]) {
    // A work list instead of recursion. What is nested was bounded when it was decoded.
    let mut values: Vec<&mut AnyValue> =
        attributes.iter_mut().filter_map(|pair| pair.value.as_mut()).collect();
    while let Some(any) = values.pop() {
        match any.value.as_mut() {
            Some(Value::ArrayValue(array)) => values.extend(&mut array.values),
            Some(Value::KvlistValue(list)) => {
                values.extend(list.values.iter_mut().filter_map(|pair| pair.value.as_mut()));
            }
            Some(value) => {
                if let Value::DoubleValue(number) = *value
                    && !number.is_finite()
                {
                    *value = Value::StringValue(word(number).to_owned());
                }
            }
            None => {}
        }
    }
}

/// The word for a double that is not finite.
fn word(number: f64) -> &'static str {
    match number {
        number if number.is_nan() => "NaN",
        number if number > 0.0 => "Infinity",
        _ => "-Infinity",
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::ArrayValue;
    use opentelemetry_proto::tonic::trace::v1::span::Link;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Status};
    use serde_json::json;

    use super::*;

    fn pair(key: &str, value: Value) -> KeyValue {
        let value = Some(AnyValue { value: Some(value) });
        KeyValue { key: key.into(), value, ..KeyValue::default() }
    }

    fn encoded(span: Span) -> serde_json::Value {
        let scope = ScopeSpans { spans: vec![span], ..ScopeSpans::default() };
        let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
        let request = ExportTraceServiceRequest { resource_spans: vec![resource] };
        let bytes = encode(&request).unwrap();
        assert!(!bytes.contains(&b'\n'));
        let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        json["resourceSpans"][0]["scopeSpans"][0]["spans"][0].clone()
    }

    #[test]
    fn ids_integers_and_enums_follow_the_mapping() {
        let link = Link { trace_id: vec![0xCD; 16], span_id: vec![1; 8], ..Link::default() };
        let span = encoded(Span {
            trace_id: vec![0xAB; 16],
            span_id: vec![0x0F; 8],
            name: "publish orders".into(),
            kind: 4,
            flags: 0x301,
            start_time_unix_nano: u64::MAX,
            end_time_unix_nano: 1,
            links: vec![link],
            attributes: vec![
                pair("int", Value::IntValue(i64::MIN)),
                pair("bytes", Value::BytesValue(vec![0xFF, 0xFE])),
                pair("flag", Value::BoolValue(true)),
            ],
            status: Some(Status { message: "no".into(), code: 2 }),
            ..Span::default()
        });
        assert_eq!(span["traceId"], "abababababababababababababababab");
        assert_eq!(span["spanId"], "0f0f0f0f0f0f0f0f");
        assert_eq!(span["parentSpanId"], "");
        assert_eq!(span["kind"], 4);
        assert_eq!(span["flags"], 0x301);
        assert_eq!(span["startTimeUnixNano"], "18446744073709551615");
        assert_eq!(span["endTimeUnixNano"], "1");
        assert_eq!(span["links"][0]["traceId"], "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd");
        assert_eq!(span["status"], json!({"message": "no", "code": 2}));
        let values: Vec<_> = (0..3).map(|i| span["attributes"][i]["value"].clone()).collect();
        let expected = [
            json!({"intValue": "-9223372036854775808"}),
            json!({"bytesValue": "//4="}),
            json!({"boolValue": true}),
        ];
        assert_eq!(values, expected);
    }

    #[test]
    fn no_value_is_null_and_no_number_is_lost() {
        let array = ArrayValue {
            values: vec![
                AnyValue { value: Some(Value::DoubleValue(f64::INFINITY)) },
                AnyValue { value: Some(Value::DoubleValue(0.5)) },
            ],
        };
        let span = encoded(Span {
            attributes: vec![
                pair("nan", Value::DoubleValue(f64::NAN)),
                pair("array", Value::ArrayValue(array)),
            ],
            ..Span::default()
        });
        assert_eq!(span["status"]["code"], 0);
        assert_eq!(span["attributes"][0]["value"], json!({"stringValue": "NaN"}));
        let expected =
            json!({"arrayValue": {"values": [{"stringValue": "Infinity"}, {"doubleValue": 0.5}]}});
        assert_eq!(span["attributes"][1]["value"], expected);
        assert!(!span.to_string().contains("null"));
    }
}
