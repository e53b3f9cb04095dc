//! Few log lines, however often something goes wrong.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::limits::LOG_INTERVAL;

/// Lets one log line through in each interval.
#[derive(Debug)]
pub(crate) struct LogGate {
    start: Instant,
    /// Milliseconds from `start` to when the gate opens again.
    opens_at: AtomicU64,
}

impl Default for LogGate {
    fn default() -> Self {
        Self { start: Instant::now(), opens_at: AtomicU64::new(0) }
    }
}

impl LogGate {
    /// Answers whether a line may be written now. Of several threads one is told so.
    pub(crate) fn opens(&self, now: Instant) -> bool {
        let now = now.duration_since(self.start).as_millis() as u64;
        let opens_at = self.opens_at.load(Ordering::Relaxed);
        let next = now + LOG_INTERVAL.as_millis() as u64;
        now >= opens_at
            && self
                .opens_at
                .compare_exchange(opens_at, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_opens_once_in_an_interval() {
        let gate = LogGate::default();
        let now = gate.start;
        assert!(gate.opens(now));
        assert!(!gate.opens(now + LOG_INTERVAL / 2));
        assert!(gate.opens(now + LOG_INTERVAL));
        assert!(!gate.opens(now + LOG_INTERVAL));
    }
}
