//! What ends many spans at once, a part of them with each write.
//!
//! One word of a peer can settle tens of thousands of deliveries. What a read ends is handed to the
//! component behind its write, and a batch has a bound; so the rest goes on behind the next write,
//! and what was read behind that word waits for it.

use spanbridge::{Outcome, Settlement, SpanContext};

use super::channel::{Channel, Delivered};
use super::limits::ENDED_PER_READ_MAX;
use super::room::{Room, counted};
use super::state::{Call, State};
use crate::relay::Side;
use crate::relay::awaiting::Answered;

/// What has not ended yet of what one word ends.
#[derive(Debug)]
pub(super) enum Ending {
    /// Deliveries of a channel, up to a tag.
    Deliveries {
        channel: u16,
        through: u64,
        outcome: Outcome,
        /// It ends several.
        is_many: bool,
    },
    /// Publishes of a channel, up to a number.
    Publishes { channel: u16, through: u64, outcome: Outcome },
    /// A channel, with all of its own.
    Channel { number: u16, channel: Box<Channel> },
}

/// How a delivery ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct How {
    pub(super) outcome: Outcome,
    /// The same word ends others.
    pub(super) with_others: bool,
}

impl State {
    /// A word has been said by one side that ends these.
    pub(super) fn end(&mut self, from: Side, ending: Ending) {
        debug_assert!(self.ending(from).is_none(), "each is over before the next frame is read");
        *self.ending(from) = Some(ending);
    }

    /// Answers whether everything has ended that one side has said so of.
    pub(super) fn go_on_ending(&mut self, from: Side, call: &mut Call<'_>) -> bool {
        let Some(mut ending) = self.ending(from).take() else { return true };
        for _ in 0..ENDED_PER_READ_MAX {
            if call.tools.settle.is_full() {
                break;
            }
            if !self.end_one(&mut ending, call) {
                return true;
            }
        }
        *self.ending(from) = Some(ending);
        false
    }

    /// Ends one of them. Answers whether there was one.
    fn end_one(&mut self, ending: &mut Ending, call: &mut Call<'_>) -> bool {
        let (session, room) = (self.session, &mut self.room);
        match ending {
            Ending::Deliveries { channel: number, through, outcome, is_many } => {
                let Some(channel) = self.channels.get_mut(number) else { return false };
                let list = &mut channel.unsettled;
                let popped = counted(&mut room.unsettled, list, |it| it.pop_through(*through));
                let Some((tag, delivered)) = popped else { return false };
                *is_many |= list.first().is_some_and(|next| next <= *through);
                let how = How { outcome: *outcome, with_others: *is_many };
                settle(key(session, *number, tag), &delivered, how, call);
                true
            }
            Ending::Publishes { channel, through, outcome } => {
                let Some(channel) = self.channels.get_mut(channel) else { return false };
                let Some(publish) = channel.publishes.pop_through(*through, room) else {
                    return false;
                };
                let settle = &mut call.tools.settle;
                if *outcome == Outcome::Unanswered {
                    publish.give_up(settle);
                } else {
                    let answered = Answered { outcome: *outcome, detail: b"", is_timed: true };
                    publish.answered(&answered, call.now, settle);
                }
                true
            }
            Ending::Channel { number, channel } => {
                end_one_of(channel, (session, *number), room, call)
            }
        }
    }

    /// The session is over, and so is everything on its channels.
    pub(super) fn end_all(&mut self, call: &mut Call<'_>) {
        for side in [Side::Client, Side::Broker] {
            while !self.go_on_ending(side, call) {
                call.tools.settle_ended();
            }
        }
        while let Some((number, mut channel)) = self.channels.pop_first() {
            let at = (self.session, number);
            loop {
                call.tools.make_room();
                if !end_one_of(&mut channel, at, &mut self.room, call) {
                    break;
                }
            }
        }
    }
}

/// Ends one publish or delivery of a channel that is over. Answers whether there was one.
fn end_one_of(
    channel: &mut Channel,
    (session, number): (u64, u16),
    room: &mut Room,
    call: &mut Call<'_>,
) -> bool {
    if let Some(publish) = channel.publishes.pop_through(u64::MAX, room) {
        call.tools.counters.publishes_unanswered.closed.add(1);
        publish.give_up(&mut call.tools.settle);
        return true;
    }
    let list = &mut channel.unsettled;
    let popped = counted(&mut room.unsettled, list, |it| it.pop_through(u64::MAX));
    if let Some((tag, delivered)) = popped {
        let how = How { outcome: Outcome::Abandoned, with_others: true };
        settle(key(session, number, tag), &delivered, how, call);
        return true;
    }
    room.consumers = room.consumers.saturating_sub(channel.consumers.len());
    false
}

/// What a delivery is called in the process. No other protocol's keys begin with a zero.
pub(super) fn key(session: u64, channel: u16, tag: u64) -> [u8; 18] {
    let mut key = [0; 18];
    key[..8].copy_from_slice(&session.to_be_bytes());
    key[8..10].copy_from_slice(&channel.to_be_bytes());
    key[10..].copy_from_slice(&tag.to_be_bytes());
    key
}

/// A delivery ends. One that the broker will deliver again is remembered, if it can be known again.
pub(super) fn settle(key: [u8; 18], delivered: &Delivered, how: How, call: &mut Call<'_>) {
    let &Delivered { identity, span, start } = delivered;
    let How { outcome, with_others } = how;
    // When nobody will say any more that the work is done, it was last heard of at the delivery.
    let is_lost = outcome == Outcome::Abandoned;
    let end = Settlement::new(outcome, if is_lost { start } else { call.now });
    let tools = &mut *call.tools;
    let known = tools.open_spans.settle_for_good(&key, &end, with_others, &mut tools.settle);
    if !known && !is_lost {
        tools.counters.settle_unmatched.add(1);
    }
    if let Some(identity) = identity.filter(|_| is_lost || outcome == Outcome::Requeue)
        && span != SpanContext::default()
    {
        call.shared.attempts.insert(identity, span, call.now, &tools.counters);
    }
}
