//! Changing the headers of one message.
//!
//! ```text
//!  PUB orders.new  5 ↵                                     hello ↵
//! HPUB orders.new  42 47 ↵ NATS/1.0 ↵ traceparent: … ↵ ↵   hello ↵
//! ├┘               ├────┤ ├────────────────────────────┤
//! ```
//!
//! What a splice does not need to touch stays as it is: the case of the operation, the blanks
//! between arguments, the spelling of a number that still holds, the order of the headers, the
//! spelling of their names. The payload is the caller's: it goes on as it came, or through
//! [`splice`] with its new length said here.
//!
//! What comes in as an edit is not trusted: a name or value that could end a line is refused.

use memchr::memchr2;

use super::headers::{Header, Headers};
use super::message::Message;
use crate::Extent;
use crate::decimal::{Decimal, SIZE_DIGITS_MAX};
use crate::limits::{HEADER_EDITS_MAX, NatsLimits};
use crate::splice::{self, Patch};

const VERSION_LINE: &[u8] = b"NATS/1.0\r\n";
const END: &[u8] = b"\r\n";

/// What a control line may grow by: the letter H, two numbers in place of one digit each, and a
/// blank.
const LINE_GROWTH_MAX: usize = 2 * SIZE_DIGITS_MAX + 2;

/// The first number that has a digit too many for a size.
const SIZE_END: u64 = 10_u64.pow(SIZE_DIGITS_MAX as u32);

/// A wish for one header of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderEdit<'a> {
    /// The name. A header that is there is found in any case and keeps its spelling; a new one is
    /// spelled like this. Visible ASCII without a colon.
    pub name: &'a [u8],
    /// The value that the header shall have; it then has it once. `None`: the header shall not be
    /// there. Any bytes but carriage return and line feed.
    pub value: Option<&'a [u8]>,
}

/// Why a message is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The header block is longer than its limit and was not seen.
    HeaderUnseen,
    /// The header block does not follow the grammar.
    HeaderMalformed,
    /// A name or a value that no header may have, a name that is edited twice, or more than
    /// [`HEADER_EDITS_MAX`] edits.
    Edit,
    /// The message would be longer than its limit.
    MessageLimit,
    /// The control line would be longer than its limit.
    ControlLineLength,
}

/// A rewrite of one message that has been checked and measured, but not written.
#[derive(Clone, Copy, Debug)]
pub struct Rewrite<'a> {
    bytes: &'a [u8],
    message: &'a Message,
    /// `None` if the message has no header block, or keeps it as it is.
    headers: Option<Headers<'a>>,
    edits: &'a [HeaderEdit<'a>],
    header_changes: bool,
    header_len: u32,
    header_len_digits: Decimal,
    size: u32,
    size_digits: Decimal,
}

