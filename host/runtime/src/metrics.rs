//! Counters: everything a user can see the runtime doing, or failing to do.
//!
//! One [`Counters`] belongs to one runtime and is shared by reference; there is no global registry.
//! The list is fixed at compile time, so a page or an exit summary shows zeros as well, and no
//! message can create a new time series.
//!
//! This module does not know Prometheus: it hands out [`Sample`]s, and whoever serves a page adds
//! prefixes, suffixes and escapes.
//!
//! Adding a counter is one line in the list below. A counter with reasons names a family:
//!
//! ```text
//! calls, "What it counts.";
//! losses: Losses { reason = full, broken }, "What it counts, by reason.";
//! ```
//!
//! Then `counters.calls.add(1)` and `counters.losses.full.add(1)` compile.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
///
/// Alone on its cache line, because the threads that carry messages add to these on every call.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`. Wraps after 2^64, which no process lives to see.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Reads the value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One counter at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Name without prefix or suffix, such as `spans_dropped`.
    pub name: &'static str,
    /// One sentence for a reader of the page.
    pub help: &'static str,
    /// Label name and value, where the counter is split by reason.
    pub label: Option<(&'static str, &'static str)>,
    /// Value when it was read.
    pub value: u64,
}

macro_rules! counters {
    // The type of a field: a counter, or the family it names.
    (@type) => { Counter };
    (@type $Family:ident) => { $Family };
    // How a field hands out its samples.
    (@each $me:expr, $name:expr, $help:literal, $visit:ident) => {
        $visit(Sample { name: $name, help: $help, label: None, value: $me.get() })
    };
    (@each $me:expr, $name:expr, $help:literal, $visit:ident, $Family:ident) => {
        for (label, value, counter) in $me.each() {
            let label = Some((label, value));
            $visit(Sample { name: $name, help: $help, label, value: counter.get() })
        }
    };
    ($(
        $field:ident $(: $Family:ident { $label:ident = $($value:ident),+ })? , $help:literal ;
    )+) => {
        $($(
            #[doc = concat!("The counters of [`Counters::", stringify!($field), "`].")]
            #[derive(Debug, Default)]
            pub struct $Family {
                $(
                    #[doc = concat!("`", stringify!($label), "=\"", stringify!($value), "\"`")]
                    pub $value: Counter,
                )+
            }

            impl $Family {
                /// Adds up all of them.
                pub fn total(&self) -> u64 {
                    self.each().map(|(_, _, counter)| counter.get()).sum()
                }

                fn each(&self) -> impl Iterator<Item = (&'static str, &'static str, &Counter)> {
                    [$((stringify!($label), stringify!($value), &self.$value)),+].into_iter()
                }
            }
        )?)+

        /// Every counter of one runtime.
        #[derive(Debug, Default)]
        pub struct Counters {
            $( #[doc = $help] pub $field: counters!(@type $($Family)?), )+
        }

        impl Counters {
            /// Visits every counter in the order of the list, zeros included.
            pub fn for_each(&self, mut visit: impl FnMut(Sample)) {
                $( counters!(@each self.$field, stringify!($field), $help, visit $(, $Family)?); )+
            }
        }
    };
}

counters! {
    component_failures: ComponentFailures {
        reason = trap, deadline, memory, answer
    }, "Calls of the component that failed, by what went wrong.";
    component_bypasses, "Times a thread stopped calling a component that kept failing.";
    messages_untraced: MessagesUntraced {
        reason = failed, bypassed, overflow
    }, "Messages that went on as they came, by why the component did not decide about them.";
    settlements_lost: SettlementsLost {
        reason = failed, bypassed, overflow
    }, "Open spans that ended without being recorded, by why.";
    headers_skipped, "Headers too long to be handed to the component.";
    propagations_failed, "Calls of a propagator that did nothing because the component failed.";
    component_swaps: ComponentSwaps {
        result = loaded, refused
    }, "Components that were to replace the loaded one, by whether they did.";
    instances_made, "Instances of the component that were made.";
    instances_recycled, "Instances that were exchanged for fresh ones without having failed.";
    code_cache: CodeCacheUses {
        result = hit, stored, unstored
    }, "Loads of a component, by whether its code came from the cache or went into it.";
    spans_queued, "Spans taken into the export queue.";
    spans_exported, "Spans the receiver accepted.";
    spans_dropped: SpansDropped {
        reason = queue_full, rejected, non_retryable, retries_exhausted, shutdown, too_large, encode
    }, "Spans lost, by reason.";
    export_requests, "Export requests sent, each attempt counted.";
    export_retries: ExportRetries {
        reason = connection, timeout, throttled, unavailable
    }, "Export requests that will be sent again, by what went wrong.";
    export_failures: ExportFailures {
        reason = connection, timeout, throttled, unavailable, refused, response, encode, io, panic
    }, "Export requests that failed, each attempt counted, by what went wrong.";
    env_warnings, "Settings in OTEL_* variables that were not honoured as written.";
    reloads: Reloads {
        result = ok, failed
    }, "Times the configuration was read again, by whether it was taken over.";
    resources_overflow, "Resources refused because the table was full.";
    resource_values_cut, "Resource attributes dropped or shortened to a limit.";
    sessions_opened, "Client connections for which a broker was found.";
    sessions_ended: SessionsEnded {
        by = client, broker, here
    }, "Sessions that are over, by who ended them.";
    connections_refused: ConnectionsRefused {
        reason = limit, source, proxy_protocol, tls, broker
    }, "Client connections that became no session, by why: too many sessions, too many of one \
        source, a bad PROXY header, a failed TLS handshake, or no broker can be reached.";
    sessions_raw: SessionsRaw {
        reason = tls, version, protocol, mode, awaited
    }, "Sessions that were relayed unread from some byte on, by why: the peers speak TLS with each \
        other, another version or another protocol, a command of Redis whose answers are no \
        replies, or more awaited replies than can be told apart.";
    sessions_refused: SessionsRefused {
        reason = cluster, sentinel
    }, "Sessions that ended because their broker sends clients to other servers, past the gateway, \
        by what it is.";
    messages_seen: MessagesSeen {
        direction = published, delivered
    }, "Messages between producers and consumers that were seen, control traffic left out.";
    connect_urls_hidden, "INFO lines from which the addresses of a cluster were taken.";
    messages_unreadable, "Messages that went on untraced because their headers could not be read.";
    bodies_left_alone: BodiesLeftAlone {
        reason = bytes, content
    }, "Bodies of routes with an envelope in which no context could be found or put, by why: \
        longer than is held, or not of the envelope's shape.";
    injections_skipped: InjectionsSkipped {
        reason = no_headers, max_payload, frame_max, size_refused, refused
    }, "Published messages that got no context, by why: the client or the broker takes no headers, \
        the broker's size limit, the longest frame, a destination that refused one with context \
        for its size, or a message that cannot be changed safely.";
    messages_refused_for_size, "Messages with our context that a broker refused for their size: \
        without it, they might have been taken. Once for a destination.";
    refusing_destinations_forgotten, "Destinations that refused a message with our context, \
        forgotten because a listener knew too many.";
    publishes_unanswered: PublishesUnanswered {
        reason = closed, count, bytes, age
    }, "Publishes without the answer that the client had asked for, by why it is not waited for.";
    subscriptions_untracked, "Subscriptions past a session's bounds: who else gets their messages \
        is not said.";
    ack_policies_forgotten, "Consumers that acknowledge nothing or everything at once, forgotten \
        because a listener knew too many.";
    ack_all_deliveries_forgotten, "Deliveries that an acknowledgement of a later one no longer \
        settles, because a listener knew too many.";
    consumer_answers_unread: ConsumerAnswersUnread {
        reason = count, bytes
    }, "Descriptions of consumers that were not read, by the bound that was reached.";
    channels_untracked, "AMQP channels past a session's bound: their messages go on untraced.";
    consumers_untracked, "AMQP consumers past a session's bound: their deliveries go on untraced.";
    requests_untracked, "Requests of AMQP channels past a bound: what their answers are about is \
        not known.";
    unsettled_forgotten, "AMQP deliveries past a session's bound: their settlement ends no span.";
    temporary_queues_forgotten, "AMQP queues that go away with their owner, forgotten because a \
        listener knew too many.";
    attempts_forgotten, "AMQP messages to be delivered again whose last attempt was forgotten, \
        because a listener knew too many.";
    redis_unread: RedisUnread {
        reason = command, reply, count
    }, "Commands and replies of Redis that were not looked into, by why: a command or a reply \
        longer than is held or not in an array, or too many awaited replies.";
    redis_consumers_forgotten, "Consumers of Redis streams whose unsettled entries are counted \
        anew, because a session had too many.";
    redis_groups_forgotten, "Groups of Redis streams, or streams with theirs, forgotten because a \
        listener knew too many: XDEL settles nothing for them.";
    settle_unmatched, "Settlements of messages whose delivery is not known.";
    open_spans_evicted: OpenSpansEvicted {
        reason = count, bytes, age
    }, "Process spans given up before their message was settled, by the bound that was reached.";
    measures_overflow, "Routes and messages that are measured with others, because there were too \
        many sets of labels: for a route once, for its messages each.";
    broker_connections: BrokerConnections {
        result = made, failed, skipped
    }, "Attempts to reach a broker, by what came of them: connected, failed, or put off because it \
        could not be reached shortly before.";
    admin_requests: AdminRequests {
        result = answered, refused
    }, "Requests to the admin endpoint; refused: not understood, not allowed, or too many.";
    server_events: ServerEvents {
        result = traced, dropped, no_context, unsampled, control, unread, too_large, compressed,
            failed, missed
    }, "Trace events of NATS servers, by what became of them.";
    server_event_entries_left_out: ServerEventEntriesLeftOut {
        reason = unknown, count
    }, "Entries of trace events that their span does not show, by why.";
    server_events_alike, "Trace events of servers that went on to others, whose message could not \
        be told from an earlier one.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_is_visited_once_and_zeros_are_shown() {
        let counters = Counters::default();
        let mut seen = Vec::new();
        counters.for_each(|sample| seen.push((sample.name, sample.label)));
        let mut unique = seen.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), seen.len());
        assert!(seen.contains(&("spans_queued", None)));
        assert!(seen.contains(&("spans_dropped", Some(("reason", "queue_full")))));
    }

    #[test]
    fn a_family_adds_up_its_reasons_and_leaves_the_others_alone() {
        let counters = Counters::default();
        counters.spans_dropped.rejected.add(2);
        counters.spans_dropped.shutdown.add(3);
        assert_eq!(counters.spans_dropped.total(), 5);
        assert_eq!(counters.spans_dropped.queue_full.get(), 0);
        assert_eq!(counters.export_failures.total(), 0);
    }
}
