//! `spanbridge extract` and `inject`: JSON lines in, JSON lines out, and every vector through them.

#[path = "../vectors/runner.rs"]
mod runner;

use std::cell::RefCell;
use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};
use spanbridge_tests::program::{Dialogue, Program};
use spanbridge_tests::tool;

use runner::{Implementation, JsonContext};

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// The program behind its command line: one running process for each verb and list of formats.
#[derive(Default)]
struct CommandLine {
    running: RefCell<BTreeMap<(String, String), Dialogue>>,
}

impl CommandLine {
    fn ask(&self, verb: &str, propagators: &str, question: &Value) -> Value {
        let mut running = self.running.borrow_mut();
        let key = (verb.to_owned(), propagators.to_owned());
        let dialogue = running.entry(key).or_insert_with(|| {
            Dialogue::start(&[verb, "--propagators", propagators]).expect("the program starts")
        });
        let answer = dialogue.ask(&question.to_string()).expect("each line is answered");
        assert_eq!(answer["id"], question["id"], "the answer is to another question");
        answer
    }
}

impl Implementation for CommandLine {
    fn extract(&self, propagators: &str, carrier: &[(String, String)]) -> Option<JsonContext> {
        let answer = self.ask("extract", propagators, &json!({ "id": 1, "carrier": carrier }));
        let context = answer.get("context").expect("an answer has a context or null");
        Some(context.clone()).filter(|context| !context.is_null())
    }

    fn inject(&self, propagators: &str, context: &JsonContext) -> Vec<(String, String)> {
        let answer = self.ask("inject", propagators, &json!({ "id": 1, "context": context }));
        serde_json::from_value(answer["carrier"].clone()).expect("pairs of strings")
    }
}

#[test]
fn every_vector_comes_out_as_expected() {
    let report = runner::run(&tool::root().join("tests/vectors"), &CommandLine::default());
    assert!(report.failures.is_empty(), "{}", report.failures.join("\n"));
    // What is skipped are parts below the formats, which no command line reaches.
    assert!(report.passed > 150 && report.skipped < report.passed, "{report:?}");
}

#[test]
fn line_is_answered_before_the_next_is_sent() -> Result<()> {
    let mut dialogue = Dialogue::start(&["extract", "--propagators", "tracecontext,baggage"])?;
    for id in [json!(1), json!("two"), json!(null), json!({"three": [3]})] {
        let carrier = [["traceparent", TRACEPARENT], ["baggage", "a=1;p=v;q"]];
        let answer = dialogue.ask(&json!({ "id": id, "carrier": carrier }).to_string())?;
        assert_eq!(answer["id"], id);
        let context = &answer["context"];
        assert_eq!(context["trace_id"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(context["span_id"], "b7ad6b7169203331");
        assert_eq!(context["flags"], 1);
        let entry = json!({"key": "a", "value": "1", "properties": [["p", "v"], ["q", null]]});
        assert_eq!(context["baggage"], json!([entry]));
    }
    assert!(dialogue.finish()?.success());
    Ok(())
}

#[test]
fn carrier_without_context_gives_null_and_baggage_alone_no_trace() -> Result<()> {
    let mut dialogue = Dialogue::start(&["extract", "--propagators", "tracecontext,baggage"])?;
    let nothing = dialogue.ask(r#"{"id":1,"carrier":[["color","red"]]}"#)?;
    assert_eq!(nothing, json!({"id": 1, "context": null}));
    let baggage = dialogue.ask(r#"{"id":2,"carrier":[["baggage","a=1"]]}"#)?;
    assert_eq!(baggage["context"]["baggage"][0]["key"], "a");
    assert_eq!(baggage["context"].get("trace_id"), None);
    Ok(())
}

#[test]
fn bad_line_is_an_error_on_that_line_only() -> Result<()> {
    let good = format!(r#"{{"id":9,"carrier":[["traceparent","{TRACEPARENT}"]]}}"#);
    let deep = "[".repeat(100_000);
    let bad = [
        "not json",
        "{\"id\":1",
        "[]",
        "{}",
        r#"{"id":1,"carrier":7}"#,
        r#"{"id":1,"carrier":[["traceparent"]]}"#,
        r#"{"id":1,"carrier":[["traceparent",7]]}"#,
        &deep,
    ];
    let mut dialogue = Dialogue::start(&["extract", "--propagators", "tracecontext"])?;
    for line in bad {
        let answer = dialogue.ask(line)?;
        let error = answer["error"].as_str().unwrap_or_default();
        let shown = &line[..line.len().min(40)];
        assert!(!error.is_empty() && answer.get("context").is_none(), "{shown}: {answer}");
        let answer = dialogue.ask(&good)?;
        assert!(answer["context"]["trace_id"].is_string(), "after {shown}: {answer}");
    }
    assert!(dialogue.finish()?.success());
    Ok(())
}

#[test]
fn bad_context_is_an_error_on_that_line_only() -> Result<()> {
    let bad = [
        "not json",
        r#"{"id":1}"#,
        r#"{"id":1,"context":{"trace_id":"xyz","span_id":"b7ad6b7169203331"}}"#,
        r#"{"id":1,"context":{"trace_id":7,"span_id":"b7ad6b7169203331"}}"#,
    ];
    let mut dialogue = Dialogue::start(&["inject", "--propagators", "tracecontext"])?;
    for line in bad {
        let answer = dialogue.ask(line)?;
        assert!(answer["error"].is_string() && answer.get("carrier").is_none(), "{line}: {answer}");
        let (trace_id, span_id) = (&TRACEPARENT[3..35], &TRACEPARENT[36..52]);
        let context = json!({ "trace_id": trace_id, "span_id": span_id, "flags": 1 });
        let answer = dialogue.ask(&json!({ "id": 2, "context": context }).to_string())?;
        assert_eq!(answer["carrier"], json!([["traceparent", TRACEPARENT]]));
    }
    Ok(())
}

#[test]
fn what_was_extracted_can_be_injected() -> Result<()> {
    let list = ["--propagators", "tracecontext,baggage"];
    let carrier = json!([
        ["traceparent", TRACEPARENT],
        ["tracestate", "vendor=a,other=b"],
        ["baggage", "a=1;p=v;q"]
    ]);
    let mut extract = Dialogue::start(&[&["extract"], &list[..]].concat())?;
    let context =
        extract.ask(&json!({ "id": 1, "carrier": carrier }).to_string())?["context"].take();
    let mut inject = Dialogue::start(&[&["inject"], &list[..]].concat())?;
    let answer = inject.ask(&json!({ "id": 1, "context": context }).to_string())?;
    assert_eq!(answer["carrier"], carrier);
    Ok(())
}

#[test]
fn unknown_propagator_is_refused_by_name() -> Result<()> {
    for verb in ["extract", "inject"] {
        let ended = Program::run(&[verb, "--propagators", "tracecontext,smoke-signals"])?;
        assert!(!ended.status.success(), "{verb}");
        assert!(ended.errors.join("\n").contains("smoke-signals"), "{verb}: {:?}", ended.errors);
    }
    Ok(())
}

#[test]
fn unknown_verb_is_refused_and_help_is_not() -> Result<()> {
    assert!(!Program::run(&["frobnicate"])?.status.success());
    let help = Program::run(&["--help"])?;
    assert!(help.status.success());
    for verb in ["gateway", "demo", "extract", "inject"] {
        assert!(help.output.join("\n").contains(verb), "{verb}: {:?}", help.output);
    }
    Ok(())
}
