//! Waiting for a condition, instead of sleeping and hoping.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long anything may take before a test gives up.
///
/// Far above what any step needs (a gateway starts in well under a second), because a shared
/// machine can stall for seconds. It is only ever waited for in full by a test that fails.
pub const BOUND: Duration = Duration::from_secs(30);

/// Between two looks. Short against a human's patience, long against the cost of a look.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks again and again until `look` answers something, and answers that.
///
/// # Errors
/// When `look` fails, or answers `None` for longer than `bound`; the error names `what`.
pub fn eventually<T>(
    what: &str,
    bound: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + bound;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            bail!("waited {bound:?} for {what}");
        }
        thread::sleep(PAUSE);
    }
}