impl<'a> Rewrite<'a> {
    /// Measures what `edits` make of the message.
    ///
    /// `bytes` is the slice in which `message` was found, and `payload_len` the length that its
    /// payload will have: [`Message::payload_len`] if it stays. A message without header block
    /// gets one only if an edit sets a header; whether the receiver takes header blocks, the
    /// caller knows from [`Connect`](super::Connect) and [`Info`](super::Info).
    ///
    /// # Errors
    ///
    /// The message must go on as it came.
    pub fn plan(
        bytes: &'a [u8],
        message: &'a Message,
        edits: &'a [HeaderEdit<'a>],
        payload_len: u32,
        limits: &NatsLimits,
    ) -> Result<Self, Refusal> {
        check_edits(edits)?;
        if !message.header_seen() {
            return Err(Refusal::HeaderUnseen);
        }
        let block = message.header(bytes);
        let headers = match block {
            Some(block) if !edits.is_empty() => {
                Some(Headers::open(block).ok_or(Refusal::HeaderMalformed)?)
            }
            _ => None,
        };
        let measured = measure_header(headers, edits)?;
        let header_len = measured.unwrap_or(message.header_len.into());
        let size = header_len.saturating_add(payload_len.into());
        if size >= SIZE_END || size > limits.payload_bytes_max.into() {
            return Err(Refusal::MessageLimit);
        }
        let size = u32::try_from(size).map_err(|_| Refusal::MessageLimit)?;
        let header_len = u32::try_from(header_len).map_err(|_| Refusal::MessageLimit)?;
        let rewrite = Self {
            bytes,
            message,
            headers,
            edits,
            header_changes: measured.is_some(),
            header_len,
            header_len_digits: Decimal::new(header_len),
            size,
            size_digits: Decimal::new(size),
        };
        rewrite.check_line(limits)?;
        Ok(rewrite)
    }

    /// Whether the head stays as it is, byte for byte.
    pub fn is_unchanged(&self) -> bool {
        !self.header_changes && self.size == self.message.size()
    }

    /// Header block plus payload once rewritten, in bytes: what a broker compares with
    /// `max_payload`.
    pub const fn size(&self) -> u32 {
        self.size
    }

    /// The length of the header block once rewritten, in bytes.
    pub const fn header_len(&self) -> u32 {
        self.header_len
    }

    /// How many bytes [`Self::size`] grows by; negative when it shrinks.
    pub fn added(&self) -> i64 {
        i64::from(self.size).saturating_sub(self.message.size().into())
    }

    /// Appends the rewritten head: control line and header block.
    ///
    /// The payload comes next, with the two bytes that end it: [`Message::head_len`] bytes into
    /// the slice in which the message was found.
    pub fn write(&self, out: &mut Vec<u8>) {
        let head = (self.header_len as usize).saturating_add(self.message.line_len as usize);
        out.reserve(head.saturating_add(LINE_GROWTH_MAX));
        let line = self.message.line(self.bytes);
        self.with_line_patches(|patches| splice::write(line, patches, out));
        if self.header_changes {
            each_header_piece(self.headers, self.edits, |piece| out.extend_from_slice(piece));
        } else if let Some(block) = self.message.header(self.bytes) {
            out.extend_from_slice(block);
        }
    }

    /// Checks that the line, if it grows, is still one that a broker takes.
    fn check_line(&self, limits: &NatsLimits) -> Result<(), Refusal> {
        let line = self.message.line(self.bytes);
        if line.len().saturating_add(LINE_GROWTH_MAX) <= limits.control_line_bytes_max as usize {
            return Ok(());
        }
        let text_len = line.strip_suffix(b"\r\n").map_or(line.len(), <[u8]>::len);
        let grown = self.with_line_patches(|patches| splice::len_after(text_len, patches));
        match grown {
            Some(len) if len <= text_len || len <= limits.control_line_bytes_max as usize => Ok(()),
            _ => Err(Refusal::ControlLineLength),
        }
    }

    /// Calls `then` with what has to change in the control line: at most four patches.
    fn with_line_patches<T>(&self, then: impl FnOnce(&[Patch<'_>]) -> T) -> T {
        let size_at = self.message.size_at;
        let header_len = self.header_len_digits.as_bytes();
        let new_size = Patch { at: size_at, with: self.size_digits.as_bytes() };
        let size_changes = self.size != self.message.size();
        match self.message.header_at {
            None if self.header_changes => {
                let line = self.message.line(self.bytes);
                let upper = line.first().is_some_and(u8::is_ascii_uppercase);
                then(&[
                    Patch { at: Extent::default(), with: if upper { b"H" } else { b"h" } },
                    Patch { at: size_at.before(), with: header_len },
                    Patch { at: size_at.before(), with: b" " },
                    new_size,
                ])
            }
            Some(at) if self.header_len != self.message.header_len => {
                let new_header_len = Patch { at, with: header_len };
                if size_changes {
                    then(&[new_header_len, new_size])
                } else {
                    then(&[new_header_len])
                }
            }
            _ if size_changes => then(&[new_size]),
            _ => then(&[]),
        }
    }
}

/// The length of the new header block. `None`: the block stays as it is, if there is one.
fn measure_header(
    headers: Option<Headers<'_>>,
    edits: &[HeaderEdit<'_>],
) -> Result<Option<u64>, Refusal> {
    if edits.is_empty() {
        return Ok(None);
    }
    let mut len = 0_u64;
    // All pieces lie in memory, so their sum is far from 2^64.
    let changed = each_header_piece(headers, edits, |piece| {
        len = len.saturating_add(piece.len() as u64);
    });
    let changed = changed.ok_or(Refusal::HeaderMalformed)?;
    Ok(changed.then_some(len))
}

/// Hands out the pieces of the new header block in order, and says whether it is a new one.
///
/// `None` when the old block turns out to be malformed.
#[inline(always)]
fn each_header_piece(
    headers: Option<Headers<'_>>,
    edits: &[HeaderEdit<'_>],
    mut piece: impl FnMut(&[u8]),
) -> Option<bool> {
    let mut changed = false;
    // The edits that have found their header, a bit each.
    let mut found = 0_u64;
    piece(headers.as_ref().map_or(VERSION_LINE, Headers::version_line));
    if let Some(headers) = headers {
        let mut rest = headers.iter();
        for header in rest.by_ref() {
            let line = header.line.of(headers.block());
            let Some((bit, edit)) = edit_of(edits, &header) else {
                piece(line);
                continue;
            };
            match edit.value {
                Some(value) if found & bit == 0 => {
                    found |= bit;
                    if value == header.value {
                        piece(line);
                        continue;
                    }
                    let before = header.value_at.start().saturating_sub(header.line.start());
                    piece(line.get(..before as usize).unwrap_or_default());
                    piece(value);
                    piece(END);
                }
                // A duplicate of a header that is set, or a header that shall go.
                _ => {}
            }
            changed = true;
        }
        if !rest.is_complete() {
            return None;
        }
    }
    for (bit, edit) in bits().zip(edits) {
        if let Some(value) = edit.value
            && found & bit == 0
        {
            piece(edit.name);
            piece(b": ");
            piece(value);
            piece(END);
            changed = true;
        }
    }
    piece(END);
    Some(changed)
}

fn edit_of<'e>(
    edits: &'e [HeaderEdit<'e>],
    header: &Header<'_>,
) -> Option<(u64, &'e HeaderEdit<'e>)> {
    bits().zip(edits).find(|(_, edit)| edit.name.eq_ignore_ascii_case(header.name))
}

fn check_edits(edits: &[HeaderEdit<'_>]) -> Result<(), Refusal> {
    if edits.len() > HEADER_EDITS_MAX {
        return Err(Refusal::Edit);
    }
    let mut rest = edits;
    while let [edit, behind @ ..] = rest {
        let named = !edit.name.is_empty()
            && edit.name.iter().all(|&byte| byte.is_ascii_graphic() && byte != b':');
        let fits = edit.value.is_none_or(|value| memchr2(b'\r', b'\n', value).is_none());
        let twice = behind.iter().any(|other| other.name.eq_ignore_ascii_case(edit.name));
        if !named || !fits || twice {
            return Err(Refusal::Edit);
        }
        rest = behind;
    }
    Ok(())
}

/// A bit for each edit. As many as [`HEADER_EDITS_MAX`].
fn bits() -> impl Iterator<Item = u64> {
    (0..u64::BITS).map(|place| 1_u64.rotate_left(place))
}

#[cfg(test)]
mod tests;
