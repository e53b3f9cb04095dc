//! `spanbridge demo`: one trace across a queue, shown with nothing installed.
//!
//! ```text
//! shop                              queue                        billing
//! POST /orders ─┬─ publish ──bytes──▶ ░░░ ──bytes──▶ process ─── db.query
//!               └─ 201 Created
//! ```
//!
//! The two programs are threads that share nothing but the bytes of a message. Their spans go
//! through the pipeline like anybody's, and the picture is drawn from the requests that come out at
//! its other end.
//!
//! | module | its one job |
//! |---|---|
//! | `programs` | what `shop` and `billing` do, whatever carries the message |
//! | `recorder` | spans of their own: the request, the query |
//! | `in_memory`, `frame` | a queue of bytes, and the clients that trace it |
//! | `broker`, `nats` | the same through a gateway and a NATS server; its clients trace nothing |
//! | `export` | out: to the picture, as JSON, to an OTLP receiver |
//! | `trace`, `waterfall`, `terminal` | the picture |

use std::io::{self, Write};
use std::sync::Arc;

use spanbridge::metrics::Counters;
use spanbridge::otlp::{Endpoint, EndpointError};
use spanbridge::{PropagatorKind, env};

use crate::cli::DemoArgs;
use crate::failure::Failure;

mod broker;
mod export;
mod frame;
mod in_memory;
mod nats;
mod programs;
mod recorder;
mod terminal;
pub mod trace;
pub mod waterfall;

use export::Export;
use terminal::Terminal;
use trace::Traces;

/// Variables that the demo obeys. Others would change what it shows: a sampler, a service name.
const OBEYED: &str = "OTEL_EXPORTER_OTLP_";

/// The port of OTLP over gRPC.
const GRPC_PORT: u16 = 4317;

/// Runs the demo and prints what came of it on standard output.
///
/// # Errors
///
/// Fails when an argument cannot be used, the component cannot be loaded, the broker does not do
/// its part, or the receiver does not take the spans.
pub fn run(args: &DemoArgs) -> Result<(), Failure> {
    let settings = settings(args)?;
    let counters = Arc::new(Counters::default());
    let export = Export::start(&settings, args.otlp.is_some(), args.json, &counters)?;
    let played = match &args.broker {
        None => in_memory::play(&settings, &export),
        Some(address) => broker::play(&settings, &export, address),
    };
    // What was recorded is shown also when the play broke off.
    let (requests, exported) = export.finish();
    if !args.json && !requests.is_empty() {
        print(args, &settings.propagators, &Traces::of(&requests))?;
    }
    played?;
    let untraced = counters.messages_untraced.total() + counters.settlements_lost.total();
    if untraced > 0 {
        return Err(Failure::new("the component failed, so the message went on untraced"));
    }
    exported
}

/// Reads the environment, with the command line in place of the variables that it stands for.
fn settings(args: &DemoArgs) -> Result<env::Settings, Failure> {
    let otlp = args.otlp.as_deref().map(endpoint).transpose()?;
    let given = args.propagators.as_ref().map(crate::cli::PropagatorList::to_variable);
    let process = |name: &str| std::env::var(name).ok();
    let env = env::Env::from_fn(|name| match name {
        "OTEL_PROPAGATORS" => given.clone().or_else(|| process(name)),
        "OTEL_TRACES_EXPORTER" => Some(if otlp.is_some() { "otlp" } else { "none" }.to_owned()),
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" if otlp.is_some() => None,
        "OTEL_EXPORTER_OTLP_ENDPOINT" => otlp.as_ref().map(|otlp| otlp.url.clone()),
        "OTEL_EXPORTER_OTLP_PROTOCOL" if process(name).is_none() => {
            otlp.as_ref().filter(|otlp| otlp.grpc).map(|_| "grpc".to_owned())
        }
        _ if name.starts_with(OBEYED) => process(name),
        _ => None,
    });
    let (settings, warnings) = env::Settings::read(&env)
        .map_err(|error| Failure::usage("the environment cannot be used").because(error))?;
    for warning in &warnings {
        eprintln!("spanbridge: {warning}");
    }
    Ok(settings)
}

/// A receiver of `--otlp`.
#[derive(Debug, PartialEq, Eq)]
struct Otlp {
    url: String,
    grpc: bool,
}

/// Reads the URL of a receiver. What is no URL is an error here, not a warning: it was typed.
fn endpoint(text: &str) -> Result<Otlp, Failure> {
    let (url, grpc) = match text.strip_prefix("grpc://") {
        Some(rest) => (format!("http://{rest}"), true),
        None => (text.to_owned(), false),
    };
    let checked = Endpoint::http_base(&url).map_err(|error: EndpointError| {
        let example = "such as http://localhost:4318 or http://localhost:4317";
        Failure::usage(format!("--otlp: {error}, {example}"))
    })?;
    let grpc = grpc || checked.uri().port_u16() == Some(GRPC_PORT);
    Ok(Otlp { url, grpc })
}

fn print(args: &DemoArgs, propagators: &[PropagatorKind], traces: &Traces) -> Result<(), Failure> {
    let terminal = Terminal::of_stdout();
    let mut text = String::new();
    text.push_str(match args.broker {
        None => "shop answers a request and publishes a message; billing takes it from a queue.\n",
        Some(_) => "shop answers a request and publishes a message; billing pulls it from NATS.\n",
    });
    text.push_str("Only the bytes of the message connect the two.\n\n");
    text.push_str(&waterfall::draw(traces, &terminal.style()));
    text.push_str(&conclusion(traces.len(), propagators));
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| Failure::new("cannot print").because(error)),
    }
}

/// What the picture means, in one line.
fn conclusion(traces: usize, propagators: &[PropagatorKind]) -> String {
    let names: Vec<_> = propagators.iter().map(|kind| kind.as_str()).collect();
    match (traces, names.is_empty()) {
        (1, _) => format!("One trace: the message carried its context ({}).\n", names.join(", ")),
        (_, true) => format!(
            "{traces} traces: the message carried no context, so nothing connects its two sides.\n"
        ),
        (_, false) => format!("{traces} traces: the context was lost on the way.\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: [PropagatorKind; 2] = [PropagatorKind::TraceContext, PropagatorKind::Baggage];

    #[test]
    fn a_receiver_is_a_url_and_its_port_or_scheme_decides_the_protocol() {
        for (text, url, grpc) in [
            ("http://localhost:4318", "http://localhost:4318", false),
            ("https://h/otlp", "https://h/otlp", false),
            ("http://localhost:4317", "http://localhost:4317", true),
            ("grpc://h:5000", "http://h:5000", true),
        ] {
            let expected = Otlp { url: url.to_owned(), grpc };
            assert_eq!(endpoint(text).ok(), Some(expected), "{text}");
        }
        for text in ["", "localhost:4318", "ftp://h", "http://me:secret@h"] {
            let error = endpoint(text).unwrap_err();
            assert_eq!(error.status(), 2);
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn the_conclusion_counts_traces() {
        assert!(conclusion(1, &DEFAULT).contains("tracecontext, baggage"));
        assert!(conclusion(2, &[]).starts_with("2 traces: the message carried no context"));
        assert!(conclusion(2, &DEFAULT).contains("lost"));
    }
}
