//! Edits as the host reads them: a head of sixteen bytes, key, value (`wit/messaging.wit`).

use alloc::vec::Vec;

use crate::bindings::exports::spanbridge::tracing::messaging::EditKind;
use crate::field::Field;
use crate::protobuf::put;

/// Bytes of an edit before its key.
pub(crate) const HEAD_BYTES: usize = 16;

const fn head(kind: EditKind, field: u8, lengths: (usize, usize), place: (u32, u32)) -> [u8; 16] {
    let (key, value) = lengths;
    // A key is part of a header's name in a headers block, whose lengths are smaller than these.
    let (k, v) = ((key as u16).to_le_bytes(), (value as u32).to_le_bytes());
    let (at, remove) = (place.0.to_le_bytes(), place.1.to_le_bytes());
    [
        kind as u8, field, k[0], k[1], v[0], v[1], v[2], v[3], at[0], at[1], at[2], at[3],
        remove[0], remove[1], remove[2], remove[3],
    ]
}

/// The head of an edit that sets a header to a value of `value` bytes.
pub(crate) const fn set_head(field: Field, key: usize, value: usize) -> [u8; HEAD_BYTES] {
    head(EditKind::SetHeader, field as u8, (key, value), (0, 0))
}

/// Sets a header.
pub(crate) fn set(out: &mut Vec<u8>, field: Field, key: &[u8], value: &[u8]) {
    out.extend_from_slice(&set_head(field, key.len(), value.len()));
    put(out, key);
    put(out, value);
}

/// Removes a header.
pub(crate) fn remove(out: &mut Vec<u8>, field: Field, key: &[u8]) {
    out.extend_from_slice(&head(EditKind::RemoveHeader, field as u8, (key.len(), 0), (0, 0)));
    put(out, key);
}

/// Splices the body.
pub(crate) fn splice(out: &mut Vec<u8>, at: u32, remove: u32, insert: &[u8]) {
    out.extend_from_slice(&head(EditKind::SpliceBody, 0, (0, insert.len()), (at, remove)));
    out.extend_from_slice(insert);
}
