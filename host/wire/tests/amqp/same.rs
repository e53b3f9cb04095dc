//! Whether our view of a frame says the same as that of `amq-protocol`.
//!
//! Ours is turned into theirs: each argument that we read comes from us, each that we step over
//! from them, and then the two have to be equal.

use amq_protocol::frame::{AMQPContentHeader, AMQPFrame};
use amq_protocol::protocol::{
    AMQPClass, BasicProperties, basic, channel, confirm, connection, exchange, queue, tx,
};
use amq_protocol::types::{
    AMQPValue, ByteArray, DecimalValue, FieldArray, FieldTable, LongString, ShortString,
};
use spanbridge_wire::Extent;
use spanbridge_wire::amqp::{ContentHeader, Frame, Method, Properties, Table, Value};

/// The places of a frame's texts.
struct Places<'a>(&'a [u8]);

impl Places<'_> {
    fn short(&self, at: Extent) -> ShortString {
        short(at.of(self.0))
    }

    fn table(&self, at: Extent) -> FieldTable {
        table(Table::new(at.of(self.0)))
    }
}

fn short(bytes: &[u8]) -> ShortString {
    ShortString::from(std::str::from_utf8(bytes).expect("the generator writes UTF-8"))
}

/// Fails unless both say the same of the frame.
pub(crate) fn assert_same(ours: Frame, bytes: &[u8], theirs: &AMQPFrame) {
    match (ours, theirs) {
        (Frame::Method { channel, method }, AMQPFrame::Method(their_channel, their_method)) => {
            assert_eq!(channel, *their_channel);
            assert_eq!(&as_theirs(method, bytes, their_method), their_method);
        }
        (Frame::Header(header), AMQPFrame::Header(channel, their_header)) => {
            assert_eq!(header.channel, *channel);
            assert_eq!(&content_header(&header, bytes), their_header);
        }
        (Frame::Body { channel, size }, AMQPFrame::Body(their_channel, body)) => {
            assert_eq!((channel, size as usize), (*their_channel, body.len()));
        }
        (Frame::Heartbeat, AMQPFrame::Heartbeat) => {}
        (Frame::ProtocolHeader, AMQPFrame::ProtocolHeader(_)) => {}
        _ => panic!("{ours:?} is not {theirs:?}"),
    }
}

fn as_theirs(ours: Method, bytes: &[u8], theirs: &AMQPClass) -> AMQPClass {
    let at = Places(bytes);
    match theirs {
        AMQPClass::Basic(theirs) => AMQPClass::Basic(basic(ours, &at, theirs)),
        AMQPClass::Connection(theirs) => AMQPClass::Connection(connection(ours, &at, theirs)),
        AMQPClass::Channel(_) => AMQPClass::Channel(channel(ours, &at)),
        AMQPClass::Exchange(_) => match ours {
            Method::ExchangeDeclare(it) => {
                AMQPClass::Exchange(exchange::AMQPMethod::Declare(exchange::Declare {
                    exchange: at.short(it.exchange),
                    kind: at.short(it.kind),
                    passive: it.passive,
                    durable: it.durable,
                    auto_delete: it.auto_delete,
                    internal: it.internal,
                    nowait: it.no_wait,
                    arguments: at.table(it.arguments),
                }))
            }
            Method::ExchangeDeclareOk => {
                AMQPClass::Exchange(exchange::AMQPMethod::DeclareOk(exchange::DeclareOk {}))
            }
            _ => other(ours, theirs),
        },
        AMQPClass::Queue(_) => match ours {
            Method::QueueDeclare(it) => {
                AMQPClass::Queue(queue::AMQPMethod::Declare(queue::Declare {
                    queue: at.short(it.queue),
                    passive: it.passive,
                    durable: it.durable,
                    exclusive: it.exclusive,
                    auto_delete: it.auto_delete,
                    nowait: it.no_wait,
                    arguments: at.table(it.arguments),
                }))
            }
            Method::QueueDeclareOk(it) => {
                AMQPClass::Queue(queue::AMQPMethod::DeclareOk(queue::DeclareOk {
                    queue: at.short(it.queue),
                    message_count: it.message_count,
                    consumer_count: it.consumer_count,
                }))
            }
            _ => other(ours, theirs),
        },
        AMQPClass::Access(_) => other(ours, theirs),
        AMQPClass::Confirm(_) | AMQPClass::Tx(_) => modes(ours),
    }
}

