//! Edits as the host reads them: a head of sixteen bytes, key, value (`wit/messaging.wit`).

use alloc::vec::Vec;

use crate::bindings::exports::spanbridge::tracing::messaging::EditKind;
use crate::field::Field;

fn head(kind: EditKind, field: u8, key: usize, value: usize, at: u32, remove: u32) -> [u8; 16] {
    let mut head = [0; 16];
    head[0] = kind as u8;
    head[1] = field;
    // A key is part of a header's name in a headers block, whose lengths are smaller than these.
    head[2..4].copy_from_slice(&(key as u16).to_le_bytes());
    head[4..8].copy_from_slice(&(value as u32).to_le_bytes());
    head[8..12].copy_from_slice(&at.to_le_bytes());
    head[12..].copy_from_slice(&remove.to_le_bytes());
    head
}

/// Sets a header.
pub(crate) fn set(out: &mut Vec<u8>, field: Field, key: &[u8], value: &[u8]) {
    let head = head(EditKind::SetHeader, field as u8, key.len(), value.len(), 0, 0);
    out.extend_from_slice(&head);
    out.extend_from_slice(key);
    out.extend_from_slice(value);
}

/// Removes a header.
pub(crate) fn remove(out: &mut Vec<u8>, field: Field, key: &[u8]) {
    out.extend_from_slice(&head(EditKind::RemoveHeader, field as u8, key.len(), 0, 0, 0));
    out.extend_from_slice(key);
}

/// Splices the body.
pub(crate) fn splice(out: &mut Vec<u8>, at: u32, remove: u32, insert: &[u8]) {
    out.extend_from_slice(&head(EditKind::SpliceBody, 0, 0, insert.len(), at, remove));
    out.extend_from_slice(insert);
}
