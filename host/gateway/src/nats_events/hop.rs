//! Where a server stands on a message's way: the id of its span, and the span above.
//!
//! ```text
//! publish ─▶ server a ─┬─▶ server b          a: no hop     b: hop 1, under a
//!                      └─▶ server c ─▶ d     c: hop 2, under a     d: hop 2.1, under c
//! ```
//!
//! Every server sends its own event, in any order, and several programs may share the events. So a
//! server's span-id is computed from what all events of a message have in common: its context, its
//! headers, and the hop, from which the hop above follows. A server that sent the message on to no
//! other server is named by nobody; its id holds the time and the connection as well, so that a
//! context that was put into several messages does not give several spans one id.
//!
//! What remains: two messages with the same context and the same headers that both cross servers.
//! [`Recent`] notices the second one, if this process sees both.

use std::collections::{HashSet, VecDeque};

use spanbridge::RemoteSpan;

use super::event::Event;

/// Where a server reads how it was reached. The first server gets none.
const HOP_HEADER: &str = "Nats-Trace-Hop";

/// Headers that servers add on the way, in lower case.
const SERVER_HEADERS: &str = "nats-trace-";

/// Ids that are remembered, to notice that one comes again. Messages of one context follow each
/// other closely; this is some ten milliseconds of a busy server.
const RECENT_IDS_MAX: usize = 4096;

/// Where the span of a server stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub span_id: u64,
    pub parent_id: u64,
    /// Other servers name this span as the one above theirs.
    pub has_children: bool,
}

impl Place {
    /// The place of the server that sent this event, in the trace of the message's context.
    pub(super) fn of(event: &Event, context: &RemoteSpan) -> Self {
        let hop = event.header(HOP_HEADER).unwrap_or_default();
        let message = message(event, context);
        let has_children = event.hops > 0;
        let span_id =
            if has_children { message.hop(hop) } else { message.hop(hop).event(event) }.id();
        let parent_id = match hop.rsplit_once('.') {
            _ if hop.is_empty() => context.span_id,
            Some((above, _)) => message.hop(above).id(),
            None => message.hop("").id(),
        };
        Self { span_id, parent_id, has_children }
    }

    /// The same for a second message that cannot be told from the first: an id of its own.
    pub(super) fn apart(self, event: &Event) -> Self {
        Self { span_id: Hash(self.span_id).event(event).id(), ..self }
    }
}

/// What all events of one message have in common.
fn message(event: &Event, context: &RemoteSpan) -> Hash {
    let RemoteSpan { trace_hi, trace_lo, span_id, .. } = context;
    let hash = Hash::NEW.number(*trace_hi).number(*trace_lo).number(*span_id);
    // Some servers rewrite the casing of names, so the order can differ too.
    let pairs = event.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
    let mut pairs: Vec<_> = pairs.filter(|(name, _)| !name.starts_with(SERVER_HEADERS)).collect();
    pairs.sort();
    pairs.iter().fold(hash, |hash, (name, value)| hash.text(name).text(value))
}

/// FNV-1a of 64 bits. Ids have to agree between programs and versions, which the standard library
/// does not promise of its own.
#[derive(Clone, Copy)]
struct Hash(u64);

impl Hash {
    const NEW: Self = Self(0xcbf2_9ce4_8422_2325);

    fn bytes(self, bytes: &[u8]) -> Self {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        Self(bytes.iter().fold(self.0, step))
    }

    fn number(self, number: u64) -> Self {
        self.bytes(&number.to_be_bytes())
    }

    /// Text and its length, so that two texts in a row cannot be split otherwise.
    fn text(self, text: &str) -> Self {
        self.number(text.len() as u64).bytes(text.as_bytes())
    }

    fn hop(self, hop: &str) -> Self {
        self.text(hop)
    }

    /// What makes an event of its own.
    fn event(self, event: &Event) -> Self {
        let ingress = &event.ingress;
        let hash = self.text(&event.server.id).number(ingress.at);
        hash.number(ingress.cid.unwrap_or_default())
    }

