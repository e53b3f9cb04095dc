//! Every bound of a Redis session, with its reason.
//!
//! What a session can make us hold, at worst: a command and a reply of a mebibyte each, 8 MiB of
//! what is known of awaited replies, half as much for their places, 1 MiB of consumers' names.

/// Replies of a session that somebody looks into, awaited at the same time; runs of others count
/// once. Client libraries send some thousands of commands at once at most. Beyond it, commands are
/// taken for such as nobody looks into.
pub(super) const AWAITED_MAX: usize = 16_384;

/// Places of awaited replies, those included that a session cannot be read without, such as that of
/// a `SELECT`. Beyond it nobody can say which reply is which, and the session is relayed unread.
pub(super) const PLACES_MAX: usize = 2 * AWAITED_MAX;

/// Bytes that open publishes and the names in read commands take, while their replies are awaited.
/// Half a kibibyte each.
pub(super) const AWAITED_BYTES_MAX: usize = 8 << 20;

/// Places that an empty list of awaited replies keeps: what a pipeline fills and empties all the
/// time.
pub(super) const PLACES_KEPT_MAX: usize = 64;

/// Consumers of a session whose unsettled entries are counted. A program is one in a few groups;
/// beyond it all are forgotten, and counted anew.
pub(super) const CONSUMERS_MAX: usize = 256;

/// Streams of a listener whose groups are known; beyond it those of the most silent one are
/// forgotten. As many as there are programs that read from them, or a few more.
pub(super) const STREAMS_MAX: usize = 4096;

/// Groups of a stream that are known; beyond it the oldest is forgotten. Each is a kind of program
/// that gets every entry.
pub(super) const GROUPS_MAX: usize = 16;

/// Longest name of a group, a consumer or a stream that is looked at together with others, of a
/// queue of jobs or a job's id, in bytes. Names are words; keys of Redis may have 512 MiB.
pub(super) const NAME_BYTES_MAX: usize = 1024;

/// Spans that a read ends before it is written and they are handed to the component: half of what
/// a batch takes, so that there is room for what the same read ends otherwise.
pub(super) const ENDED_PER_READ_MAX: usize = 2048;

/// Deliveries of a read from which on the next reply waits for their write: half of what a call of
/// the component takes. One reply may bring as many by itself.
pub(super) const DELIVERED_PER_READ_MAX: usize = 512;

/// Buffer space for messages of a read that stays for the next one.
pub(super) const MARKED_KEPT_MAX: usize = 16;

/// Buffer space for keys of a read that stays for the next one, in bytes.
pub(super) const KEYS_KEPT_MAX: usize = 4096;
