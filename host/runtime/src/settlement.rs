//! Settlements: open spans on their way into one call of the component, which ends them.

use crate::limits::{BATCH_KEPT_BYTES_MAX, Limits};
use crate::message::Cut;
use crate::open_span::OpenSpan;
use crate::record;
use crate::resource::ResourceId;

/// How a span that stayed open ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Outcome {
    /// Producer: the broker answered that it has the message.
    Confirmed,
    /// Producer: the broker sent the message back, no queue took it. An error.
    Returned,
    /// Producer: the broker refused the message. An error.
    Refused,
    /// Producer: the session ended before the broker answered.
    Unanswered,
    /// Consumer: the work is done.
    Ack,
    /// Consumer: the work failed, the message will come again. An error.
    Nack,
    /// Consumer: the message was put back, without a word on why.
    Requeue,
    /// Consumer: the message was refused for good. An error.
    Reject,
    /// Consumer: delivery ends for every consumer (JetStream `+TERM`). An error.
    Term,
    /// Consumer: the broker's time for the work passed. An error.
    Expired,
    /// Consumer: another consumer took the message over.
    Claimed,
    /// Nothing more will be known: the session ended or a limit of the host was reached.
    Abandoned,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Confirmed,
        Self::Returned,
        Self::Refused,
        Self::Unanswered,
        Self::Ack,
        Self::Nack,
        Self::Requeue,
        Self::Reject,
        Self::Term,
        Self::Expired,
        Self::Claimed,
        Self::Abandoned,
    ];

    /// Its name, which spans have as `spanbridge.outcome`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Returned => "returned",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
            Self::Ack => "ack",
            Self::Nack => "nack",
            Self::Requeue => "requeue",
            Self::Reject => "reject",
            Self::Term => "term",
            Self::Expired => "expired",
            Self::Claimed => "claimed",
            Self::Abandoned => "abandoned",
        }
    }

    /// Answers whether a span that ends so has the status of an error.
    pub const fn is_error(self) -> bool {
        matches!(
            self,
            Self::Returned | Self::Refused | Self::Nack | Self::Reject | Self::Term | Self::Expired
        )
    }
}

/// The end of an open span. Times are nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub struct Settlement<'a> {
    /// How it ended.
    pub outcome: Outcome,
    /// When the work began, where that is now known better than [`OpenSpan::start`]. 0: it is not.
    pub start: u64,
    /// When it ended.
    pub end: u64,
    /// In how many nanoseconds the message will come again, where the consumer said so; else 0.
    pub delay: u64,
    /// A text from the broker on why; empty: none.
    pub detail: &'a [u8],
}

impl Settlement<'_> {
    /// An outcome at a time, with nothing else to say.
    pub const fn new(outcome: Outcome, end: u64) -> Self {
        Self { outcome, start: 0, end, delay: 0, detail: b"" }
    }
}

/// Open spans and how they ended, for [`Tracer::settle`](crate::Tracer::settle).
///
/// Takes more than a batch of messages does, because no message waits while it is worked off.
#[derive(Debug, Default)]
pub struct SettleBatch {
    limits: Limits,
    pub(crate) records: Vec<record::Settlement>,
    pub(crate) resources: Vec<ResourceId>,
    pub(crate) arena: Vec<u8>,
    /// Where each call but the first begins.
    pub(crate) cuts: Vec<Cut>,
    /// Spans that found no room; they are lost.
    pub(crate) overflowed: u64,
}

impl SettleBatch {
    /// Makes an empty batch. Only the bounds of a batch and of a call are used.
    pub fn new(limits: &Limits) -> Self {
        Self { limits: *limits, ..Self::default() }
    }

    /// Forgets everything but the buffers.
    pub fn clear(&mut self) {
        self.records.clear();
        self.resources.clear();
        self.arena.clear();
        self.arena.shrink_to(BATCH_KEPT_BYTES_MAX);
        self.cuts.clear();
        self.overflowed = 0;
    }

