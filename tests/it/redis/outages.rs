//! Servers, gateways and receivers that end in the middle of work.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use redis::{Connection, cmd};
use spanbridge_tests::gateway::Settings;
use spanbridge_tests::{BOUND, RedisBed, RedisServer, eventually, port};

use super::traffic::{GROUP, acknowledge, add, connect, create, number, read};
use crate::nats::named;

/// The entries that are read and not settled when something dies.
const PENDING: usize = 5;

#[test]
fn entries_that_were_pending_when_the_server_died_are_read_again_and_say_so() -> Result<()> {
    let Some(mut bed) = RedisBed::start("")? else { return Ok(()) };
    let url = bed.gateway.url();
    let mut worker = connect(&url)?;
    create(&mut worker, "orders")?;
    for number in 0..PENDING + 2 {
        add(&mut worker, "orders", number)?;
    }
    let first = read(&mut worker, ("orders", ">"), "one", PENDING)?;
    bed.server.restart()?;
    // What the gateway says of the end, the client may notice a little later than the server is
    // back; its connection is not used again.
    let mut worker = connect(&url)?;
    let again = read(&mut worker, ("orders", "0"), "one", 100)?;
    assert_eq!(again, first, "from the log of the server");
    let rest = read(&mut worker, ("orders", ">"), "one", 100)?;
    assert_eq!(rest.len(), 2);
    for (id, _) in again.iter().chain(&rest) {
        acknowledge(&mut worker, "orders", id)?;
    }
    drop(worker);
    let (exit, spans) = bed.finish()?;
    assert!(exit.status.success(), "{:?}", exit.status);
    assert_eq!(exit.counted(&["settle_unmatched"]), 0.0, "{:#?}", exit.summary);
    let (publishes, processes) = (named(&spans, "publish orders"), named(&spans, "process orders"));
    assert_eq!((publishes.len(), processes.len()), (PENDING + 2, 2 * PENDING + 2), "{spans:#?}");
    let of = |outcome| {
        let of = move |span: &&&_| is(span, outcome);
        processes.iter().filter(of).copied().collect::<Vec<_>>()
    };
    let (before, after) = (of("requeue"), of("ack"));
    assert_eq!((before.len(), after.len()), (PENDING, PENDING + 2), "{processes:#?}");
    for attempt in before {
        let next = after.iter().filter(|span| span.is_linked_to(attempt));
        assert_eq!(next.count(), 1, "{attempt:#?}");
        assert!(publishes.iter().any(|publish| attempt.is_child_of(publish)), "{attempt:#?}");
    }
    Ok(())
}

fn is(span: &spanbridge_tests::Span, outcome: &str) -> bool {
    span.text("spanbridge.outcome") == Some(outcome)
}

#[test]
fn of_a_pipeline_that_a_dying_gateway_tore_the_server_has_the_beginning() -> Result<()> {
    const COUNT: usize = 50_000;
    let Some(server) = RedisServer::start()? else { return Ok(()) };
    let settings = Settings::to(&server.url()).variable("OTEL_TRACES_EXPORTER", "none");
    for kills_after in [1, 500, 5000] {
        let mut observer = connect(&server.url())?;
        cmd("FLUSHALL").exec(&mut observer)?;
        let gateway = settings.start()?;
        let stream = TcpStream::connect(gateway.address())?;
        let mut reading = stream.try_clone()?;
        // Replies have to be taken, or the server would take no more.
        let reader = thread::spawn(move || {
            let mut sink = vec![0; 1 << 16];
            while reading.read(&mut sink).is_ok_and(|length| length > 0) {}
        });
        let writer = thread::spawn(move || pipeline(stream, COUNT));
        eventually("some entries", BOUND, || {
            Ok((length(&mut observer, "XLEN", "s")? >= kills_after).then_some(()))
        })?;
        gateway.kill()?;
        writer.join().expect("the writer does not panic");
        reader.join().expect("the reader does not panic");
        // What the server had read it still executes.
        check_prefix(&mut observer, COUNT)?;
    }
    Ok(())
}

/// An entry and an element for each number, until the connection ends.
fn pipeline(mut stream: TcpStream, count: usize) {
    for number in 0..count {
        let text = number.to_string();
        let sent = format!(
            "*5\r\n$4\r\nXADD\r\n$1\r\ns\r\n$1\r\n*\r\n$6\r\nnumber\r\n${0}\r\n{text}\r\n\
             *3\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n${0}\r\n{text}\r\n",
            text.len()
        );
        if stream.write_all(sent.as_bytes()).is_err() {
            return;
        }
    }
}

