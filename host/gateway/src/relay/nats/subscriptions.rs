//! The subscriptions of a session: which of them share their messages with others.
//!
//! Entries go as the broker's do: at `UNSUB`, or with the delivery that `UNSUB` named as the last.
//! Past the bounds a subscription is not kept; then nothing is said about who else gets its
//! messages.

use std::collections::HashMap;

use spanbridge::metrics::Counters;

use super::limits::{QUEUE_GROUP_BYTES_MAX, SID_BYTES_MAX, SUBSCRIPTIONS_MAX};

/// Who gets the messages of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience<'a> {
    /// Every subscription to the subject.
    Everybody,
    /// One member of the queue group.
    Group(&'a [u8]),
    /// The subscription is not known.
    Unknown,
}

#[derive(Debug, Default)]
struct Subscription {
    queue_group: Option<Box<[u8]>>,
    delivered: u32,
    /// The delivery after which it ends.
    deliveries_max: Option<u32>,
}

impl Subscription {
    fn is_over(&self) -> bool {
        self.deliveries_max.is_some_and(|max| self.delivered >= max)
    }
}

/// Subscriptions by the client's names for them.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    by_sid: HashMap<Box<[u8]>, Subscription>,
    /// How many have a last delivery.
    limited: usize,
}

impl Subscriptions {
    /// `SUB`. A name that is in use keeps its subscription, as in the broker.
    pub(super) fn subscribe(&mut self, sid: &[u8], group: Option<&[u8]>, counters: &Counters) {
        if self.by_sid.contains_key(sid) {
            return;
        }
        let fits = sid.len() <= SID_BYTES_MAX as usize
            && group.is_none_or(|group| group.len() <= QUEUE_GROUP_BYTES_MAX as usize);
        if !fits || self.by_sid.len() >= SUBSCRIPTIONS_MAX {
            counters.subscriptions_untracked.add(1);
            return;
        }
        let queue_group = group.map(Into::into);
        self.by_sid.insert(sid.into(), Subscription { queue_group, ..Subscription::default() });
    }

    /// `UNSUB`, with the number of deliveries after which it ends; at once without one, or when so
    /// many have been.
    pub(super) fn unsubscribe(&mut self, sid: &[u8], deliveries_max: Option<u32>) {
        let Some(subscription) = self.by_sid.get_mut(sid) else { return };
        let was_limited = subscription.deliveries_max.is_some();
        // The broker takes a zero as no number.
        subscription.deliveries_max = Some(deliveries_max.unwrap_or(0));
        self.limited += usize::from(!was_limited);
        self.forget_if_over(sid);
    }

    /// A message is being delivered.
    pub(super) fn deliver(&mut self, sid: &[u8]) -> Audience<'_> {
        match self.by_sid.get_mut(sid) {
            Some(subscription) => {
                subscription.delivered = subscription.delivered.saturating_add(1);
                match &subscription.queue_group {
                    Some(group) => Audience::Group(group),
                    None => Audience::Everybody,
                }
            }
            None => Audience::Unknown,
        }
    }

    /// The message has been delivered: forgets its subscription if it was the last one.
    pub(super) fn delivered(&mut self, sid: &[u8]) {
        if self.limited > 0 {
            self.forget_if_over(sid);
        }
    }

    fn forget_if_over(&mut self, sid: &[u8]) {
        if self.by_sid.get(sid).is_some_and(Subscription::is_over) {
            self.by_sid.remove(sid);
            self.limited -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_ends_with_its_last_delivery_and_not_before() {
        let (mut table, counters) = (Subscriptions::default(), Counters::default());
        for sid in [b"1".as_slice(), b"2", b"3"] {
            table.subscribe(sid, Some(b"workers"), &counters);
        }
        assert_eq!(table.deliver(b"1"), Audience::Group(b"workers"));
        table.unsubscribe(b"1", Some(2));
        table.unsubscribe(b"2", None);
        assert_eq!(table.deliver(b"2"), Audience::Unknown);
        assert_eq!(table.deliver(b"1"), Audience::Group(b"workers"));
        table.delivered(b"1");
        assert_eq!(table.deliver(b"1"), Audience::Unknown);
        // Counted from the subscription's start.
        assert_eq!(table.deliver(b"3"), Audience::Group(b"workers"));
        table.unsubscribe(b"3", Some(1));
        assert_eq!(table.deliver(b"3"), Audience::Unknown);
        assert_eq!((table.by_sid.len(), table.limited), (0, 0));
    }

    #[test]
    fn the_first_subscription_of_a_name_stays() {
        let (mut table, counters) = (Subscriptions::default(), Counters::default());
        table.subscribe(b"1", None, &counters);
        table.subscribe(b"1", Some(b"workers"), &counters);
        assert_eq!(table.deliver(b"1"), Audience::Everybody);
    }

    #[test]
    fn what_goes_past_a_bound_is_counted_and_unknown() {
        let (mut table, counters) = (Subscriptions::default(), Counters::default());
        let long = |bytes: u32| vec![b'x'; bytes as usize];
        table.subscribe(&long(SID_BYTES_MAX), Some(&long(QUEUE_GROUP_BYTES_MAX)), &counters);
        assert_eq!(counters.subscriptions_untracked.get(), 0);
        table.subscribe(&long(SID_BYTES_MAX + 1), None, &counters);
        table.subscribe(b"1", Some(&long(QUEUE_GROUP_BYTES_MAX + 1)), &counters);
        assert_eq!(counters.subscriptions_untracked.get(), 2);
        assert_eq!(table.deliver(b"1"), Audience::Unknown);
        for number in 1..SUBSCRIPTIONS_MAX {
            table.subscribe(number.to_string().as_bytes(), None, &counters);
        }
        assert_eq!(counters.subscriptions_untracked.get(), 2);
        table.subscribe(b"one more", None, &counters);
        assert_eq!(counters.subscriptions_untracked.get(), 3);
    }
}
