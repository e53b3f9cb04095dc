//! What the channels of a session take together.

use super::tagged::Tagged;

/// Sums over the channels of a session.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Places of publishes that wait for their answer.
    pub(super) awaited: usize,
    /// Bytes that they take.
    pub(super) awaited_bytes: usize,
    /// Places of unsettled deliveries.
    pub(super) unsettled: usize,
    pub(super) consumers: usize,
}

/// Changes a list, and the sum of places that it counts in.
pub(super) fn counted<T, A>(
    sum: &mut usize,
    list: &mut Tagged<T>,
    change: impl FnOnce(&mut Tagged<T>) -> A,
) -> A {
    let before = list.places();
    let answer = change(list);
    *sum = (*sum + list.places()).saturating_sub(before);
    answer
}
