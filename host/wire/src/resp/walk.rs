//! Measuring a reply, however deep and however many reads it spans.
//!
//! ```text
//! *2        :1   *2        $1 a   :2          left: 1 → 2 → 1 → 2 → 1 → 0
//! ```
//!
//! What has been announced and has not come yet is one number, whatever the nesting: a reply ends
//! when nothing is left. Only a part of unknown length has to remember what was left around it.

use super::element::{Behind, Kind, Line, ends_at, line, skip_strings};
use super::error::Error;
use crate::limits::{RespLimits, STREAMED_DEPTH_MAX};

/// Where a walk has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Behind the reply.
    Done,
    /// At a line that has not ended.
    Line,
    /// At a payload that has not ended, this many bytes before the end of its line end.
    Payload(usize),
}

/// How the elements around the next one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    /// When none is left.
    Counted,
    /// With `.`.
    Elements,
    /// With an empty chunk.
    Chunks,
}

/// A position in one reply.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    /// The offset of the next byte that was not looked at.
    at: usize,
    /// The elements that were announced and have not come.
    left: u64,
    /// The bytes that are left of a payload; its line end comes behind them.
    payload: Option<u32>,
    open: Open,
    /// What was left and how it ends around each part of unknown length.
    around: [(u64, Open); STREAMED_DEPTH_MAX],
    depth: usize,
    /// What the reply is, and where it begins behind its attributes.
    value: Option<(Kind, usize)>,
}

impl Walk {
    /// At the start of a reply.
    pub(super) const START: Self = Self {
        at: 0,
        left: 1,
        payload: None,
        open: Open::Counted,
        around: [(0, Open::Counted); STREAMED_DEPTH_MAX],
        depth: 0,
        value: None,
    };

    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// What the reply is, and the offset at which it begins, once that is known.
    pub(super) const fn value(&self) -> Option<(Kind, usize)> {
        self.value
    }

    /// Goes as far as whole lines and whole payloads reach.
    pub(super) fn advance(&mut self, bytes: &[u8], limits: &RespLimits) -> Result<Stop, Error> {
        loop {
            if let Some(len) = self.payload {
                let end = self.at.saturating_add(len as usize);
                self.check_attributes(end, limits)?;
                if !ends_at(bytes, end)? {
                    return Ok(Stop::Payload(end.saturating_add(2)));
                }
                self.payload = None;
                self.at = end.saturating_add(2);
            }
            if self.value.is_some() && self.open == Open::Counted {
                (self.at, self.left) = skip_strings(bytes, self.at, self.left, limits);
            }
            self.check_attributes(self.at, limits)?;
            if self.left == 0 && self.open == Open::Counted {
                return Ok(Stop::Done);
            }
            let Some(line) = line(bytes, self.at, limits)? else {
                return Ok(Stop::Line);
            };
            let marker = bytes.get(self.at).copied().unwrap_or_default();
            self.enter(&line, marker)?;
            self.at = line.end;
        }
    }

    /// Attributes in front of a reply are held with it: what it is has to be known first.
    ///
    /// Looked at before anything behind the limit is, or the answer would depend on how much of
    /// it has come.
    #[inline(always)]
    fn check_attributes(&self, end: usize, limits: &RespLimits) -> Result<(), Error> {
        let max = limits.reply_bytes_max;
        if self.value.is_none() && end > max as usize {
            return Err(Error::AttributesLength { max });
        }
        Ok(())
    }

    /// Takes what is there of a payload that has not ended, and forgets the bytes up to there.
    ///
    /// Answers their number.
    pub(super) fn take(&mut self, available: usize) -> usize {
        let mut taken = self.at;
        if let Some(left) = self.payload {
            let there = available.saturating_sub(self.at);
            let there = u32::try_from(there).unwrap_or(u32::MAX).min(left);
            self.payload = Some(left.saturating_sub(there));
            taken = taken.saturating_add(there as usize);
        }
        self.at = 0;
        taken
    }

    /// Counts the element that begins with `line`.
    #[inline(always)]
    fn enter(&mut self, line: &Line, marker: u8) -> Result<(), Error> {
        // Between the elements of a part of unknown length, one more may always come.
        let left = self.left.max(1);
        let is_chunk = matches!(line.behind, Behind::Chunk(_));
        if is_chunk != (self.open == Open::Chunks) {
            return Err(Error::Streamed { found: marker });
        }
        let is_value = self.value.is_none() && left == 1;
        if is_value && !matches!(line.behind, Behind::Attributes(_)) {
            self.value = Some((line.kind, self.at));
        }
        // Lines are shorter than a count is large: 2^31 announcements do not fit any stream.
        let rest = left.saturating_sub(1);
        match line.behind {
            Behind::Nothing => self.left = rest,
            Behind::Payload(len) => {
                self.left = rest;
                self.payload = Some(len);
            }
            Behind::Elements(count) => self.left = rest.saturating_add(count.into()),
            Behind::Attributes(count) => self.left = left.saturating_add(count.into()),
            Behind::OpenElements => self.go_in(rest, Open::Elements)?,
            Behind::OpenChunks => self.go_in(rest, Open::Chunks)?,
            Behind::Chunk(0) => self.go_out(),
            Behind::Chunk(len) => self.payload = Some(len),
            Behind::End if self.open == Open::Elements && self.left == 0 => self.go_out(),
            Behind::End => return Err(Error::Streamed { found: marker }),
        }
        Ok(())
    }

    #[cold]
    fn go_in(&mut self, left: u64, open: Open) -> Result<(), Error> {
        let Some(around) = self.around.get_mut(self.depth) else {
            return Err(Error::StreamedDepth { max: STREAMED_DEPTH_MAX });
        };
        *around = (left, self.open);
        self.depth = self.depth.saturating_add(1);
        self.left = 0;
        self.open = open;
        Ok(())
    }

    #[cold]
    fn go_out(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        // There is one: what is open was entered.
        let around = self.around.get(self.depth).copied();
        (self.left, self.open) = around.unwrap_or((0, Open::Counted));
    }
}
