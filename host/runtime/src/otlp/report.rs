//! Log lines about exporting, few of them.
//!
//! A receiver that is down fails every attempt; the counters say how often, a log needs to say it
//! once a minute. Time comes in as an argument.

use std::time::Duration;

use tracing::{info, warn};

use super::machine::Settled;

/// One line of a topic in this time. A minute is short enough to notice and long enough not to
/// fill a disk.
const INTERVAL: Duration = Duration::from_secs(60);

/// What a line is about; each has its own interval.
#[derive(Clone, Copy, Debug)]
enum Topic {
    Retry,
    GaveUp,
    Rejected,
    Warning,
    QueueFull,
}

/// Remembers when each topic last had its line.
#[derive(Debug, Default)]
pub(crate) struct Report {
    topics: [Line; 5],
    queue_full: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Line {
    next: Duration,
    suppressed: u64,
}

impl Line {
    /// Whether a line may be written now, and how many were held back since the last one.
    fn allow(&mut self, now: Duration) -> Option<u64> {
        if now < self.next {
            self.suppressed += 1;
            return None;
        }
        self.next = now + INTERVAL;
        Some(std::mem::take(&mut self.suppressed))
    }
}

impl Report {
    /// Writes a line about an attempt that has ended, if one is due.
    pub(crate) fn settled(&mut self, settled: &Settled, now: Duration) {
        match settled {
            Settled::Delivered(delivered) if delivered.rejected > 0 => {
                let Some(suppressed) = self.allow(Topic::Rejected, now) else { return };
                let (rejected, message) = (delivered.rejected, &*delivered.message);
                warn!(rejected, message, suppressed, "the receiver rejected spans");
            }
            Settled::Delivered(delivered) if !delivered.message.is_empty() => {
                let Some(suppressed) = self.allow(Topic::Warning, now) else { return };
                warn!(message = &*delivered.message, suppressed, "the receiver warns");
            }
            Settled::Delivered(_) => {}
            Settled::WillRetry { failure, wait } => {
                let Some(suppressed) = self.allow(Topic::Retry, now) else { return };
                let error = &*failure.message;
                info!(error, wait = ?wait, suppressed, "export failed and will be tried again");
            }
            Settled::GaveUp { failure, spans } => {
                let Some(suppressed) = self.allow(Topic::GaveUp, now) else { return };
                warn!(error = &*failure.message, spans, suppressed, "export failed, spans lost");
            }
        }
    }

    /// Writes a line when the queue has overflowed since the last call. `total` is the counter.
    pub(crate) fn queue_full(&mut self, total: u64, now: Duration) {
        if total == self.queue_full {
            return;
        }
        if self.allow(Topic::QueueFull, now).is_some() {
            let spans = total - self.queue_full;
            self.queue_full = total;
            warn!(spans, "the export queue is full, spans lost");
        }
    }

    fn allow(&mut self, topic: Topic, now: Duration) -> Option<u64> {
        self.topics[topic as usize].allow(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_an_interval_and_the_next_says_how_many_were_held_back() {
        let mut report = Report::default();
        let minute = INTERVAL;
        assert_eq!(report.allow(Topic::GaveUp, Duration::ZERO), Some(0));
        assert_eq!(report.allow(Topic::GaveUp, minute / 2), None);
        assert_eq!(report.allow(Topic::Rejected, minute / 2), Some(0));
        assert_eq!(report.allow(Topic::GaveUp, minute - Duration::from_nanos(1)), None);
        assert_eq!(report.allow(Topic::GaveUp, minute), Some(2));
    }
}
