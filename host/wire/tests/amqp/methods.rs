//! Random methods, as `amq-protocol` models them.

use amq_protocol::protocol::{AMQPClass, basic, channel, confirm, connection, exchange, queue, tx};
use proptest::prelude::*;

use crate::generate::{long, short, table};

/// A method of any class.
pub(crate) fn method() -> impl Strategy<Value = AMQPClass> {
    prop_oneof![
        3 => basic_messages().prop_map(AMQPClass::Basic),
        2 => basic_settlements().prop_map(AMQPClass::Basic),
        2 => basic_consumers().prop_map(AMQPClass::Basic),
        1 => handshake().prop_map(AMQPClass::Connection),
        1 => connections().prop_map(AMQPClass::Connection),
        1 => channels().prop_map(AMQPClass::Channel),
        2 => others(),
    ]
}

fn basic_messages() -> impl Strategy<Value = basic::AMQPMethod> {
    use basic::{AMQPMethod, Deliver, Get, GetOk, Publish, Return};
    let bits = any::<(bool, bool)>();
    let reply = (any::<u16>(), short());
    let tag = any::<(u64, bool)>();
    prop_oneof![
        (short(), short(), bits).prop_map(|(exchange, routing_key, (mandatory, immediate))| {
            AMQPMethod::Publish(Publish { exchange, routing_key, mandatory, immediate })
        }),
        (reply, short(), short()).prop_map(|((reply_code, reply_text), exchange, routing_key)| {
            AMQPMethod::Return(Return { reply_code, reply_text, exchange, routing_key })
        }),
        (short(), tag, short(), short()).prop_map(
            |(consumer_tag, (delivery_tag, redelivered), exchange, routing_key)| {
                AMQPMethod::Deliver(Deliver {
                    consumer_tag,
                    delivery_tag,
                    redelivered,
                    exchange,
                    routing_key,
                })
            }
        ),
        (short(), any::<bool>()).prop_map(|(queue, no_ack)| AMQPMethod::Get(Get { queue, no_ack })),
        (tag, short(), short(), any::<u32>()).prop_map(
            |((delivery_tag, redelivered), exchange, routing_key, message_count)| {
                AMQPMethod::GetOk(GetOk {
                    delivery_tag,
                    redelivered,
                    exchange,
                    routing_key,
                    message_count,
                })
            }
        ),
        Just(AMQPMethod::GetEmpty(basic::GetEmpty {})),
    ]
}

fn basic_settlements() -> impl Strategy<Value = basic::AMQPMethod> {
    use basic::{AMQPMethod, Ack, Nack, Recover, RecoverAsync, RecoverOk, Reject};
    prop_oneof![
        any::<(u64, bool)>().prop_map(|(delivery_tag, multiple)| {
            AMQPMethod::Ack(Ack { delivery_tag, multiple })
        }),
        any::<(u64, bool, bool)>().prop_map(|(delivery_tag, multiple, requeue)| {
            AMQPMethod::Nack(Nack { delivery_tag, multiple, requeue })
        }),
        any::<(u64, bool)>().prop_map(|(delivery_tag, requeue)| {
            AMQPMethod::Reject(Reject { delivery_tag, requeue })
        }),
        any::<bool>().prop_map(|requeue| AMQPMethod::Recover(Recover { requeue })),
        any::<bool>().prop_map(|requeue| AMQPMethod::RecoverAsync(RecoverAsync { requeue })),
        Just(AMQPMethod::RecoverOk(RecoverOk {})),
    ]
}

fn basic_consumers() -> impl Strategy<Value = basic::AMQPMethod> {
    use basic::{AMQPMethod, Cancel, CancelOk, Consume, ConsumeOk, Qos, QosOk};
    prop_oneof![
        any::<(u16, bool)>().prop_map(|(prefetch_count, global)| {
            AMQPMethod::Qos(Qos { prefetch_count, global })
        }),
        Just(AMQPMethod::QosOk(QosOk {})),
        (short(), short(), any::<[bool; 4]>(), table()).prop_map(
            |(queue, consumer_tag, [no_local, no_ack, exclusive, nowait], arguments)| {
                AMQPMethod::Consume(Consume {
                    queue,
                    consumer_tag,
                    no_local,
                    no_ack,
                    exclusive,
                    nowait,
                    arguments,
                })
            }
        ),
        short().prop_map(|consumer_tag| AMQPMethod::ConsumeOk(ConsumeOk { consumer_tag })),
        (short(), any::<bool>()).prop_map(|(consumer_tag, nowait)| {
            AMQPMethod::Cancel(Cancel { consumer_tag, nowait })
        }),
        short().prop_map(|consumer_tag| AMQPMethod::CancelOk(CancelOk { consumer_tag })),
    ]
}

