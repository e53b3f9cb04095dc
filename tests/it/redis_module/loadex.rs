//! Loading into a server that runs already, and what is left of a load that fails.

use anyhow::{Context, Result};
use spanbridge_tests::{Make, RedisServer, Reply, tool};

use super::{field, with_each_server};

with_each_server!(a_load_that_fails_leaves_a_server_that_works);

fn a_load_that_fails_leaves_a_server_that_works(make: Make) -> Result<()> {
    let allowed = ["--enable-module-command", "yes"];
    let (Some(server), Some(module)) =
        (RedisServer::start_of(make, "", &allowed, &[])?, tool::redis_module("default")?)
    else {
        return Ok(());
    };
    let (module, mut client) = (module.to_str().context("UTF-8")?, server.client()?);
    let mut load = |words: &str| -> Result<Reply> {
        let words: Vec<_> = words.split(' ').collect();
        client.call(&[&["MODULE", "LOADEX", module], &words[..]].concat())
    };
    for words in [
        "CONFIG spanbridge.lists jobs ARGS streams a",
        "CONFIG spanbridge.streams a CONFIG spanbridge.protocol udp",
        "ARGS stream a",
        // It is loaded by then, and the server takes it back.
        "CONFIG spanbridge.stream a ARGS streams a",
    ] {
        for _ in 0..2 {
            assert!(matches!(load(words)?, Reply::Error(_)), "{words}");
        }
        let mut client = server.client()?;
        let modules = client.say("MODULE LIST")?;
        assert!(!format!("{modules:?}").contains("spanbridge"), "{words}: {modules:?}");
        client.say("XADD a * a 1")?;
        let entries = client.entries("a")?;
        assert_eq!(entries.last().context("an entry")?.len(), 3, "{words}");
    }
    let words = "CONFIG spanbridge.streams b CONFIG spanbridge.enabled yes ARGS streams a";
    assert_eq!(load(words)?, Reply::Text("OK".to_owned()));
    assert!(matches!(load("ARGS streams c")?, Reply::Error(_)), "there is one already");
    let mut client = server.client()?;
    for (stream, is_traced) in [("a", false), ("b", true), ("c", false)] {
        client.call(&["XADD", stream, "*", "a", "1"])?;
        let entries = client.entries(stream)?;
        let last = entries.last().context("an entry")?;
        assert_eq!(field(last, "traceparent").is_some(), is_traced, "{stream}");
    }
    assert!(matches!(client.say("MODULE UNLOAD spanbridge")?, Reply::Error(_)));
    assert!(client.say("SPANBRIDGE.INFO")?.text().contains("panics:0"));
    Ok(())
}
