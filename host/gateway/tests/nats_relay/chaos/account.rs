//! The account at the end: nothing is missing, nothing is there twice.
//!
//! ```text
//! messages seen = spans made - those of pulls + untraced + not sampled
//!                 + spans lost on the way to their end
//! spans made    = exported + dropped, by reason
//! ```
//!
//! Each number comes from another place: the bytes, the spans, the receiver, the counters.

use spanbridge::metrics::Counters;

use super::bytes::Seen;
use super::export::Made;

/// What a bed knows in the end.
pub(crate) struct Books<'a> {
    pub(crate) seen: &'a Seen,
    pub(crate) made: &'a Made,
    /// Spans that the receiver took.
    pub(crate) taken: u64,
    pub(crate) counters: &'a Counters,
    /// The component never failed.
    pub(crate) is_well: bool,
    /// Spans that ended as abandoned before the process ended.
    pub(crate) abandoned_before_end: u64,
}

impl Books<'_> {
    pub(crate) fn check(&self) {
        self.check_messages();
        self.check_export();
        if self.is_well {
            self.check_outcomes();
            self.check_contexts();
        }
    }

    /// Every message is a span, or is counted as none.
    fn check_messages(&self) {
        let Self { seen, made, counters, .. } = self;
        let counted = &counters.messages_seen;
        assert_eq!(counted.published.get(), seen.published, "published messages");
        assert_eq!(counted.delivered.get(), seen.delivered, "delivered messages");
        let lost = counters.messages_untraced.total() + counters.settlements_lost.total();
        let account = (made.spans - made.receives, lost, seen.unsampled);
        assert_eq!(counted.total(), account.0 + account.1 + account.2, "{account:?}");
        assert_eq!(counters.messages_untraced.overflow.get(), 0);
        assert_eq!(counters.messages_unreadable.get(), 0);
        assert_eq!(counters.headers_skipped.get(), 0);
        assert_eq!(counters.sessions_raw.total(), 0);
        let failed = counters.component_failures.total() > 0;
        assert_eq!((failed, lost > 0), (!self.is_well, !self.is_well));
    }

    /// Every span that was made reached the receiver, or is counted as dropped.
    fn check_export(&self) {
        let Self { made, taken, counters, .. } = self;
        let dropped = &counters.spans_dropped;
        assert_eq!(counters.spans_exported.get(), *taken);
        assert_eq!(made.spans, taken + dropped.total(), "{dropped:#?}");
        let before = dropped.queue_full.get() + dropped.too_large.get() + dropped.encode.get();
        assert_eq!(made.spans, counters.spans_queued.get() + before, "{dropped:#?}");
    }

    /// What is said of a span's end is what the counters say.
    fn check_outcomes(&self) {
        let Self { seen, made, counters, .. } = self;
        let unanswered = counters.publishes_unanswered.total();
        assert_eq!(made.with(&["unanswered"]), unanswered, "{:?}", made.outcomes);
        let evicted = counters.open_spans_evicted.total();
        assert_eq!(self.abandoned_before_end, evicted, "{:?}", counters.open_spans_evicted);
        if seen.unsampled == 0 {
            let settled = made.with(&["ack", "nack", "term"]);
            let unmatched = counters.settle_unmatched.get();
            assert_eq!(seen.settled, settled + unmatched, "{:?}", made.outcomes);
        }
    }

    /// Every message without a context got one, and each names a span that was made.
    fn check_contexts(&self) {
        let Self { seen, made, counters, .. } = self;
        let skipped = counters.injections_skipped.total();
        assert_eq!(seen.without_context, seen.injected + skipped);
        assert_eq!(seen.injected, seen.span_ids.len() as u64);
        assert!(seen.span_ids.is_subset(&made.span_ids));
    }
}
