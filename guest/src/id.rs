//! The identifiers and flags of a span context.
//!
//! Ids are kept as numbers, most significant byte first on the wire, because the component's
//! boundary carries numbers cheaply and strings dearly.

/// A trace-id: 16 bytes, never all zero when it is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceId {
    /// The first eight bytes.
    pub hi: u64,
    /// The last eight bytes.
    pub lo: u64,
}

impl TraceId {
    /// Answers whether the id is not all zero (W3C Trace Context, "trace-id").
    pub const fn is_valid(self) -> bool {
        self.hi | self.lo != 0
    }

    /// The bytes in the order of the wire.
    pub fn to_bytes(self) -> [u8; 16] {
        ((u128::from(self.hi) << 64) | u128::from(self.lo)).to_be_bytes()
    }
}

/// A span-id; on the wire of W3C Trace Context it is called parent-id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpanId(pub u64);

impl SpanId {
    /// Answers whether the id is not all zero (W3C Trace Context, "parent-id").
    pub const fn is_valid(self) -> bool {
        self.0 != 0
    }
}

/// The trace-flags of W3C Trace Context Level 2; unknown bits are kept out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TraceFlags(u8);

impl TraceFlags {
    /// The caller may have recorded the trace.
    pub const SAMPLED: u8 = 0x01;
    /// The right-most seven bytes of the trace-id are random (Level 2).
    pub const RANDOM: u8 = 0x02;

    /// Keeps the two bits that Level 2 defines: "other flags MUST be set to zero" on output.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & (Self::SAMPLED | Self::RANDOM))
    }

    /// The bits as they go on the wire.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Answers whether the sampled bit is set.
    pub const fn is_sampled(self) -> bool {
        self.0 & Self::SAMPLED != 0
    }

    /// The same flags with the sampled bit as given.
    pub const fn with_sampled(self, sampled: bool) -> Self {
        Self((self.0 & !Self::SAMPLED) | sampled as u8)
    }
}
