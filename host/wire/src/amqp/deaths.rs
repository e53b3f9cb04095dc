//! How often and why a message was dead-lettered: the header `x-death`.
//!
//! An array of tables, one for each queue and reason, the latest first. What somebody else has
//! written under this name, in another shape, reads as fewer deaths, or none.

use super::value::{Array, ArrayIter};

/// How often a message died in one queue for one reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Death<'a> {
    /// The queue that it was in.
    pub queue: Option<&'a [u8]>,
    /// `rejected`, `expired`, `maxlen` or `delivery_limit`.
    pub reason: Option<&'a [u8]>,
    /// How often.
    pub count: Option<u64>,
    /// When first, in seconds since the Unix epoch.
    pub time: Option<u64>,
    /// The exchange that it had been published to.
    pub exchange: Option<&'a [u8]>,
}

/// The deaths of a message, in the order of the header.
#[derive(Clone, Copy, Debug)]
pub struct Deaths<'a> {
    values: ArrayIter<'a>,
}

impl<'a> Deaths<'a> {
    pub(super) fn new(array: Array<'a>) -> Self {
        Self { values: array.iter() }
    }
}

impl<'a> Iterator for Deaths<'a> {
    type Item = Death<'a>;

    fn next(&mut self) -> Option<Death<'a>> {
        let table = self.values.next()?.as_table()?;
        let mut death = Death::default();
        for entry in table {
            match entry.name {
                b"queue" => death.queue = entry.value.as_text(),
                b"reason" => death.reason = entry.value.as_text(),
                b"count" => death.count = entry.value.as_u64(),
                b"time" => death.time = entry.value.as_timestamp(),
                b"exchange" => death.exchange = entry.value.as_text(),
                _ => {}
            }
        }
        Some(death)
    }
}
