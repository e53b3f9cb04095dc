//! The component's edits of headers, as a protocol spells them.

use crate::edit::{Edit, Edits};

/// Edits for which there is room without allocating: those of three formats at once.
const EDITS_INLINE_MAX: usize = 8;

/// How a protocol's codec wants an edit of a header.
pub trait Spelling {
    /// The codec's type.
    type Edit<'a>: Copy;

    /// An edit that gives the header a value, or takes it out.
    fn edit<'a>(name: &'a [u8], value: Option<&'a [u8]>) -> Self::Edit<'a>;
}

/// Spells the component's edits of headers as those of the protocol, and answers what `then`
/// answers to them. `name` knows the names of fields; an edit of one without a name is passed over,
/// as are edits of a body.
///
/// Allocates only for families of headers, and for more edits than three formats make.
pub fn with_header_edits<'n, S: Spelling, T>(
    edits: Edits<'_>,
    name: impl Fn(u8) -> Option<&'n [u8]>,
    then: impl FnOnce(&[S::Edit<'_>]) -> T,
) -> T {
    let mut few = [S::edit(b"", None); EDITS_INLINE_MAX];
    let mut count = 0;
    for (spelled, key, value) in header_edits(edits.clone(), &name) {
        match few.get_mut(count) {
            Some(place) if key.is_empty() => *place = S::edit(spelled, value),
            _ => return with_any_edits::<S, T>(edits, &name, then),
        }
        count += 1;
    }
    then(few.get(..count).unwrap_or_default())
}

/// The same for edits of which there are many, or that are of families.
#[cold]
fn with_any_edits<'n, S: Spelling, T>(
    edits: Edits<'_>,
    name: &impl Fn(u8) -> Option<&'n [u8]>,
    then: impl FnOnce(&[S::Edit<'_>]) -> T,
) -> T {
    // The names of families one after the other: they exist nowhere as one text.
    let mut composed = Vec::new();
    for (name, key, _) in header_edits(edits.clone(), name) {
        if !key.is_empty() {
            composed.extend_from_slice(name);
            composed.extend_from_slice(key);
        }
    }
    let mut left = &composed[..];
    let spelled = header_edits(edits, name).map(|(name, key, value)| {
        if key.is_empty() {
            return S::edit(name, value);
        }
        let (name, rest) = left.split_at(name.len() + key.len());
        left = rest;
        S::edit(name, value)
    });
    then(&spelled.collect::<Vec<_>>())
}

/// Name, key and value of each edit of a header.
fn header_edits<'a, 'n>(
    edits: Edits<'a>,
    name: impl Fn(u8) -> Option<&'n [u8]>,
) -> impl Iterator<Item = (&'n [u8], &'a [u8], Option<&'a [u8]>)> {
    edits.filter_map(move |edit| match edit {
        Edit::SetHeader { field, key, value } => Some((name(field)?, key, Some(value))),
        Edit::RemoveHeader { field, key } => Some((name(field)?, key, None)),
        Edit::SpliceBody { .. } => None,
    })
}
