//! The `redis` crate, unmodified, in both versions of the protocol.

use std::sync::mpsc;

use anyhow::{Context, Result, ensure};
use redis::{Commands, PushInfo, PushKind, Value, cmd, pipe};
use spanbridge_tests::{BOUND, RedisBed};

use super::check_exit;
use super::traffic::{acknowledge, add, connect, create, read};
use crate::nats::named;

#[test]
fn pipelines_and_transactions_of_the_crate_are_traced() -> Result<()> {
    for protocol in ["2", "3"] {
        let Some(bed) = RedisBed::start("")? else { return Ok(()) };
        let url = format!("{}/?protocol={protocol}", bed.gateway.url());
        let (mut producer, mut worker) = (connect(&url)?, connect(&url)?);
        create(&mut producer, "orders")?;
        let mut ids = vec![add(&mut producer, "orders", 0)?];
        for is_atomic in [false, true] {
            let mut pipe = pipe();
            if is_atomic {
                pipe.atomic();
            }
            for number in 1..=2 {
                pipe.set("last", number).ignore();
                pipe.xadd("orders", "*", &[("number", number)]);
            }
            let more: Vec<String> = pipe.query(&mut producer)?;
            ids.extend(more);
        }
        let found = read(&mut worker, ("orders", ">"), "one", 100)?;
        let read_ids: Vec<_> = found.iter().map(|(id, _)| id.clone()).collect();
        assert_eq!(read_ids, ids);
        for id in &ids {
            acknowledge(&mut producer, "orders", id)?;
        }
        drop((producer, worker));
        let (exit, spans) = bed.finish()?;
        check_exit(&exit)?;
        let publishes = named(&spans, "publish orders");
        let processes = named(&spans, "process orders");
        assert_eq!((publishes.len(), processes.len(), spans.len()), (5, 5, 10), "{spans:#?}");
        for process in processes {
            assert!(publishes.iter().any(|publish| process.is_child_of(publish)), "{spans:#?}");
        }
    }
    Ok(())
}

#[test]
fn pushes_among_the_replies_of_version_3_reach_whom_they_are_for() -> Result<()> {
    let Some(bed) = RedisBed::start("")? else { return Ok(()) };
    let mut client = connect(&format!("{}/?protocol=3", bed.gateway.url()))?;
    let mut other = connect(&bed.gateway.url())?;
    let (sender, pushes) = mpsc::channel();
    client.set_push_sender(sender);
    client.subscribe_resp3(&["news", "more"])?;
    cmd("CLIENT").arg(("TRACKING", "ON", "NOLOOP")).exec(&mut client)?;
    let _: Option<String> = client.get("watched")?;
    for number in 0..20 {
        let heard: u64 = other.publish("news", number)?;
        assert_eq!(heard, 1);
        let _: () = other.set("watched", number)?;
        // Pushes come before the reply to what is asked next.
        let id = add(&mut client, "orders", number)?;
        let found: Vec<Value> = cmd("XRANGE").arg(("orders", &id, &id)).query(&mut client)?;
        assert_eq!(found.len(), 1, "the reply is that of the command");
        let again: Option<usize> = client.get("watched")?;
        assert_eq!(again, Some(number));
    }
    client.unsubscribe_resp3(&["news", "more"])?;
    let pong: String = cmd("PING").query(&mut client)?;
    assert_eq!(pong, "PONG");
    let pushes: Vec<PushInfo> = pushes.try_iter().collect();
    let count = |kind: PushKind| pushes.iter().filter(|push| push.kind == kind).count();
    let counts = [PushKind::Message, PushKind::Invalidate, PushKind::Subscribe];
    assert_eq!(counts.map(count), [20, 20, 2], "{pushes:#?}");
    drop((client, other));
    let (exit, spans) = bed.finish()?;
    check_exit(&exit)?;
    assert_eq!(named(&spans, "publish orders").len(), spans.len());
    let outcome =
        |span: &spanbridge_tests::Span| span.text("spanbridge.outcome") == Some("confirmed");
    assert!(spans.len() == 20 && spans.iter().all(outcome), "{spans:#?}");
    Ok(())
}

#[test]
fn subscriber_of_version_2_gets_its_messages_and_its_connection_back() -> Result<()> {
    let Some(bed) = RedisBed::start("")? else { return Ok(()) };
    let (mut client, mut other) = (connect(&bed.gateway.url())?, connect(&bed.gateway.url())?);
    let mut subscriber = client.as_pubsub();
    subscriber.set_read_timeout(Some(BOUND))?;
    subscriber.subscribe(&["a", "b"])?;
    subscriber.psubscribe("p*")?;
    for channel in ["a", "p1", "b"] {
        let heard: u64 = other.publish(channel, "hello")?;
        ensure!(heard == 1, "{channel}");
    }
    for expected in ["a", "p1", "b"] {
        let message = subscriber.get_message()?;
        assert_eq!(message.get_channel_name(), expected);
    }
    // It ends its subscriptions when it is dropped.
    drop(subscriber);
    let id = add(&mut client, "orders", 1).context("an ordinary connection again")?;
    assert!(id.contains('-'), "{id}");
    drop((client, other));
    let (exit, spans) = bed.finish()?;
    check_exit(&exit)?;
    assert_eq!(spans.len(), 1, "{spans:#?}");
    Ok(())
}
