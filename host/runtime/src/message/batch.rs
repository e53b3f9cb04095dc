//! What batches of messages and of deliveries have in common: records, an arena, and where both are
//! cut into calls.

use super::parts::Parts;
use crate::answer::Buffers;
use crate::limits::{BATCH_KEPT_BYTES_MAX, Limits};
use crate::record::Record;
use crate::resource::ResourceId;

/// Where a call's share of a batch begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cut {
    pub records: usize,
    pub arena: usize,
}

/// What the two batches have in common.
#[derive(Debug, Default)]
pub(crate) struct Batch<R> {
    limits: Limits,
    pub records: Vec<R>,
    /// By message, as `records`.
    pub resources: Vec<ResourceId>,
    pub space: Space,
    /// Messages added, those that were not kept included.
    pub added: usize,
    /// Stands in for a record that is not kept.
    spare: R,
    /// What the component answered.
    pub out: Buffers,
}

/// The arena of a batch, and where it is cut.
#[derive(Debug, Default)]
pub(crate) struct Space {
    pub arena: Vec<u8>,
    /// Where each call but the first begins.
    pub cuts: Vec<Cut>,
    /// Attributes of the message being added; they follow its headers.
    pub attributes: Vec<u8>,
    /// Messages that went past a bound.
    pub overflowed: u64,
    /// Headers that are longer than an entry can say.
    pub skipped: u64,
}

impl<R: Record> Batch<R> {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { limits: *limits, ..Self::default() }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.added >= self.limits.batch_messages_max
            || self.space.arena.len() >= self.limits.batch_bytes_max
    }

    pub(crate) fn clear(&mut self) {
        let space = &mut self.space;
        for bytes in [&mut space.arena, &mut space.attributes] {
            bytes.clear();
            bytes.shrink_to(BATCH_KEPT_BYTES_MAX);
        }
        space.cuts.clear();
        space.overflowed = 0;
        space.skipped = 0;
        self.records.clear();
        self.resources.clear();
        self.added = 0;
        self.out.clear();
    }

    pub(crate) fn add<'b>(
        &'b mut self,
        record: R,
        resource: ResourceId,
        destination: &[u8],
        id: &[u8],
        body: &'b [u8],
    ) -> Parts<'b> {
        let (index, kept) = (self.added, !self.is_full());
        self.added += 1;
        let space = &mut self.space;
        space.attributes.clear();
        // No bound can be passed and then met again, so what is kept has no holes.
        let record = if kept {
            self.records.push(record);
            self.resources.push(resource);
            &mut self.records[index]
        } else {
            self.spare = record;
            &mut self.spare
        };
        let start = space.arena.len();
        let full = !kept;
        let (head, limits) = (record.head_mut(), &self.limits);
        Parts { head, space, limits, index, start, body, kept, full }.begin(destination, id)
    }
}
