//! What becomes of commands that publish, and of those that look like it.

use anyhow::{Context, Result};
use serde_json::Value;
use spanbridge_tests::{Client, Kind, Make, Reply};

use super::{field, start, with_each_server, writer};

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

with_each_server!(
    each_untraced_entry_gets_a_context_and_a_span,
    a_context_that_is_there_stays_and_is_followed,
    what_is_not_listed_or_not_right_is_left_alone,
    transactions_scripts_and_functions_are_seen_once,
    bodies_with_an_envelope_get_a_context_and_keep_their_bytes,
);

fn each_untraced_entry_gets_a_context_and_a_span(make: Make) -> Result<()> {
    let module = start!(make, "streams orders* service-name shop");
    Client::run("redis_streams.py", &["produce", "--url", &module.server.url()])?;
    let entries = module.server.client()?.entries("orders")?;
    assert_eq!((entries.len(), module.number("contexts_injected")?), (9, 9), "{entries:?}");
    let spans = module.finish()?;
    assert_eq!(spans.len(), 9, "{spans:#?}");
    for entry in &entries {
        assert_eq!(entry[1], "number", "what the producer wrote comes first: {entry:?}");
        let traceparent = field(entry, "traceparent").context("a traceparent")?;
        let span = writer(&spans, traceparent).context("the span that wrote it")?;
        assert_eq!((span.name.as_str(), span.kind), ("publish orders", Kind::Producer));
        assert_eq!(span.service, "shop");
        assert_eq!(span.text("messaging.system"), Some("redis"));
    }
    Ok(())
}

fn a_context_that_is_there_stays_and_is_followed(make: Make) -> Result<()> {
    let module = start!(make, "streams orders");
    let mut client = module.server.client()?;
    client.say(&format!("XADD orders 1-1 TraceParent {TRACEPARENT} a 1"))?;
    let entries = client.entries("orders")?;
    assert_eq!(entries, [["1-1", "TraceParent", TRACEPARENT, "a", "1"]]);
    let spans = module.finish()?;
    assert_eq!(spans.len(), 1, "{spans:#?}");
    assert_eq!((spans[0].kind, spans[0].parent.as_str()), (Kind::Client, "b7ad6b7169203331"));
    Ok(())
}

fn what_is_not_listed_or_not_right_is_left_alone(make: Make) -> Result<()> {
    let module = start!(make, "streams orders streams bull:*");
    let mut client = module.server.client()?;
    for command in ["XADD other 1-1 a 1", "XADD bull:mail:events 1-1 event added"] {
        assert_eq!(client.say(command)?, Reply::Text("1-1".to_owned()), "{command}");
    }
    assert_eq!(client.entries("other")?, [["1-1", "a", "1"]]);
    assert_eq!(client.entries("bull:mail:events")?, [["1-1", "event", "added"]]);
    for command in ["XADD orders *", "XADD orders * a", "XADD orders x a 1", "XADD orders * a 1 b"]
    {
        assert!(matches!(client.say(command)?, Reply::Error(_)), "{command}");
    }
    client.say("XADD orders MAXLEN ~ 100 LIMIT 5 NOMKSTREAM 7-1 a 1")?;
    client.say("XADD orders 7-1 a 1")?;
    client.say("xadd orders NOMKSTREAM MAXLEN = 1 7-* a 2")?;
    let entries = client.entries("orders")?;
    assert_eq!((entries.len(), entries[0][..3].join(" ")), (1, "7-2 a 2".to_owned()));
    assert!(field(&entries[0], "traceparent").is_some());
    assert_eq!(module.number("messages_seen_published")?, 3);
    Ok(())
}

fn transactions_scripts_and_functions_are_seen_once(make: Make) -> Result<()> {
    let module = start!(make, "streams orders lists jobs envelope json");
    let mut client = module.server.client()?;
    client.say("MULTI")?;
    assert_eq!(client.say("XADD orders 1-1 a 1")?, Reply::Text("QUEUED".to_owned()));
    let executed = client.say("EXEC")?;
    assert_eq!(executed.list(), [Reply::Text("1-1".to_owned())]);
    let script =
        "redis.call('LPUSH', 'jobs', '{}') return redis.call('XADD', KEYS[1], '2-1', 'a', 1)";
    client.call(&["EVAL", script, "1", "orders"])?;
    let library = "#!lua name=lib\nredis.register_function('add', function(keys) \
                   return redis.call('XADD', keys[1], '3-1', 'a', 1) end)";
    client.call(&["FUNCTION", "LOAD", library])?;
    client.say("FCALL add 1 orders")?;
    let entries = client.entries("orders")?;
    let ids: Vec<_> = entries.iter().map(|entry| entry[0].as_str()).collect();
    assert_eq!(ids, ["1-1", "2-1", "3-1"]);
    // Valkey 9 cannot take more arguments from a script; a transaction is none.
    let in_scripts = usize::from(make == Make::Redis);
    for (entry, expected) in entries.iter().zip([1, in_scripts, in_scripts]) {
        let names = entry.iter().filter(|word| *word == "traceparent").count();
        assert_eq!(names, expected, "{entry:?}");
    }
    assert_eq!(module.number("injections_skipped_refused")?, 2 * u64::from(make == Make::Valkey));
    assert_eq!(client.say("LRANGE jobs 0 -1")?.list(), [Reply::Text("{}".to_owned())]);
    assert_eq!(module.finish()?.len(), 3);
    Ok(())
}

fn bodies_with_an_envelope_get_a_context_and_keep_their_bytes(make: Make) -> Result<()> {
    let words = "lists celery* envelope kombu channels news envelope json";
    let module = start!(make, words);
    let mut client = module.server.client()?;
    let task = r#"{"body":"W10=", "headers":{"task":"add","id":"7"},"content-encoding":"utf-8",
        "content-type":"application/json","properties":{"delivery_info":{"exchange":""},
        "delivery_tag":"89f0","priority":0.0}}"#;
    assert_eq!(client.call(&["LPUSH", "celery", task, "no JSON"])?, Reply::Number(2));
    assert_eq!(client.call(&["RPUSH", "other", task])?, Reply::Number(1));
    let pushed = client.say("LRANGE celery 0 -1")?;
    let [left_alone, traced] = pushed.list() else { anyhow::bail!("{pushed:?}") };
    assert_eq!(left_alone.text(), "no JSON");
    let headers: Value = serde_json::from_str(traced.text())?;
    let traceparent = headers["headers"]["traceparent"].as_str().context("a traceparent")?;
    assert!(traced.text().starts_with(r#"{"body":"W10=", "headers":{"#), "{traced:?}");
    assert!(traced.text().ends_with(r#""delivery_tag":"89f0","priority":0.0}}"#), "{traced:?}");
    assert_eq!(client.say("LRANGE other 0 -1")?.list()[0].text(), task);
    let mut subscriber = module.server.client()?;
    subscriber.say("SUBSCRIBE news")?;
    client.call(&["PUBLISH", "news", r#"{"a":1}"#])?;
    let news = subscriber.reply()?;
    assert!(news.list()[2].text().contains("traceparent"), "{news:?}");
    let traceparent = traceparent.to_owned();
    let spans = module.finish()?;
    let span = writer(&spans, &traceparent).context("the span that wrote it")?;
    assert_eq!(span.name, "publish celery");
    Ok(())
}
