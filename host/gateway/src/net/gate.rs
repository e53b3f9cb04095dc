//! Few log lines about strangers, however many of them come.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Time between two lines of one gate: often enough for a person who watches, too seldom to fill a
/// disk.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Lets one line through in each interval.
#[derive(Debug)]
pub(crate) struct Gate {
    start: Instant,
    /// Milliseconds from `start` to when it opens again.
    opens_at: AtomicU64,
}

impl Default for Gate {
    fn default() -> Self {
        Self { start: Instant::now(), opens_at: AtomicU64::new(0) }
    }
}

impl Gate {
    /// Answers whether a line may be written at `now`.
    pub(crate) fn opens(&self, now: Instant) -> bool {
        // A process does not live for 2^64 milliseconds.
        let now = now.duration_since(self.start).as_millis() as u64;
        let at = self.opens_at.load(Ordering::Relaxed);
        let next = now + LOG_INTERVAL.as_millis() as u64;
        let swap = |at| {
            self.opens_at.compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        now >= at && swap(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_goes_through_in_each_interval() {
        let gate = Gate::default();
        let start = gate.start;
        assert!(gate.opens(start));
        assert!(!gate.opens(start + LOG_INTERVAL / 2));
        assert!(gate.opens(start + LOG_INTERVAL));
        assert!(!gate.opens(start + LOG_INTERVAL));
    }
}
