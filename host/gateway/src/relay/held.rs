//! Bytes of one direction that wait for what makes them whole.

use super::Fed;

/// Buffer space that a direction keeps when it holds nothing. Heads are shorter; what is larger is
/// what a read left behind.
const HELD_BYTES_KEPT_MAX: usize = 1024;

/// The beginning of something that is not whole.
#[derive(Debug, Default)]
pub(super) struct Held {
    bytes: Vec<u8>,
    /// With fewer bytes than these there is nothing to be done.
    needed: usize,
}

/// What became of bytes that were relayed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Relayed {
    /// So many went on.
    pub(super) done: usize,
    /// With fewer bytes than these, the rest cannot be read any further.
    pub(super) needed: usize,
    /// Where they are, or whether they are to go on as they came.
    pub(super) fed: Fed,
}

impl Held {
    /// Answers whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Appends what waits to the output, and forgets it.
    pub(super) fn release(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.bytes);
    }

    /// What was read goes on unread, behind what waits.
    pub(super) fn pass(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Fed {
        if self.bytes.is_empty() {
            return Fed::Unchanged;
        }
        self.release(out);
        out.extend_from_slice(bytes);
        Fed::Rewritten
    }

    /// Has what waits and what was read relayed, and keeps what is not done.
    ///
    /// `relay` gets the bytes and whether it has to write them even if they do not change.
    pub(super) fn feed(&mut self, bytes: &[u8], relay: impl FnOnce(&[u8], bool) -> Relayed) -> Fed {
        if self.bytes.is_empty() {
            let Relayed { done, needed, fed } = relay(bytes, false);
            self.bytes.extend_from_slice(&bytes[done..]);
            self.needed = needed;
            return fed;
        }
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() < self.needed {
            return Fed::Rewritten;
        }
        let Relayed { done, needed, fed } = relay(&self.bytes, true);
        self.bytes.drain(..done);
        self.bytes.shrink_to(HELD_BYTES_KEPT_MAX);
        self.needed = needed;
        fed
    }
}
