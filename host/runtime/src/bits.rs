//! Flags of messages and verdicts, as `wit/messaging.wit` numbers them.

use bitflags::bitflags;

bitflags! {
    /// What is known about a message or a delivery.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct MessageBits: u32 {
        /// The destination is temporary: its name is not used in the span's name.
        const TEMPORARY = 1 << 0;
        /// The destination's name was made up by a broker: likewise.
        const ANONYMOUS = 1 << 1;
        /// Other consumers get the message as well.
        const FAN_OUT = 1 << 2;
        /// Handed to the consumer together with others, to be worked on together.
        const BATCH = 1 << 3;
        /// Nothing on the wire will say when the work is done.
        const UNSEEN = 1 << 4;
        /// The message cannot carry headers.
        const NO_HEADERS = 1 << 5;
        /// Nothing of the message may be changed: spans only.
        const READ_ONLY = 1 << 6;
        /// The parent given with the message is sampled.
        const PARENT_SAMPLED = 1 << 7;
        /// The parent's trace-id is random.
        const PARENT_RANDOM = 1 << 8;
        /// The start of a delivery is an estimate, which is said on the span.
        const ESTIMATED = 1 << 9;
        /// The broker says that it may have been delivered before.
        const REDELIVERED = 1 << 10;
        /// A publish that may have come through another host of a component: our context in it
        /// stays, and there is no span, where it is less than a second old.
        const RELAYED = 1 << 11;
        /// When a delivery was published, its program says, and not the broker.
        const PUBLISHED_BY_PRODUCER = 1 << 12;
    }

    /// What the component found and did.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct VerdictBits: u32 {
        /// The span is sampled.
        const SAMPLED = 1 << 0;
        /// A context was found in the message.
        const FOUND = 1 << 1;
        /// A context was found and could not be read.
        const INVALID = 1 << 2;
        /// The found context is a copy of one that we injected into another message.
        const COPIED = 1 << 3;
        /// A new trace starts here.
        const ROOT = 1 << 4;
        /// The edits put a context into the message, or replace one.
        const INJECTED = 1 << 5;
        /// The context in the header and the one in the body differ. The header's is used.
        const DISAGREED = 1 << 6;
        /// Publish time was later than delivery; the wait is shown as zero.
        const CLOCK_SKEW = 1 << 7;
        /// The publish time comes from our tracestate member, not from the broker.
        const PUBLISH_TIME_OWN = 1 << 8;
        /// A body was handed in but is not an envelope that can be changed safely.
        const BODY_LEFT_ALONE = 1 << 9;
        /// Attributes, links, or a value's end were cut at a limit.
        const TRUNCATED = 1 << 10;
        /// A bit of a newer component's, kept as it came.
        const _ = !0;
    }
}