    /// A span-id, which is never zero. FNV stirs its upper bits little, so it is stirred once more
    /// (the finalizer of SplitMix64).
    fn id(self) -> u64 {
        let mut id = self.0;
        id = (id ^ (id >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        id = (id ^ (id >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        id ^= id >> 31;
        id.max(1)
    }
}

/// The ids that came last.
#[derive(Debug, Default)]
pub(super) struct Recent {
    order: VecDeque<u64>,
    ids: HashSet<u64>,
}

impl Recent {
    /// Remembers an id. Answers whether it is new.
    pub(super) fn insert(&mut self, id: u64) -> bool {
        if !self.ids.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > RECENT_IDS_MAX {
            let oldest = self.order.pop_front();
            oldest.map(|id| self.ids.remove(&id));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn context() -> RemoteSpan {
        RemoteSpan { trace_hi: 1, trace_lo: 2, span_id: 3, ..RemoteSpan::default() }
    }

    fn place(text: &str) -> Place {
        Place::of(&Event::read(text.as_bytes()).unwrap(), &context())
    }

    #[test]
    fn the_second_server_stands_under_the_first_and_that_one_under_the_publish() {
        let (first, second) = (place(samples::ROUTE_FIRST), place(samples::ROUTE_SECOND));
        assert_eq!(first.parent_id, 3);
        assert!(first.has_children && !second.has_children);
        assert_eq!(second.parent_id, first.span_id);
        assert_ne!(second.span_id, first.span_id);
    }

    #[test]
    fn a_hop_of_a_hop_stands_under_it() {
        let second = samples::ROUTE_SECOND.replace(r#""events""#, r#""hops":1,"events""#);
        let third = samples::ROUTE_SECOND.replace(r#"["1"]"#, r#"["1.1"]"#);
        assert_eq!(place(&third).parent_id, place(&second).span_id);
        let sibling = samples::ROUTE_SECOND.replace(r#"["1"]"#, r#"["2.1"]"#);
        assert_ne!(place(&sibling).parent_id, place(&second).span_id);
    }

    #[test]
    fn another_casing_of_names_and_headers_of_servers_change_nothing() {
        let first = place(samples::ROUTE_FIRST);
        for change in [r#""Traceparent":["#, r#""Nats-Trace-Dest":["x"],"TRACEPARENT":["#] {
            let second = samples::ROUTE_SECOND.replace(r#""traceparent":["#, change);
            assert_eq!(place(&second).parent_id, first.span_id, "{second}");
        }
        let other =
            samples::ROUTE_SECOND.replace(r#""traceparent":["#, r#""a":["b"],"traceparent":["#);
        assert_ne!(place(&other).parent_id, first.span_id, "another message");
    }

    #[test]
    fn a_context_in_several_messages_gives_several_ids() {
        let one = place(samples::JETSTREAM);
        let later = samples::JETSTREAM.replace("834739693Z", "834739694Z");
        assert_ne!(one.span_id, place(&later).span_id);
        assert_eq!(one, place(samples::JETSTREAM), "and the same event always the same");

        let first = Event::read(samples::ROUTE_FIRST.as_bytes()).unwrap();
        let place = place(samples::ROUTE_FIRST);
        let apart = place.apart(&first);
        assert_ne!(apart.span_id, place.span_id);
        assert_eq!(apart.parent_id, place.parent_id);
    }

    #[test]
    fn ids_are_remembered_for_a_while() {
        let mut recent = Recent::default();
        assert!(recent.insert(0) && !recent.insert(0));
        for id in 1..=RECENT_IDS_MAX as u64 {
            assert!(recent.insert(id));
        }
        assert!(recent.insert(0), "forgotten by now");
        assert_eq!((recent.order.len(), recent.ids.len()), (RECENT_IDS_MAX, RECENT_IDS_MAX));
    }
}
