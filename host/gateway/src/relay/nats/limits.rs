//! Every bound of a NATS session, with its reason.
//!
//! What a session can make us hold, at worst: 64 KiB and a control line a direction, 64 KiB more
//! where a route has an envelope ([`BODY_BYTES_MAX`](crate::relay::bodies::BODY_BYTES_MAX)), 4 MiB
//! of open publishes, 4 MiB of subscriptions.

/// Longest acknowledgement that is read, in bytes: it is held until it is whole.
///
/// `-NAK {"delay":…}` and `+NXT {"batch":…,"expires":…}` stay below 100; the rest is for the reason
/// behind `+TERM`. A longer one goes on unread, and its delivery ages.
pub(super) const ACK_BYTES_MAX: u32 = 4096;

/// Longest answer to a publish that is read, in bytes: it is held until it is whole.
///
/// An answer of a stream names the stream, the domain and a number, or has one sentence of error:
/// below 1 KiB. A longer one comes from somebody else.
pub(super) const ANSWER_BYTES_MAX: u32 = 4096;

/// Longest name or user that a client may say, as JSON. Above what a resource keeps of it (1 KiB),
/// so that a long name is cut there and not ignored here.
pub(super) const NAME_BYTES_MAX: usize = 4096;

/// Longest error text of a broker that goes onto a span.
pub(super) const DETAIL_BYTES_MAX: usize = 1024;

/// Subscriptions known of a session. Services hold tens, a bridge may hold thousands.
pub(super) const SUBSCRIPTIONS_MAX: usize = 8192;

/// Longest name of a subscription, in bytes. Clients count; 20 digits hold every number there is.
pub(super) const SID_BYTES_MAX: u32 = 64;

/// Longest queue group, in bytes. The names that people give stay below it.
pub(super) const QUEUE_GROUP_BYTES_MAX: u32 = 256;

/// JetStream consumers known of a session; beyond it the one that was silent for longest is
/// forgotten. A client that makes a new consumer for every read leaves many behind.
pub(super) const CONSUMERS_MAX: usize = 256;

/// Questions of a session about consumers that wait for their answer. Clients ask one by one.
pub(super) const ASKED_MAX: usize = 64;

/// Longest description of a consumer that is read, in bytes: it is held until it is whole.
///
/// An ordinary one has 700; the rest is for subjects to filter by and for metadata. After a longer
/// one it is not known how the consumer acknowledges.
pub(super) const CONSUMER_ANSWER_BYTES_MAX: u32 = 16 << 10;

/// Longest name of a stream or a consumer, as JSON. The server takes 255.
pub(super) const CONSUMER_NAME_BYTES_MAX: usize = 512;

/// Consumers of a listener that acknowledge nothing or everything at once; beyond it the one that
/// was silent for longest is forgotten. Ordered consumers are made anew again and again.
pub(super) const POLICIES_MAX: usize = 4096;

/// Unsettled deliveries to consumers of a listener that acknowledge everything up to a message. As
/// many as there may be open spans by default; beyond it the consumer's oldest is forgotten, and
/// ends as abandoned.
pub(super) const ACK_ALL_DELIVERIES_MAX: usize = 65_536;

/// Destinations of a listener at which a message with our headers was refused for its size. Who has
/// more of them has ids in subjects; the oldest are not in use any more.
pub(super) const REFUSING_MAX: usize = 4096;

/// Publishes of a session that wait for an answer. Twice the 4,000 that client libraries let wait.
pub(super) const AWAITED_MAX: usize = 8192;

/// Bytes that they take in memory. Half a kibibyte each.
pub(super) const AWAITED_BYTES_MAX: usize = 4 << 20;

/// How long they wait, in nanoseconds: a minute. Client libraries give up after two to ten seconds.
pub(super) const AWAITED_AGE_MAX: u64 = 60 * 1_000_000_000;

/// Publishes that have waited for too long and end with one read: what one call of the component
/// takes. All of a session at once would fill the batch that the read itself needs.
pub(super) const AGED_PER_READ_MAX: usize = 256;

/// Places that a session keeps for messages of one read: what an ordinary session needs. A busy one
/// allocates once a read for more, which is nothing beside its messages.
pub(super) const MARKED_KEPT_MAX: usize = 16;

/// The same for the keys of deliveries, in bytes.
pub(super) const KEY_BYTES_KEPT_MAX: usize = 1024;

/// Time between two log lines about sessions that cannot be read, in nanoseconds: ten seconds.
pub(super) const LOG_INTERVAL: u64 = 10 * 1_000_000_000;
