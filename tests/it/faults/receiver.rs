//! The OTLP receiver is down, slow, or refuses: messages do not notice, counters do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use spanbridge_tests::gateway::{Exit, Settings};
use spanbridge_tests::{BOUND, Fault, Flavour, NatsServer, Receiver, Tap, eventually, port};

use crate::traffic::send_and_take;

/// Messages of one run. Each makes a publish and a process span.
const MESSAGES: u32 = 50;

/// A broker, and a receiver of the test's own that may be made to fail.
struct Faulty {
    server: NatsServer,
    receiver: Arc<Receiver>,
    tap: Tap,
}

fn faulty() -> Result<Option<Faulty>> {
    let Some(receiver) = Receiver::http()? else { return Ok(None) };
    let Some(server) = NatsServer::start(Flavour::Debian)? else { return Ok(None) };
    Ok(Some(Faulty { server, tap: receiver.tap(), receiver }))
}

impl Faulty {
    fn settings(&self) -> Settings {
        Settings::to(&self.server.url()).variables(self.tap.http())
    }

    /// Sends messages while the receiver answers this way, and answers how the gateway ended.
    fn run(&self, fault: &Fault) -> Result<Exit> {
        self.receiver.set_fault(Some(fault))?;
        let gateway = self.settings().start()?;
        send_and_take(&gateway.url(), 0..MESSAGES)?;
        // The fault has been met before the end is asked for.
        eventually("an export request", BOUND, || {
            Ok((!self.receiver.requests()?.is_empty()).then_some(()))
        })?;
        let began = Instant::now();
        let exit = gateway.stop()?;
        assert!(exit.status.success(), "{:?}", exit.status);
        assert!(began.elapsed() < BOUND, "a bad receiver holds up the end");
        Ok(exit)
    }
}

fn always(status: u16) -> Fault {
    Fault { status: Some(status), ..Fault::default() }
}

#[test]
fn receiver_that_was_never_there_costs_spans_only() -> Result<()> {
    let Some(server) = NatsServer::start(Flavour::Debian)? else { return Ok(()) };
    for protocol in ["grpc", "http/protobuf"] {
        let nobody = format!("http://127.0.0.1:{}", port::free()?);
        let settings = Settings::to(&server.url())
            .variable("OTEL_EXPORTER_OTLP_ENDPOINT", nobody)
            .variable("OTEL_EXPORTER_OTLP_PROTOCOL", protocol);
        let gateway = settings.start()?;
        send_and_take(&gateway.url(), 0..MESSAGES)?;
        let exit = gateway.stop()?;
        assert!(exit.status.success(), "{protocol}: {:?}", exit.status);
        let summary = &exit.summary;
        assert!(exit.counted(&["export_retries", "connection"]) > 0.0, "{protocol}: {summary:?}");
        assert!(exit.counted(&["spans_dropped"]) >= 2.0 * f64::from(MESSAGES), "{summary:?}");
        assert!(exit.counted(&["spans_exported"]) == 0.0, "{protocol}: {summary:?}");
    }
    Ok(())
}

#[test]
fn receiver_that_dies_and_comes_back_costs_no_span() -> Result<()> {
    let Some(faulty) = faulty()? else { return Ok(()) };
    let gateway = faulty.settings().start()?;
    send_and_take(&gateway.url(), 0..MESSAGES)?;
    let both = |spans: usize| 2 * spans;
    let half = both(MESSAGES as usize);
    faulty.tap.wait_for_spans("the first half", |spans| spans.len() >= half)?;
    faulty.receiver.stop()?;
    send_and_take(&gateway.url(), MESSAGES..2 * MESSAGES)?;
    // The gateway says once that an export failed; its counters show only at the end.
    gateway.logged("export failed")?;
    faulty.receiver.restart()?;
    let spans = faulty.tap.wait_for_spans("the second half", |spans| spans.len() >= 2 * half)?;
    assert_eq!(spans.len(), 2 * half, "and none twice");
    let exit = gateway.stop()?;
    assert!(exit.counted(&["export_retries"]) > 0.0, "{:?}", exit.summary);
    assert!(exit.counted(&["spans_dropped"]) == 0.0, "{:?}", exit.summary);
    Ok(())
}

