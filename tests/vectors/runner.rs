//! Runs the vectors of this folder against one implementation of the propagation formats.
//!
//! The same files and this file serve the native modules, the compiled component and the command
//! line, so this file knows none of them: it needs [`Implementation`] and `serde_json`. A case
//! whose expectation has a part that is not understood here fails; nothing passes by being
//! overlooked.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// Each file, and the formats its cases use unless they name others.
const FILES: [(&str, &str); 10] = [
    ("traceparent", "tracecontext"),
    ("tracestate", "tracecontext"),
    ("baggage", "baggage"),
    ("b3", "b3"),
    ("jaeger", "jaeger"),
    ("xray", "xray"),
    ("ottrace", "ottrace"),
    ("composite", ""),
    ("ot_sampling", ""),
    ("env_carrier", ""),
];

/// A context as the command line prints it: `trace_id`, `span_id`, `flags`, `tracestate`,
/// `baggage` with `key`, `value` and `properties`, and if true `debug` and `deferred`.
pub(crate) type JsonContext = Value;

/// What reads and writes messages' fields.
pub(crate) trait Implementation {
    /// Reads a carrier; `None` when it holds no context.
    fn extract(&self, propagators: &str, carrier: &[(String, String)]) -> Option<JsonContext>;

    /// Writes a context into an empty carrier.
    fn inject(&self, propagators: &str, context: &JsonContext) -> Vec<(String, String)>;

    /// The parts below the formats; `None` skips their cases.
    fn parts(&self) -> Option<&dyn Parts> {
        None
    }
}

/// What only an implementation that is linked in can be asked.
pub(crate) trait Parts {
    /// Sets a `tracestate` member; `None` deletes. Answers the list and whether it was changed.
    fn mutate(&self, tracestate: &str, key: &str, value: Option<&str>) -> (String, bool);
    /// Reads an `ot` value and writes it again.
    fn rewrite_ot(&self, value: &str) -> String;
    /// The threshold of a `th` value in 14 digits, its probability and its adjusted count.
    fn threshold(&self, th: &str) -> Option<(String, f64, f64)>;
    /// The decision for an `rv` and a `th` value.
    fn samples(&self, rv: &str, th: &str) -> Option<bool>;
    /// The environment variable of a name, and whether the name was one already.
    fn environment_name(&self, name: &str) -> (String, bool);
}

/// The outcome of all files.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Cases that came out as expected.
    pub(crate) passed: usize,
    /// Cases for [`Parts`] that the implementation does not have.
    pub(crate) skipped: usize,
    /// One line a failed case: file, id, what was expected and what came.
    pub(crate) failures: Vec<String>,
}

/// Runs every case of every file in `folder`. Panics when a file cannot be read.
pub(crate) fn run(folder: &Path, implementation: &dyn Implementation) -> Report {
    let mut report = Report::default();
    for (file, propagators) in FILES {
        let path = folder.join(file).with_extension("json");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let vectors: Value = serde_json::from_str(&text).unwrap();
        for case in vectors["cases"].as_array().unwrap() {
            match check(implementation, propagators, case) {
                Ok(true) => report.passed += 1,
                Ok(false) => report.skipped += 1,
                Err(why) => report.failures.push(format!("{file} {}: {why}", case["id"])),
            }
        }
    }
    report
}

/// Answers whether the case was run.
fn check(tested: &dyn Implementation, propagators: &str, case: &Value) -> Result<bool, String> {
    let propagators = match (&case["propagators"], &case["encoding"]) {
        (Value::String(list), _) => list,
        (_, Value::String(encoding)) if encoding == "multi" => "b3multi",
        _ => propagators,
    };
    let kind = text(&case["kind"]);
    match kind {
        "extract" | "extract-baggage" => check_extract(tested, propagators, case)?,
        "inject" => check_inject(tested, propagators, case)?,
        _ => {
            let Some(parts) = tested.parts() else {
                return Ok(false);
            };
            check_part(parts, kind, case)?;
        }
    }
    Ok(true)
}

fn check_extract(tested: &dyn Implementation, list: &str, case: &Value) -> Result<(), String> {
    let carrier: Vec<_> = array(&case["carrier"])
        .iter()
        .map(|pair| (text(&pair[0]).to_owned(), text(&pair[1]).to_owned()))
        .collect();
    let context = tested.extract(list, &carrier).unwrap_or(Value::Null);
    let flags = context["flags"].as_u64().unwrap_or(0);
    for (what, expected) in object(&case["expect"]) {
        let found = match what.as_str() {
            "continues" => json!(context["trace_id"].is_string()),
            "trace_id" | "flags" => context[what].clone(),
            "span_id" | "parent_id" => context["span_id"].clone(),
            "sampled" => json!(flags & 1 != 0),
            "random" => json!(flags & 2 != 0),
            "debug" | "deferred" => json!(context[what] == true),
            "members" => members(&context["tracestate"]),
            "must_contain_one_of" => {
                let list = text(&context["tracestate"]);
                let allowed = |member: &str| array(expected).iter().any(|one| one == member);
                if list.split(',').any(allowed) {
                    continue;
                }
                json!(list)
            }
            "entries" => json!(array(&context["baggage"])),
            "baggage" => {
                let entries = array(&context["baggage"]).iter();
                entries.map(|entry| (text(&entry["key"]), entry["value"].clone())).collect()
            }
            _ => return Err(format!("unknown expectation {what}")),
        };
        same(what, expected, &found)?;
    }
    Ok(())
}