fn length(connection: &mut Connection, command: &str, key: &str) -> Result<usize> {
    Ok(cmd(command).arg(key).query(connection)?)
}

/// Stream and list hold the first numbers, each once and in order.
fn check_prefix(connection: &mut Connection, count: usize) -> Result<()> {
    let mut last = usize::MAX;
    let entries = eventually("the server to have done what it got", BOUND, || {
        let now = length(connection, "XLEN", "s")?;
        thread::sleep(Duration::from_millis(50));
        Ok((std::mem::replace(&mut last, now) == now).then_some(now))
    })?;
    ensure!(entries < count, "the gateway died too late: all {count} are there");
    let list: Vec<usize> = cmd("LRANGE").arg(("q", 0, -1)).query(connection)?;
    ensure!(list.iter().copied().eq(0..list.len()), "the list has gaps: {list:?}");
    ensure!(entries - list.len() <= 1, "{entries} entries, {} elements", list.len());
    create_from_start(connection)?;
    let found = read(connection, ("s", ">"), "one", count)?;
    let numbers: Vec<_> = found.iter().map(number).collect::<Result<_>>()?;
    ensure!(numbers.iter().copied().eq(0..entries), "the stream has gaps: {numbers:?}");
    Ok(())
}

fn create_from_start(connection: &mut Connection) -> Result<()> {
    Ok(cmd("XGROUP").arg(("CREATE", "s", GROUP, "0")).exec(connection)?)
}

#[test]
fn gateway_that_ends_does_not_wait_for_a_read_that_blocks_and_the_entry_is_kept() -> Result<()> {
    let Some(bed) = RedisBed::start("")? else { return Ok(()) };
    let mut observer = connect(&bed.server.url())?;
    create(&mut observer, "orders")?;
    let mut blocked = connect(&bed.gateway.url())?;
    let waiting = thread::spawn(move || {
        let group = ("GROUP", GROUP, "one", "BLOCK", 0, "STREAMS", "orders", ">");
        cmd("XREADGROUP").arg(group).query::<redis::Value>(&mut blocked)
    });
    eventually("the client to wait", BOUND, || {
        let info: String = cmd("INFO").arg("clients").query(&mut observer)?;
        Ok(info.contains("blocked_clients:1").then_some(()))
    })?;
    let began = Instant::now();
    let (exit, spans) = bed_finish(bed, &mut observer)?;
    assert!(exit.status.success(), "{:?}", exit.status);
    assert!(began.elapsed() < BOUND, "took {:?}", began.elapsed());
    assert_eq!(exit.counted(&["sessions_raw"]), 0.0, "{:#?}", exit.summary);
    assert_eq!(spans, [], "nobody got anything");
    assert!(waiting.join().expect("the client does not panic").is_err(), "it is told");
    Ok(())
}

/// Ends the gateway; what is added behind its end is for somebody else.
fn bed_finish(
    bed: RedisBed,
    observer: &mut Connection,
) -> Result<(spanbridge_tests::Exit, Vec<spanbridge_tests::Span>)> {
    let RedisBed { gateway, server, tap, .. } = bed;
    let exit = gateway.stop()?;
    eventually("the server to notice", BOUND, || {
        let info: String = cmd("INFO").arg("clients").query(observer)?;
        Ok(info.contains("blocked_clients:0").then_some(()))
    })?;
    let id = add(observer, "orders", 1)?;
    let found = read(observer, ("orders", ">"), "two", 10)?;
    ensure!(found.len() == 1 && found[0].0 == id, "{found:?}");
    drop(server);
    Ok((exit, tap.spans()?))
}

#[test]
fn receiver_that_is_not_there_costs_spans_only() -> Result<()> {
    let Some(server) = RedisServer::start()? else { return Ok(()) };
    let nobody = format!("http://127.0.0.1:{}", port::free()?);
    let settings = Settings::to(&server.url()).variable("OTEL_EXPORTER_OTLP_ENDPOINT", nobody);
    let gateway = settings.start()?;
    let mut worker = connect(&gateway.url())?;
    create(&mut worker, "orders")?;
    for at in 0..100 {
        let id = add(&mut worker, "orders", at)?;
        let found = read(&mut worker, ("orders", ">"), "one", 10)?;
        assert_eq!((found.len(), number(&found[0])?), (1, at));
        acknowledge(&mut worker, "orders", &id)?;
    }
    drop(worker);
    let exit = gateway.stop()?;
    assert!(exit.status.success(), "{:?}", exit.status);
    assert_eq!(exit.counted(&["spans_dropped"]), 200.0, "{:#?}", exit.summary);
    Ok(())
}
