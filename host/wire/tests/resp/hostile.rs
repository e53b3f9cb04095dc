//! Bytes from strangers: whatever they are, they are read without a panic, and what is found lies
//! within them.

use proptest::collection::vec;
use proptest::prelude::*;
use spanbridge_wire::limits::RespLimits;
use spanbridge_wire::resp::{
    Acknowledge, Auth, Claim, Client, Command, FieldEdit, FieldList, Hello, Move, Name, Pop,
    Popped, Published, Push, Reply, Script, Splicer, StreamItem, StreamRead, StreamReply, Want,
    Xadd, select,
};

use crate::generate::{broker_stream, client_stream, damaged};
use crate::walk::{Seen, broker, client, walk};

fn edit(list: &FieldList, bytes: &[u8]) {
    let edits = [
        FieldEdit { name: b"traceparent", value: Some(b"00-0af7-b7ad-01") },
        FieldEdit { name: b"a", value: None },
    ];
    let mut out = Vec::new();
    let mut splicer = Splicer::new(bytes, &RespLimits::default(), &mut out);
    let result = splicer.fields(list, &edits);
    splicer.finish();
    if result != Ok(true) {
        assert_eq!(out, bytes, "{result:?}");
    }
}

fn look_into(command: &Command, bytes: &[u8]) {
    for at in command.arguments(bytes) {
        assert!(at.range().end < bytes.len());
    }
    if let Some(xadd) = Xadd::of(command, bytes) {
        assert!(!xadd.id.of(bytes).is_empty());
        if let Ok(list) = xadd.editable_fields() {
            edit(list, bytes);
        }
    }
    if let Some(read) = StreamRead::of(command, bytes) {
        assert_eq!(read.keys.count(), read.ids.count());
    }
    if let Some(claim) = Claim::of(command, bytes) {
        assert!(claim.ids.count() > 0);
    }
    if let Some(ack) = Acknowledge::of(command, bytes) {
        assert!(ack.ids.count() > 0);
    }
    if let Some(push) = Push::of(command, bytes) {
        assert!(push.values.count() > 0);
    }
    if let Some(pop) = Pop::of(command, bytes) {
        assert!(pop.keys.count() > 0);
    }
    if let Some(script) = Script::of(command, bytes) {
        assert_eq!(
            script.keys.count() + script.arguments.count() + 2,
            command.arguments_len() as usize
        );
    }
    Move::of(command, bytes);
    Hello::of(command, bytes);
    Auth::of(command, bytes);
    Client::of(command, bytes);
    select(command, bytes);
}

fn look_into_reply(reply: &Reply, bytes: &[u8]) {
    let mut tokens = reply.tokens(bytes);
    for token in tokens.by_ref() {
        assert!(token.at.range().end <= bytes.len());
    }
    let of = || reply.tokens(bytes);
    for found in
        [StreamReply::read(of()), StreamReply::entries(of()), StreamReply::autoclaimed(of())]
    {
        for item in found.into_iter().flatten() {
            let StreamItem::Entry(entry) = item else { continue };
            if let Some(list) = entry.fields {
                edit(&list, bytes);
            }
        }
    }
    for name in [Name::Lpop, Name::Brpop, Name::Lmpop, Name::Lmove] {
        for value in Popped::of(name, of()).into_iter().flatten() {
            assert!(value.range().end < bytes.len());
        }
    }
    Published::of(of());
    reply.error_code(bytes);
    reply.number(bytes);
    reply.string(bytes);
}

proptest! {
    #[test]
    fn any_commands_are_read_up_to_where_they_can_be(
        stream in prop_oneof![damaged(client_stream()), vec(any::<u8>(), 0..80)],
    ) {
        let walked = walk(client(RespLimits::default()), &stream, &[stream.len().max(1)]);
        for seen in walked.seen {
            if let Seen::Command(command, bytes) = seen {
                look_into(&command, &bytes);
            }
        }
    }

    #[test]
    fn any_replies_are_read_up_to_where_they_can_be(
        stream in prop_oneof![damaged(broker_stream()), vec(any::<u8>(), 0..80)],
    ) {
        let start = broker(RespLimits::default(), Want::Hold);
        for seen in walk(start, &stream, &[stream.len().max(1)]).seen {
            if let Seen::Reply(reply, bytes) = seen {
                look_into_reply(&reply, &bytes);
            }
        }
    }

    /// A view is given the wrong bytes: it finds something else, or nothing.
    #[test]
    fn a_view_of_other_bytes_is_wrong_and_nothing_worse(
        stream in client_stream(),
        other in vec(any::<u8>(), 0..80),
    ) {
        for seen in walk(client(RespLimits::default()), &stream, &[stream.len().max(1)]).seen {
            if let Seen::Command(command, _) = seen {
                Xadd::of(&command, &other);
                StreamRead::of(&command, &other);
                Script::of(&command, &other);
            }
        }
    }
}