fn check_inject(tested: &dyn Implementation, list: &str, case: &Value) -> Result<(), String> {
    let written = tested.inject(list, &context_of(case));
    let mut names = BTreeMap::new();
    for (name, value) in &written {
        if names.insert(name.to_ascii_lowercase(), json!(value)).is_some() {
            return Err(format!("{name} was written twice"));
        }
    }
    if let Value::Object(headers) = &case["expect_headers"] {
        let lower = headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
        same("headers", &lower.collect(), &names.clone().into_iter().collect())?;
    }
    let value = names.get("baggage").map_or("", text);
    if let Value::String(header) = &case["expect_header"] {
        if case["decode_equivalent"] == true {
            let read = |value: &str| tested.extract(list, &[("baggage".into(), value.into())]);
            same("decoded header", &json!(read(header)), &json!(read(value)))?;
        } else {
            same("header", &json!(header), &json!(value))?;
        }
    }
    for (what, expected) in object(&case["expect"]) {
        let found = match what.as_str() {
            "members" => value.split(',').count(),
            "length" => value.len(),
            _ => return Err(format!("unknown expectation {what}")),
        };
        same(what, expected, &json!(found))?;
    }
    Ok(())
}

fn check_part(parts: &dyn Parts, kind: &str, case: &Value) -> Result<(), String> {
    match kind {
        "mutate" => {
            let value = (case["op"] == "set").then(|| text(&case["value"]));
            let (list, done) = parts.mutate(text(&case["tracestate"]), text(&case["key"]), value);
            same("tracestate", &case["expect"]["tracestate"], &json!(list))?;
            same("error", &json!(case["expect"]["error"] == true), &json!(!done))
        }
        "roundtrip" => {
            same("value", &case["expect"], &json!(parts.rewrite_ot(text(&case["ot_value"]))))
        }
        "threshold" => {
            let expected = ["threshold_hex", "probability", "adjusted_count"];
            let expected = expected.map(|what| case[what].clone());
            same("threshold", &json!(expected), &json!(parts.threshold(text(&case["th"]))))
        }
        "decision" => {
            let decision = parts.samples(text(&case["rv"]), text(&case["th"]));
            same("sampled", &case["sampled"], &json!(decision))
        }
        "normalize" => {
            let found = parts.environment_name(text(&case["input"]));
            same("name", &json!([case["expect"], case["already_normalized"]]), &json!(found))
        }
        _ => Err(format!("unknown kind {kind}")),
    }
}

/// The context of an `inject` case. Some sources say `sampled` for the flags, some write baggage
/// as an object, and long baggage is described instead of spelt out.
fn context_of(case: &Value) -> JsonContext {
    let mut context = case["context"].clone();
    if context["sampled"].is_boolean() {
        context["flags"] = json!(u8::from(context["sampled"] == true));
    }
    let entry = |key: &str, value: &str| json!({"key": key, "value": value, "properties": []});
    if let Value::Object(baggage) = &context["baggage"] {
        context["baggage"] = baggage.iter().map(|(key, value)| entry(key, text(value))).collect();
    }
    if case["entries"].is_array() {
        context = json!({"baggage": case["entries"]});
    }
    if let Value::Object(generate) = &case["generate"] {
        let numbered = |what: &str, n: u64| text(&generate[what]).replace("{i}", &n.to_string());
        let repeat = generate.get("repeat").map_or(1, |times| times.as_u64().unwrap());
        let entries = (0..generate["count"].as_u64().unwrap())
            .map(|n| entry(&numbered("key", n), &numbered("value", n).repeat(repeat as usize)));
        context = json!({"baggage": entries.collect::<Vec<_>>()});
    }
    context
}

/// The members of a `tracestate` as pairs.
fn members(tracestate: &Value) -> Value {
    let list = text(tracestate).split(',').filter(|member| !member.is_empty());
    list.map(|member| json!(member.split_once('=').unwrap_or((member, "")))).collect()
}

fn same(what: &str, expected: &Value, found: &Value) -> Result<(), String> {
    if expected == found {
        return Ok(());
    }
    Err(format!("{what}: expected {expected}, found {found}"))
}

/// The text of a string; of anything else, nothing.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The parts of an object; of anything else, none.
fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}
