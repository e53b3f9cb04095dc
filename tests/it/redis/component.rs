//! Components that trap, loop or eat memory: entries and messages of lists go on as they came.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Result;
use redis::cmd;
use spanbridge_tests::gateway::Settings;
use spanbridge_tests::{BOUND, RedisServer, tool};
use tempfile::TempDir;

use super::traffic::{acknowledge, add, connect, create, read};

/// Messages of one run: more than the breaker needs to open.
const MESSAGES: usize = 100;

#[test]
fn component_that_traps_or_loops_harms_no_message_of_redis() -> Result<()> {
    let Some(server) = RedisServer::start()? else { return Ok(()) };
    let (component, folder) = (tool::faulty_component()?, TempDir::new()?);
    let lines = "[listener.route]\nenvelope = \"kombu\"\n";
    // A name that begins so makes the component do harm at each message.
    for fault in ["trap", "loop", "memory", "edit", "run", "splice", "verdicts"] {
        let settings = Settings::listener(folder.path(), &server.url(), lines)?;
        let settings = settings.argument("--component").argument(component.to_string_lossy());
        let gateway = settings.variable("OTEL_TRACES_EXPORTER", "none").start()?;
        let (mut producer, mut worker) = (connect(&gateway.url())?, connect(&gateway.url())?);
        let (stream, list) = (format!("{fault}.entries"), format!("{fault}.tasks"));
        create(&mut producer, &stream)?;
        let began = Instant::now();
        for number in 0..MESSAGES {
            let id = add(&mut producer, &stream, number)?;
            let fields = BTreeMap::from([("number".to_owned(), number.to_string())]);
            let found = read(&mut worker, (&stream, ">"), "one", 10)?;
            assert_eq!(found, [(id.clone(), fields)], "{fault}: as it came");
            acknowledge(&mut producer, &stream, &id)?;
            let task = format!("{{\"headers\": {{}}, \"number\": {number}}}");
            cmd("LPUSH").arg((&list, &task)).exec(&mut producer)?;
            let found: (String, String) = cmd("BRPOP").arg((&list, 5)).query(&mut worker)?;
            assert_eq!(found, (list.clone(), task), "{fault}: as it came");
        }
        assert!(began.elapsed() < BOUND, "{fault}: took {:?}", began.elapsed());
        drop((producer, worker));
        let exit = gateway.stop()?;
        assert!(exit.status.success(), "{fault}: {:?}", exit.status);
        assert!(exit.counted(&["component_failures"]) > 0.0, "{fault}: {:#?}", exit.summary);
        assert_eq!(exit.counted(&["settle_unmatched"]), 0.0, "{fault}: {:#?}", exit.summary);
        let untraced = exit.counted(&["messages_untraced"]);
        assert_eq!(untraced, 4.0 * MESSAGES as f64, "{fault}: {:#?}", exit.summary);
    }
    Ok(())
}
