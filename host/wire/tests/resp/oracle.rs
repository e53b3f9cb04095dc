//! `redis-protocol` reads the same bytes.
//!
//! It is laxer about lengths (it takes leading zeros and signs), and stricter about texts (it wants
//! UTF-8 in errors, and numbers in numbers). So of what was damaged only this holds: where both
//! find a reply, it is the same one.

use proptest::prelude::*;
use redis_protocol::resp2::types::OwnedFrame as Frame2;
use redis_protocol::resp3::types::{DecodedFrame, OwnedFrame as Frame3};
use spanbridge_wire::Step;
use spanbridge_wire::limits::RespLimits;
use spanbridge_wire::resp::{Kind, ReplyDecoder, ReplyFrame, Tokens, Want};

use crate::generate::{command, damaged, reply, spell};
use crate::walk::{Seen, client, walk};

/// What they make of a reply, and its length. `None`: an error, or not whole, or streamed.
pub(crate) fn parse(bytes: &[u8]) -> Option<(Frame3, usize)> {
    match redis_protocol::resp3::decode::streaming::decode(bytes) {
        Ok(Some((DecodedFrame::Complete(frame), len))) => Some((frame, len)),
        _ => None,
    }
}

/// Compares what is left of a reply with one of their elements, and steps over it.
pub(crate) fn assert_same(tokens: &mut Tokens<'_>, theirs: &Frame3) {
    let bytes = tokens.bytes();
    let token = tokens.next().expect("they found one");
    let text = token.at.of(bytes);
    let mut elements = |kind, theirs: &[Frame3]| {
        assert_eq!((token.kind, token.elements as usize), (kind, theirs.len()));
        theirs.iter().for_each(|element| assert_same(tokens, element));
    };
    match theirs {
        Frame3::BlobString { data, .. } => assert_eq!((token.kind, text), (Kind::Bulk, &data[..])),
        Frame3::BlobError { data, .. } => {
            assert_eq!((token.kind, text), (Kind::BlobError, &data[..]));
        }
        Frame3::SimpleString { data, .. } => {
            assert_eq!((token.kind, text), (Kind::Simple, &data[..]));
        }
        Frame3::SimpleError { data, .. } => {
            assert_eq!((token.kind, text), (Kind::Error, data.as_bytes()));
        }
        Frame3::BigNumber { data, .. } => {
            assert_eq!((token.kind, text), (Kind::BigNumber, &data[..]));
        }
        Frame3::VerbatimString { data, .. } => {
            assert_eq!((token.kind, &text[4..]), (Kind::Verbatim, &data[..]));
        }
        Frame3::Number { data, .. } => {
            let number: i64 = std::str::from_utf8(text).unwrap().parse().unwrap();
            assert_eq!((token.kind, number), (Kind::Integer, *data));
        }
        Frame3::Null => assert_eq!(token.kind, Kind::Null),
        Frame3::Boolean { data, .. } => {
            assert_eq!((token.kind, text == b"t"), (Kind::Bool, *data));
        }
        Frame3::Double { .. } => assert_eq!(token.kind, Kind::Double),
        Frame3::Array { data, .. } => elements(Kind::Array, data),
        Frame3::Push { data, .. } => elements(Kind::Push, data),
        // Theirs have lost their order, and what is there twice.
        Frame3::Map { data, .. } => {
            assert!(token.kind == Kind::Map && token.elements as usize >= data.len() * 2);
            tokens.step_over(token.elements).expect("all are there");
        }
        Frame3::Set { data, .. } => {
            assert!(token.kind == Kind::Set && token.elements as usize >= data.len());
            tokens.step_over(token.elements).expect("all are there");
        }
        Frame3::Hello { .. } | Frame3::ChunkedString(_) => panic!("no reply: {theirs:?}"),
    }
}

fn ours(bytes: &[u8]) -> Option<(spanbridge_wire::resp::Reply, usize)> {
    let found = ReplyDecoder::new(RespLimits::default()).next(bytes, Want::Hold, Want::Hold);
    match found {
        Ok(Step::Frame { frame: ReplyFrame::Whole(reply), len }) => Some((reply, len)),
        _ => None,
    }
}

/// Whether there is anything in a reply that they read in another way: attributes become part of
/// an element, streamed parts need a decoder with a state.
fn is_plain(bytes: &[u8]) -> bool {
    !bytes.contains(&b'|') && !bytes.contains(&b'?')
}

proptest! {
    #[test]
    fn every_reply_that_they_read_reads_the_same(bytes in prop_oneof![reply(), damaged(reply())]) {
        let (Some((theirs, their_len)), Some((reply, len))) = (parse(&bytes), ours(&bytes)) else {
            return Ok(());
        };
        if !is_plain(&bytes) {
            return Ok(());
        }
        prop_assert_eq!(len, their_len);
        let mut tokens = reply.tokens(&bytes);
        assert_same(&mut tokens, &theirs);
        prop_assert_eq!(tokens.next(), None);
    }

    #[test]
    fn every_command_reads_the_same(arguments in command()) {
        let bytes = spell(&arguments);
        let found = redis_protocol::resp2::decode::decode(&bytes).unwrap();
        let Some((Frame2::Array(theirs), len)) = found else { panic!("{found:?}") };
        prop_assert_eq!(len, bytes.len());
        let theirs: Vec<_> = theirs
            .into_iter()
            .map(|argument| match argument {
                Frame2::BulkString(text) => text,
                other => panic!("{other:?}"),
            })
            .collect();
        prop_assert_eq!(&theirs, &arguments);
        let walked = walk(client(RespLimits::default()), &bytes, &[bytes.len()]);
        if let [Seen::Command(command, _)] = walked.seen.as_slice()
            && !matches!(command.name.as_str(), "AUTH" | "HELLO")
        {
            let found: Vec<_> =
                command.arguments(&bytes).map(|at| at.of(&bytes).to_vec()).collect();
            prop_assert_eq!(found.as_slice(), &theirs[1..]);
        }
    }
}

/// The property above says nothing if they read nothing.
#[test]
fn they_read_the_replies_that_redis_sends() {
    let table: [&[u8]; 6] = [
        b"*2\r\n$1\r\na\r\n*1\r\n:1\r\n",
        b"%1\r\n+a\r\n:1\r\n",
        b">2\r\n$1\r\na\r\n_\r\n",
        b"-ERR no\r\n",
        b"=5\r\ntxt:a\r\n",
        b"$0\r\n\r\n",
    ];
    for bytes in table {
        let (theirs, len) = parse(bytes).expect("they read it");
        let (reply, our_len) = ours(bytes).expect("we read it");
        assert_eq!(len, our_len);
        assert_same(&mut reply.tokens(bytes), &theirs);
    }
}
