//! Writing a command or a reply with a few strings and fields changed.
//!
//! ```text
//! original  *3 $5 LPUSH $6 celery $1008 {"body": … }
//!                                  ────            ─
//! result    *3 $5 LPUSH $6 celery $1082 {"body": … , "traceparent": … }
//! ```
//!
//! Changes are made from front to back and written at once; what lies between them is copied as
//! it came. A change that is refused leaves its place as it was.

use super::fields::FieldList;
use super::rewrite::{FieldEdit, Plan, Refusal};
use crate::Extent;
use crate::decimal::Decimal;
use crate::limits::RespLimits;
use crate::splice::{self, Patch};

/// Appends a changed command or reply to a buffer.
#[derive(Debug)]
pub struct Splicer<'a, 'o> {
    bytes: &'a [u8],
    /// The bytes before this offset have been written.
    written: usize,
    bulk_bytes_max: u32,
    out: &'o mut Vec<u8>,
}

impl<'a, 'o> Splicer<'a, 'o> {
    /// Starts with nothing changed. `bytes` are the command or the reply, and nothing behind it.
    pub fn new(bytes: &'a [u8], limits: &RespLimits, out: &'o mut Vec<u8>) -> Self {
        Self { bytes, written: 0, bulk_bytes_max: limits.bulk_bytes_max, out }
    }

    /// Changes a string: an argument, or an element of a reply.
    ///
    /// The places of `patches` count from the start of the string. Says whether anything changes.
    ///
    /// # Errors
    ///
    /// The string stays as it is.
    pub fn string(&mut self, at: Extent, patches: &[Patch<'_>]) -> Result<bool, Refusal> {
        if patches.is_empty() {
            return Ok(false);
        }
        let text = at.of(self.bytes);
        let digits_at = digits_before(self.bytes, at).ok_or(Refusal::NotAString)?;
        if digits_at.range().start < self.written {
            return Err(Refusal::Order);
        }
        let len = splice::len_after(text.len(), patches).ok_or(Refusal::Patches)?;
        let len = u32::try_from(len).map_err(|_| Refusal::Length)?;
        if len > self.bulk_bytes_max {
            return Err(Refusal::Length);
        }
        self.replace(digits_at, Decimal::new(len).as_bytes());
        self.copy_to(at.range().start);
        splice::write(text, patches, self.out);
        self.written = at.range().end;
        Ok(true)
    }

    /// Changes fields. Says whether anything changes.
    ///
    /// # Errors
    ///
    /// The fields stay as they are.
    #[inline]
    pub fn fields(&mut self, list: &FieldList, edits: &[FieldEdit<'_>]) -> Result<bool, Refusal> {
        if list.count_at.range().start < self.written {
            return Err(Refusal::Order);
        }
        let Some(plan) = Plan::of(self.bytes, list, edits, self.bulk_bytes_max)? else {
            return Ok(false);
        };
        self.replace(list.count_at, Decimal::new(plan.count).as_bytes());
        self.copy_to(list.at.range().start);
        plan.write(self.bytes, list, edits, self.out);
        self.written = list.at.range().end;
        Ok(true)
    }

    /// Appends what is left.
    pub fn finish(mut self) {
        self.copy_to(self.bytes.len());
    }

    #[inline(always)]
    fn replace(&mut self, at: Extent, with: &[u8]) {
        self.copy_to(at.range().start);
        self.out.extend_from_slice(with);
        self.written = at.range().end;
    }

    #[inline(always)]
    fn copy_to(&mut self, end: usize) {
        self.out.extend_from_slice(self.bytes.get(self.written..end).unwrap_or_default());
        self.written = end;
    }
}

/// The digits of the length in front of the string at `at`, if it is one.
fn digits_before(bytes: &[u8], at: Extent) -> Option<Extent> {
    let range = at.range();
    if !bytes.get(range.end..)?.starts_with(b"\r\n") {
        return None;
    }
    // A length has no leading zero, so its digits are known.
    let digits = Decimal::new(at.len());
    let digits = digits.as_bytes();
    let end = range.start.checked_sub(2)?;
    let start = end.checked_sub(digits.len())?;
    let is_string = bytes.get(start.checked_sub(1)?) == Some(&b'$')
        && bytes.get(start..end) == Some(digits)
        && bytes.get(end..range.start) == Some(b"\r\n");
    is_string.then(|| Extent::between(start, end))
}
