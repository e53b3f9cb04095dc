//! Several clients at once, while the component fails or the collector does, or settings change:
//! every entry arrives once, in the order of its connection, as it was sent or with a context.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use spanbridge_tests::{BOUND, Make, Peer, RedisModule, RedisServer, Reply, Setup, port};

use super::with_each_server;

with_each_server!(
    a_component_that_fails_under_load_changes_no_entry,
    a_collector_that_is_away_or_hangs_holds_up_nobody,
    patterns_that_change_under_load_lose_no_context,
);

const CONNECTIONS: usize = 8;

/// Commands of a connection that are under way at once, and how often.
const PIPELINE: usize = 16;
const ROUNDS: usize = 20;

const TOTAL: u64 = (CONNECTIONS * PIPELINE * ROUNDS) as u64;

/// The other stream that everybody writes to, which no component fails for.
const GOOD: &str = "good";

/// Longest that the replies to one pipeline may take. Its commands are 16, and those of the others
/// may be before them; a call of the component is cut off within 2 ms.
const REPLIES_MAX: Duration = Duration::from_secs(10);

/// Commands are read by several threads of the server, and run by one.
const THREADS: [&str; 2] = ["--io-threads", "4"];

/// Ids of the entries of a connection in a stream, by the number that is in the entry.
type Added = BTreeMap<(usize, String), Vec<(usize, String)>>;

/// What one connection does: half of its entries go to each stream.
fn write(server: &RedisServer, connection: usize, stream: &str) -> Result<Added> {
    let (mut client, mut added) = (server.client()?, Added::new());
    let own = connection.to_string();
    for round in 0..ROUNDS {
        let numbers = round * PIPELINE..(round + 1) * PIPELINE;
        let began = Instant::now();
        let target = |number: usize| if number.is_multiple_of(2) { stream } else { GOOD };
        for number in numbers.clone() {
            let text = number.to_string();
            client.send(&["XADD", target(number), "*", "from", &own, "number", &text])?;
        }
        for number in numbers {
            let id = client.reply()?.text().to_owned();
            ensure!(id.contains('-'), "{connection}/{number}: {id}");
            let key = (connection, target(number).to_owned());
            added.entry(key).or_default().push((number, id));
        }
        ensure!(began.elapsed() < REPLIES_MAX, "{:?} for a pipeline", began.elapsed());
    }
    Ok(added)
}

/// All connections at once; then each stream has to hold what they added. `traced`: how many of
/// its entries have to have a context, all or none.
fn write_and_check(server: &RedisServer, stream: &str, traced: bool) -> Result<()> {
    let added = thread::scope(|scope| {
        let start = |connection| scope.spawn(move || write(server, connection, stream));
        let threads: Vec<_> = (0..CONNECTIONS).map(start).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, Result<Added>>| {
            thread.join().map_err(|_| anyhow!("a writer panicked"))?
        };
        threads.into_iter().map(join).collect::<Result<Vec<_>>>()
    })?;
    let expected: Added = added.into_iter().flatten().collect();
    let (mut found, mut client) = (Added::new(), server.client()?);
    for stream in [stream, GOOD] {
        for entry in client.entries(stream)? {
            let [id, from, connection, number, value, rest @ ..] = &entry[..] else {
                anyhow::bail!("{stream}: {entry:?}")
            };
            ensure!(from == "from" && number == "number", "{stream}: {entry:?}");
            let names: Vec<_> = rest.iter().step_by(2).map(String::as_str).collect();
            let behind: &[&str] = if traced { &["traceparent", "tracestate"] } else { &[] };
            ensure!(names == behind, "{stream}: {entry:?}");
            let key = (connection.parse()?, stream.to_owned());
            found.entry(key).or_default().push((value.parse()?, id.clone()));
        }
    }
    // Each once, in the order of its connection, with the id that its client was answered.
    ensure!(found == expected, "expected {expected:#?}, found {found:#?}");
    Ok(())
}

