//! What a session keeps resident that has nothing to do.

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::cell::Stand;
use crate::peer::Peers;
use crate::rounds::Rounds;
use crate::target::Target;
use crate::usage::resident;

/// Sessions that pay for what all share, before anything is read.
const FIRST: usize = 20;
const SESSIONS: usize = 1000;
/// For what a closing or opening session leaves to be done later.
const SETTLE: Duration = Duration::from_millis(300);

/// MiB that a thousand more sessions take, each of which has subscribed and made a round trip.
pub(crate) fn per_thousand(
    target: Target,
    stand: &Stand<'_>,
    rounds: &mut Rounds,
) -> anyhow::Result<f64> {
    let Stand { protocol, folder, brokers, receiver, .. } = *stand;
    let proxy = target.start(protocol, folder, brokers.of(target)?.0, receiver)?;
    let Some(proxy) = proxy else { return Ok(0.0) };
    let first = Peers::connect(protocol, proxy.address, FIRST, target.form())?;
    thread::sleep(SETTLE);
    let before = resident(proxy.pid())?;
    let more = Peers::connect(protocol, proxy.address, SESSIONS, target.form())?;
    thread::sleep(SETTLE);
    let after = resident(proxy.pid())?;
    drop((first, more));
    rounds.note(&json!({
        "protocol": protocol.name(), "target": target.name(), "idle_sessions": SESSIONS,
        "kib_before": before, "kib_after": after,
    }))?;
    Ok(after.saturating_sub(before) as f64 / 1024.0)
}
