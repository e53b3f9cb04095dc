//! Every bound of this crate, with its reason.
//!
//! A limit is compared with what a peer says before anything is computed from it, and before a
//! byte beyond it is looked at.

/// Bounds for the NATS client protocol.
///
/// Limits of the *codec*, not of the traffic: bytes that exceed one are still relayed, only not
/// looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NatsLimits {
    /// The longest control line, without its line end, in bytes. Default 4,096.
    ///
    /// The default of nats-server's `max_control_line`. The server does not count the operation's
    /// name, so this is up to six bytes stricter. It also bounds what a splice may make of a
    /// line. Must be raised together with the server's setting.
    pub control_line_bytes_max: u32,
    /// The longest `CONNECT` line, in bytes. Default 65,536.
    ///
    /// Carries a user's JWT. The server holds it to `max_control_line` too, but that is raised
    /// where tokens are long; 64 KiB holds a token with hundreds of permissions, and a client is
    /// a stranger who can make us keep that much.
    pub connect_bytes_max: u32,
    /// The longest `INFO` line, in bytes. Default 1,048,576.
    ///
    /// Lists the addresses of a whole cluster, and comes from the broker that we were configured
    /// to trust with more than this: a mebibyte is some forty thousand addresses.
    pub info_bytes_max: u32,
    /// The longest header block that is looked at, in bytes. Default 65,536.
    ///
    /// A header block has to be held until it is whole. Eight times the 8 KiB that W3C Baggage
    /// asks everybody to carry. A longer block goes on unseen, and the message unchanged.
    pub header_bytes_max: u32,
    /// The largest header block plus payload, in bytes. Default 999,999,999.
    ///
    /// The largest number that nats-server reads (nine digits). A payload streams through, so its
    /// size costs nothing here.
    pub payload_bytes_max: u32,
}

impl Default for NatsLimits {
    fn default() -> Self {
        Self {
            control_line_bytes_max: 4_096,
            connect_bytes_max: 64 * 1_024,
            info_bytes_max: 1_024 * 1_024,
            header_bytes_max: 64 * 1_024,
            payload_bytes_max: 999_999_999,
        }
    }
}

/// Bounds for AMQP 0-9-1.
///
/// Limits of the *codec*, not of the traffic: bytes that exceed one are still relayed, only not
/// looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AmqpLimits {
    /// The longest method or content header frame, with its head and its end, in bytes. Default
    /// 131,072.
    ///
    /// Such a frame has to be held until it is whole; bodies never are. RabbitMQ's default
    /// `frame_max`, so that nothing goes by unread unless both sides were told to agree on more.
    pub frame_bytes_max: u32,
}

impl Default for AmqpLimits {
    fn default() -> Self {
        Self { frame_bytes_max: 128 * 1_024 }
    }
}

/// Bounds for RESP.
///
/// Limits of the *codec*, not of the traffic: bytes that exceed one are still relayed, only not
/// looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RespLimits {
    /// The longest command that is held until it is whole, in bytes. Default 1,048,576.
    ///
    /// Jobs are meant to be small (a Celery task is a kilobyte, the longest script of BullMQ
    /// 40 KiB), and a client is a stranger who can make us keep that much. A longer command goes
    /// by unread.
    pub command_bytes_max: u32,
    /// The longest reply that is held until it is whole, in bytes. Default 1,048,576.
    ///
    /// A hundred entries of ten kilobytes. A longer reply goes by unread.
    pub reply_bytes_max: u32,
    /// The longest string, in bytes. Default 536,870,912.
    ///
    /// The default of Redis' `proto-max-bulk-len`. Strings stream through, so their size costs
    /// nothing here. Also bounds what a splice may make of a string. Must be raised together with
    /// the server's setting.
    pub bulk_bytes_max: u32,
    /// The longest line, without its first byte and its end, in bytes. Default 65,536.
    ///
    /// `PROTO_INLINE_MAX_SIZE` of Redis for inline commands. In replies a line holds a status, an
    /// error or a number; 64 KiB leaves room for an error that quotes a script.
    pub line_bytes_max: u32,
}

impl Default for RespLimits {
    fn default() -> Self {
        Self {
            command_bytes_max: 1_024 * 1_024,
            reply_bytes_max: 1_024 * 1_024,
            bulk_bytes_max: 512 * 1_024 * 1_024,
            line_bytes_max: 64 * 1_024,
        }
    }
}

/// The most parts of unknown length that may be open inside each other in a RESP reply.
///
/// Redis sends none so far; replies whose lengths are known nest as deep as they like.
pub const STREAMED_DEPTH_MAX: usize = 4;

/// The deepest nesting that the JSON scanner follows: one bit a level in a `u64`.
///
/// What it reads (`INFO`, `CONNECT`, publish acknowledgements) nests two or three levels deep.
pub const JSON_DEPTH_MAX: u32 = 64;

/// The most header edits of one message: one bit an edit in a `u64`.
///
/// All propagation formats together write about fifteen headers; the rest is room for formats
/// that spread baggage over one header an entry.
pub const HEADER_EDITS_MAX: usize = 64;

/// The longest PROXY header of version 1, with its line end, in bytes: what its specification
/// computes from two full IPv6 addresses.
pub const PROXY_V1_BYTES_MAX: usize = 107;

/// The longest PROXY header of version 2, in bytes.
///
/// Addresses take 52 bytes, or 232 for Unix sockets; the rest is for fields that load balancers
/// add and nobody here reads. The specification asks receivers for 536 and advises senders to stay
/// below; cloud balancers that attach a certificate's fields need more.
pub const PROXY_V2_BYTES_MAX: usize = 4_096;