fn a_component_that_fails_under_load_changes_no_entry(make: Make) -> Result<()> {
    for (fault, fails) in [
        ("trap", true),
        ("loop", true),
        ("memory", true),
        ("stack", true),
        ("verdicts", true),
        ("edit", true),
        ("splice", true),
        ("run", true),
        ("tail", true),
        ("pointer", true),
        // Within the deadline.
        ("slow", false),
    ] {
        let setup = Setup {
            make,
            component: "faulty",
            words: "streams *",
            arguments: &THREADS,
            ..Setup::default()
        };
        let Some(module) = RedisModule::start(&setup)? else { return Ok(()) };
        write_and_check(&module.server, fault, false).context(fault)?;
        let number = |name: &str| module.number(name);
        let (failed, bypassed) =
            (number("messages_untraced_failed")?, number("messages_untraced_bypassed")?);
        assert_eq!(number("messages_seen_published")?, TOTAL, "{fault}");
        assert!(failed + bypassed <= TOTAL, "{fault}: {failed} {bypassed}");
        if fails {
            // Each entry of the bad stream failed, or came while the component was not called.
            assert!(failed > 0 && failed + bypassed >= TOTAL / 2, "{fault}: {failed} {bypassed}");
        }
        let mut by_reason = 0;
        for reason in ["trap", "deadline", "memory", "answer"] {
            by_reason += number(&format!("component_failures_{reason}"))?;
        }
        assert_eq!(by_reason, failed, "{fault}: one message a call");
        assert_eq!((number("panics")?, number("contexts_injected")?), (0, 0), "{fault}");
        module.finish()?;
    }
    Ok(())
}

fn a_collector_that_is_away_or_hangs_holds_up_nobody(make: Make) -> Result<()> {
    // It takes connections, and says nothing.
    let silent = Peer::listen()?;
    for (case, endpoint) in [
        ("away", format!("http://127.0.0.1:{}", port::free()?)),
        ("hanging", format!("http://{}", silent.address()?)),
    ] {
        let setup = Setup {
            make,
            words: &format!("streams * endpoint {endpoint}"),
            arguments: &THREADS,
            // A twentieth of what comes, so that it is full most of the time.
            variables: &[
                ("OTEL_BSP_MAX_QUEUE_SIZE", "128"),
                ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "64"),
            ],
            ..Setup::default()
        };
        let Some(module) = RedisModule::start(&setup)? else { return Ok(()) };
        write_and_check(&module.server, "other", true).context(case)?;
        let number = |name: &str| module.number(name);
        assert_eq!(number("contexts_injected")?, TOTAL, "{case}");
        let dropped = number("spans_dropped_queue_full")?;
        assert_eq!(number("spans_queued")? + dropped, TOTAL, "{case}");
        assert!(dropped > 0, "{case}: the queue was never full");
        for name in ["spans_exported", "messages_untraced_failed", "panics"] {
            assert_eq!(number(name)?, 0, "{case}: {name}");
        }
        let began = Instant::now();
        assert_eq!(module.finish()?, [], "{case}");
        assert!(began.elapsed() < BOUND, "{case}: {:?} to end", began.elapsed());
    }
    Ok(())
}

/// Changes patterns until it is told to stop, and answers how often. Both streams are always among
/// them.
fn change(server: &RedisServer, is_over: &AtomicBool) -> Result<usize> {
    let (mut client, mut changes) = (server.client()?, 0);
    while !is_over.load(Ordering::Relaxed) {
        let patterns = format!("x{changes}, {GOOD}, other");
        let reply = client.call(&["CONFIG", "SET", "spanbridge.streams", &patterns])?;
        ensure!(reply == Reply::Text("OK".to_owned()), "{reply:?}");
        changes += 1;
    }
    Ok(changes)
}

fn patterns_that_change_under_load_lose_no_context(make: Make) -> Result<()> {
    let setup = Setup {
        make,
        words: "streams good streams other",
        arguments: &THREADS,
        ..Setup::default()
    };
    let Some(module) = RedisModule::start(&setup)? else { return Ok(()) };
    let is_over = AtomicBool::new(false);
    let changes = thread::scope(|scope| {
        let changer = scope.spawn(|| change(&module.server, &is_over));
        let written = write_and_check(&module.server, "other", true);
        is_over.store(true, Ordering::Relaxed);
        written?;
        changer.join().map_err(|_| anyhow!("the changer panicked"))?
    })?;
    assert!(changes > 10, "{changes} changes are no load");
    assert_eq!(module.number("contexts_injected")?, TOTAL);
    assert_eq!(module.number("panics")?, 0);
    assert_eq!(module.finish()?.len() as u64, TOTAL);
    Ok(())
}
