//! Changing the fields of one stream entry.
//!
//! ```text
//! *7 $4 XADD $1 s $1 * $5 field $5 value                 as it came
//! *9 $4 XADD $1 s $1 * $5 field $5 value $11 traceparent $55 00-…
//!  ─                                     ─────────────────────────
//! ```
//!
//! Fields that are not edited stay as they are, in their order, with the spelling of their names.

use super::fields::{Field, FieldList};
use crate::Extent;
use crate::decimal::Decimal;
use crate::limits::HEADER_EDITS_MAX;

/// A wish for one field of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldEdit<'a> {
    /// The name. A field that is there is found in any case and keeps its spelling; a new one is
    /// spelled like this, and comes last.
    pub name: &'a [u8],
    /// The value that the field shall have; it then is there once. `None`: the field shall not be
    /// there.
    pub value: Option<&'a [u8]>,
}

/// Why something is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The broker knows the entry by its fields (`IDMPAUTO`).
    IdentityByFields,
    /// A field has no value.
    OddPairs,
    /// The fields are not all strings with their length in front.
    FieldsMalformed,
    /// No field would be left, which Redis refuses.
    NoField,
    /// An empty name, a name that is edited twice, or more than [`HEADER_EDITS_MAX`] edits.
    Edit,
    /// There would be more arguments than Redis counts.
    Count,
    /// A string would be longer than [`RespLimits::bulk_bytes_max`].
    ///
    /// [`RespLimits::bulk_bytes_max`]: crate::limits::RespLimits::bulk_bytes_max
    Length,
    /// What is to be changed is not a string with its length in front.
    NotAString,
    /// The patches are not in order, overlap, or reach past the string.
    Patches,
    /// What is to be changed lies before something that was changed already.
    Order,
}

/// What edits make of a list of fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// The new count.
    pub(super) count: u32,
    /// Whether not all fields that are there stay as they are.
    kept_changes: bool,
    /// The edits that have found their field, a bit each.
    found: u64,
}

impl Plan {
    /// Measures. `None`: nothing changes.
    #[inline]
    pub(super) fn of(
        bytes: &[u8],
        list: &FieldList,
        edits: &[FieldEdit<'_>],
        bulk_bytes_max: u32,
    ) -> Result<Option<Self>, Refusal> {
        check_edits(edits, bulk_bytes_max)?;
        if list.elements % 2 == 1 {
            return Err(Refusal::OddPairs);
        }
        let kept = each_kept_piece(bytes, list, edits, &mut |_| {});
        let kept = kept.ok_or(Refusal::FieldsMalformed)?;
        let added = added(edits, kept.found).count();
        if !kept.changes && added == 0 {
            return Ok(None);
        }
        // At most as many as there are edits, which is a small number.
        let added = u32::try_from(added).unwrap_or(u32::MAX);
        let pairs = list.len().saturating_sub(kept.removed).saturating_add(added);
        if pairs == 0 {
            return Err(Refusal::NoField);
        }
        let count = list
            .count
            .saturating_sub(kept.removed.saturating_mul(list.per_pair))
            .saturating_add(added.saturating_mul(list.per_pair));
        if count > super::element::COUNT_MAX {
            return Err(Refusal::Count);
        }
        Ok(Some(Self { count, kept_changes: kept.changes, found: kept.found }))
    }

    /// Appends the new fields.
    #[inline]
    pub(super) fn write(
        &self,
        bytes: &[u8],
        list: &FieldList,
        edits: &[FieldEdit<'_>],
        out: &mut Vec<u8>,
    ) {
        if self.kept_changes {
            // The walk has been to the end before, so it gets there again.
            each_kept_piece(bytes, list, edits, &mut |piece| out.extend_from_slice(piece));
        } else {
            out.extend_from_slice(list.at.of(bytes));
        }
        for (name, value) in added(edits, self.found) {
            string(name, &mut |piece| out.extend_from_slice(piece));
            string(value, &mut |piece| out.extend_from_slice(piece));
        }
    }
}

/// What becomes of the fields that are there.
#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    changes: bool,
    removed: u32,
    found: u64,
}

/// Hands out what the old fields leave to the new ones, in order.
///
/// `None` when the old fields turn out to be something else.
#[inline(always)]
fn each_kept_piece(
    bytes: &[u8],
    list: &FieldList,
    edits: &[FieldEdit<'_>],
    piece: &mut impl FnMut(&[u8]),
) -> Option<Kept> {
    let mut kept = Kept::default();
    let mut kept_from = list.at.range().start;
    let mut rest = list.iter(bytes);
    for field in rest.by_ref() {
        let Some((bit, edit)) = edit_of(edits, &field, bytes) else {
            continue;
        };
        // A duplicate of a field that is set goes, like a field that shall not be there.
        let value = edit.value.filter(|_| kept.found & bit == 0);
        if let Some(value) = value {
            kept.found |= bit;
            if field.value.of(bytes) == value {
                continue;
            }
            piece(Extent::between(kept_from, field.name.range().end.saturating_add(2)).of(bytes));
            string(value, piece);
        } else {
            piece(Extent::between(kept_from, field.at.range().start).of(bytes));
            kept.removed = kept.removed.saturating_add(1);
        }
        kept_from = field.at.range().end;
        kept.changes = true;
    }
    piece(Extent::between(kept_from, list.at.range().end).of(bytes));
    rest.is_complete().then_some(kept)
}

/// The fields that are set and were not found.
fn added<'e>(edits: &'e [FieldEdit<'e>], found: u64) -> impl Iterator<Item = (&'e [u8], &'e [u8])> {
    let missing = bits().zip(edits).filter(move |(bit, _)| found & bit == 0);
    missing.filter_map(|(_, edit)| edit.value.map(|value| (edit.name, value)))
}

/// A string with its length in front.
#[inline(always)]
fn string(text: &[u8], piece: &mut impl FnMut(&[u8])) {
    // Its length was checked before anything is written.
    let len = Decimal::new(u32::try_from(text.len()).unwrap_or(u32::MAX));
    piece(b"$");
    piece(len.as_bytes());
    piece(b"\r\n");
    piece(text);
    piece(b"\r\n");
}

#[inline(always)]
fn edit_of<'e>(
    edits: &'e [FieldEdit<'e>],
    field: &Field,
    bytes: &[u8],
) -> Option<(u64, &'e FieldEdit<'e>)> {
    let name = field.name.of(bytes);
    bits().zip(edits).find(|(_, edit)| edit.name.eq_ignore_ascii_case(name))
}

fn check_edits(edits: &[FieldEdit<'_>], bulk_bytes_max: u32) -> Result<(), Refusal> {
    if edits.len() > HEADER_EDITS_MAX {
        return Err(Refusal::Edit);
    }
    let mut rest = edits;
    while let [edit, behind @ ..] = rest {
        let twice = behind.iter().any(|other| other.name.eq_ignore_ascii_case(edit.name));
        if edit.name.is_empty() || twice {
            return Err(Refusal::Edit);
        }
        let longest = edit.name.len().max(edit.value.map_or(0, <[u8]>::len));
        if longest > bulk_bytes_max as usize {
            return Err(Refusal::Length);
        }
        rest = behind;
    }
    Ok(())
}

/// A bit for each edit. As many as [`HEADER_EDITS_MAX`].
fn bits() -> impl Iterator<Item = u64> {
    (0..u64::BITS).map(|place| 1_u64.rotate_left(place))
}
