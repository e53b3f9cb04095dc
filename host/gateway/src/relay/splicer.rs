//! Writing what one read becomes: the bytes as they came, with something else in some places.
//!
//! ```text
//! input    ─────────┤ head ├──────────────────┤ head ├───────
//! output   ─────────┤ longer head ├──────────────────┤ longer head ├───────
//!          └ copied ┘└ written    ┘└ copied ─────────┘
//! ```

use std::ops::Range;

use super::Fed;
use super::held::Relayed;
use super::walk::Walk;

/// The output of one read.
#[derive(Debug)]
pub(super) struct Splicer<'a> {
    input: &'a [u8],
    out: &'a mut Vec<u8>,
    /// The input up to here has been written.
    copied: usize,
    changed: bool,
}

impl<'a> Splicer<'a> {
    pub(super) fn new(input: &'a [u8], out: &'a mut Vec<u8>) -> Self {
        Self { input, out, copied: 0, changed: false }
    }

    /// The bytes from a place on.
    pub(super) fn bytes_from(&self, at: usize) -> &'a [u8] {
        self.input.get(at..).unwrap_or_default()
    }

    /// Writes something else in place of a range. Ranges come in the order of the input.
    pub(super) fn replace(&mut self, range: Range<usize>, with: &[u8]) {
        self.write_over(range, |out| out.extend_from_slice(with));
    }

    /// The same, with what `write` appends.
    pub(super) fn write_over(&mut self, range: Range<usize>, write: impl FnOnce(&mut Vec<u8>)) {
        self.out.extend_from_slice(&self.input[self.copied..range.start]);
        write(self.out);
        self.copied = range.end;
        self.changed = true;
    }

    /// Writes the input that is left, up to where the walk came, unless all of it goes on as it
    /// came and may: `always_write` says that it may not.
    pub(super) fn relayed<S>(self, walk: Walk<S>, always_write: bool) -> Relayed {
        let Walk { done, needed, full, .. } = walk;
        let fed = if full {
            Fed::Partly
        } else if !always_write && !self.changed && done == self.input.len() {
            return Relayed { done, needed, fed: Fed::Unchanged };
        } else {
            Fed::Rewritten
        };
        self.out.extend_from_slice(&self.input[self.copied..done]);
        Relayed { done, needed, fed }
    }
}
