//! A gateway under load for as long as it is told to: an exact account, and memory that stays flat.
//!
//! A few seconds among the other tests; `make soak TIME=600` runs it for longer.

mod load;

use std::env;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use spanbridge_tests::gateway::Settings;
use spanbridge_tests::{Counted, Counter, Exit, Flavour, Gateway, NatsServer};

use load::Done;

/// Names the variable that says how long it runs.
const SECONDS: &str = "SPANBRIDGE_SOAK_SECONDS";
const SECONDS_DEFAULT: u64 = 4;

const PAUSE_OF_SAMPLES: Duration = Duration::from_millis(500);
/// Memory is judged where there are that many samples.
const SAMPLES_MIN: usize = 120;
/// What the last third of a run may take more than the second one, in KiB. The allocator keeps
/// what a busy moment took; a leak of 16 bytes a message is past this within ten minutes.
const GROWTH_KIB_MAX: u64 = 4096;

#[test]
fn every_message_and_span_is_accounted_for_and_memory_stays_flat() -> Result<()> {
    let seconds = match env::var(SECONDS) {
        Ok(text) => text.parse().with_context(|| format!("{SECONDS}={text}"))?,
        Err(_) => SECONDS_DEFAULT,
    };
    let Some(counter) = Counter::start()? else { return Ok(()) };
    let Some(server) = NatsServer::start(Flavour::Current)? else { return Ok(()) };
    let settings = Settings::to(&server.url()).variables(counter.variables());
    let gateway = settings.argument("--workers").argument("2").start()?;
    let (done, samples) = soak(&gateway, Duration::from_secs(seconds))?;
    let exit = gateway.stop()?;
    let counted = counter.finish()?;
    eprintln!(
        "{seconds} s: {} messages sent, {} deliveries, {counted:?}, KiB by tenth {:?}",
        done.sent.get(),
        done.got.get(),
        samples.iter().step_by((samples.len() / 10).max(1)).collect::<Vec<_>>(),
    );
    check_account(&done, &exit, counted);
    check_memory(&samples);
    Ok(())
}

/// Answers what was done, and the gateway's resident memory over time.
fn soak(gateway: &Gateway, time: Duration) -> Result<(Rc<Done>, Vec<u64>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let end = Instant::now() + time;
    let (url, address) = (gateway.url(), gateway.address());
    runtime.block_on(async {
        let mut samples = Vec::new();
        let sample = async {
            while Instant::now() < end {
                tokio::time::sleep(PAUSE_OF_SAMPLES).await;
                samples.push(gateway.resident_kib()?);
            }
            Ok(())
        };
        let (done, ()) =
            futures_util::future::try_join(load::run(&url, address, end), sample).await?;
        Ok((done, samples))
    })
}

/// Each message is a span; each span reached the receiver or is counted as lost.
fn check_account(done: &Done, exit: &Exit, counted: Counted) {
    let total = |name: &str| -> u64 {
        let own = exit.summary.iter().filter(|(key, _)| key.split('{').next() == Some(name));
        own.map(|(_, value)| *value as u64).sum()
    };
    let of = |key: &str| exit.summary.get(key).map_or(0, |value| *value as u64);
    let summary = &exit.summary;
    assert!(exit.status.success());
    assert_eq!(of("messages_seen{direction=\"published\"}"), done.sent.get(), "{summary:#?}");
    assert_eq!(of("messages_seen{direction=\"delivered\"}"), done.got.get(), "{summary:#?}");
    assert_eq!(counted.spans, total("spans_exported"), "{summary:#?}");
    let dropped = total("spans_dropped");
    let kept_out = of("spans_dropped{reason=\"queue_full\"}");
    assert_eq!(total("spans_queued") + kept_out, counted.spans + dropped, "{summary:#?}");
    let lost = total("messages_untraced") + total("settlements_lost");
    let made = counted.spans + dropped;
    let expected = total("messages_seen") - lost + counted.receives;
    // Which of the dropped ones told of a pull, nobody knows.
    assert!((expected..=expected + dropped).contains(&made), "{made} spans: {summary:#?}");
    for silent in ["settle_unmatched", "open_spans_evicted", "publishes_unanswered"] {
        assert_eq!(total(silent), 0, "{silent}: {summary:#?}");
    }
    assert_eq!(total("sessions_opened"), total("sessions_ended"), "{summary:#?}");
}

fn check_memory(samples: &[u64]) {
    if samples.len() < SAMPLES_MIN {
        return;
    }
    let median = |part: &[u64]| {
        let mut sorted = part.to_vec();
        sorted.sort_unstable();
        sorted[sorted.len() / 2]
    };
    let third = samples.len() / 3;
    let (before, after) = (median(&samples[third..2 * third]), median(&samples[2 * third..]));
    assert!(after <= before + GROWTH_KIB_MAX, "memory grew from {before} to {after} KiB");
}
