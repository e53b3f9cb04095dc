//! `spanbridge extract` and `inject` as programs: one line in, one line out, whatever the line is.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A running program that is asked line by line.
struct Dialogue {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Dialogue {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spanbridge"));
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.env_remove("OTEL_PROPAGATORS").spawn().unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output }
    }

    /// Sends one line and waits for its answer: it comes before the next line is sent.
    fn ask(&mut self, line: &str) -> String {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
        let mut answer = String::new();
        self.output.read_line(&mut answer).unwrap();
        answer.trim_end().to_owned()
    }

    fn ask_json(&mut self, line: &str) -> Value {
        serde_json::from_str(&self.ask(line)).unwrap()
    }

    fn finish(mut self) -> Option<i32> {
        drop(self.input.take());
        self.child.wait().unwrap().code()
    }
}

#[test]
fn an_answer_has_the_id_as_it_was_spelled_and_then_the_context() {
    let mut extract = Dialogue::start(&["extract"]);
    let id = r#"{"z":1.50,"a":[12345678901234567890123]}"#;
    let answer = extract.ask(&format!(
        r#"{{"id":{id},"carrier":{{"Traceparent":"{TRACEPARENT}","baggage":"a=1;p=v;q"}}}}"#
    ));
    let expected = format!(
        concat!(
            r#"{{"id":{},"context":{{"trace_id":"0af7651916cd43dd8448eb211c80319c","#,
            r#""span_id":"b7ad6b7169203331","flags":1,"tracestate":"","baggage":[{{"key":"a","#,
            r#""value":"1","properties":[["p","v"],["q",null]]}}]}}}}"#
        ),
        id
    );
    assert_eq!(answer, expected);
    assert_eq!(extract.finish(), Some(0));
}

#[test]
fn nothing_is_null_and_null_is_nothing() {
    let mut extract = Dialogue::start(&["extract"]);
    assert_eq!(extract.ask(r#"{"id":1,"carrier":[["a","b"]]}"#), r#"{"id":1,"context":null}"#);
    let mut inject = Dialogue::start(&["inject"]);
    assert_eq!(inject.ask(r#"{"id":1,"context":null}"#), r#"{"id":1,"carrier":[]}"#);
}

#[test]
fn what_a_format_adds_is_a_further_key() {
    let mut extract = Dialogue::start(&["extract", "--propagators", "b3"]);
    let ids = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
    for (value, key) in [(format!("{ids}-d"), "debug"), (ids.to_owned(), "deferred")] {
        let line = json!({ "id": 1, "carrier": [["b3", value]] }).to_string();
        let answer = extract.ask_json(&line);
        assert_eq!(answer["context"][key], true, "{answer}");
        let mut inject = Dialogue::start(&["inject", "--propagators", "b3"]);
        let line = json!({ "id": 1, "context": answer["context"] }).to_string();
        assert_eq!(inject.ask_json(&line)["carrier"], json!([["b3", value]]));
    }
}

#[test]
fn a_wrong_line_is_answered_with_its_number_and_the_next_one_is_read() {
    let mut extract = Dialogue::start(&["extract"]);
    let long = format!(r#"{{"id":1,"carrier":[["a","{}"]]}}"#, "x".repeat(1 << 20));
    for (number, (line, id, what)) in [
        ("nonsense", Value::Null, "expected an object"),
        ("[1]", Value::Null, "expected an object"),
        (r#"{"id":7}"#, json!(7), "expected a member \"carrier\""),
        (r#"{"id":7,"carrier":[["a"]]}"#, json!(7), "carrier[0]: expected an array of a name"),
        (long.as_str(), Value::Null, "expected at most 1048576 bytes"),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = extract.ask_json(line);
        let error = answer["error"].as_str().unwrap();
        assert_eq!(answer["id"], id, "{error}");
        assert!(error.starts_with(&format!("line {}: ", number + 1)), "{error}");
        assert!(error.contains(what), "{error}");
    }
    let good = format!(r#"{{"id":9,"carrier":[["traceparent","{TRACEPARENT}"]]}}"#);
    assert!(extract.ask_json(&good)["context"]["trace_id"].is_string());
    assert_eq!(extract.finish(), Some(0));
}

#[test]
fn blank_lines_are_skipped_and_a_reader_that_goes_away_is_no_error() {
    let mut extract = Dialogue::start(&["extract"]);
    assert_eq!(extract.ask("\n  \n{\"id\":1,\"carrier\":[]}"), r#"{"id":1,"context":null}"#);
    let Dialogue { mut child, input, output } = extract;
    drop(output);
    let mut input = input.unwrap();
    // The program ends after an answer that nobody reads; writing to it may fail from then on.
    while writeln!(input, r#"{{"id":1,"carrier":[]}}"#).is_ok() {}
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn an_unknown_format_ends_the_program_with_status_2() {
    for verb in ["extract", "inject"] {
        let output = Command::new(env!("CARGO_BIN_EXE_spanbridge"))
            .args([verb, "--propagators", "b3,morse"])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("morse") && said.contains("tracecontext"), "{said}");
    }
}
