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

/// Longest body that is read, in bytes: it is held until it is whole. Also what the bodies of one
/// call of the component may have together.
///
/// Ordinary records of this size take the component 0.12 ms, and the slowest JSON there is (an
/// object of members without a name) 0.4 ms: less than half of the call's deadline, so that a
/// slower machine meets it as well. A read has as much.
pub const BODY_BYTES_MAX: usize = 64 << 10;

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
    /// Decides about a body of a route that has an envelope. Called once for each that passes.
    pub(crate) fn wish(&self, length: usize, counters: &Counters) -> Wish {
        match length {
            0 => Wish::Passes,
            length if length > BODY_BYTES_MAX => {
                counters.bodies_left_alone.bytes.add(1);
                Wish::Passes
            }
            length if length > BODY_BYTES_MAX - self.bytes => Wish::Waits,
            _ => Wish::Read,
        }
    }

    /// A body that [`Self::wish`] wants to be read goes into the call.
    pub(crate) fn hand_in(&mut self, body: &[u8]) {
        self.bytes = (self.bytes + body.len()).min(BODY_BYTES_MAX);
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
        let wish = |bodies: &Bodies, length| bodies.wish(length, &counters);
        assert_eq!(wish(&bodies, 0), Wish::Passes);
        assert_eq!(counters.bodies_left_alone.total(), 0);
        assert_eq!(wish(&bodies, BODY_BYTES_MAX), Wish::Read);
        assert_eq!(wish(&bodies, BODY_BYTES_MAX + 1), Wish::Passes);
        assert_eq!(counters.bodies_left_alone.bytes.get(), 1);
        bodies.hand_in(b"{}");
        assert_eq!(wish(&bodies, BODY_BYTES_MAX - 2), Wish::Read);
        assert_eq!(wish(&bodies, BODY_BYTES_MAX - 1), Wish::Waits);
        bodies.clear();
        assert_eq!(wish(&bodies, BODY_BYTES_MAX - 1), Wish::Read);
        assert_eq!(counters.bodies_left_alone.total(), 1);
    }
}
