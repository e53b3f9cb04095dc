//! Events as nats-server 2.15.1 sent them, for the tests of this folder.
//!
//! Two servers in a cluster, an account with a mapping, one that imports from it, and a server with
//! JetStream. The text is the server's but for the order of the events' coming.

pub(super) const ROUTE_FIRST: &str = include_str!("../../tests/nats_events/route_first.json");
pub(super) const ROUTE_SECOND: &str = include_str!("../../tests/nats_events/route_second.json");
pub(super) const STREAM_EXPORT: &str = include_str!("../../tests/nats_events/stream_export.json");
pub(super) const SERVICE_IMPORT: &str = include_str!("../../tests/nats_events/service_import.json");
pub(super) const JETSTREAM: &str = include_str!("../../tests/nats_events/jetstream.json");
pub(super) const DUPLICATE: &str = include_str!("../../tests/nats_events/jetstream_duplicate.json");
pub(super) const REFUSED: &str = include_str!("../../tests/nats_events/jetstream_refused.json");
/// Asked for by the client itself, by `Nats-Trace-Dest`.
pub(super) const NO_CONTEXT: &str = include_str!("../../tests/nats_events/no_context.json");

pub(super) const ALL: [&str; 8] = [
    ROUTE_FIRST,
    ROUTE_SECOND,
    STREAM_EXPORT,
    SERVICE_IMPORT,
    JETSTREAM,
    DUPLICATE,
    REFUSED,
    NO_CONTEXT,
];
