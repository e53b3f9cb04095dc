//! Loading, switching off, looking at it, and the end.

use anyhow::Result;
use spanbridge_tests::process::Process;
use spanbridge_tests::{BOUND, Make, Reply, port, tool};

use super::{field, start, with_each_server};

with_each_server!(
    a_word_that_is_not_known_keeps_the_server_from_starting,
    it_is_switched_off_and_on_and_never_unloaded,
    what_was_counted_is_in_both_pages,
);

fn a_word_that_is_not_known_keeps_the_server_from_starting(make: Make) -> Result<()> {
    let (Some(server), Some(module)) = (make.program()?, tool::redis_module("default")?) else {
        return Ok(());
    };
    for (words, expected) in [
        (&["stream", "orders"][..], "expected one of `streams`, `lists`"),
        (&["streams"], "streams: expected a pattern"),
        (&["streams", "a,b"], "without `,`, white space and NUL"),
        (&[], "streams, lists, channels, queues: expected a pattern in one of them"),
        (&["lists", "jobs"], "lists: expected `envelope`"),
        (&["lists", "jobs", "envelope", "nonsense"], "lists: `jobs envelope nonsense`"),
        (&["streams", "a", "sampler", "sometimes"], "sampler: expected always_on"),
    ] {
        let mut command = std::process::Command::new(&server);
        command.args(["--port", &port::free()?.to_string(), "--save", "", "--loadmodule"]);
        command.arg(&module).args(words);
        let mut process = Process::spawn("redis-server", &mut command)?;
        assert!(!process.wait(BOUND)?.success(), "{words:?}");
        process.wait_for_line(expected, BOUND, |_, line| {
            let why = line.split_once("spanbridge cannot be loaded: ")?.1;
            why.contains(expected).then_some(())
        })?;
    }
    Ok(())
}

fn it_is_switched_off_and_on_and_never_unloaded(make: Make) -> Result<()> {
    let mut module = start!(make, "streams orders", "--enable-module-command", "yes");
    let mut client = module.server.client()?;
    for (enabled, is_traced) in [("no", false), ("yes", true)] {
        client.say(&format!("CONFIG SET spanbridge.enabled {enabled}"))?;
        client.say("XADD orders * a 1")?;
        let entries = client.entries("orders")?;
        let last = entries.last().is_some_and(|entry| field(entry, "traceparent").is_some());
        assert_eq!(last, is_traced, "{enabled}");
    }
    assert!(matches!(client.say("MODULE UNLOAD spanbridge")?, Reply::Error(_)));
    module.server.process()?.wait_for_line("why not", BOUND, |_, line| {
        line.contains("spanbridge cannot be unloaded").then_some(())
    })?;
    client.say("XADD orders * a 1")?;
    assert_eq!(module.number("messages_seen_published")?, 2);
    assert_eq!(module.finish()?.len(), 2);
    Ok(())
}

fn what_was_counted_is_in_both_pages(make: Make) -> Result<()> {
    let module = start!(make, "streams orders");
    let mut client = module.server.client()?;
    client.say("XADD orders * a 1")?;
    let own = client.say("SPANBRIDGE.INFO")?;
    for line in ["enabled:yes", "replica:no", "contexts_injected:1", "spans_queued:1", "panics:0"] {
        assert!(own.text().lines().any(|it| it == line), "{line}: {}", own.text());
    }
    let info = client.say("INFO spanbridge")?;
    assert!(info.text().contains("spanbridge_contexts_injected:1"), "{}", info.text());
    assert!(matches!(client.say("SPANBRIDGE.INFO x")?, Reply::Error(_)));
    Ok(())
}
