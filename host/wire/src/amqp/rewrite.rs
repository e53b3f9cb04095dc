//! Changing the headers of one message.
//!
//! ```text
//! │ 2 │ channel │ size │ class weight body-size │ flags │ … │ length │ entries │ … │ 0xce │
//!                 ────                            ──h──       ──────   ───────
//! ```
//!
//! What a splice does not need to touch stays as it is: the order of the headers, the spelling of
//! their names, the types of those that are not edited, all other properties. A message without a
//! table of headers gets one where it belongs, and the flag that says so. The body is not looked
//! at.
//!
//! What comes in as an edit is not trusted: a name that no table can hold is refused.

use super::decode::{FRAME_END, FRAME_OVERHEAD, HEAD_LEN};
use super::properties::{FIRST_AT, FLAGS_AT, HEADERS, Properties};
use super::table::{Entry, Table};
use crate::limits::HEADER_EDITS_MAX;

/// Type and channel: what comes before the size.
const CHANNEL_END: usize = 3;

/// A wish for one header of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderEdit<'a> {
    /// The name. A header that is there is found in any case and keeps its spelling; a new one is
    /// spelled like this. 1 to 255 visible ASCII characters.
    pub name: &'a [u8],
    /// The value that the header shall have; it then has it once, as a long string. `None`: the
    /// header shall not be there.
    pub value: Option<&'a [u8]>,
}

/// Why a message is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The table of headers cannot be read to its end.
    HeadersMalformed,
    /// A name that no header may have, a name that is edited twice, or more than
    /// [`HEADER_EDITS_MAX`] edits.
    Edit,
    /// The frame would be longer than the receiver takes.
    FrameMax,
}

/// A rewrite of one content header that has been checked and measured, but not written.
#[derive(Clone, Copy, Debug)]
pub struct Rewrite<'a> {
    properties: &'a Properties<'a>,
    edits: &'a [HeaderEdit<'a>],
    changes: bool,
    table_len: u32,
    size: u32,
}

impl<'a> Rewrite<'a> {
    /// Measures what `edits` make of the message.
    ///
    /// `frame_max` is what the receiver takes, as [`Tune`](super::Tune) says it: with head and
    /// end, and 0 for no limit. A frame that does not grow is not held to it.
    ///
    /// # Errors
    ///
    /// The message must go on as it came.
    #[inline]
    pub fn plan(
        properties: &'a Properties<'a>,
        edits: &'a [HeaderEdit<'a>],
        frame_max: u32,
    ) -> Result<Self, Refusal> {
        // At most `AmqpLimits::frame_bytes_max`, which is a `u32`.
        let old_size = u32::try_from(properties.frame.len()).unwrap_or(u32::MAX);
        let old_size = old_size.saturating_sub(HEAD_LEN as u32);
        let unchanged = Self { properties, edits, changes: false, table_len: 0, size: old_size };
        if edits.is_empty() {
            return Ok(unchanged);
        }
        check_edits(edits)?;
        let mut table_len = 0_u64;
        // All pieces lie in memory, so their sum is far from 2^64.
        let changes = each_table_piece(properties.headers, edits, |piece| {
            table_len = table_len.saturating_add(piece.len() as u64);
        });
        if !changes.ok_or(Refusal::HeadersMalformed)? {
            return Ok(unchanged);
        }
        let old_size = u64::from(old_size);
        let old = u64::from(properties.headers_at.len());
        let size = old_size.saturating_sub(old).saturating_add(4).saturating_add(table_len);
        let frame = size.saturating_add(FRAME_OVERHEAD.into());
        let allowed = if frame_max == 0 { u32::MAX } else { frame_max };
        if size > old_size && frame > allowed.into() {
            return Err(Refusal::FrameMax);
        }
        let size = u32::try_from(size).map_err(|_| Refusal::FrameMax)?;
        let table_len = u32::try_from(table_len).map_err(|_| Refusal::FrameMax)?;
        Ok(Self { properties, edits, changes: true, table_len, size })
    }

    /// Whether the frame stays as it is, byte for byte.
    pub const fn is_unchanged(&self) -> bool {
        !self.changes
    }

    /// The whole frame once rewritten, in bytes: what a receiver compares with `frame_max`.
    pub const fn frame_len(&self) -> u64 {
        (self.size as u64).saturating_add(FRAME_OVERHEAD as u64)
    }

    /// Appends the rewritten frame, whole.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>) {
        let frame = self.properties.frame;
        let piece = |range| frame.get(range).unwrap_or_default();
        let headers_at = self.properties.headers_at.range();
        out.reserve(self.frame_len() as usize);
        if !self.changes {
            out.extend_from_slice(frame);
            out.push(FRAME_END);
            return;
        }
        out.extend_from_slice(piece(0..CHANNEL_END));
        out.extend_from_slice(&self.size.to_be_bytes());
        out.extend_from_slice(piece(HEAD_LEN..FLAGS_AT));
        out.extend_from_slice(&(self.properties.flags | HEADERS).to_be_bytes());
        out.extend_from_slice(piece(FIRST_AT..headers_at.start));
        out.extend_from_slice(&self.table_len.to_be_bytes());
        each_table_piece(self.properties.headers, self.edits, |piece| {
            out.extend_from_slice(piece);
        });
        out.extend_from_slice(piece(headers_at.end..frame.len()));
        out.push(FRAME_END);
    }
}

