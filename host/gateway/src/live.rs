//! The limits that a reload changes while sessions run.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::config::Config;

/// Read where they are used, so that a change counts from then on.
#[derive(Debug)]
pub(crate) struct LiveLimits {
    sessions_max: AtomicUsize,
    drain_timeout_ms: AtomicU64,
}

impl LiveLimits {
    pub(crate) fn new(config: &Config) -> Self {
        let limits =
            Self { sessions_max: AtomicUsize::new(0), drain_timeout_ms: AtomicU64::new(0) };
        limits.set(config);
        limits
    }

    /// Takes them from a configuration.
    pub(crate) fn set(&self, config: &Config) {
        let drain = u64::try_from(config.drain_timeout.as_millis()).unwrap_or(u64::MAX);
        self.sessions_max.store(config.sessions_max, Ordering::Relaxed);
        self.drain_timeout_ms.store(drain, Ordering::Relaxed);
    }

    /// Sessions of the process. Those that are open stay when it is lowered.
    pub(crate) fn sessions_max(&self) -> usize {
        self.sessions_max.load(Ordering::Relaxed)
    }

    /// How long a stop waits for a session to come to the end of a frame.
    pub(crate) fn drain_timeout(&self) -> Duration {
        Duration::from_millis(self.drain_timeout_ms.load(Ordering::Relaxed))
    }
}
