use super::*;
use crate::amqp::error::Error;

/// A method frame without its end.
fn frame(class: u16, method: u16, arguments: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; HEAD_LEN];
    frame.extend_from_slice(&class.to_be_bytes());
    frame.extend_from_slice(&method.to_be_bytes());
    frame.extend_from_slice(arguments);
    frame
}

fn read(class: u16, method: u16, arguments: &[u8]) -> Method {
    Method::read(&frame(class, method, arguments)).unwrap()
}

/// The names of the arguments that are missed, as one byte after the other is taken away.
fn missed(class: u16, method: u16, arguments: &[u8]) -> Vec<&'static str> {
    let mut names = Vec::new();
    for len in (0..arguments.len()).rev() {
        let cut = frame(class, method, &arguments[..len]);
        match Method::read(&cut) {
            Err(Error::Argument { class: c, method: m, name }) if (c, m) == (class, method) => {
                names.push(name);
            }
            other => panic!("{class}.{method} cut to {len}: {other:?}"),
        }
    }
    names.dedup();
    names.reverse();
    names
}

#[test]
fn a_publish_is_read() {
    let arguments = b"\x00\x00\x06events\x05order\x01";
    let bytes = frame(60, 40, arguments);
    let Ok(Method::BasicPublish(publish)) = Method::read(&bytes) else { panic!() };
    assert_eq!(publish.exchange.of(&bytes), b"events");
    assert_eq!(publish.routing_key.of(&bytes), b"order");
    assert!(publish.mandatory && !publish.immediate);
    assert_eq!(missed(60, 40, arguments), ["reserved-1", "exchange", "routing-key", "mandatory"]);
}

#[test]
fn deliveries_are_read() {
    let arguments = b"\x04ctag\x00\x00\x00\x00\x00\x00\x00\x07\x01\x00\x05order";
    let bytes = frame(60, 60, arguments);
    let Ok(Method::BasicDeliver(deliver)) = Method::read(&bytes) else { panic!() };
    assert_eq!(deliver.consumer_tag.of(&bytes), b"ctag");
    assert_eq!((deliver.delivery_tag, deliver.redelivered), (7, true));
    assert_eq!(
        (deliver.exchange.of(&bytes), deliver.routing_key.of(&bytes)),
        (&b""[..], &b"order"[..])
    );
    let names = ["consumer-tag", "delivery-tag", "redelivered", "exchange", "routing-key"];
    assert_eq!(missed(60, 60, arguments), names);

    let arguments = b"\x00\x00\x00\x00\x00\x00\x00\x07\x00\x01e\x01r\x00\x00\x00\x09";
    let bytes = frame(60, 71, arguments);
    let Ok(Method::BasicGetOk(got)) = Method::read(&bytes) else { panic!() };
    assert_eq!((got.delivery_tag, got.redelivered, got.message_count), (7, false, 9));
    assert_eq!((got.exchange.of(&bytes), got.routing_key.of(&bytes)), (&b"e"[..], &b"r"[..]));

    let arguments = b"\x01\x38\x08NO_ROUTE\x01e\x01r";
    let bytes = frame(60, 50, arguments);
    let Ok(Method::BasicReturn(back)) = Method::read(&bytes) else { panic!() };
    assert_eq!((back.reply_code, back.reply_text.of(&bytes)), (312, &b"NO_ROUTE"[..]));
}

#[test]
fn settlements_are_told_apart_by_their_bits() {
    let tag = b"\x00\x00\x00\x00\x00\x00\x00\x05";
    let acknowledge = |multiple, requeue| Acknowledge { delivery_tag: 5, multiple, requeue };
    let table = [
        (80, 0, Method::BasicAck(acknowledge(false, false))),
        (80, 0b11, Method::BasicAck(acknowledge(true, false))),
        (90, 0, Method::BasicReject(acknowledge(false, false))),
        (90, 0b11, Method::BasicReject(acknowledge(false, true))),
        (120, 0b01, Method::BasicNack(acknowledge(true, false))),
        (120, 0b10, Method::BasicNack(acknowledge(false, true))),
    ];
    for (method, bits, wanted) in table {
        let arguments = [tag.as_slice(), &[bits]].concat();
        assert_eq!(read(60, method, &arguments), wanted);
        let bits = if method == 90 { "requeue" } else { "multiple" };
        assert_eq!(missed(60, method, &arguments), ["delivery-tag", bits]);
    }
}

