//! Every bound of an AMQP session, with its reason.
//!
//! What a session can make us hold, at worst: a frame a direction, 8 MiB of open publishes, 8 MiB
//! of unsettled deliveries, 4 MiB of channels and consumers.

/// Channels of a session that are looked at. RabbitMQ allows 2,047 by default; beyond this one
/// their messages go on untraced.
pub(super) const CHANNELS_MAX: usize = 4096;

/// Consumers of a session. A program has one for each queue that it reads; beyond this their
/// deliveries go on untraced.
pub(super) const CONSUMERS_MAX: usize = 4096;

/// Requests of a channel that wait for their answer, of each kind. Clients ask one by one.
pub(super) const ASKED_MAX: usize = 64;

/// Publishes of a session that wait for an answer. Client libraries let thousands wait at most;
/// beyond it the oldest of the channel is taken for one that gets none.
pub(super) const AWAITED_MAX: usize = 16_384;

/// Bytes that they take in memory. Half a kibibyte each.
pub(super) const AWAITED_BYTES_MAX: usize = 8 << 20;

/// Waiting publishes among which the one is looked for that comes back. Those that the broker has
/// routed are confirmed before long, so it is among the first.
pub(super) const RETURN_SEARCH_MAX: usize = 1024;

/// Unsettled deliveries of a session: the most that a prefetch count can say. Beyond it the oldest
/// of the channel is forgotten, and its span ends by age.
pub(super) const UNSETTLED_MAX: usize = 65_536;

/// Spans that a read ends before it is written and they are handed to the component: half of what
/// a batch takes, so that what else ends with the read finds room.
pub(super) const ENDED_PER_READ_MAX: usize = 2048;

/// Longest name or user of a client, in bytes. Above what a resource keeps of it (1 KiB), so that
/// a long name is cut there and not ignored here.
pub(super) const NAME_BYTES_MAX: usize = 4096;

/// Queues of a listener that go away with their owner, and those of them that answers are sent to;
/// beyond it the one that was silent for longest is forgotten. One for each connection, or for
/// each request of a careless client.
pub(super) const TEMPORARY_QUEUES_MAX: usize = 8192;

/// Messages of a listener that will be delivered again, and whose last attempt is known; beyond it
/// the oldest is forgotten.
pub(super) const ATTEMPTS_MAX: usize = 16_384;

/// What a client takes before it has said how much: the specification's `frame-min-size`.
pub(super) const FRAME_MIN: u32 = 4096;

/// Places that a session keeps for messages of one read: what an ordinary session needs. A busy one
/// allocates once a read for more, which is nothing beside its messages.
pub(super) const MARKED_KEPT_MAX: usize = 16;
