//! `spanbridge nats-events`: what a NATS server says of the messages it moved, as spans.
//!
//! ```text
//! producer ── traceparent, sampled ──▶ nats-server ──▶ consumer
//!                                          │ msg_trace: one event for a message and server
//!                                          ▼
//!                                 spanbridge nats-events ── OTLP ──▶ the same trace
//! ```
//!
//! A NATS server takes no extension, but from 2.11 on it can say what it did with a message. This
//! command is an ordinary client that reads those events. It is beside the way of the messages: it
//! can be stopped, and lose events, without any effect on them.
//!
//! | module | its one job |
//! |---|---|
//! | `connect`, `waiting` | the connection to the server, and what came and waits |
//! | `event`, `timestamp` | an event, read from bytes that anybody may have sent |
//! | `hop` | where a server stands on a message's way |
//! | `span` | an event as a span |
//! | `converter` | bytes in, span out, all ways of going wrong counted |

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Event as Notice, Message, ServerError};
use spanbridge::metrics::Counters;
use spanbridge::otlp::Pipeline;
use spanbridge::{Propagation, Runtime, env};
use tracing::{info, warn};

use crate::cli::NatsEventsArgs;
use crate::failure::Failure;
use crate::gateway::{Output, resources};
use crate::serve::{Asked, Signals, flush, summarise};

mod connect;
mod converter;
mod event;
mod hop;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod samples;
mod span;
mod waiting;

use connect::{Connection, Network, Notices};
use converter::Converter;

/// How long events that are on their way are waited for at the end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the export of the last spans may take; as a gateway does unless told otherwise.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the command until SIGTERM or SIGINT.
///
/// Standard output gets one line when it reads, and at the end one line for each counter that is
/// not zero; logs go elsewhere.
///
/// # Errors
///
/// Fails when it cannot start, cannot connect, or may not read the subject.
pub fn run(
    args: &NatsEventsArgs,
    env: &env::Settings,
    counters: Arc<Counters>,
) -> Result<(), Failure> {
    let start = |error: io::Error| Failure::new("cannot start").because(error);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(start)?;
    // Signals first: one that comes during the start must not be lost.
    let mut signals = {
        let _in_runtime = runtime.enter();
        Signals::new().map_err(start)?
    };
    let resources = resources(env, Arc::clone(&counters));
    let pipeline = Pipeline::from_settings(env, resources, Arc::clone(&counters))
        .map_err(|error| Failure::new("cannot start the exporter").because(error))?;
    let output = Output::new(pipeline.as_ref(), env, Arc::clone(&counters));
    let mut converter = Converter::new(propagation(args, env, &counters)?, output, args.scrub());
    let ended = runtime.block_on(read(args, &mut converter, &mut signals, &counters));
    flush(pipeline, FLUSH_TIMEOUT);
    ended?;
    summarise(&counters).map_err(|error| Failure::new("cannot write the summary").because(error))
}

fn propagation(
    args: &NatsEventsArgs,
    env: &env::Settings,
    counters: &Arc<Counters>,
) -> Result<Propagation, Failure> {
    let kinds = args.propagators.as_ref().map_or(&env.propagators, |list| &list.0);
    let runtime = Runtime::builder().counters(Arc::clone(counters)).build();
    runtime
        .and_then(|runtime| Propagation::new(&runtime, kinds))
        .map_err(|error| Failure::new("cannot load the component").because(error))
}

async fn read(
    args: &NatsEventsArgs,
    converter: &mut Converter,
    signals: &mut Signals,
    counters: &Counters,
) -> Result<(), Failure> {
    let network =
        Network::start().map_err(|error| Failure::new("cannot start a thread").because(error))?;
    let (mut connection, notices) = tokio::select! {
        connection = network.connect(args) => connection?,
        () = stopped(signals) => return Ok(()),
    };
    announce(args).map_err(|error| Failure::new("nobody hears us").because(error))?;
    let ended = take_all(&mut connection, notices, converter, signals).await;
    drain(&mut connection, converter).await;
    counters.server_events.missed.add(connection.missed());
    ended
}

async fn take_all(
    connection: &mut Connection,
    mut notices: Notices,
    converter: &mut Converter,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let mut lost_said = false;
    loop {
        tokio::select! {
            () = stopped(signals) => return Ok(()),
            Some(notice) = notices.recv() => heard(notice, &mut lost_said)?,
            message = connection.next() => match message {
                Some(message) => take(converter, &message),
                None => return Err(Failure::new("the connection is closed")),
            },
        }
    }
}

/// Waits for a signal to stop. There is nothing to read again on SIGHUP.
async fn stopped(signals: &mut Signals) {
    loop {
        if let Asked::Stop(signal) = signals.next().await {
            return info!(signal, "stopping");
        }
    }
}

fn announce(args: &NatsEventsArgs) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let brokers: Vec<_> = args.broker.iter().map(ToString::to_string).collect();
    writeln!(out, "reading {} on {}", args.subject, brokers.join(", "))?;
    out.flush()
}

fn take(converter: &mut Converter, message: &Message) {
    let encoding = message.headers.as_ref().and_then(|headers| headers.get("Content-Encoding"));
    converter.take(&message.payload, encoding.is_some());
}

/// Says what became of the connection. An event that may not be read is an error: without it this
/// program does nothing.
fn heard(notice: Notice, lost_said: &mut bool) -> Result<(), Failure> {
    match notice {
        Notice::Connected => info!("connected"),
        Notice::SlowConsumer(_) if *lost_said => {}
        Notice::SlowConsumer(_) => {
            *lost_said = true;
            warn!("events come faster than they are taken; some are lost, and counted at the end");
        }
        Notice::ServerError(ServerError::Other(error)) if is_refusal(&error) => {
            return Err(Failure::new(format!("the server says: {error}")));
        }
        notice => warn!(%notice, "connection"),
    }
    Ok(())
}

fn is_refusal(error: &str) -> bool {
    error.to_ascii_lowercase().contains("permissions violation")
}

/// Takes what the server has sent already.
async fn drain(connection: &mut Connection, converter: &mut Converter) {
    if !connection.drain().await {
        return;
    }
    let rest = async {
        while let Some(message) = connection.next().await {
            take(converter, &message);
        }
    };
    if tokio::time::timeout(DRAIN_TIMEOUT, rest).await.is_err() {
        warn!("not every event on its way arrived in time");
    }
}
