//! Bytes of one direction that wait for what makes them whole.

use super::Fed;

/// Buffer space that a direction keeps when it holds nothing. Heads are shorter; what is larger is
/// what a read left behind.
const HELD_BYTES_KEPT_MAX: usize = 1024;

/// The beginning of something that is not whole.
#[derive(Debug, Default)]
pub(super) struct Held(Vec<u8>);

impl Held {
    /// Answers whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends what waits to the output, and forgets it.
    pub(super) fn release(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.0);
    }

    /// What was read goes on unread, behind what waits.
    pub(super) fn pass(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Fed {
        if self.0.is_empty() {
            return Fed::Unchanged;
        }
        self.release(out);
        out.extend_from_slice(bytes);
        Fed::Rewritten
    }

    /// Has what waits and what was read relayed, and keeps what is not done.
    ///
    /// `relay` gets the bytes and whether it has to write them even if they do not change. It
    /// answers how many are done.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        relay: impl FnOnce(&[u8], bool) -> (usize, Fed),
    ) -> Fed {
        if self.0.is_empty() {
            let (done, fed) = relay(bytes, false);
            self.0.extend_from_slice(&bytes[done..]);
            return fed;
        }
        self.0.extend_from_slice(bytes);
        let (done, fed) = relay(&self.0, true);
        self.0.drain(..done);
        self.0.shrink_to(HELD_BYTES_KEPT_MAX);
        fed
    }
}
