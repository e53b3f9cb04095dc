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
    kept: Kept,
    table_len: u32,
    size: u32,
}

/// What becomes of the headers that are there.
#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    /// Not all of them stay as they are.
    changes: bool,
    /// The edits that have found their header, a bit each.
    found: u64,
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
        let kept = Kept::default();
        let unchanged =
            Self { properties, edits, changes: false, kept, table_len: 0, size: old_size };
        if edits.is_empty() {
            return Ok(unchanged);
        }
        check_edits(edits)?;
        let mut table_len = 0_u64;
        // All pieces lie in memory, so their sum is far from 2^64.
        let mut measure = |piece: &[u8]| table_len = table_len.saturating_add(piece.len() as u64);
        let kept = each_kept_piece(properties.headers, edits, &mut measure);
        let kept = kept.ok_or(Refusal::HeadersMalformed)?;
        let adds = each_added_piece(edits, kept.found, &mut measure);
        if !kept.changes && !adds {
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
        Ok(Self { properties, edits, changes: true, kept, table_len, size })
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
        out.reserve(self.frame_len() as usize);
        out.extend_from_slice(&self.head());
        self.write_properties(out);
        out.push(FRAME_END);
    }

    /// Appends the properties alone, which begin with their flags.
    #[inline(always)]
    pub fn write_properties(&self, out: &mut Vec<u8>) {
        let frame = self.properties.frame;
        let piece = |range| frame.get(range).unwrap_or_default();
        if !self.changes {
            out.extend_from_slice(piece(FLAGS_AT..frame.len()));
            return;
        }
        let headers_at = self.properties.headers_at.range();
        out.extend_from_slice(&(self.properties.flags | HEADERS).to_be_bytes());
        out.extend_from_slice(piece(FIRST_AT..headers_at.start));
        out.extend_from_slice(&self.table_len.to_be_bytes());
        self.write_table(out);
        out.extend_from_slice(piece(headers_at.end..frame.len()));
    }

    /// What comes before the properties: the old bytes with another size.
    #[inline(always)]
    fn head(&self) -> [u8; FLAGS_AT] {
        // There is such a chunk: flags were read from behind it.
        let mut head = self.properties.frame.first_chunk().copied().unwrap_or([0; FLAGS_AT]);
        let [_, _, _, size_3, size_2, size_1, size_0, ..] = &mut head;
        [*size_3, *size_2, *size_1, *size_0] = self.size.to_be_bytes();
        head
    }

    /// Appends the entries of the new table.
    #[inline(always)]
    fn write_table(&self, out: &mut Vec<u8>) {
        let headers = self.properties.headers;
        let mut append = |piece: &[u8]| out.extend_from_slice(piece);
        if self.kept.changes {
            // The walk has been to the end before, so it gets there again.
            each_kept_piece(headers, self.edits, &mut append);
        } else {
            append(headers.unwrap_or_default().bytes());
        }
        each_added_piece(self.edits, self.kept.found, &mut append);
    }
}

/// Hands out what the old table leaves to the new one, in order.
///
/// `None` when the old table turns out to be malformed.
#[inline(always)]
fn each_kept_piece(
    headers: Option<Table<'_>>,
    edits: &[HeaderEdit<'_>],
    piece: &mut impl FnMut(&[u8]),
) -> Option<Kept> {
    let mut kept = Kept::default();
    let headers = headers.unwrap_or_default();
    let bytes = headers.bytes();
    let mut kept_from = 0;
    let mut rest = headers.iter();
    for entry in rest.by_ref() {
        let Some((bit, edit)) = edit_of(edits, &entry) else {
            continue;
        };
        // A duplicate of a header that is set goes, like a header that shall not be there.
        let value = edit.value.filter(|_| kept.found & bit == 0);
        if value.is_some() {
            kept.found |= bit;
            if entry.value.as_text() == value {
                continue;
            }
        }
        let at = entry.at.range();
        piece(bytes.get(kept_from..at.start).unwrap_or_default());
        if let Some(value) = value {
            set(entry.name, value, piece);
        }
        kept_from = at.end;
        kept.changes = true;
    }
    piece(bytes.get(kept_from..).unwrap_or_default());
    rest.is_complete().then_some(kept)
}

/// Hands out the entries of the headers that are set and were not found, and says whether there
/// are any.
#[inline(always)]
fn each_added_piece(edits: &[HeaderEdit<'_>], found: u64, piece: &mut impl FnMut(&[u8])) -> bool {
    let mut adds = false;
    for (bit, edit) in bits().zip(edits) {
        if let Some(value) = edit.value
            && found & bit == 0
        {
            set(edit.name, value, piece);
            adds = true;
        }
    }
    adds
}

/// An entry whose value is a long string.
#[inline(always)]
fn set(name: &[u8], value: &[u8], piece: &mut impl FnMut(&[u8])) {
    // Both lengths were checked before anything is written.
    let name_len = u8::try_from(name.len()).unwrap_or(u8::MAX);
    let value_len = u32::try_from(value.len()).unwrap_or(u32::MAX);
    piece(&[name_len]);
    piece(name);
    let [len_3, len_2, len_1, len_0] = value_len.to_be_bytes();
    piece(&[b'S', len_3, len_2, len_1, len_0]);
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
