//! The `ot` member of `tracestate`: consistent probability sampling.
//!
//! ```text
//! tracestate: ot=th:c;rv:6e6d1a75832a2f
//!                │    └─ randomness R: 14 hex digits; without it, the last 56 bits of the trace-id
//!                └─ rejection threshold T: 1 to 14 hex digits, zeros left out on the right
//! sampled if and only if R >= T            th:0 is 100 %, th:8 is 50 %, th:c is 25 %
//! ```
//!
//! Sub-keys this file does not know are kept as they came. It decides nothing about a span; the
//! sampler does.
//!
//! OpenTelemetry, "TraceState Handling" and "TraceState: Probability Sampling".

use alloc::vec::Vec;

use crate::hex;
use crate::id::TraceId;

/// The key of the member in `tracestate`.
pub const KEY: &[u8] = b"ot";

/// "The complete list length MUST NOT exceed 256 characters."
pub const VALUE_BYTES_MAX: usize = 256;

/// How many digits a threshold or a randomness of 56 bits has.
const DIGITS: usize = 14;

/// 2^56: one more than the largest randomness, and the threshold that would reject everything.
const RANGE: u64 = 1 << 56;

/// A rejection threshold, below 2^56.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Threshold(u64);

/// 56 random bits that belong to a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Randomness(u64);

impl Threshold {
    /// Rejects nothing: 100 %.
    pub const ALWAYS: Self = Self(0);

    /// Reads a `th` value; `None` unless it is 1 to 14 lower-case hex digits.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let missing = DIGITS.checked_sub(text.len())?;
        Some(Self(parse_digits(text)? << (4 * missing)))
    }

    /// The threshold that keeps `probability` of all traces, to four hex digits beyond those that
    /// are all `f`; more would lengthen every message for no difference that can be measured.
    ///
    /// Answers `None` unless `probability` is between 2^-56 and 1.
    pub fn from_probability(probability: f64) -> Option<Self> {
        const PRECISION: usize = 4;
        let range = RANGE as f64;
        if !(probability >= 1.0 / range && probability <= 1.0) {
            return None;
        }
        // Adding one half and cutting rounds to the nearest: the number is positive.
        let exact = RANGE - ((probability * range + 0.5) as u64).min(RANGE);
        let leading_fs = ((RANGE - 1) ^ exact).leading_zeros().saturating_sub(8) as usize / 4;
        let dropped = 4 * (DIGITS - (PRECISION + leading_fs).min(DIGITS));
        let half = (1 << dropped) >> 1;
        Some(Self((((exact + half) >> dropped) << dropped).min(RANGE - 1)))
    }

    /// The threshold as a number below 2^56.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The part of all traces that passes, above 0 and at most 1.
    pub fn probability(self) -> f64 {
        (RANGE - self.0) as f64 / RANGE as f64
    }

    /// How many traces one sampled trace stands for, at least 1.
    pub fn adjusted_count(self) -> f64 {
        RANGE as f64 / (RANGE - self.0) as f64
    }

    /// The sampling decision.
    pub const fn samples(self, randomness: Randomness) -> bool {
        randomness.0 >= self.0
    }

    /// Appends the `th` value: the digits without the zeros on the right, at least one.
    fn write(self, out: &mut Vec<u8>) {
        let digits = hex::format_u64(self.0);
        let digits = &digits[digits.len() - DIGITS..];
        let end = digits.iter().rposition(|&digit| digit != b'0').map_or(1, |last| last + 1);
        out.extend_from_slice(&digits[..end]);
    }
}

impl Randomness {
    /// Reads an `rv` value; `None` unless it is exactly 14 lower-case hex digits.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let digits: &[u8; DIGITS] = text.try_into().ok()?;
        parse_digits(digits).map(Self)
    }

    /// The right-most 56 bits of a trace-id, random when the random flag is set.
    pub const fn of_trace_id(id: TraceId) -> Self {
        Self(id.lo & (RANGE - 1))
    }

    /// The randomness as a number below 2^56.
    pub const fn value(self) -> u64 {
        self.0
    }
}

/// The value of the `ot` member.
#[derive(Clone, Copy, Debug, Default)]
pub struct OtSampling<'a> {
    /// `th`; `None` when absent or invalid: the probability is then unknown.
    pub threshold: Option<Threshold>,
    /// `rv`; `None` when absent or invalid.
    pub randomness: Option<Randomness>,
    /// The value as it came, for the sub-keys that are only kept.
    value: &'a [u8],
}

impl<'a> OtSampling<'a> {
    /// Reads the value of the member. Invalid `th` and `rv` are dropped, everything else is kept;
    /// of a value longer than [`VALUE_BYTES_MAX`] nothing is.
    pub fn parse(value: &'a [u8]) -> Self {
        let mut read = Self::default();
        if value.len() > VALUE_BYTES_MAX {
            return read;
        }
        read.value = value;
        for part in parts(value) {
            if let Some(text) = part.strip_prefix(b"th:") {
                read.threshold = Threshold::parse(text);
            } else if let Some(text) = part.strip_prefix(b"rv:") {
                read.randomness = Randomness::parse(text);
            }
        }
        read
    }

    /// The randomness to decide by: `rv`, else that of the trace-id.
    pub fn randomness_of(&self, id: TraceId) -> Randomness {
        self.randomness.unwrap_or(Randomness::of_trace_id(id))
    }

    /// Appends the value: `th`, `rv`, then the others in their order as far as they fit into
    /// [`VALUE_BYTES_MAX`]. Appends nothing when there is nothing to say.
    pub fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        if let Some(threshold) = self.threshold {
            out.extend_from_slice(b"th:");
            threshold.write(out);
        }
        if let Some(randomness) = self.randomness {
            separate(out, start);
            out.extend_from_slice(b"rv:");
            let digits = hex::format_u64(randomness.0);
            out.extend_from_slice(&digits[digits.len() - DIGITS..]);
        }
        for part in parts(self.value) {
            if part.starts_with(b"th:") || part.starts_with(b"rv:") {
                continue;
            }
            let separator_bytes = usize::from(out.len() > start);
            if out.len() - start + separator_bytes + part.len() > VALUE_BYTES_MAX {
                return;
            }
            separate(out, start);
            out.extend_from_slice(part);
        }
    }
}

fn parts(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b';').filter(|part| !part.is_empty())
}

/// Appends a `;` unless nothing was written since `start`.
fn separate(out: &mut Vec<u8>, start: usize) {
    if out.len() > start {
        out.push(b';');
    }
}

/// Reads up to 14 digits; `None` when there is none or one is not a lower-case digit.
fn parse_digits(text: &[u8]) -> Option<u64> {
    if text.len() > DIGITS {
        return None;
    }
    hex::parse_padded(text).map(|number| number.lo)
}

#[cfg(test)]
mod tests;
