//! The records of the contract as they lie in memory: integers only.
//!
//! ```text
//! Head        route bits at destination id headers attributes body            8 × u32   32 bytes
//! Message     Head, body-size start end parent{hi lo span}                    6 × u64   80 bytes
//! Delivery    Head, attempt prefetched, body-size start requested published
//!             previous{hi lo span}                                   2 × u32, 7 × u64   96 bytes
//! Settlement  route bits at open detail outcome, start end delay     6 × u32, 3 × u64   48 bytes
//! Verdict     trace{hi lo} span-id published not-before, bits spans edits key open,
//!             4 bytes unused                                         5 × u64, 5 × u32   64 bytes
//! ```
//!
//! The order is that of `wit/messaging.wit`. That both agree is asserted at compile time where
//! these are lowered.

/// A route number that is never open: the component answers zeros and looks no further.
pub(crate) const NO_ROUTE: u32 = u32::MAX;

/// What the records of messages and deliveries begin with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Head {
    pub route: u32,
    pub bits: u32,
    pub at: u32,
    pub destination: u32,
    pub id: u32,
    pub headers: u32,
    pub attributes: u32,
    pub body: u32,
}

/// Three numbers that name a span in a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct SpanRef {
    pub hi: u64,
    pub lo: u64,
    pub span: u64,
}

/// `message`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Message {
    pub head: Head,
    pub body_size: u64,
    pub start: u64,
    pub end: u64,
    pub parent: SpanRef,
}

/// `delivery`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Delivery {
    pub head: Head,
    pub attempt: u32,
    pub prefetched: u32,
    pub body_size: u64,
    pub start: u64,
    pub requested: u64,
    pub published: u64,
    pub previous: SpanRef,
}

/// `settlement`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Settlement {
    pub route: u32,
    pub bits: u32,
    pub at: u32,
    pub open: u32,
    pub detail: u32,
    pub outcome: u32,
    pub start: u64,
    pub end: u64,
    pub delay: u64,
}

/// `verdict`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Verdict {
    pub trace_hi: u64,
    pub trace_lo: u64,
    pub span_id: u64,
    pub published: u64,
    pub not_before: u64,
    pub bits: u32,
    pub spans: u32,
    pub edits: u32,
    pub key: u32,
    pub open: u32,
}

const _: () = assert!(size_of::<Message>() == 8 * 4 + 6 * 8);
const _: () = assert!(size_of::<Delivery>() == 10 * 4 + 7 * 8);
const _: () = assert!(size_of::<Settlement>() == 6 * 4 + 3 * 8);
const _: () = assert!(size_of::<Verdict>() == 5 * 8 + 5 * 4 + 4);

/// A record that begins with a [`Head`].
pub(crate) trait Record: Copy + Default {
    fn head(&self) -> &Head;
    fn head_mut(&mut self) -> &mut Head;
    fn start(&self) -> u64;
}

impl Record for Message {
    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn start(&self) -> u64 {
        self.start
    }
}

impl Record for Delivery {
    fn head(&self) -> &Head {
        &self.head
    }

    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }

    fn start(&self) -> u64 {
        self.start
    }
}

impl Verdict {
    /// Of a message that the component did not see.
    pub(crate) const NONE: Self = Self {
        trace_hi: 0,
        trace_lo: 0,
        span_id: 0,
        published: 0,
        not_before: 0,
        bits: 0,
        spans: 0,
        edits: 0,
        key: 0,
        open: 0,
    };

    /// Bytes of a verdict.
    pub(crate) const BYTES: usize = size_of::<Self>();

    /// Reads a verdict as it lies in the component's memory, little-endian.
    #[inline]
    pub(crate) fn read(bytes: &[u8; Self::BYTES]) -> Self {
        let long = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let short = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        Self {
            trace_hi: long(0),
            trace_lo: long(8),
            span_id: long(16),
            published: long(24),
            not_before: long(32),
            bits: short(40),
            spans: short(44),
            edits: short(48),
            key: short(52),
            open: short(56),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_read_field_by_field() {
        let bytes = std::array::from_fn(|i| i as u8);
        let verdict = Verdict::read(&bytes);
        assert_eq!(verdict.trace_hi, 0x0706_0504_0302_0100);
        assert_eq!(verdict.published, 0x1f1e_1d1c_1b1a_1918);
        assert_eq!(verdict.not_before, 0x2726_2524_2322_2120);
        assert_eq!(verdict.bits, 0x2b2a_2928);
        assert_eq!(verdict.open, 0x3b3a_3938);
    }
}