#[test]
fn consumers_are_read() {
    let arguments = b"\x00\x00\x01q\x03tag\x06\x00\x00\x00\x03\x01xV";
    let bytes = frame(60, 20, arguments);
    let Ok(Method::BasicConsume(consume)) = Method::read(&bytes) else { panic!() };
    assert_eq!(
        (consume.queue.of(&bytes), consume.consumer_tag.of(&bytes)),
        (&b"q"[..], &b"tag"[..])
    );
    assert!(consume.no_ack && consume.exclusive && !consume.no_wait);
    assert_eq!(consume.arguments.of(&bytes), b"\x01xV");
    let names = ["reserved-1", "queue", "consumer-tag", "no-local", "arguments"];
    assert_eq!(missed(60, 20, arguments), names);

    let bytes = frame(60, 30, b"\x03tag\x01");
    let Ok(Method::BasicCancel { consumer_tag, no_wait: true }) = Method::read(&bytes) else {
        panic!()
    };
    assert_eq!(consumer_tag.of(&bytes), b"tag");
    assert_eq!(
        read(60, 10, b"\x00\x00\x00\x00\x00\xfa\x01"),
        Method::BasicQos(Qos { prefetch_count: 250, global: true })
    );
}

#[test]
fn declarations_are_read() {
    let bytes = frame(50, 10, b"\x00\x00\x00\x04\x00\x00\x00\x00");
    let Ok(Method::QueueDeclare(queue)) = Method::read(&bytes) else { panic!() };
    assert!(queue.queue.is_empty() && queue.exclusive);
    assert!(!queue.passive && !queue.durable && !queue.auto_delete && !queue.no_wait);

    let bytes = frame(50, 11, b"\x07amq.gen\x00\x00\x00\x01\x00\x00\x00\x02");
    let Ok(Method::QueueDeclareOk(queue)) = Method::read(&bytes) else { panic!() };
    assert_eq!(queue.queue.of(&bytes), b"amq.gen");
    assert_eq!((queue.message_count, queue.consumer_count), (1, 2));

    let arguments = b"\x00\x00\x01e\x05topic\x12\x00\x00\x00\x00";
    let bytes = frame(40, 10, arguments);
    let Ok(Method::ExchangeDeclare(exchange)) = Method::read(&bytes) else { panic!() };
    assert_eq!(
        (exchange.exchange.of(&bytes), exchange.kind.of(&bytes)),
        (&b"e"[..], &b"topic"[..])
    );
    assert!(exchange.durable && exchange.no_wait && !exchange.internal);
    assert_eq!(
        missed(40, 10, arguments),
        ["reserved-1", "exchange", "type", "passive", "arguments"]
    );
}

/// Mechanism, response, user.
type Login<'a> = (&'a [u8], &'a [u8], Option<&'a [u8]>);

#[test]
fn a_login_tells_the_user_and_no_password() {
    let table: [Login<'_>; 9] = [
        (b"PLAIN", b"\x00guest\x00secret", Some(b"guest")),
        (b"PLAIN", b"admin\x00guest\x00", Some(b"guest")),
        (b"PLAIN", b"\x00\x00secret", Some(b"")),
        // Without the second NUL the rest may be a password.
        (b"PLAIN", b"\x00secret", None),
        (b"PLAIN", b"secret", None),
        (b"AMQPLAIN", b"\x05LOGINS\x00\x00\x00\x02me\x08PASSWORDS\x00\x00\x00\x02pw", Some(b"me")),
        (b"AMQPLAIN", b"\x08PASSWORDS\x00\x00\x00\x02pw\x05LOGINS\x00\x00\x00\x02me", Some(b"me")),
        (b"AMQPLAIN", b"\x05LOGINB\x07", None),
        (b"EXTERNAL", b"\x00guest\x00secret", None),
    ];
    for (mechanism, response, user) in table {
        let mut arguments = b"\x00\x00\x00\x00".to_vec();
        arguments.push(mechanism.len() as u8);
        arguments.extend_from_slice(mechanism);
        arguments.extend_from_slice(&(response.len() as u32).to_be_bytes());
        arguments.extend_from_slice(response);
        arguments.extend_from_slice(b"\x05en_US");
        let bytes = frame(10, 11, &arguments);
        let Ok(Method::ConnectionStartOk(found)) = Method::read(&bytes) else { panic!() };
        assert_eq!(found.mechanism.of(&bytes), mechanism);
        assert_eq!(found.user.map(|user| user.of(&bytes)), user, "{}", response.escape_ascii());
    }
}

