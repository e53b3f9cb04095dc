//! Redis through the gateway: untouched clients, a real server, spans at a foreign receiver.

use anyhow::Result;
use spanbridge_tests::gateway::Exit;

mod bytes;
mod celery;
mod channels;
mod faults;
mod sidekiq;
mod streams;
mod topology;

/// Counters that nothing moves while all goes well.
const ODD: [&str; 8] = [
    "settle_unmatched",
    "sessions_raw",
    "messages_untraced",
    "redis_unread",
    "settlements_lost",
    "component_failures",
    "injections_skipped",
    "spans_dropped",
];

/// The gateway ended well, and nothing odd came by.
fn check_exit(exit: &Exit) -> Result<()> {
    anyhow::ensure!(exit.status.success(), "{:?}", exit.status);
    for name in ODD {
        anyhow::ensure!(exit.counted(&[name]) == 0.0, "{name}: {:#?}", exit.summary);
    }
    Ok(())
}
