//! `extract` and `inject`: carriers and contexts as JSON lines.
//!
//! ```text
//! {"id":1,"carrier":[["traceparent","00-…"],…]}  ──extract──▶  {"id":1,"context":{…}}
//! {"id":1,"context":{"trace_id":"…",…}}          ──inject───▶  {"id":1,"carrier":[…]}
//! anything else                                  ───────────▶  {"id":…,"error":"line 3: …"}
//! ```
//!
//! Each line is answered and flushed before the next one is read, so that a program can hold a
//! dialogue. A line that is wrong is an answer as well. Blank lines are skipped. What a context
//! means is left to the component; here it only changes its shape.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};

use serde::Serialize;
use serde_json::value::RawValue;
use spanbridge::Propagation;

mod line;
mod shape;

use line::{Line, next_line};
use shape::{Fault, JsonContext};

/// Longest line. 64 times what a header block of the usual brokers may hold.
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// What is done with each line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// A carrier comes in, its context goes out.
    Extract,
    /// A context comes in, a carrier goes out.
    Inject,
}

/// One line of output.
#[derive(Serialize)]
struct Answer<'a> {
    /// `None` is written as null: the line was too wrong to have one.
    id: Option<&'a RawValue>,
    #[serde(flatten)]
    said: Said,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Said {
    Context(Option<JsonContext>),
    Carrier(Vec<(String, String)>),
    Error(String),
}

/// Answers every line of `input` until its end, or until nobody reads `output` any more.
///
/// # Errors
///
/// Fails when `input` cannot be read, or `output` cannot be written for another reason.
pub fn run(
    verb: Verb,
    propagation: &mut Propagation,
    input: &mut dyn BufRead,
    output: &mut dyn Write,
) -> io::Result<()> {
    let mut text = Vec::new();
    for number in 1_u64.. {
        let line = next_line(input, &mut text, LINE_BYTES_MAX)?;
        let mut answer = match line {
            Line::End => break,
            Line::Whole if text.trim_ascii().is_empty() => continue,
            Line::Whole => answer(verb, propagation, &text, number),
            Line::TooLong => too_long(number),
        };
        answer.push(b'\n');
        match output.write_all(&answer).and_then(|()| output.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            written => written?,
        }
    }
    Ok(())
}

fn too_long(number: u64) -> Vec<u8> {
    let error = format!("line {number}: expected at most {LINE_BYTES_MAX} bytes, found more");
    write(&Answer { id: None, said: Said::Error(error) })
}

fn answer(verb: Verb, propagation: &mut Propagation, text: &[u8], number: u64) -> Vec<u8> {
    // An object of texts that are not looked into: so the id goes back as it was spelled.
    let question: BTreeMap<String, &RawValue> = match serde_json::from_slice(text) {
        Ok(question) => question,
        Err(error) => {
            let error = format!("line {number}: {}", shape::not_json("an object", &error));
            return write(&Answer { id: None, said: Said::Error(error) });
        }
    };
    let said = match verb {
        Verb::Extract => extract(propagation, &question).map(Said::Context),
        Verb::Inject => inject(propagation, &question).map(Said::Carrier),
    };
    let said = said.unwrap_or_else(|Fault(what)| Said::Error(format!("line {number}: {what}")));
    write(&Answer { id: question.get("id").copied(), said })
}

fn extract(
    propagation: &mut Propagation,
    question: &BTreeMap<String, &RawValue>,
) -> Result<Option<JsonContext>, Fault> {
    let carrier = shape::carrier(&shape::member(question, "carrier")?)?;
    let context = propagation.extract(&carrier).map_err(|error| Fault(error.to_string()))?;
    Ok(context.map(JsonContext::from))
}

fn inject(
    propagation: &mut Propagation,
    question: &BTreeMap<String, &RawValue>,
) -> Result<Vec<(String, String)>, Fault> {
    match shape::context(&shape::member(question, "context")?)? {
        Some(context) => propagation.inject(&context).map_err(|error| Fault(error.to_string())),
        None => Ok(Vec::new()),
    }
}

fn write(answer: &Answer<'_>) -> Vec<u8> {
    // Strings, numbers and a text that was JSON before cannot fail.
    serde_json::to_vec(answer).unwrap_or_default()
}