#[test]
fn connections_and_channels_are_read() {
    let tune = Tune { channel_max: 2_047, frame_max: 131_072, heartbeat: 60 };
    let arguments = b"\x07\xff\x00\x02\x00\x00\x00\x3c";
    assert_eq!(read(10, 30, arguments), Method::ConnectionTune(tune));
    assert_eq!(read(10, 31, arguments), Method::ConnectionTuneOk(tune));
    assert_eq!(missed(10, 31, arguments), ["channel-max", "frame-max", "heartbeat"]);

    let arguments = b"\x00\x09\x00\x00\x00\x03\x01xV\x00\x00\x00\x05PLAIN\x00\x00\x00\x05en_US";
    let bytes = frame(10, 10, arguments);
    let Ok(Method::ConnectionStart(start)) = Method::read(&bytes) else { panic!() };
    assert_eq!(start.server_properties.of(&bytes), b"\x01xV");
    assert_eq!(start.mechanisms.of(&bytes), b"PLAIN");

    let arguments = b"\x01\x94\x02no\x00\x32\x00\x0a";
    for class in [10, 20] {
        let bytes = frame(class, if class == 10 { 50 } else { 40 }, arguments);
        let (Method::ConnectionClose(close) | Method::ChannelClose(close)) =
            Method::read(&bytes).unwrap()
        else {
            panic!()
        };
        assert_eq!((close.reply_code, close.reply_text.of(&bytes)), (404, &b"no"[..]));
        assert_eq!((close.class, close.method), (50, 10));
    }
    assert_eq!(read(20, 20, b"\x01"), Method::ChannelFlow { active: true });
    assert_eq!(read(85, 10, b"\x00"), Method::ConfirmSelect { no_wait: false });
    assert_eq!(read(60, 110, b"\x01"), Method::BasicRecover { requeue: true });
}

#[test]
fn methods_without_arguments_of_interest_are_told_apart() {
    let mut seen = Vec::new();
    let bare = [
        (10, 41),
        (10, 51),
        (10, 61),
        (10, 70),
        (10, 71),
        (20, 10),
        (20, 11),
        (20, 41),
        (40, 11),
        (60, 11),
        (60, 72),
        (60, 111),
        (85, 11),
        (90, 10),
        (90, 11),
        (90, 20),
        (90, 21),
        (90, 30),
        (90, 31),
    ];
    for (class, method) in bare {
        let found = read(class, method, b"");
        assert!(!matches!(found, Method::Other { .. }), "{class}.{method}");
        assert!(!seen.contains(&found), "{class}.{method}");
        seen.push(found);
    }
    for (class, method) in [(0, 0), (10, 20), (30, 10), (40, 20), (50, 20), (60, 130), (91, 10)] {
        assert_eq!(read(class, method, b"??"), Method::Other { class, method });
    }
}

#[test]
fn bytes_behind_the_last_argument_are_passed_over() {
    let wanted = Method::ChannelFlow { active: false };
    assert_eq!(read(20, 20, b"\x00and more"), wanted);
}

#[test]
fn a_frame_that_ends_before_its_method_is_no_method() {
    for len in 0..4 {
        let error = Error::Argument { class: 0, method: 0, name: "method-id" };
        assert_eq!(Method::read(&vec![0; HEAD_LEN + len]), Err(error));
    }
}
