//! A session with Celery's tasks in lists, in version 3, recorded without and with the gateway:
//! what may differ, and nothing else.

use anyhow::{Context, Result, ensure};
use spanbridge_tests::gateway::Settings;
use spanbridge_tests::{Receiver, Recorder, RedisServer};
use tempfile::TempDir;

use super::bytes::{Element, elements, play, say_quit};

/// A task as Celery sends it without instrumentation.
const TASK: &str = include_str!("../../../guest/tests/data/celery-redis.json");

/// What a list's messages may have more behind the gateway, but for the ids in it.
const ADDED: [&str; 2] = [",\"traceparent\":\"00-", "\",\"tracestate\":\"spanbridge=p:"];

/// Tasks of which the last is longer than what is read.
fn script() -> Vec<u8> {
    let long = TASK.replace("\"utf-8\"", &format!("\"{}\"", "x".repeat(70_000)));
    let commands: [&[&str]; 26] = [
        &["LPUSH", "celery", TASK],
        &["RPUSH", "celery", TASK, "no task", TASK],
        &["LPUSHX", "nothing", TASK],
        &["LPUSH", "celery", &long],
        &["LLEN", "celery"],
        &["LRANGE", "celery", "0", "-1"],
        &["RPOP", "celery"],
        &["LMOVE", "celery", "working", "RIGHT", "LEFT"],
        &["BRPOPLPUSH", "celery", "working", "1"],
        &["BRPOP", "none", "celery", "1"],
        &["LMPOP", "2", "none", "working", "LEFT", "COUNT", "2"],
        &["LMPOP", "1", "none", "LEFT"],
        &["RPOP", "none", "3"],
        &["MULTI"],
        &["LPUSH", "celery", TASK],
        &["LPOP", "celery", "2"],
        &["EXEC"],
        &["MULTI"],
        &["LPUSH", "celery", TASK],
        &["NOCOMMAND"],
        &["EXEC"],
        &["SET", "text", TASK],
        &["LPUSH", "text", TASK],
        &["SUBSCRIBE", "x"],
        &["PUBLISH", "x", TASK],
        &["UNSUBSCRIBE"],
    ];
    let mut bytes = b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n".to_vec();
    for words in commands {
        bytes.extend(format!("*{}\r\n", words.len()).bytes());
        words.iter().for_each(|it| bytes.extend(format!("${}\r\n{it}\r\n", it.len()).bytes()));
    }
    say_quit(&mut bytes);
    bytes
}

#[test]
fn session_with_tasks_in_lists_differs_in_their_context_only() -> Result<()> {
    let Some(receiver) = Receiver::shared()? else { return Ok(()) };
    let Some(server) = RedisServer::start()? else { return Ok(()) };
    let (script, folder) = (script(), TempDir::new()?);
    let direct = play(&Recorder::start(server.address())?, &script, usize::MAX)?;
    for piece in [usize::MAX, 1000, 7] {
        let Some(server) = RedisServer::start()? else { return Ok(()) };
        let broker_side = Recorder::start(server.address())?;
        let url = format!("redis://{}", broker_side.address());
        let lines = "[listener.route]\nenvelope = \"kombu\"\n";
        let settings = Settings::listener(folder.path(), &url, lines)?;
        let gateway = settings.variables(receiver.tap().grpc()).start()?;
        let client_side = Recorder::start(gateway.address())?;
        let through = play(&client_side, &script, piece)?;
        let exit = gateway.stop()?;
        ensure!(exit.counted(&["sessions_raw"]) == 0.0, "{:#?}", exit.summary);
        // The long one on its way in and, three times, in what is taken; and what is no task.
        ensure!(exit.counted(&["bodies_left_alone"]) > 0.0, "{:#?}", exit.summary);
        let arrived = broker_side.sessions().pop().context("no session with the server")?;
        ensure!(arrived.to_client == through.to_client, "what comes from the server is kept");
        let what = |way: &str| format!("pieces of {piece}, {way}");
        // Two of one command each, one in each transaction, one that is refused, one for nothing,
        // one to a channel.
        let to_server = compare(&direct.to_target, &arrived.to_target, &what("to the server"))?;
        ensure!(to_server == 8, "{to_server} tasks got a context");
        let to_client = compare(&direct.to_client, &through.to_client, &what("to the client"))?;
        ensure!(to_client > 0, "the client sees none of them");
    }
    Ok(())
}

/// Answers how many messages have a context more than without the gateway.
fn compare(without: &[u8], with: &[u8], way: &str) -> Result<usize> {
    let (without, with) = (elements(without)?, elements(with)?);
    ensure!(without.len() == with.len(), "{way}: {} and {}", without.len(), with.len());
    let mut more = 0;
    for (expected, found) in without.iter().zip(&with) {
        let same = added(expected, found).or_else(|| is_greeting(expected));
        more += same.with_context(|| format!("{way}: expected {expected:?}, found {found:?}"))?;
    }
    Ok(more)
}

/// The answer to `HELLO` has the number of the connection in it.
fn is_greeting(element: &Element) -> Option<usize> {
    let Element::List(list) = element else { return None };
    (list.first() == Some(&Element::String(b"server".to_vec()))).then_some(0)
}

/// How many strings have a context more. `None`: something else differs.
fn added(expected: &Element, found: &Element) -> Option<usize> {
    match (expected, found) {
        (Element::List(expected), Element::List(found)) => {
            let pairs = expected.iter().zip(found);
            let all = pairs.map(|(expected, found)| added(expected, found)).sum();
            if expected.len() == found.len() { all } else { None }
        }
        (Element::String(expected), Element::String(found)) if expected != found => {
            let pairs = expected.iter().zip(found);
            let same = pairs.take_while(|(expected, found)| expected == found).count();
            let more = found.len().checked_sub(expected.len())?;
            let inserted = std::str::from_utf8(found.get(same..same + more)?).ok()?;
            let is_context = ADDED.iter().all(|part| inserted.contains(part));
            (is_context && expected[same..] == found[same + more..]).then_some(1)
        }
        (expected, found) => (expected == found).then_some(0),
    }
}
