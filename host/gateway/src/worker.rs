//! A thread that runs sessions, and what its sessions share.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::relay::Tools;

/// One read takes at most this much. HAProxy's default of 16 KiB costs a third more processor time
/// on messages of that size; more than 64 KiB gains nothing.
pub(crate) const READ_BYTES_MAX: usize = 64 * 1024;

/// The output buffer is given back to the allocator when a burst made it larger than this.
pub(crate) const OUT_BYTES_KEPT_MAX: usize = 256 * 1024;

/// What the sessions of a thread use in turns, each for the length of one poll.
#[derive(Debug)]
pub(crate) struct Bench {
    pub tools: Tools,
    /// What was just read.
    pub read: Box<[u8]>,
    /// What a relay wants to be written.
    pub out: Vec<u8>,
}

impl Bench {
    pub(crate) fn new(tools: Tools) -> Rc<RefCell<Self>> {
        let read = vec![0; READ_BYTES_MAX].into_boxed_slice();
        Rc::new(RefCell::new(Self { tools, read, out: Vec::new() }))
    }
}

/// Nanoseconds since the Unix epoch; 0 before it.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // The year 2554 is the last that fits.
    since.as_nanos() as u64
}