    /// Spans that will be ended.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Answers whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Answers whether the next span should wait for another batch: it would find no room here.
    pub fn is_full(&self) -> bool {
        self.records.len() >= self.limits.settlements_max
            || self.arena.len() >= self.limits.settlement_bytes_max
    }

    /// Adds a span and how it ended. The order of spans does not matter.
    ///
    /// Past a bound of the batch, the span is lost and counted; see [`Self::is_full`]. A detail is
    /// cut to what there is room for.
    pub fn add(&mut self, open: &OpenSpan, end: &Settlement<'_>) {
        let room = self.limits.arena_bytes_max.checked_sub(open.beginning.len());
        let Some(room) = room.filter(|_| !self.is_full()) else {
            self.overflowed += 1;
            return;
        };
        let detail = &end.detail[..end.detail.len().min(room)];
        let mut call = self.cuts.last().copied().unwrap_or_default();
        let more = open.beginning.len() + detail.len();
        let too_long = self.arena.len() - call.arena + more > self.limits.arena_bytes_max;
        let too_many = self.records.len() - call.records >= self.limits.messages_per_call_max;
        if too_long || too_many {
            call = Cut { records: self.records.len(), arena: self.arena.len() };
            self.cuts.push(call);
        }
        self.records.push(record::Settlement {
            route: open.route.0,
            bits: open.bits.bits(),
            // All three are at most `arena_bytes_max`, a length in the component's 32-bit memory.
            at: (self.arena.len() - call.arena) as u32,
            open: open.beginning.len() as u32,
            detail: detail.len() as u32,
            outcome: end.outcome as u32,
            start: if end.start == 0 { open.start } else { end.start },
            end: end.end,
            delay: end.delay,
        });
        self.resources.push(open.resource);
        self.arena.extend_from_slice(&open.beginning);
        self.arena.extend_from_slice(detail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bits::VerdictBits;
    use crate::route::Route;

    fn open(beginning: &[u8]) -> OpenSpan {
        OpenSpan {
            route: Route(3),
            bits: VerdictBits::SAMPLED,
            resource: ResourceId::DEFAULT,
            trace_hi: 1,
            trace_lo: 2,
            span_id: 3,
            start: 100,
            published: 0,
            beginning: beginning.into(),
        }
    }

    #[test]
    fn parts_follow_each_other_and_a_better_start_wins() {
        let mut batch = SettleBatch::default();
        batch.add(&open(b"begin"), &Settlement::new(Outcome::Ack, 200));
        let end = Settlement { start: 150, detail: b"why", ..Settlement::new(Outcome::Nack, 200) };
        batch.add(&open(b"two"), &end);
        assert_eq!(batch.arena, b"begintwowhy");
        let [first, second] = batch.records[..] else { panic!("two records") };
        assert_eq!((first.at, first.open, first.detail, first.start), (0, 5, 0, 100));
        assert_eq!((second.at, second.open, second.detail, second.start), (5, 3, 3, 150));
        assert_eq!(second.outcome, 5);
    }

    #[test]
    fn a_batch_is_cut_into_calls_and_bounded() {
        let limits = Limits {
            messages_per_call_max: 2,
            arena_bytes_max: 10,
            settlements_max: 4,
            ..Limits::default()
        };
        let mut batch = SettleBatch::new(&limits);
        for beginning in [b"123456", b"123456", b"abcdef"] {
            batch.add(&open(beginning), &Settlement::new(Outcome::Ack, 1));
        }
        assert_eq!(batch.cuts, [Cut { records: 1, arena: 6 }, Cut { records: 2, arena: 12 }]);
        assert_eq!(batch.records[2].at, 0);
        batch.add(&open(b"12345678901"), &Settlement::new(Outcome::Ack, 1));
        assert_eq!(batch.overflowed, 1);
        assert!(!batch.is_full());
        batch.add(&open(b"x"), &Settlement::new(Outcome::Ack, 1));
        batch.add(&open(b"x"), &Settlement::new(Outcome::Ack, 1));
        assert!(batch.is_full());
        assert_eq!((batch.len(), batch.overflowed), (4, 2));
        batch.clear();
        assert!(batch.is_empty() && !batch.is_full());
    }
}
