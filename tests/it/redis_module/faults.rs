//! What goes wrong, in the component and in the server, harms no message.

use std::time::{Duration, Instant};

use anyhow::Result;
use spanbridge_tests::process::Stream;
use spanbridge_tests::{BOUND, Make, RedisModule, Setup};

use super::{start, with_each_server};

/// A call may take a millisecond; machines are slow, and this only tells it from a hang.
const ENTRY_MAX: Duration = Duration::from_secs(5);

with_each_server!(
    a_component_that_fails_leaves_every_entry_as_it_came,
    the_server_still_writes_its_crash_report,
);

fn a_component_that_fails_leaves_every_entry_as_it_came(make: Make) -> Result<()> {
    for fault in ["trap", "loop", "memory", "stack", "edit", "splice", "pointer", "run"] {
        let setup = Setup { make, component: "faulty", words: "streams *", ..Setup::default() };
        let Some(module) = RedisModule::start(&setup)? else { return Ok(()) };
        let mut client = module.server.client()?;
        for number in 0..200 {
            let before = Instant::now();
            client.say(&format!("XADD {fault} 1-{} number {number}", number + 1))?;
            assert!(before.elapsed() < ENTRY_MAX, "{fault}: {:?}", before.elapsed());
        }
        let entries = client.entries(fault)?;
        assert_eq!(entries.len(), 200, "{fault}");
        for (number, entry) in entries.iter().enumerate() {
            let expected = [format!("1-{}", number + 1), "number".into(), number.to_string()];
            assert_eq!(entry[..], expected, "{fault}");
        }
        let failed = module.number("messages_untraced_failed")?;
        let bypassed = module.number("messages_untraced_bypassed")?;
        assert!(failed > 0 && failed + bypassed == 200, "{fault}: {failed} {bypassed}");
        assert_eq!(module.number("panics")?, 0, "{fault}");
        module.finish()?;
    }
    Ok(())
}

fn the_server_still_writes_its_crash_report(make: Make) -> Result<()> {
    // The memory test behind the report writes over what other threads use, of any module.
    let mut module = start!(
        make,
        "streams orders",
        "--enable-debug-command",
        "yes",
        "--crash-memcheck-enabled",
        "no"
    );
    let mut client = module.server.client()?;
    client.say("XADD orders * a 1")?;
    client.send(&["DEBUG", "SEGFAULT"])?;
    let process = module.server.process()?;
    let status = process.wait(BOUND)?;
    assert!(!status.success());
    process.wait_for_line("the end of its report", BOUND, |_, line| {
        line.contains(" BUG REPORT END").then_some(())
    })?;
    let said = process.lines(Stream::Out);
    let starts = said.iter().filter(|line| line.contains(" BUG REPORT START")).count();
    assert_eq!(starts, 1, "one report and no more");
    Ok(())
}