fn modes(ours: Method) -> AMQPClass {
    match ours {
        Method::ConfirmSelect { no_wait: nowait } => {
            AMQPClass::Confirm(confirm::AMQPMethod::Select(confirm::Select { nowait }))
        }
        Method::ConfirmSelectOk => {
            AMQPClass::Confirm(confirm::AMQPMethod::SelectOk(confirm::SelectOk {}))
        }
        Method::TxSelect => AMQPClass::Tx(tx::AMQPMethod::Select(tx::Select {})),
        Method::TxSelectOk => AMQPClass::Tx(tx::AMQPMethod::SelectOk(tx::SelectOk {})),
        Method::TxCommit => AMQPClass::Tx(tx::AMQPMethod::Commit(tx::Commit {})),
        Method::TxCommitOk => AMQPClass::Tx(tx::AMQPMethod::CommitOk(tx::CommitOk {})),
        Method::TxRollback => AMQPClass::Tx(tx::AMQPMethod::Rollback(tx::Rollback {})),
        Method::TxRollbackOk => AMQPClass::Tx(tx::AMQPMethod::RollbackOk(tx::RollbackOk {})),
        _ => panic!("{ours:?}"),
    }
}

/// A method that we do not look into.
fn other(ours: Method, theirs: &AMQPClass) -> AMQPClass {
    let Method::Other { class, .. } = ours else { panic!("{ours:?} is not {theirs:?}") };
    assert_eq!(class, theirs.get_amqp_class_id());
    theirs.clone()
}

fn basic(ours: Method, at: &Places<'_>, theirs: &basic::AMQPMethod) -> basic::AMQPMethod {
    use basic::AMQPMethod as Theirs;
    match (ours, theirs) {
        (Method::BasicQos(it), _) => {
            Theirs::Qos(basic::Qos { prefetch_count: it.prefetch_count, global: it.global })
        }
        (Method::BasicQosOk, _) => Theirs::QosOk(basic::QosOk {}),
        (Method::BasicConsume(it), Theirs::Consume(theirs)) => Theirs::Consume(basic::Consume {
            queue: at.short(it.queue),
            consumer_tag: at.short(it.consumer_tag),
            no_local: theirs.no_local,
            no_ack: it.no_ack,
            exclusive: it.exclusive,
            nowait: it.no_wait,
            arguments: at.table(it.arguments),
        }),
        (Method::BasicConsumeOk { consumer_tag }, _) => {
            Theirs::ConsumeOk(basic::ConsumeOk { consumer_tag: at.short(consumer_tag) })
        }
        (Method::BasicCancel { consumer_tag, no_wait: nowait }, _) => {
            Theirs::Cancel(basic::Cancel { consumer_tag: at.short(consumer_tag), nowait })
        }
        (Method::BasicCancelOk { consumer_tag }, _) => {
            Theirs::CancelOk(basic::CancelOk { consumer_tag: at.short(consumer_tag) })
        }
        (Method::BasicRecover { requeue }, _) => Theirs::Recover(basic::Recover { requeue }),
        (Method::BasicRecoverAsync { requeue }, _) => {
            Theirs::RecoverAsync(basic::RecoverAsync { requeue })
        }
        (Method::BasicRecoverOk, _) => Theirs::RecoverOk(basic::RecoverOk {}),
        (Method::BasicAck(it), _) => {
            assert!(!it.requeue);
            Theirs::Ack(basic::Ack { delivery_tag: it.delivery_tag, multiple: it.multiple })
        }
        (Method::BasicNack(it), _) => Theirs::Nack(basic::Nack {
            delivery_tag: it.delivery_tag,
            multiple: it.multiple,
            requeue: it.requeue,
        }),
        (Method::BasicReject(it), _) => {
            assert!(!it.multiple);
            Theirs::Reject(basic::Reject { delivery_tag: it.delivery_tag, requeue: it.requeue })
        }
        _ => message(ours, at),
    }
}

