//! Contexts and carriers between JSON and the runtime.
//!
//! Members that are not known are ignored: they are somebody else's. Those that are known have to
//! be what they should be; a fault says where it is, what was expected and what was found.

use std::collections::BTreeMap;
use std::ops::Not;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use spanbridge::{BaggageMember, CarrierContext, RemoteSpan};

/// What is wrong with a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault(pub(super) String);

/// A context as it is printed.
#[derive(Debug, Serialize)]
pub(super) struct JsonContext {
    #[serde(flatten)]
    trace: Option<JsonTrace>,
    baggage: Vec<JsonMember>,
    #[serde(skip_serializing_if = "Not::not")]
    debug: bool,
    #[serde(skip_serializing_if = "Not::not")]
    deferred: bool,
}

#[derive(Debug, Serialize)]
struct JsonTrace {
    trace_id: String,
    span_id: String,
    flags: u8,
    tracestate: String,
}

#[derive(Debug, Serialize)]
struct JsonMember {
    key: String,
    value: String,
    properties: Vec<(String, Option<String>)>,
}

impl From<CarrierContext> for JsonContext {
    fn from(context: CarrierContext) -> Self {
        let trace = context.trace.map(|trace| JsonTrace {
            trace_id: format!("{:016x}{:016x}", trace.trace_hi, trace.trace_lo),
            span_id: format!("{:016x}", trace.span_id),
            flags: trace.trace_flags,
            tracestate: trace.tracestate,
        });
        let member = |BaggageMember { key, value, properties }: BaggageMember| JsonMember {
            key,
            value,
            properties,
        };
        let baggage = context.baggage.into_iter().map(member).collect();
        Self { trace, baggage, debug: context.debug, deferred: context.deferred }
    }
}

/// Reads a member of the line.
pub(super) fn member(question: &BTreeMap<String, &RawValue>, name: &str) -> Result<Value, Fault> {
    let Some(text) = question.get(name) else {
        return Err(Fault(format!("expected a member {name:?}, found none")));
    };
    serde_json::from_str(text.get())
        .map_err(|error| Fault(format!("{name}: {}", not_json("JSON", &error))))
}

/// An error of the parser, without the line that it counts for itself.
pub(super) fn not_json(expected: &str, error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let what = text.strip_suffix(&place).unwrap_or(&text);
    format!("expected {expected}, found an error at byte {}: {what}", error.column())
}

/// Reads a carrier: an array of pairs, or an object, whose order is that of its names.
pub(super) fn carrier(value: &Value) -> Result<Vec<(String, String)>, Fault> {
    match value {
        Value::Array(headers) => {
            let header = |(at, header): (usize, &Value)| {
                let place = format!("carrier[{at}]");
                let (name, value) = pair(&place, "a name and a value", header)?;
                Ok((text(&format!("{place}[0]"), name)?, text(&format!("{place}[1]"), value)?))
            };
            headers.iter().enumerate().map(header).collect()
        }
        Value::Object(headers) => {
            let header = |(name, value): (&String, &Value)| {
                Ok((name.clone(), text(&format!("carrier[{name:?}]"), value)?))
            };
            headers.iter().map(header).collect()
        }
        other => Err(unexpected("carrier", "an array of pairs or an object", other)),
    }
}

/// Reads a context; null is none.
pub(super) fn context(value: &Value) -> Result<Option<CarrierContext>, Fault> {
    match value {
        Value::Null => Ok(None),
        Value::Object(_) => Ok(Some(CarrierContext {
            trace: trace(value)?,
            baggage: baggage(&value["baggage"])?,
            debug: flag("context.debug", &value["debug"])?,
            deferred: flag("context.deferred", &value["deferred"])?,
        })),
        other => Err(unexpected("context", "an object or null", other)),
    }
}