fn handshake() -> impl Strategy<Value = connection::AMQPMethod> {
    use connection::{AMQPMethod, Open, OpenOk, Start, StartOk, Tune, TuneOk};
    prop_oneof![
        (any::<(u8, u8)>(), table(), long(), long()).prop_map(
            |((version_major, version_minor), server_properties, mechanisms, locales)| {
                AMQPMethod::Start(Start {
                    version_major,
                    version_minor,
                    server_properties,
                    mechanisms,
                    locales,
                })
            }
        ),
        (table(), prop_oneof![short(), Just("PLAIN".into())], long(), short()).prop_map(
            |(client_properties, mechanism, response, locale)| {
                AMQPMethod::StartOk(StartOk { client_properties, mechanism, response, locale })
            }
        ),
        any::<(u16, u32, u16)>().prop_map(|(channel_max, frame_max, heartbeat)| {
            AMQPMethod::Tune(Tune { channel_max, frame_max, heartbeat })
        }),
        any::<(u16, u32, u16)>().prop_map(|(channel_max, frame_max, heartbeat)| {
            AMQPMethod::TuneOk(TuneOk { channel_max, frame_max, heartbeat })
        }),
        short().prop_map(|virtual_host| AMQPMethod::Open(Open { virtual_host })),
        Just(AMQPMethod::OpenOk(OpenOk {})),
    ]
}

fn connections() -> impl Strategy<Value = connection::AMQPMethod> {
    use connection::{
        AMQPMethod, Blocked, Close, CloseOk, Unblocked, UpdateSecret, UpdateSecretOk,
    };
    prop_oneof![
        (any::<(u16, u16, u16)>(), short()).prop_map(
            |((reply_code, class_id, method_id), reply_text)| {
                AMQPMethod::Close(Close { reply_code, reply_text, class_id, method_id })
            }
        ),
        Just(AMQPMethod::CloseOk(CloseOk {})),
        short().prop_map(|reason| AMQPMethod::Blocked(Blocked { reason })),
        Just(AMQPMethod::Unblocked(Unblocked {})),
        (long(), short()).prop_map(|(new_secret, reason)| {
            AMQPMethod::UpdateSecret(UpdateSecret { new_secret, reason })
        }),
        Just(AMQPMethod::UpdateSecretOk(UpdateSecretOk {})),
    ]
}

fn channels() -> impl Strategy<Value = channel::AMQPMethod> {
    use channel::{AMQPMethod, Close, CloseOk, Flow, FlowOk, Open, OpenOk};
    prop_oneof![
        Just(AMQPMethod::Open(Open {})),
        Just(AMQPMethod::OpenOk(OpenOk {})),
        any::<bool>().prop_map(|active| AMQPMethod::Flow(Flow { active })),
        any::<bool>().prop_map(|active| AMQPMethod::FlowOk(FlowOk { active })),
        (any::<(u16, u16, u16)>(), short()).prop_map(
            |((reply_code, class_id, method_id), reply_text)| {
                AMQPMethod::Close(Close { reply_code, reply_text, class_id, method_id })
            }
        ),
        Just(AMQPMethod::CloseOk(CloseOk {})),
    ]
}

fn others() -> impl Strategy<Value = AMQPClass> {
    let declared = (short(), any::<(u32, u32)>());
    let bits = any::<[bool; 5]>();
    prop_oneof![
        (short(), short(), bits, table()).prop_map(|(exchange, kind, bits, arguments)| {
            let [passive, durable, auto_delete, internal, nowait] = bits;
            AMQPClass::Exchange(exchange::AMQPMethod::Declare(exchange::Declare {
                exchange,
                kind,
                passive,
                durable,
                auto_delete,
                internal,
                nowait,
                arguments,
            }))
        }),
        (short(), bits, table()).prop_map(|(queue, bits, arguments)| {
            let [passive, durable, exclusive, auto_delete, nowait] = bits;
            AMQPClass::Queue(queue::AMQPMethod::Declare(queue::Declare {
                queue,
                passive,
                durable,
                exclusive,
                auto_delete,
                nowait,
                arguments,
            }))
        }),
        declared.prop_map(|(queue, (message_count, consumer_count))| {
            AMQPClass::Queue(queue::AMQPMethod::DeclareOk(queue::DeclareOk {
                queue,
                message_count,
                consumer_count,
            }))
        }),
        (short(), any::<bool>()).prop_map(|(queue, nowait)| {
            AMQPClass::Queue(queue::AMQPMethod::Purge(queue::Purge { queue, nowait }))
        }),
        any::<bool>().prop_map(|nowait| {
            AMQPClass::Confirm(confirm::AMQPMethod::Select(confirm::Select { nowait }))
        }),
        Just(AMQPClass::Confirm(confirm::AMQPMethod::SelectOk(confirm::SelectOk {}))),
        Just(AMQPClass::Exchange(exchange::AMQPMethod::DeclareOk(exchange::DeclareOk {}))),
        Just(AMQPClass::Tx(tx::AMQPMethod::Select(tx::Select {}))),
        Just(AMQPClass::Tx(tx::AMQPMethod::SelectOk(tx::SelectOk {}))),
        Just(AMQPClass::Tx(tx::AMQPMethod::Commit(tx::Commit {}))),
        Just(AMQPClass::Tx(tx::AMQPMethod::CommitOk(tx::CommitOk {}))),
        Just(AMQPClass::Tx(tx::AMQPMethod::Rollback(tx::Rollback {}))),
        Just(AMQPClass::Tx(tx::AMQPMethod::RollbackOk(tx::RollbackOk {}))),
    ]
}
