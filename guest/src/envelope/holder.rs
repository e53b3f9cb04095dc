//! What a context object lies in: the body itself, or a string in another format inside it.
//!
//! ```text
//! body          {"_otel":{"traceparent":"00-…"}}
//! JSON string   {"tm":"{\"traceparent\":\"00-…\"}"}
//! MessagePack   DE 00 01  A2 t m  D9 49 {"traceparent":"00-…"}
//! ```
//!
//! Splices of a context object are offsets in its own text. A holder says what they are in the
//! body: where text was written with escapes, only what changes is written anew; where a length
//! stands before it, that changes too.

use alloc::string::String;

use super::edit::Splices;
use super::field::{self, RawOffsets};
use super::json::Extent;
use super::msgpack;

/// A context object of nothing, for holders that have none yet.
pub(super) const EMPTY: &[u8] = b"{}";

/// Where the text of a context object lies in a body, or can go.
#[derive(Clone, Copy, Debug)]
pub(super) enum Holder {
    /// The text is the body.
    Body,
    /// The text is what the JSON string here says.
    JsonString(Extent),
    /// A JSON null stands where the string can stand.
    JsonNull(Extent),
    /// A JSON object can be given a member of this name, behind `members` others.
    JsonMember { name: &'static str, insert_at: usize, members: usize },
    /// The text is the MessagePack string here, its head included; or nil stands there.
    PackValue(Extent),
    /// A MessagePack map can be given an entry of this name. `head` is the map's.
    PackEntry { name: &'static str, head: Extent, len: u32, insert_at: usize },
    /// The message wants no context.
    Closed,
}

impl Holder {
    /// Answers whether the text stands in the body.
    pub(super) fn has_text(self) -> bool {
        matches!(self, Self::Body | Self::JsonString(_) | Self::PackValue(_))
    }

    /// The splices of `body` that change the `text` it holds as `inner` says.
    pub(super) fn splices(self, body: &[u8], text: &[u8], inner: Splices) -> Option<Splices> {
        if inner.is_empty() {
            return Some(inner);
        }
        let mut outer = Splices::default();
        match self {
            Self::Body => return Some(inner),
            Self::Closed => return None,
            Self::JsonString(at) => {
                let start = at.unquoted().start;
                let mut raw = RawOffsets::new(at.unquoted().of(body));
                for splice in inner.iter() {
                    let from = start + raw.of(splice.offset);
                    let to = start + raw.of(splice.offset + splice.removed);
                    let inserted = core::str::from_utf8(splice.inserted).ok()?;
                    outer.replace(from, to, |out| field::escape(inserted, out));
                }
            }
            Self::JsonNull(at) => {
                let text = whole(&inner, text)?;
                outer.replace(at.start, at.end, |out| field::encode(&text, out));
            }
            Self::JsonMember { name, insert_at, members } => {
                let text = whole(&inner, text)?;
                outer.replace(insert_at, insert_at, |out| {
                    out.extend_from_slice(if members > 0 { b"," } else { b"" });
                    field::encode(name, out);
                    out.push(b':');
                    field::encode(&text, out);
                });
            }
            Self::PackValue(at) => {
                let text = whole(&inner, text)?;
                outer.replace(at.start, at.end, |out| msgpack::write_text(out, text.as_bytes()));
            }
            Self::PackEntry { name, head, len, insert_at } => {
                let text = whole(&inner, text)?;
                let len = len.checked_add(1)?;
                outer.replace(head.start, head.end, |out| {
                    msgpack::write_map(out, len, head.end - head.start);
                });
                outer.replace(insert_at, insert_at, |out| {
                    msgpack::write_text(out, name.as_bytes());
                    msgpack::write_text(out, text.as_bytes());
                });
            }
        }
        Some(outer)
    }
}

/// The whole text after its splices.
fn whole(inner: &Splices, text: &[u8]) -> Option<String> {
    String::from_utf8(inner.apply(text)).ok()
}