/// Reads the span of a context. A trace-id and a span-id go together.
fn trace(context: &Value) -> Result<Option<RemoteSpan>, Fault> {
    let (trace_id, span_id) = (&context["trace_id"], &context["span_id"]);
    if trace_id.is_null() && span_id.is_null() {
        return Ok(None);
    }
    let trace_id = digits::<32>("context.trace_id", trace_id)?;
    let span_id = digits::<16>("context.span_id", span_id)?;
    let tracestate = match &context["tracestate"] {
        Value::Null => String::new(),
        given => text("context.tracestate", given)?,
    };
    let trace_flags = match &context["flags"] {
        Value::Null => 0,
        given => given
            .as_u64()
            .and_then(|flags| u8::try_from(flags).ok())
            .ok_or_else(|| unexpected("context.flags", "a number from 0 to 255", given))?,
    };
    Ok(Some(RemoteSpan {
        trace_hi: (trace_id >> 64) as u64,
        trace_lo: trace_id as u64,
        span_id: span_id as u64,
        trace_flags,
        tracestate,
    }))
}

/// Reads an id of exactly `N` digits that are not all zero.
fn digits<const N: usize>(place: &str, value: &Value) -> Result<u128, Fault> {
    let id = value
        .as_str()
        .filter(|text| text.len() == N && text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    id.and_then(|text| u128::from_str_radix(text, 16).ok())
        .filter(|&id| id != 0)
        .ok_or_else(|| unexpected(place, &format!("{N} hexadecimal digits, not all 0"), value))
}

fn baggage(value: &Value) -> Result<Vec<BaggageMember>, Fault> {
    let members = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(members) => members,
        other => return Err(unexpected("context.baggage", "an array", other)),
    };
    let member = |(at, member): (usize, &Value)| {
        let place = format!("context.baggage[{at}]");
        if !member.is_object() {
            return Err(unexpected(&place, "an object", member));
        }
        Ok(BaggageMember {
            key: text(&format!("{place}.key"), &member["key"])?,
            value: text(&format!("{place}.value"), &member["value"])?,
            properties: properties(&format!("{place}.properties"), &member["properties"])?,
        })
    };
    members.iter().enumerate().map(member).collect()
}

fn properties(place: &str, value: &Value) -> Result<Vec<(String, Option<String>)>, Fault> {
    let properties = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(properties) => properties,
        other => return Err(unexpected(place, "an array of pairs", other)),
    };
    let property = |(at, property): (usize, &Value)| {
        let place = format!("{place}[{at}]");
        let (key, value) = pair(&place, "a key and a value or null", property)?;
        let key = text(&format!("{place}[0]"), key)?;
        let value = match value {
            Value::Null => None,
            given => Some(text(&format!("{place}[1]"), given)?),
        };
        Ok((key, value))
    };
    properties.iter().enumerate().map(property).collect()
}

fn pair<'v>(place: &str, what: &str, value: &'v Value) -> Result<(&'v Value, &'v Value), Fault> {
    match value {
        Value::Array(pair) if let [first, second] = &pair[..] => Ok((first, second)),
        other => Err(unexpected(place, &format!("an array of {what}"), other)),
    }
}

fn text(place: &str, value: &Value) -> Result<String, Fault> {
    let text = value.as_str().map(str::to_owned);
    text.ok_or_else(|| unexpected(place, "a string", value))
}

/// Reads true or false; a missing member is false.
fn flag(place: &str, value: &Value) -> Result<bool, Fault> {
    match value {
        Value::Null => Ok(false),
        Value::Bool(word) => Ok(*word),
        other => Err(unexpected(place, "true or false", other)),
    }
}

fn unexpected(place: &str, expected: &str, found: &Value) -> Fault {
    /// Characters of a string that are repeated to whoever sent it.
    const SHOWN_MAX: usize = 40;
    let found = match found {
        Value::Null => "nothing".to_owned(),
        Value::Bool(word) => word.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("{:?}", text.chars().take(SHOWN_MAX).collect::<String>()),
        Value::Array(values) => format!("an array of {}", values.len()),
        Value::Object(_) => "an object".to_owned(),
    };
    Fault(format!("{place}: expected {expected}, found {found}"))
}

#[cfg(test)]
mod tests;