fn message(ours: Method, at: &Places<'_>) -> basic::AMQPMethod {
    use basic::AMQPMethod as Theirs;
    assert_eq!(
        ours.carries_content(),
        !matches!(ours, Method::BasicGet(_) | Method::BasicGetEmpty)
    );
    match ours {
        Method::BasicPublish(it) => Theirs::Publish(basic::Publish {
            exchange: at.short(it.exchange),
            routing_key: at.short(it.routing_key),
            mandatory: it.mandatory,
            immediate: it.immediate,
        }),
        Method::BasicReturn(it) => Theirs::Return(basic::Return {
            reply_code: it.reply_code,
            reply_text: at.short(it.reply_text),
            exchange: at.short(it.exchange),
            routing_key: at.short(it.routing_key),
        }),
        Method::BasicDeliver(it) => Theirs::Deliver(basic::Deliver {
            consumer_tag: at.short(it.consumer_tag),
            delivery_tag: it.delivery_tag,
            redelivered: it.redelivered,
            exchange: at.short(it.exchange),
            routing_key: at.short(it.routing_key),
        }),
        Method::BasicGet(it) => {
            Theirs::Get(basic::Get { queue: at.short(it.queue), no_ack: it.no_ack })
        }
        Method::BasicGetOk(it) => Theirs::GetOk(basic::GetOk {
            delivery_tag: it.delivery_tag,
            redelivered: it.redelivered,
            exchange: at.short(it.exchange),
            routing_key: at.short(it.routing_key),
            message_count: it.message_count,
        }),
        Method::BasicGetEmpty => Theirs::GetEmpty(basic::GetEmpty {}),
        _ => panic!("{ours:?}"),
    }
}

fn connection(
    ours: Method,
    at: &Places<'_>,
    theirs: &connection::AMQPMethod,
) -> connection::AMQPMethod {
    use connection::AMQPMethod as Theirs;
    match (ours, theirs) {
        (Method::ConnectionStart(it), Theirs::Start(theirs)) => Theirs::Start(connection::Start {
            server_properties: at.table(it.server_properties),
            mechanisms: LongString::from(it.mechanisms.of(at.0)),
            ..theirs.clone()
        }),
        (Method::ConnectionStartOk(it), Theirs::StartOk(theirs)) => {
            if let Some(user) = it.user {
                let response = theirs.response.as_bytes();
                let user = user.of(at.0);
                assert!(user.is_empty() || response.windows(user.len()).any(|w| w == user));
            }
            Theirs::StartOk(connection::StartOk {
                client_properties: at.table(it.client_properties),
                mechanism: at.short(it.mechanism),
                ..theirs.clone()
            })
        }
        (Method::ConnectionTune(it), _) => Theirs::Tune(connection::Tune {
            channel_max: it.channel_max,
            frame_max: it.frame_max,
            heartbeat: it.heartbeat,
        }),
        (Method::ConnectionTuneOk(it), _) => Theirs::TuneOk(connection::TuneOk {
            channel_max: it.channel_max,
            frame_max: it.frame_max,
            heartbeat: it.heartbeat,
        }),
        (Method::ConnectionOpen { vhost }, _) => {
            Theirs::Open(connection::Open { virtual_host: at.short(vhost) })
        }
        (Method::ConnectionOpenOk, _) => Theirs::OpenOk(connection::OpenOk {}),
        (Method::ConnectionClose(it), _) => Theirs::Close(connection::Close {
            reply_code: it.reply_code,
            reply_text: at.short(it.reply_text),
            class_id: it.class,
            method_id: it.method,
        }),
        (Method::ConnectionCloseOk, _) => Theirs::CloseOk(connection::CloseOk {}),
        (Method::ConnectionBlocked { reason }, _) => {
            Theirs::Blocked(connection::Blocked { reason: at.short(reason) })
        }
        (Method::ConnectionUnblocked, _) => Theirs::Unblocked(connection::Unblocked {}),
        (Method::ConnectionUpdateSecret, Theirs::UpdateSecret(theirs)) => {
            Theirs::UpdateSecret(theirs.clone())
        }
        (Method::ConnectionUpdateSecretOk, _) => {
            Theirs::UpdateSecretOk(connection::UpdateSecretOk {})
        }
        _ => panic!("{ours:?} is not {theirs:?}"),
    }
}