#[test]
fn receiver_that_is_slow_holds_no_message() -> Result<()> {
    let Some(faulty) = faulty()? else { return Ok(()) };
    // Messages take well under this; were one to wait for an answer, all would.
    const DELAY: Duration = Duration::from_secs(3);
    faulty.receiver.set_fault(Some(&Fault { delay: Some(DELAY), ..Fault::default() }))?;
    let gateway = faulty.settings().start()?;
    let began = Instant::now();
    send_and_take(&gateway.url(), 0..MESSAGES)?;
    assert!(began.elapsed() < DELAY * MESSAGES, "messages wait for the receiver");
    let exit = gateway.stop()?;
    assert!(exit.status.success(), "{:?}", exit.status);
    Ok(())
}

#[test]
fn receiver_that_is_overloaded_is_asked_again() -> Result<()> {
    for status in [429, 503] {
        let Some(faulty) = faulty()? else { return Ok(()) };
        let twice = Fault { times: Some(2), ..always(status) };
        faulty.receiver.set_fault(Some(&twice))?;
        let gateway = faulty.settings().start()?;
        send_and_take(&gateway.url(), 0..MESSAGES)?;
        let all = 2 * MESSAGES as usize;
        faulty.tap.wait_for_spans("all spans", |spans| spans.len() >= all)?;
        let exit = gateway.stop()?;
        assert!(exit.counted(&["export_retries"]) >= 2.0, "{status}: {:?}", exit.summary);
        assert!(exit.counted(&["spans_dropped"]) == 0.0, "{status}: {:?}", exit.summary);
        assert_eq!(faulty.tap.spans()?.len(), all, "{status}");
    }
    Ok(())
}

#[test]
fn receiver_that_is_always_overloaded_costs_spans_only() -> Result<()> {
    for status in [429, 503] {
        let Some(faulty) = faulty()? else { return Ok(()) };
        let exit = faulty.run(&always(status))?;
        assert!(exit.counted(&["spans_exported"]) == 0.0, "{status}: {:?}", exit.summary);
        assert!(exit.counted(&["spans_dropped"]) > 0.0, "{status}: {:?}", exit.summary);
        assert!(exit.counted(&["export_failures"]) > 0.0, "{status}: {:?}", exit.summary);
    }
    Ok(())
}

#[test]
fn request_that_is_refused_for_good_is_not_sent_again() -> Result<()> {
    let Some(faulty) = faulty()? else { return Ok(()) };
    let exit = faulty.run(&always(400))?;
    assert!(exit.counted(&["spans_dropped", "non_retryable"]) > 0.0, "{:?}", exit.summary);
    assert!(exit.counted(&["export_retries"]) == 0.0, "{:?}", exit.summary);
    Ok(())
}

#[test]
fn spans_that_the_receiver_rejects_are_counted() -> Result<()> {
    let Some(faulty) = faulty()? else { return Ok(()) };
    let exit = faulty.run(&Fault { rejected: Some(1), ..Fault::default() })?;
    assert!(exit.counted(&["spans_dropped", "rejected"]) > 0.0, "{:?}", exit.summary);
    assert!(exit.counted(&["spans_exported"]) > 0.0, "{:?}", exit.summary);
    Ok(())
}

#[test]
fn half_an_answer_is_a_failure() -> Result<()> {
    let Some(faulty) = faulty()? else { return Ok(()) };
    let exit = faulty.run(&Fault { half: true, ..Fault::default() })?;
    assert!(exit.counted(&["export_failures"]) > 0.0, "{:?}", exit.summary);
    Ok(())
}