/// Hands out the pieces of the new table in order, and says whether it is a new one.
///
/// `None` when the old table turns out to be malformed.
#[inline(always)]
fn each_table_piece(
    headers: Option<Table<'_>>,
    edits: &[HeaderEdit<'_>],
    mut piece: impl FnMut(&[u8]),
) -> Option<bool> {
    let mut changed = false;
    // The edits that have found their header, a bit each.
    let mut found = 0_u64;
    if let Some(headers) = headers {
        let mut rest = headers.iter();
        for entry in rest.by_ref() {
            let Some((bit, edit)) = edit_of(edits, &entry) else {
                piece(entry.at.of(headers.bytes()));
                continue;
            };
            match edit.value {
                Some(value) if found & bit == 0 => {
                    found |= bit;
                    if entry.value.as_text() == Some(value) {
                        piece(entry.at.of(headers.bytes()));
                        continue;
                    }
                    set(entry.name, value, &mut piece);
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
            set(edit.name, value, &mut piece);
            changed = true;
        }
    }
    Some(changed)
}

/// An entry whose value is a long string.
#[inline(always)]
fn set(name: &[u8], value: &[u8], piece: &mut impl FnMut(&[u8])) {
    // Both lengths were checked before anything is written.
    let name_len = u8::try_from(name.len()).unwrap_or(u8::MAX);
    let value_len = u32::try_from(value.len()).unwrap_or(u32::MAX);
    piece(&[name_len]);
    piece(name);
    piece(b"S");
    piece(&value_len.to_be_bytes());
    piece(value);
}

#[inline(always)]
fn edit_of<'e>(
    edits: &'e [HeaderEdit<'e>],
    entry: &Entry<'_>,
) -> Option<(u64, &'e HeaderEdit<'e>)> {
    bits().zip(edits).find(|(_, edit)| edit.name.eq_ignore_ascii_case(entry.name))
}

fn check_edits(edits: &[HeaderEdit<'_>]) -> Result<(), Refusal> {
    if edits.len() > HEADER_EDITS_MAX {
        return Err(Refusal::Edit);
    }
    let mut rest = edits;
    while let [edit, behind @ ..] = rest {
        let named = (1..=usize::from(u8::MAX)).contains(&edit.name.len())
            && edit.name.iter().all(u8::is_ascii_graphic);
        let twice = behind.iter().any(|other| other.name.eq_ignore_ascii_case(edit.name));
        if !named || twice {
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