fn channel(ours: Method, at: &Places<'_>) -> channel::AMQPMethod {
    use channel::AMQPMethod as Theirs;
    match ours {
        Method::ChannelOpen => Theirs::Open(channel::Open {}),
        Method::ChannelOpenOk => Theirs::OpenOk(channel::OpenOk {}),
        Method::ChannelFlow { active } => Theirs::Flow(channel::Flow { active }),
        Method::ChannelFlowOk { active } => Theirs::FlowOk(channel::FlowOk { active }),
        Method::ChannelClose(it) => Theirs::Close(channel::Close {
            reply_code: it.reply_code,
            reply_text: at.short(it.reply_text),
            class_id: it.class,
            method_id: it.method,
        }),
        Method::ChannelCloseOk => Theirs::CloseOk(channel::CloseOk {}),
        _ => panic!("{ours:?}"),
    }
}

fn content_header(header: &ContentHeader, bytes: &[u8]) -> AMQPContentHeader {
    let properties = header.properties(bytes).expect("they can be read");
    AMQPContentHeader {
        class_id: header.class,
        body_size: header.body_size,
        properties: as_their_properties(&properties),
    }
}

fn as_their_properties(ours: &Properties<'_>) -> BasicProperties {
    let mut all = BasicProperties::default();
    macro_rules! set {
        ($($with:ident = $value:expr),+ $(,)?) => {
            $(if let Some(value) = $value { all = all.$with(value); })+
        };
    }
    set!(
        with_content_type = ours.content_type.map(short),
        with_content_encoding = ours.content_encoding.map(short),
        with_headers = ours.headers.map(table),
        with_delivery_mode = ours.delivery_mode,
        with_priority = ours.priority,
        with_correlation_id = ours.correlation_id.map(short),
        with_reply_to = ours.reply_to.map(short),
        with_expiration = ours.expiration.map(short),
        with_message_id = ours.message_id.map(short),
        with_timestamp = ours.timestamp,
        with_type = ours.kind.map(short),
        with_user_id = ours.user_id.map(short),
        with_app_id = ours.app_id.map(short),
        with_cluster_id = ours.cluster_id.map(short),
    );
    all
}

fn table(ours: Table<'_>) -> FieldTable {
    assert!(ours.is_complete());
    let mut theirs = FieldTable::default();
    for entry in ours {
        theirs.insert(short(entry.name), value(entry.value));
    }
    theirs
}

fn value(ours: Value<'_>) -> AMQPValue {
    let raw = ours.raw();
    let small = || ours.as_i64().expect("a number");
    match ours.tag() {
        b'S' => AMQPValue::LongString(LongString::from(ours.as_text().expect("a text"))),
        b'x' => AMQPValue::ByteArray(ByteArray::from(ours.as_text().expect("a text"))),
        b't' => AMQPValue::Boolean(ours.as_bool().expect("a bool")),
        b'b' => AMQPValue::ShortShortInt(small().try_into().unwrap()),
        b'B' => AMQPValue::ShortShortUInt(small().try_into().unwrap()),
        b's' => AMQPValue::ShortInt(small().try_into().unwrap()),
        b'u' => AMQPValue::ShortUInt(small().try_into().unwrap()),
        b'I' => AMQPValue::LongInt(small().try_into().unwrap()),
        b'i' => AMQPValue::LongUInt(small().try_into().unwrap()),
        b'l' => AMQPValue::LongLongInt(small()),
        b'f' => AMQPValue::Float(f32::from_be_bytes(raw.try_into().unwrap())),
        b'd' => AMQPValue::Double(f64::from_be_bytes(raw.try_into().unwrap())),
        b'D' => AMQPValue::DecimalValue(DecimalValue {
            scale: raw[0],
            value: u32::from_be_bytes(raw[1..].try_into().unwrap()),
        }),
        b'T' => AMQPValue::Timestamp(ours.as_timestamp().expect("a time")),
        b'V' => AMQPValue::Void,
        b'F' => AMQPValue::FieldTable(table(ours.as_table().expect("a table"))),
        b'A' => {
            let values = ours.as_array().expect("an array").iter().map(value);
            AMQPValue::FieldArray(FieldArray::from(values.collect::<Vec<_>>()))
        }
        tag => panic!("amq-protocol never writes {tag}"),
    }
}
