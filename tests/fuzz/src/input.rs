//! What inputs of several targets have in common: streams that are cut anywhere, and edits.

use std::fmt::Debug;

/// An edit: a header's name, and the value that it shall have, if any.
pub(crate) type Edit<'a> = (&'a [u8], Option<&'a [u8]>);

/// What a step took, in a form that does not depend on how a payload was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    len: usize,
    /// Whether more of the same payload follows.
    open: bool,
    piece: bool,
}

impl Part {
    /// A step that is no payload.
    pub(crate) fn head(len: usize) -> Self {
        Self { len, open: false, piece: false }
    }

    /// A step that is a piece of a payload, with `end_len` bytes behind it if it is the last.
    pub(crate) fn piece(payload_len: u32, end_len: usize, len: usize) -> Self {
        assert_eq!(len, payload_len as usize + end_len);
        Self { len, open: end_len == 0, piece: true }
    }
}

/// Decodes `data` at once, byte by byte and in chunks that the data itself chooses.
pub(crate) fn same_in_any_chunks<D: Copy, E: Copy + Debug + PartialEq>(
    data: &[u8],
    start: D,
    mut next: impl FnMut(&mut D, &[u8]) -> Result<Option<Part>, E>,
) {
    let mut walk = |chunk: usize| {
        let mut decoder = start;
        let mut parts: Vec<Part> = Vec::new();
        let (mut consumed, mut arrived) = (0, 0);
        while arrived < data.len() {
            arrived = (arrived + chunk).min(data.len());
            loop {
                let bytes = &data[consumed..arrived];
                match next(&mut decoder, bytes) {
                    Ok(None) => break,
                    Ok(Some(part)) => {
                        assert!(part.len > 0 && part.len <= bytes.len(), "lengths add up");
                        consumed += part.len;
                        match parts.last_mut().filter(|last| last.open && part.piece) {
                            Some(last) => *last = Part { len: last.len + part.len, ..part },
                            None => parts.push(part),
                        }
                    }
                    Err(error) => {
                        assert_eq!(next(&mut decoder, data), Err(error), "an error is final");
                        return (parts, consumed, Some(error));
                    }
                }
            }
        }
        (parts, consumed, None)
    };
    let at_once = walk(data.len().max(1));
    assert_eq!(walk(1), at_once);
    let chosen = data.first().map_or(1, |&byte| usize::from(byte % 16) + 2);
    assert_eq!(walk(chosen), at_once);
}

/// Takes edits from the start of an input.
///
/// ```text
/// number  { name len, name, value len or 0xff for none, value }…  rest
/// ```
pub(crate) fn split_edits(data: &[u8]) -> Option<(Vec<Edit<'_>>, &[u8])> {
    let (&count, mut rest) = data.split_first()?;
    let mut edits = Vec::new();
    for _ in 0..count % 5 {
        let (&len, behind) = rest.split_first()?;
        let (name, behind) = behind.split_at_checked(len.into())?;
        let (&len, behind) = behind.split_first()?;
        let value = if len == u8::MAX { None } else { Some(behind.get(..len.into())?) };
        rest = &behind[value.map_or(0, <[u8]>::len)..];
        edits.push((name, value));
    }
    Some((edits, rest))
}
