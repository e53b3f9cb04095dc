//! What becomes of entries when something on their way dies.

use anyhow::Result;
use spanbridge_tests::gateway::Settings;
use spanbridge_tests::{Client, Receiver, RedisBed, RedisServer};

use crate::nats::named;

#[test]
fn server_that_is_killed_with_pending_entries_has_them_all_when_it_is_back() -> Result<()> {
    let Some(mut bed) = RedisBed::start("")? else { return Ok(()) };
    let url = bed.gateway.url();
    Client::run("redis_streams.py", &["produce", "--url", &url])?;
    let worker = ["work", "--url", &url, "--count", "4"];
    Client::run("redis_streams.py", &worker)?;
    bed.server.restart()?;
    Client::run("redis_streams.py", &["work", "--url", &url, "--count", "5"])?;
    let (exit, spans) = bed.finish()?;
    assert!(exit.status.success());
    let (publishes, processes) = (named(&spans, "publish orders"), named(&spans, "process orders"));
    assert_eq!((publishes.len(), processes.len()), (9, 9), "{spans:#?}");
    for process in processes {
        assert!(publishes.iter().any(|publish| process.is_child_of(publish)), "{process:#?}");
    }
    Ok(())
}

#[test]
fn gateway_that_is_killed_loses_no_entry_and_the_next_one_joins_the_traces() -> Result<()> {
    let Some(receiver) = Receiver::shared()? else { return Ok(()) };
    let Some(server) = RedisServer::start()? else { return Ok(()) };
    let start = || -> Result<_> {
        let tap = receiver.tap();
        Ok((Settings::to(&server.url()).variables(tap.grpc()).start()?, tap))
    };
    let (gateway, first) = start()?;
    Client::run("redis_streams.py", &["produce", "--url", &gateway.url(), "--count", "1"])?;
    first.wait_for_spans("three publishes", |spans| spans.len() == 3)?;
    gateway.kill()?;
    let (gateway, second) = start()?;
    Client::run("redis_streams.py", &["work", "--url", &gateway.url(), "--count", "3"])?;
    gateway.stop()?;
    let (published, processed) = (first.spans()?, second.spans()?);
    assert_eq!((published.len(), processed.len()), (3, 3), "{published:#?} {processed:#?}");
    for process in &processed {
        assert!(published.iter().any(|publish| process.is_child_of(publish)), "{process:#?}");
    }
    Ok(())
}
