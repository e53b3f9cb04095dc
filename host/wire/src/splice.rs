//! Replacing ranges of bytes, and nothing else.
//!
//! ```text
//! original  ──────────┬─────┬──────────────┬───────
//!                     │ at  │              │ at (empty: an insertion)
//! result    ──────────┴with─┴──────────────┴with───
//! ```
//!
//! A splice never looks at what it moves. It does not know frames: whoever changes a length that
//! a protocol states says so with one more patch.

use crate::Extent;

/// One replacement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Patch<'a> {
    /// The bytes of the original that go. Empty: nothing goes, `with` is inserted.
    pub at: Extent,
    /// The bytes that come in their place. Empty: a removal.
    pub with: &'a [u8],
}

/// The length of `original_len` bytes once `patches` are applied.
///
/// Answers `None` when the patches are not in order, overlap, or reach past the original: such a
/// list has no meaning, and [`write()`] would have to guess.
pub fn len_after(original_len: usize, patches: &[Patch<'_>]) -> Option<usize> {
    let mut free_from = 0;
    let mut len = original_len;
    for patch in patches {
        let range = patch.at.range();
        if range.start < free_from || range.end > original_len {
            return None;
        }
        free_from = range.end;
        // What is removed lies in what has not been removed yet, so the first cannot underflow.
        len = len.checked_sub(range.len())?.checked_add(patch.with.len())?;
    }
    Some(len)
}

/// The pieces of the result, in order; empty ones are left out.
///
/// For writing without copying. The patches must have passed [`len_after`]; bytes that are
/// claimed twice or do not exist come out empty otherwise.
pub fn segments<'a>(
    original: &'a [u8],
    patches: &'a [Patch<'a>],
) -> impl Iterator<Item = &'a [u8]> {
    let mut from = 0;
    let last = patches.last().map_or(0, |patch| patch.at.range().end);
    patches
        .iter()
        .flat_map(move |patch| {
            let range = patch.at.range();
            let kept = original.get(from..range.start).unwrap_or_default();
            from = range.end;
            [kept, patch.with]
        })
        .chain(std::iter::once_with(move || original.get(last..).unwrap_or_default()))
        .filter(|segment| !segment.is_empty())
}

/// Appends the result to `out`. The patches must have passed [`len_after`].
pub fn write(original: &[u8], patches: &[Patch<'_>], out: &mut Vec<u8>) {
    let mut from = 0;
    for patch in patches {
        let range = patch.at.range();
        out.extend_from_slice(original.get(from..range.start).unwrap_or_default());
        out.extend_from_slice(patch.with);
        from = range.end;
    }
    out.extend_from_slice(original.get(from..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(start: u32, end: u32, with: &[u8]) -> Patch<'_> {
        Patch { at: Extent::new(start, end).unwrap(), with }
    }

    #[test]
    fn patches_replace_insert_and_remove() {
        let table: [(&[Patch<'_>], &[u8]); 6] = [
            (&[], b"abcdef"),
            (&[patch(0, 0, b"X")], b"Xabcdef"),
            (&[patch(6, 6, b"X")], b"abcdefX"),
            (&[patch(2, 4, b"")], b"abef"),
            (&[patch(1, 1, b"X"), patch(1, 1, b"Y"), patch(1, 3, b"Z")], b"aXYZdef"),
            (&[patch(0, 6, b"")], b""),
        ];
        for (patches, result) in table {
            let mut out = Vec::new();
            write(b"abcdef", patches, &mut out);
            assert_eq!(out, result);
            assert_eq!(segments(b"abcdef", patches).collect::<Vec<_>>().concat(), result);
            assert_eq!(len_after(6, patches), Some(result.len()));
        }
    }

    #[test]
    fn patches_without_meaning_are_refused() {
        let table: [&[Patch<'_>]; 3] = [
            &[patch(5, 7, b"")],
            &[patch(0, 3, b""), patch(2, 4, b"")],
            &[patch(3, 4, b""), patch(0, 1, b"")],
        ];
        for patches in table {
            assert_eq!(len_after(6, patches), None);
        }
    }
}
