//! The bodies of messages whose route has an envelope: which are read, and what becomes of them.
//!
//! ```text
//! route without envelope, or a header that spares the body ──▶ streams through
//! longer than BODY_BYTES_MAX ──▶ streams through, counted
//! would be too much for this call of the component ──▶ waits for the write of those before it
//! else ──▶ held until it is whole, handed in, and spliced as the component says
//! ```
//!
//! Knows no protocol: a relay says how long a body is and does the holding.

use spanbridge::metrics::Counters;
use spanbridge::{Edit, Edits, Verdict, VerdictBits};
use spanbridge_wire::Extent;
use spanbridge_wire::splice::Patch;

/// Longest body that is read, in bytes: it is held until it is whole. Also what the bodies of one
/// call of the component may have together.
///
/// Ordinary records of this size take the component 0.06 ms. The slowest that was found (an object
/// of short names, each of them written with an escape) takes 0.65 ms, so that a somewhat slower
/// machine meets the call's deadline of a millisecond as well. A read has as much.
pub const BODY_BYTES_MAX: usize = 64 << 10;

/// What a message takes of a call beside bodies, as bytes of body: a batch of 1,024 messages
/// without bodies and one of 64 KiB of bodies are each about half of a deadline's work.
const MESSAGE_BYTES: usize = BODY_BYTES_MAX / 1024;

/// What is to be done about a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Nothing: it streams through.
    Passes,
    /// It is read as soon as it is whole.
    Read,
    /// It is read once those before it have been written.
    Waits,
}

/// How much of bodies the next call of the component has.
#[derive(Debug, Default)]
pub(crate) struct Bodies {
    bytes: usize,
}

impl Bodies {
    /// Answers whether a call with bodies and so many messages should not have more of them.
    pub(crate) fn are_enough(&self, messages: usize) -> bool {
        self.bytes != 0 && self.left(messages) == 0
    }

    /// Bytes of bodies that the call may still have, beside so many messages.
    fn left(&self, messages: usize) -> usize {
        BODY_BYTES_MAX
            .saturating_sub(self.bytes)
            .saturating_sub(messages.saturating_mul(MESSAGE_BYTES))
    }

    /// Decides about a body of a route that has an envelope, behind so many messages of the call.
    /// Asked once for each body that passes.
    pub(crate) fn wish(&self, length: usize, messages: usize, counters: &Counters) -> Wish {
        match length {
            0 => Wish::Passes,
            length if length > BODY_BYTES_MAX => {
                counters.bodies_left_alone.bytes.add(1);
                Wish::Passes
            }
            length if messages > 0 && length > self.left(messages) => Wish::Waits,
            _ => Wish::Read,
        }
    }

    /// A body that [`Self::wish`] wants to be read goes into the call.
    pub(crate) fn hand_in(&mut self, body: &[u8]) {
        self.bytes += body.len();
    }

    /// The call is over.
    pub(crate) fn clear(&mut self) {
        self.bytes = 0;
    }
}

/// Counts a body that was handed in and could not be used.
pub(crate) fn count_unusable(verdict: &Verdict, counters: &Counters) {
    if verdict.bits.contains(VerdictBits::BODY_LEFT_ALONE) {
        counters.bodies_left_alone.content.add(1);
    }
}

/// What the component wants changed in a body that was handed in.
#[derive(Clone, Debug)]
pub(crate) struct BodyEdits<'a>(Edits<'a>);

impl<'a> BodyEdits<'a> {
    /// The edits of a message that concern its body; `None`: there are none.
    pub(crate) fn of(edits: Edits<'a>) -> Option<Self> {
        let edits = Self(edits);
        edits.splices().next().is_some().then_some(edits)
    }

    /// How long the body will be. `None`: longer than can be said, or the splices are not for a
    /// body of this length.
    pub(crate) fn len_after(&self, length: u32) -> Option<u32> {
        self.splices().try_fold(length, |length, (_, removed, inserted)| {
            length.checked_sub(removed)?.checked_add(u32::try_from(inserted.len()).ok()?)
        })
    }

    /// Appends the body with the changes. The runtime has checked that they ascend, do not overlap
    /// and lie within it.
    pub(crate) fn write(&self, body: &[u8], out: &mut Vec<u8>) {
        let mut from = 0;
        for (at, removed, inserted) in self.splices() {
            let at = at as usize;
            out.extend_from_slice(body.get(from..at).unwrap_or_default());
            out.extend_from_slice(inserted);
            from = at.saturating_add(removed as usize);
        }
        out.extend_from_slice(body.get(from..).unwrap_or_default());
    }

    /// The changes as a codec has them that splices strings, where the string is what the body has
    /// behind its first `before` bytes. `None`: a body is not that long, or they lie before it.
    pub(crate) fn patches(&self, before: u32) -> Option<Vec<Patch<'a>>> {
        let patch = |(at, removed, with): (u32, u32, &'a [u8])| {
            let at = at.checked_sub(before)?;
            Some(Patch { at: Extent::new(at, at.checked_add(removed)?)?, with })
        };
        self.splices().map(patch).collect()
    }

    /// Offset, bytes that go, bytes that come.
    fn splices(&self) -> impl Iterator<Item = (u32, u32, &'a [u8])> + use<'a> {
        self.0.clone().filter_map(|edit| match edit {
            Edit::SpliceBody { at, remove, insert } => Some((at, remove, insert)),
            Edit::SetHeader { .. } | Edit::RemoveHeader { .. } => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_of_one_call_have_a_bound_together_and_each_alone() {
        let (mut bodies, counters) = (Bodies::default(), Counters::default());
        let wish = |bodies: &Bodies, length, messages| bodies.wish(length, messages, &counters);
        assert_eq!(wish(&bodies, 0, 0), Wish::Passes);
        assert_eq!(counters.bodies_left_alone.total(), 0);
        assert_eq!(wish(&bodies, BODY_BYTES_MAX, 0), Wish::Read);
        assert_eq!(wish(&bodies, BODY_BYTES_MAX + 1, 0), Wish::Passes);
        assert_eq!(counters.bodies_left_alone.bytes.get(), 1);
        bodies.hand_in(b"{}");
        let left = BODY_BYTES_MAX - 2 - MESSAGE_BYTES;
        assert_eq!(wish(&bodies, left, 1), Wish::Read);
        assert_eq!(wish(&bodies, left + 1, 1), Wish::Waits);
        bodies.clear();
        assert_eq!(wish(&bodies, BODY_BYTES_MAX, 0), Wish::Read);
        assert_eq!(counters.bodies_left_alone.total(), 1);
    }

    #[test]
    fn messages_and_bodies_of_one_call_have_a_bound_together() {
        let mut bodies = Bodies::default();
        // Without bodies, the batch has a bound of its own.
        assert!(!bodies.are_enough(1_000_000));
        bodies.hand_in(&[b' '; BODY_BYTES_MAX / 2]);
        assert!(!bodies.are_enough(511) && bodies.are_enough(512));
        bodies.hand_in(&[b' '; BODY_BYTES_MAX / 2]);
        assert!(bodies.are_enough(2) && bodies.are_enough(usize::MAX));
    }
}
