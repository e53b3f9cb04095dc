//! The conformance vectors against the modules of the component, compiled natively.

use std::path::Path;

use serde_json::{Value, json};
use spanbridge_guest::baggage::Member;
use spanbridge_guest::carrier::{Entry, field_of_name};
use spanbridge_guest::context::{Context, SpanContext};
use spanbridge_guest::env_carrier;
use spanbridge_guest::id::{SpanId, TraceFlags, TraceId};
use spanbridge_guest::ot_sampling::{OtSampling, Randomness, Threshold};
use spanbridge_guest::propagator::Propagators;
use spanbridge_guest::tracestate::Tracestate;

#[path = "../../tests/vectors/runner.rs"]
mod runner;

use runner::{Implementation, JsonContext, Parts};

/// How many cases the files hold, so that a file that is cut short does not pass.
const CASES: usize = 284;

#[test]
fn every_vector_passes_natively() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors");
    let report = runner::run(&folder, &Native);
    assert!(report.failures.is_empty(), "{}", report.failures.join("\n"));
    assert_eq!((report.passed, report.skipped), (CASES, 0));
}

struct Native;

impl Implementation for Native {
    fn extract(&self, list: &str, carrier: &[(String, String)]) -> Option<JsonContext> {
        let entries: Vec<_> = carrier
            .iter()
            .filter_map(|(name, value)| {
                let (field, key) = field_of_name(name.as_bytes())?;
                Some(Entry { field, key, value: value.as_bytes() })
            })
            .collect();
        propagators(list).extract(&entries).map(|context| to_json(&context))
    }

    fn inject(&self, list: &str, context: &JsonContext) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut written = Vec::new();
        propagators(list).inject(&from_json(context), &mut |field, key, value| {
            written.push((format!("{}{}", field.name(), text(key)), text(value)));
        });
        written
    }

    fn parts(&self) -> Option<&dyn Parts> {
        Some(self)
    }
}

impl Parts for Native {
    fn mutate(&self, tracestate: &str, key: &str, value: Option<&str>) -> (String, bool) {
        let list = Tracestate::parse([tracestate.as_bytes()]);
        let mut out = Vec::new();
        let done = match value {
            Some(value) => list.write_with(&mut out, key.as_bytes(), value.as_bytes()),
            None => {
                list.write_without(&mut out, key.as_bytes());
                true
            }
        };
        (String::from_utf8(out).unwrap(), done)
    }

    fn rewrite_ot(&self, value: &str) -> String {
        let mut out = Vec::new();
        OtSampling::parse(value.as_bytes()).write(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn threshold(&self, th: &str) -> Option<(String, f64, f64)> {
        let threshold = Threshold::parse(th.as_bytes())?;
        let digits = format!("{:014x}", threshold.value());
        Some((digits, threshold.probability(), threshold.adjusted_count()))
    }

    fn samples(&self, rv: &str, th: &str) -> Option<bool> {
        let randomness = Randomness::parse(rv.as_bytes())?;
        Some(Threshold::parse(th.as_bytes())?.samples(randomness))
    }

    fn environment_name(&self, name: &str) -> (String, bool) {
        (env_carrier::normalize(name), env_carrier::is_normalized(name))
    }
}

fn propagators(list: &str) -> Propagators {
    Propagators::parse(list, |word| panic!("unknown propagator {word}"))
}

fn to_json(context: &Context) -> JsonContext {
    let baggage: Vec<_> = context
        .baggage
        .iter()
        .map(|member| {
            json!({"key": member.key, "value": member.value, "properties": member.properties})
        })
        .collect();
    let mut json = json!({"baggage": baggage});
    if let Some(span) = &context.trace {
        json["trace_id"] = format!("{:016x}{:016x}", span.trace_id.hi, span.trace_id.lo).into();
        json["span_id"] = format!("{:016x}", span.span_id.0).into();
        json["flags"] = span.flags.bits().into();
        json["tracestate"] = span.tracestate.as_str().into();
        json["debug"] = context.debug.into();
        json["deferred"] = context.deferred.into();
    }
    json
}

fn from_json(json: &JsonContext) -> Context {
    let number = |digits: &str| u64::from_str_radix(digits, 16).unwrap();
    let trace = json["trace_id"].as_str().map(|trace_id| SpanContext {
        trace_id: TraceId { hi: number(&trace_id[..16]), lo: number(&trace_id[16..]) },
        span_id: SpanId(number(text(&json["span_id"]))),
        flags: TraceFlags::from_bits(json["flags"].as_u64().unwrap() as u8),
        tracestate: text(&json["tracestate"]).to_owned(),
    });
    let baggage = json["baggage"].as_array().map(|entries| {
        let member = |entry: &Value| Member {
            key: text(&entry["key"]).to_owned(),
            value: text(&entry["value"]).to_owned(),
            properties: serde_json::from_value(entry["properties"].clone()).unwrap(),
        };
        entries.iter().map(member).collect()
    });
    Context {
        trace,
        baggage: baggage.unwrap_or_default(),
        debug: json["debug"] == true,
        deferred: json["deferred"] == true,
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
